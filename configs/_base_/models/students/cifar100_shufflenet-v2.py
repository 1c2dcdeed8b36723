"""ShuffleNetV2 of the CRD benchmark as a student: feature 1,024."""

student_dim = 1024
student_backbone = dict(type='gendd_mm.CIFARShuffleNetV2')
