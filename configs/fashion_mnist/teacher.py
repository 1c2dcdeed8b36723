"""The teacher of Fashion-MNIST, on labels.

    python tools/train.py configs/fashion_mnist/teacher.py

On all 60,000 training images, as the students' 12,000 are for time alone. Only
flipped: in eight epochs crops cost more than they give.
"""

_base_ = [
    '../_base_/models/fashion_mnist_pair.py',
    '../_base_/datasets/fashion_mnist.py',
    '../_base_/schedules/fashion_mnist_teacher.py',
    '../_base_/default_runtime.py',
]
work_dir = 'work_dirs/teacher_fashion_mnist'

model = {{_base_.teacher}}
train_dataloader = dict(
    batch_size=128,
    dataset=dict(
        pipeline=[
            dict(type='RandomFlip', prob=0.5, direction='horizontal'),
            dict(type='PackInputs'),
        ]
    ),
)
default_hooks = dict(checkpoint=dict(max_keep_ckpts=1))
