"""ResNet-18 as a student: feature 512; its blocks start as torchvision's."""

student_dim = 512
student_backbone = dict(type='ResNet', depth=18, zero_init_residual=False)
