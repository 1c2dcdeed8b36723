"""resnet20 of the CRD benchmark as a student: feature 64."""

student_dim = 64
student_backbone = dict(type='gendd_mm.CIFARResNet', depth=20)
