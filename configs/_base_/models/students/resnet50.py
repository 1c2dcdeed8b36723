"""ResNet-50 as a student: feature 2,048; its blocks start as torchvision's."""

student_dim = 2048
student_backbone = dict(type='ResNet', depth=50, zero_init_residual=False)
