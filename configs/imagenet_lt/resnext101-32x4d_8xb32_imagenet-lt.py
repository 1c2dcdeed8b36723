"""The teacher of ImageNet-LT: ResNeXt-101-32x4d, on labels.

    bash tools/dist_train.sh configs/imagenet_lt/resnext101-32x4d_8xb32_imagenet-lt.py 8

``gen/`` in its results is its own classifier.
"""

_base_ = [
    '../_base_/models/teachers/resnext101_lt.py',
    '../_base_/datasets/imagenet_lt_teacher.py',
    '../_base_/schedules/imagenet_lt_sgd.py',
    '../_base_/default_runtime.py',
]

# Students learn from its best epoch.
default_hooks = dict(checkpoint=dict(save_best='gen/top1', rule='greater'))

model = dict(_base_.teacher, data_preprocessor={{_base_.student_preprocessor}})
