"""wrn_16_2 of the CRD benchmark as a student: feature 128."""

student_dim = 128
student_backbone = dict(type='mmrazor.WideResNet', depth=16, widen_factor=2)
