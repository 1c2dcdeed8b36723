"""KL distillation of ResNet-50 -> MobileNetV1 on CC3M without labels.

    bash tools/dist_train.sh configs/cc3m/kl_resnet50_mobilenet-v1_8xb64-100e_cc3m.py 8

The baseline of GenDD without labels: KL alone, at temperature 1.

Top-1 on ImageNet reported by the authors: 51.60.
"""

_base_ = [
    '../_base_/models/kd.py',
    '../_base_/models/teachers/resnet50.py',
    '../_base_/models/students/mobilenet-v1.py',
    '../_base_/datasets/cc3m_5500.py',
    '../_base_/schedules/imagenet_sgd.py',
    '../_base_/default_runtime.py',
]

# The losses of both would read labels.
unlabeled = dict(type='gendd_mm.UnlabeledClsHead')
model = dict(
    architecture=dict(
        data_preprocessor={{_base_.student_preprocessor}},
        backbone={{_base_.student_backbone}},
        head=dict(**unlabeled, in_channels={{_base_.student_dim}}),
    ),
    teacher=dict(_base_.teacher, head=dict(_base_.teacher.head, **unlabeled)),
    teacher_ckpt={{_base_.teacher_ckpt}},
)

val_evaluator = dict(_delete_=True, type='Accuracy', topk=(1, 5))
test_evaluator = val_evaluator
