"""vgg8 of the CRD benchmark as a student: feature 512."""

student_dim = 512
student_backbone = dict(type='gendd_mm.CIFARVGG', depth=8)
