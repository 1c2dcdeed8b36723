"""What the convolutional teachers share: pooling, one layer, 1,000 classes."""

teacher = dict(
    type='ImageClassifier',
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=1000, loss=dict(type='CrossEntropyLoss')),
)
