"""ResNet-50 as a student: feature 2,048."""

student_dim = 2048
student_backbone = dict(type='ResNet', depth=50)
