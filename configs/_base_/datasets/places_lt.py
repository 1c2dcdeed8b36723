"""Places-LT (OLTR, arXiv 1904.05160): 365 classes, total batch 256.

The annotation files of its authors, in ``data/places``, with lines of
``relative/path label``.
"""

_base_ = ['imagenet_lt.py']
data_root = 'data/places'
train_ann_file = 'Places_LT_train.txt'

student_preprocessor = dict(num_classes=365)
train_dataloader = dict(dataset=dict(data_root=data_root, ann_file=train_ann_file))
val_dataloader = dict(dataset=dict(data_root=data_root, ann_file='Places_LT_val.txt'))
test_dataloader = dict(dataset=dict(data_root=data_root, ann_file='Places_LT_test.txt'))
val_evaluator = dict(train_counts=f'{data_root}/{train_ann_file}')
test_evaluator = val_evaluator
