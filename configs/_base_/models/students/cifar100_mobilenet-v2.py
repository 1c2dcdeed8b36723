"""MobileNetV2 (half) of the CRD benchmark as a student: feature 1,280."""

student_dim = 1280
student_backbone = dict(type='gendd_mm.CIFARMobileNetV2')
