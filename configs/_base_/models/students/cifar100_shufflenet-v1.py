"""ShuffleNetV1 of the CRD benchmark as a student: feature 960."""

student_dim = 960
student_backbone = dict(type='gendd_mm.CIFARShuffleNetV1')
