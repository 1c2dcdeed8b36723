"""Fashion-MNIST, all of it: 60,000 images for training, 10,000 for testing.

Grey, 28x28, ten classes of 6,000 and 1,000. ``tools/get_fashion_mnist.sh``
puts it into ``data/fashion_mnist``.
"""

data_root = 'data/fashion_mnist'
data_preprocessor = dict(type='ClsDataPreprocessor', num_classes=10, mean=[72.9], std=[90.0])

train_pipeline = [
    dict(type='RandomCrop', crop_size=28, padding=2),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackInputs'),
]
test_pipeline = [dict(type='PackInputs')]

train_dataloader = dict(
    batch_size=64,
    num_workers=0,
    dataset=dict(type='FashionMNIST', data_root=data_root, pipeline=train_pipeline),
    sampler=dict(type='DefaultSampler', shuffle=True),
)
val_dataloader = dict(
    batch_size=500,
    num_workers=0,
    dataset=dict(
        type='FashionMNIST',
        data_root=data_root,
        split='test',
        # Without it MMPretrain reads the training images, whatever the split.
        test_mode=True,
        pipeline=test_pipeline,
    ),
    sampler=dict(type='DefaultSampler', shuffle=False),
)
test_dataloader = val_dataloader
# gen/top1 is of a model's own output: the generative path if it has one.
val_evaluator = dict(type='gendd_mm.ProbeAccuracy')
test_evaluator = val_evaluator
