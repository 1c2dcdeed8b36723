"""The teacher of ImageNet-LT: ResNeXt-101-32x4d, on labels.

    bash tools/dist_train.sh configs/imagenet_lt/resnext101-32x4d_8xb32_imagenet-lt.py 8

The recipe states its optimiser and batch; the 100 epochs and the cosine are
ours. ``gen/`` in its results is its own classifier.
"""

_base_ = [
    '../_base_/models/teachers/resnext101_lt.py',
    '../_base_/datasets/imagenet_lt.py',
    '../_base_/schedules/imagenet_lt_sgd.py',
    '../_base_/default_runtime.py',
]

model = dict(_base_.teacher, data_preprocessor={{_base_.student_preprocessor}})
