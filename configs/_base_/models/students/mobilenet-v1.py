"""MobileNetV1 of timm, with its paper's ReLU, as a student: feature 1,024."""

student_dim = 1024
student_backbone = dict(type='TIMMBackbone', model_name='mobilenetv1_100', act_layer='relu')
