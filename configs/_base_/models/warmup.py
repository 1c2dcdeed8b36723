"""Stage 1: a student through its teacher's classifier; the pair is open."""

model = dict(
    type='ImageClassifier',
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='gendd_mm.ReusedClassifierHead', num_classes=1000, loss=dict(type='CrossEntropyLoss')
    ),
)
