"""dataset_check: what a run would read, counted; what it cannot, listed."""

import io
import json
import runpy
import struct
import sys
from zlib import crc32

import pytest
import small_models
import tar_shards
from mmengine.config import Config

from gendd_mm.datasets.check import Report, check_config, model_classes, model_reads_labels
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


def unlabeled(cfg: Config) -> Config:
    """The config, of a model that reads no labels."""
    cfg.model.head.type = 'gendd_mm.UnlabeledClsHead'
    cfg.model.distiller = dict(loss_forward_mappings=dict(loss_kl=dict(preds_S=dict())))
    return cfg


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
    cut, text, gone = report.unreadable.values()
    assert (cut, text) == ('cut off', 'not an image')
    assert gone.startswith('FileNotFoundError: ')
    assert report.class_counts == [3, 2, 2, 0, 1]
    (wrong,) = report.wrong_labels.items()
    assert wrong[0].endswith('7 [red].jpg')
    assert wrong[1].startswith('label 4 at sample 7: outside [0, 4)')
    assert not report.is_good


def test_no_other_image_takes_the_place_of_a_broken_one(folder):
    folder['pipeline'] = [dict(type='LoadImageFromFile', ignore_empty=True)]
    (report,) = check_config(config(folder), num_workers=0)
    assert len(report.unreadable) == 3


@pytest.mark.parametrize('kind', ['LoadImageFromFile', 'gendd_mm.LoadImage'])
def test_an_image_of_too_many_pixels_is_found(kind, tmp_path, monkeypatch):
    (tmp_path / '0.jpg').write_bytes(tar_shards.jpeg(0, size=32))
    (tmp_path / '1.png').write_bytes(png_of(10000, 10000))
    load = dict(type=kind)
    if kind == 'gendd_mm.LoadImage':
        load['skip_broken'] = True
    dataset = dict(type='CustomDataset', data_root=str(tmp_path), with_label=False, pipeline=[load])
    (report,) = check_config(unlabeled(config(dataset)), num_workers=0)
    ((path, what),) = report.unreadable.items()
    assert path.endswith('1.png')
    assert what.startswith('too large: 10000 x 10000 pixels')


def png_of(width: int, height: int) -> bytes:
    """The header of a PNG that claims a size."""
    data = b'\x89PNG\r\n\x1a\n'
    for chunk in (struct.pack('>4sIIBBBBB', b'IHDR', width, height, 8, 2, 0, 0, 0), b'IDAT'):
        data += struct.pack('>I', len(chunk) - 4) + chunk + struct.pack('>I', crc32(chunk))
    return data


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
    assert list(report.wrong_labels)[-1] == 'sample 1199'


def test_shards_without_labels(tmp_path):
    tar_shards.write_shards(tmp_path)
    shards = dict(
        type='gendd_mm.UnlabeledShards', shards='*.tar', data_root=str(tmp_path), pipeline=LOAD
    )
    both = dict(type='ConcatDataset', datasets=[shards, shards])
    for dataset, size in ((shards, 40), (both, 80)):
        (report,) = check_config(unlabeled(config(dataset)), num_workers=0)
        assert report.num_read == size
        assert report.class_counts is None
        assert len(report.left_out) == 10
        assert report.is_good  # what is left out is never read


def test_labels_count_where_the_model_reads_them(folder, tmp_path):
    lines = (tmp_path / 'train.txt').read_text().splitlines()
    (tmp_path / 'train.txt').write_text('\n'.join(line[:-1] + '-1' for line in lines))
    for placeholders in (True, False):
        if not placeholders:
            del folder['ann_file']
            folder['with_label'] = False
        (report,) = check_config(unlabeled(config(folder)), num_workers=0)
        assert report.class_counts is None
        assert not report.wrong_labels
        # The hook refuses them, too.
        (report,) = check_config(config(folder), num_workers=0)
        assert len(report.wrong_labels) == report.num_samples == 7 + placeholders


def test_data_alone_may_have_no_labels(folder):
    del folder['ann_file']
    cfg = config(dict(folder, with_label=False))
    cfg.model = None
    (report,) = check_config(cfg, num_workers=0)
    assert not report.wrong_labels


LABELS = ['1.0', '"dog"', 'null', '[0, 1]', '99999999999999999999999', '-1', '1e9', 'true', '[]']


@pytest.mark.parametrize('label', LABELS)
def test_no_label_ends_the_check(label, tmp_path):
    for i in range(2):
        (tmp_path / f'{i}.jpg').write_bytes(tar_shards.jpeg(i))
    (tmp_path / 'a.json').write_text(
        '{"metainfo": {}, "data_list": [{"img_path": "0.jpg", "gt_label": 1}, '
        f'{{"img_path": "1.jpg", "gt_label": {label}}}]}}'
    )
    dataset = dict(
        type='BaseDataset',
        data_root=str(tmp_path),
        data_prefix='.',
        ann_file='a.json',
        pipeline=LOAD,
    )
    (report,) = check_config(config(dataset), num_workers=0)
    ((place, what),) = report.wrong_labels.items()
    assert place.endswith('1.jpg')
    assert 'at sample 1: ' in what
    assert report.class_counts == [0, 1, 0, 0]


def test_a_set_that_cannot_be_built_does_not_end_the_check(folder, tmp_path, capsys):
    (tmp_path / 'val.txt').write_text('0 [red].jpg 0\n1.jpg dog\n')
    wrong = dict(folder, ann_file='val.txt')
    gone = dict(folder, ann_file='gone.txt')
    for dataset, what in ((wrong, "val.txt, line 2: the label 'dog'"), (gone, 'gone.txt')):
        train, val = check_config(config(folder, dataset), num_workers=0)
        assert train.num_read == 8
        assert what in val.fault
        assert not val.is_good
        show([val])
        assert what in capsys.readouterr().out


@pytest.mark.fault('Data', 'odd file names, a terminal of ASCII', 'the report prints them escaped')
def test_any_name_can_be_shown(monkeypatch, tmp_path):
    odd = 'd\u00e9j\udce9.jpg'
    terminal = io.TextIOWrapper(io.BytesIO(), encoding='ascii')
    monkeypatch.setattr(sys, 'stdout', terminal)
    report = Report(['train'], 'Folder', 1, unreadable={odd: 'gone'})
    show([report])
    terminal.flush()
    assert rb'd\xe9j\udce9.jpg: gone' in terminal.buffer.getvalue()
    save([report], str(tmp_path / 'report.json'))
    (saved,) = json.loads((tmp_path / 'report.json').read_text())
    assert saved['unreadable'] == {odd: 'gone'}


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


DISTILLED = dict(architecture=dict(head=dict(HEAD, trainable=False)))
ON_LABELS = dict(loss_forward_mappings=dict(loss=dict(preds=dict(), gt_labels=dict())))
ON_FEATURES = dict(loss_forward_mappings=dict(loss=dict(preds=dict())))


@pytest.mark.parametrize(
    ('model', 'reads'),
    [
        (dict(head=HEAD), True),
        (dict(DISTILLED, distiller=ON_LABELS), True),
        (dict(DISTILLED, distiller=ON_FEATURES), False),
        (dict(architecture=dict(head=HEAD), distiller=ON_FEATURES), True),
        (
            dict(
                architecture=dict(head=dict(type='gendd_mm.TeacherClassifierHead')),
                distiller=ON_FEATURES,
            ),
            False,
        ),
        (
            dict(
                architecture=dict(**DISTILLED['architecture'], train_cfg=dict(augments=[1])),
                distiller=ON_FEATURES,
            ),
            True,
        ),
    ],
)
def test_whether_a_model_reads_labels(model, reads):
    assert model_reads_labels(model) == reads


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
    assert 'wrong labels: 1' in text
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
