"""wrn_40_1 of the CRD benchmark as a student: feature 64."""

student_dim = 64
student_backbone = dict(type='mmrazor.WideResNet', depth=40, widen_factor=1)
