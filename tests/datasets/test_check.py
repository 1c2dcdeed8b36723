"""dataset_check: what a run would read, counted; what it cannot, listed."""

import json
import runpy
import sys

import pytest
import small_models
import tar_shards
from mmengine.config import Config

from gendd_mm.datasets.check import check_config, model_classes
from gendd_mm.datasets.check_report import save, show

LOAD = [
    dict(type='LoadImageFromFile'),
    # Would fail: not part of reading.
    dict(type='RandomCrop', crop_size=100),
    dict(type='PackInputs'),
]
HEAD = dict(type='LinearClsHead', num_classes=4, in_channels=2)


def config(train: dict, val: dict | None = None, num_classes: int = 4) -> Config:
    settings = dict(
        default_scope='mmpretrain',
        model=dict(type='ImageClassifier', head={**HEAD, 'num_classes': num_classes}),
        train_dataloader=dict(batch_size=1, dataset=train),
    )
    if val is not None:
        loader = dict(batch_size=2, dataset=val)
        settings.update(val_dataloader=loader, test_dataloader=loader)
    return Config(settings)


@pytest.fixture
def folder(tmp_path) -> dict:
    """A dataset of eight images, two of them broken, one not there."""
    lines = []
    for i in range(8):
        name = f'{i} [red].jpg'  # no markup
        (tmp_path / name).write_bytes(tar_shards.jpeg(i, size=32))
        lines.append(f'{name} {i % 3}')
    (tmp_path / '1 [red].jpg').write_bytes(tar_shards.jpeg(0, size=32)[:-40])
    (tmp_path / '2 [red].jpg').write_bytes(b'no image')
    (tmp_path / '5 [red].jpg').unlink()
    lines[7] = lines[7][:-1] + '4'
    (tmp_path / 'train.txt').write_text('\n'.join(lines))
    return dict(type='CustomDataset', data_root=str(tmp_path), ann_file='train.txt', pipeline=LOAD)


@pytest.mark.parametrize('num_workers', [0, 2])
def test_it_finds_what_is_broken(folder, num_workers):
    (report,) = check_config(config(folder), num_workers=num_workers)
    assert (report.num_read, report.num_samples) == (8, 8)
    assert [path.rpartition('/')[2][0] for path in report.unreadable] == ['1', '2', '5']
    assert 'truncated' in next(iter(report.unreadable.values()))
    assert report.class_counts == [3, 2, 2, 0, 1]
    (wrong,) = report.out_of_range.items()
    assert wrong[0].endswith('7 [red].jpg')
    assert wrong[1] == [4]
    assert not report.is_good


def test_no_other_image_takes_the_place_of_a_broken_one(folder):
    folder['pipeline'] = [dict(type='LoadImageFromFile', ignore_empty=True)]
    (report,) = check_config(config(folder), num_workers=0)
    assert len(report.unreadable) == 3


@pytest.mark.parametrize(
    'wrap',
    [
        lambda inner: dict(type='RepeatDataset', times=1, dataset=inner),
        lambda inner: dict(type='ConcatDataset', datasets=[inner]),
    ],
)
def test_it_reads_through_wrappers(folder, wrap):
    (report,) = check_config(config(wrap(folder)), num_workers=0)
    assert len(report.unreadable) == 3
    assert report.class_counts == [3, 2, 2, 0, 1]


def test_good_data_of_labels_passes():
    digits = dict(type='gendd_mm.DigitsDataset', pipeline=LOAD[1:])
    train, val = check_config(config(digits, dict(digits, split='test'), 10), num_workers=0)
    assert (train.splits, val.splits) == (['train'], ['val', 'test'])
    assert sum(train.class_counts) == 1200
    assert sum(val.class_counts) == 597
    assert train.is_good
    assert val.is_good


def test_a_limit_is_spread_over_the_whole_set():
    digits = dict(type='gendd_mm.DigitsDataset')
    (report,) = check_config(config(digits), ('train',), 0, limit=11)
    assert (report.num_read, report.num_samples) == (11, 1200)
    assert list(report.out_of_range)[-1] == 'sample 1199'


def test_shards_without_labels(tmp_path):
    tar_shards.write_shards(tmp_path)
    shards = dict(
        type='gendd_mm.UnlabeledShards', shards='*.tar', data_root=str(tmp_path), pipeline=LOAD
    )
    both = dict(type='ConcatDataset', datasets=[shards, shards])
    for dataset, size in ((shards, 40), (both, 80)):
        (report,) = check_config(config(dataset), num_workers=0)
        assert report.num_read == size
        assert report.class_counts is None
        assert len(report.left_out) == 10
        assert report.is_good  # what is left out is never read


def test_placeholders_are_no_labels(folder, tmp_path):
    lines = (tmp_path / 'train.txt').read_text().splitlines()
    (tmp_path / 'train.txt').write_text('\n'.join(line[:-1] + '-1' for line in lines))
    (report,) = check_config(config(folder), num_workers=0)
    assert report.class_counts is None
    assert not report.out_of_range
    del folder['ann_file']
    folder['with_label'] = False
    (report,) = check_config(config(folder), num_workers=0)
    assert report.class_counts is None
    assert report.num_samples == 7


@pytest.mark.parametrize(
    ('model', 'classes'),
    [
        (dict(head=HEAD), 4),
        (dict(architecture=dict(head=HEAD), head=dict(num_classes=7)), 4),
        (dict(architecture=dict(cfg_path='mmpretrain::resnet/resnet18_8xb32_in1k.py')), 1000),
        (dict(backbone=dict()), None),
        (None, None),
    ],
)
def test_classes_of_a_model(model, classes):
    assert model_classes(model) == classes


# What is shown.
def test_the_report_names_all_and_the_file_has_more(folder, tmp_path, capsys):
    reports = check_config(config(folder), num_workers=0)
    show(reports)
    text = capsys.readouterr().out
    assert 'train: CustomDataset, 8 of 8 samples read' in text
    assert '5 classes, images in each: min 0, median 2, max 3; ' in text
    assert '1 empty (3)' in text
    assert 'unreadable: 3' in text
    assert '2 [red].jpg: ' in text
    assert "outside the model's classes: 1" in text
    save(reports, str(tmp_path / 'report.json'))
    (saved,) = json.loads((tmp_path / 'report.json').read_text())
    assert saved['unreadable'] == reports[0].unreadable
    assert saved['class_counts'] == [3, 2, 2, 0, 1]


def test_long_lists_are_cut_on_the_screen(folder, capsys):
    (report,) = check_config(config(folder), num_workers=0)
    report.unreadable = {f'{i}.jpg': 'gone' for i in range(30)}
    show([report])
    text = capsys.readouterr().out
    assert text.count('gone') == 20
    assert 'and 10 more' in text


def test_the_tool_ends_with_the_status(folder, tmp_path, monkeypatch, capsys):
    path = tmp_path / 'run.py'
    config(folder, dict(type='gendd_mm.DigitsDataset')).dump(path)
    report = tmp_path / 'report.json'
    monkeypatch.setattr(
        sys,
        'argv',
        [
            'dataset_check.py',
            str(path),
            '--only',
            'train',
            '--num-workers',
            '1',
            '--json',
            str(report),
        ],
    )
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(small_models.ROOT / 'tools' / 'dataset_check.py'), run_name='__main__')
    assert ended.value.code == 1
    text = capsys.readouterr().out
    assert 'unreadable: 3' in text
    assert 'Digits' not in text
    assert len(json.loads(report.read_text())) == 1
