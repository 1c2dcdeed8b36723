"""resnet8x4 of the CRD benchmark as a student: feature 256."""

student_dim = 256
student_backbone = dict(type='gendd_mm.CIFARResNet', depth=8, stem_channels=32, base_channels=64)
