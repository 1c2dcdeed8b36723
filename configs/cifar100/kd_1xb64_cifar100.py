"""KL distillation (KD) on CIFAR-100, the settings of the CRD benchmark.

    TEACHER=resnet110 STUDENT=resnet32 \\
        python tools/train.py configs/cifar100/kd_1xb64_cifar100.py

Temperature 4, weights 0.9 of the KL and 0.1 of cross-entropy.
"""

_base_ = [
    '../_base_/models/kd.py',
    '../_base_/models/cifar100_pair.py',
    '../_base_/datasets/cifar100.py',
    '../_base_/schedules/cifar100_sgd.py',
    '../_base_/default_runtime.py',
]
work_dir = 'work_dirs/kd_{{$TEACHER:resnet56}}_{{$STUDENT:resnet20}}_1xb64_cifar100'

model = dict(
    architecture=dict(
        backbone={{_base_.student_backbone}},
        head=dict(num_classes=100, in_channels={{_base_.student_dim}}, loss=dict(loss_weight=0.1)),
    ),
    teacher={{_base_.teacher}},
    teacher_ckpt={{_base_.teacher_ckpt}},
    distiller=dict(distill_losses=dict(loss_kl=dict(tau=4, loss_weight=0.9))),
)

val_evaluator = dict(_delete_=True, type='Accuracy', topk=(1, 5))
test_evaluator = val_evaluator
