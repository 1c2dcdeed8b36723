"""iNaturalist 2018: 8,142 classes, long-tailed by nature, total batch 256.

Annotation files in ``data/inaturalist18`` with lines of ``relative/path
label``. There are no labels of a test set: validation serves for both.
"""

_base_ = ['imagenet_lt.py']
data_root = 'data/inaturalist18'
train_ann_file = 'iNaturalist18_train.txt'

student_preprocessor = dict(num_classes=8142)
train_dataloader = dict(dataset=dict(data_root=data_root, ann_file=train_ann_file))
val_dataloader = dict(dataset=dict(data_root=data_root, ann_file='iNaturalist18_val.txt'))
test_dataloader = val_dataloader
val_evaluator = dict(train_counts=f'{data_root}/{train_ann_file}')
test_evaluator = val_evaluator
