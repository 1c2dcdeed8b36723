"""ResNet-18 as a student: feature 512."""

student_dim = 512
student_backbone = dict(type='ResNet', depth=18)
