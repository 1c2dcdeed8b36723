"""Annotation files: what cannot be read is named before anything is built."""

import json

import pytest
import tar_shards
from mmengine.config import Config
from mmpretrain.datasets import CustomDataset

from gendd_mm.annotations import AnnotationError, check_annotation_file, check_annotations

GOOD = {
    'a space in the path': b'a b.jpg 0\nc.jpg 1\n',
    'Windows line ends': b'a.jpg 0\r\nb.jpg 1\r\n',
    'UTF-8, no last line end': 't\u00e9.jpg 0'.encode(),
    'spaces around a line': b'  a.jpg 3 \n',
}
BAD = {
    'no label': (b'a.jpg 0\nb.jpg\n', 2, 'no label'),
    'a word': (b'a.jpg 0\nb.jpg dog\nc.jpg cat\n', 2, "'dog' is no integer.*1 more lines.*: 3"),
    'a fraction': (b'a.jpg 1.0\n', 1, 'no integer'),
    'a blank line': (b'a.jpg 0\n\nb.jpg 1\n', 2, 'blank'),
    'blank lines at the end': (b'a.jpg 0\n\n \n', 2, 'blank'),
    'a tab': (b'a.jpg 0\nb.jpg\t1\n', 2, 'tab'),
    'a tab behind a space': (b'a b.jpg\t1\n', 1, 'tab'),
    'a space without a label': (b'my dog.jpg\n', 1, "'dog.jpg' is no integer"),
    'beyond int64': (b'a.jpg 9223372036854775808\n', 1, 'exceeds int64'),
    'digits without end': (b'a.jpg ' + b'9' * 5000, 1, 'no integer'),
    'Latin-1': (b'a.jpg 0\nt\xe9.jpg 1\n', 2, '0xe9, is not UTF-8.*iconv'),
    'a byte order mark': (b'\xef\xbb\xbfa.jpg 0\n', 1, 'byte order mark'),
    'UTF-16': ('a.jpg 0\n'.encode('utf-16'), 1, 'zero bytes'),
    'binary': (b'a.jpg 0\n\x89PNG\0\0', 2, 'zero bytes'),
    'empty': (b'', 1, 'empty'),
}


def config(**dataset) -> Config:
    loader = dict(dataset=dict(dict(type='CustomDataset'), **dataset))
    return Config(dict(default_scope='mmpretrain', train_dataloader=loader))


@pytest.mark.parametrize('case', GOOD)
def test_what_upstream_reads_passes(case, tmp_path):
    (tmp_path / 'a.txt').write_bytes(GOOD[case])
    check_annotation_file(str(tmp_path / 'a.txt'))
    for sample in CustomDataset(data_root=str(tmp_path), ann_file='a.txt'):
        assert sample['img_path'].endswith('.jpg')


@pytest.mark.fault(
    'Data',
    'an annotation file with a line that cannot be read',
    'file and line are named before a model is built',
)
@pytest.mark.parametrize('case', BAD)
def test_a_line_that_cannot_be_read_is_named(case, tmp_path):
    data, line, what = BAD[case]
    path = tmp_path / 'a.txt'
    path.write_bytes(data)
    with pytest.raises(AnnotationError, match=f'a.txt, line {line}: .*{what}') as caught:
        check_annotations(config(data_root=str(tmp_path), ann_file='a.txt'), ('train',))
    assert len(str(caught.value)) < 400


def test_a_list_without_labels_needs_only_paths(tmp_path):
    (tmp_path / 'a.txt').write_bytes(b'a.jpg\nmy dog.jpg\n')
    check_annotation_file(str(tmp_path / 'a.txt'), with_label=False)
    (tmp_path / 'a.txt').write_bytes(b'a.jpg\n\n')
    with pytest.raises(AnnotationError, match='line 2: it is blank'):
        check_annotation_file(str(tmp_path / 'a.txt'), with_label=False)


def test_a_dataset_with_arguments_of_its_own_is_left_alone():
    class Mine(CustomDataset):
        def __init__(self, folder: str) -> None:
            super().__init__(data_root=folder, ann_file='a.txt')

    cfg = config()
    cfg.train_dataloader.dataset = dict(type=Mine, folder='nowhere')
    check_annotations(cfg, ('train',))


def test_the_list_of_imagenet_is_found_inside_wrappers(tmp_path):
    (tmp_path / 'meta').mkdir()
    (tmp_path / 'meta' / 'train.txt').write_bytes(b'a.jpg dog\n')
    inner = dict(type='ImageNet', data_root=str(tmp_path), split='train')
    for wrapper in (
        dict(type='RepeatDataset', times=2, dataset=inner),
        dict(type='ConcatDataset', datasets=[inner, inner]),
        dict(type='gendd_mm.LongTailed', dataset=inner),
    ):
        with pytest.raises(AnnotationError, match='train.txt, line 1'):
            check_annotations(config(**wrapper), ('train',))
        check_annotations(config(**wrapper), ('val',))


def test_folders_files_that_are_not_there_and_other_datasets_pass(tmp_path):
    (tmp_path / 'cat').mkdir()
    (tmp_path / 'cat' / '0.jpg').write_bytes(tar_shards.jpeg(0))
    for dataset in (
        dict(data_root=str(tmp_path)),
        dict(data_root=str(tmp_path), ann_file='none.txt'),
        dict(type='CIFAR100', data_root=str(tmp_path)),
        dict(type='gendd_mm.DigitsDataset'),
    ):
        check_annotations(config(**dataset), ('train',))


JSON = dict(metainfo=dict(), data_list=[dict(img_path='a.jpg', gt_label=0)])


@pytest.mark.parametrize(
    ('text', 'what'),
    [
        ('{"metainfo": {},\n"data_list": [}', 'a.json, line 2: not JSON'),
        ('{"metainfo"\n: "\udce9"}', 'a.json, line 2: not JSON in UTF-8'),
        ('[]', 'must be a dict'),
        (100_000 * '[', 'a.json, line 1: not JSON.*recursion'),
        (json.dumps(dict(JSON, data_list=[])), 'must be a dict'),
        (json.dumps(dict(JSON, metainfo=[])), 'must be a dict'),
        (json.dumps(dict(JSON, data_list=[dict(img_path='a'), 3])), 'entry 1 of data_list is 3;'),
        (json.dumps(dict(JSON, data_list=[dict(img_path=None)])), 'entry 0 of'),
        (json.dumps(dict(JSON, data_list=[dict(path='a.jpg')])), "a text as 'img_path'"),
    ],
)
def test_json_that_cannot_be_read_is_named(text, what, tmp_path):
    path = tmp_path / 'a.json'
    path.write_bytes(text.encode('utf-8', 'surrogateescape'))
    cfg = config(type='BaseDataset', data_root=str(tmp_path), ann_file='a.json')
    with pytest.raises(AnnotationError, match=what):
        check_annotations(cfg, ('train',))
    path.write_text(json.dumps(JSON))
    check_annotations(cfg, ('train',))
