"""A store may have the pixels of the views too: the same run, without augmentation."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmcv.transforms import BaseTransform
from mmengine.dataset import default_collate
from mmpretrain.datasets import PackInputs
from small_models import ROOT
from stored_runs import build, config, same, trained
from torch.utils.data import DataLoader

from gendd_mm.datasets import AugmentedViews
from gendd_mm.datasets.stored_pixels import SamplePacker
from gendd_mm.engine.options import read_complete
from gendd_mm.engine.views import expand_views, use_store
from gendd_mm.models.stored_teacher import FIELD
from gendd_mm.registry import DATASETS, TRANSFORMS
from gendd_mm.teacher_store import PIXELS, StoreError, TeacherStore, read_description


@TRANSFORMS.register_module(force=True)
class FlipsItsLabel(BaseTransform):
    """A transform that a store of pixels cannot stand in for."""

    def transform(self, results):
        results['gt_label'] = 9 - results['gt_label']
        return results


@pytest.fixture(scope='module')
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp('pixels')


@pytest.fixture(scope='module')
def store(folder) -> Path:
    build(config(folder), folder / 'store', pixels=True)
    return folder / 'store'


def training_images(path: str, store: Path | None, **options) -> AugmentedViews:
    cfg = read_complete(path, options)
    if store is None:
        cfg.views = dict(num_views=3)
    else:
        use_store(cfg, str(store))
    expand_views(cfg)
    return DATASETS.build(cfg.train_dataloader.dataset.to_dict())


@pytest.mark.parametrize(
    'name',
    ['gendd_digits.py', 'digits/gendd_digits_unsupervised.py', 'digits/kd_digits.py'],
)
def test_weights_are_those_of_the_live_run(tmp_path, name):
    path = config(tmp_path, name)
    build(path, tmp_path / 'store', pixels=True)
    assert same(
        trained(path, tmp_path / 'live'), trained(path, tmp_path / 'stored', tmp_path / 'store')
    )


def test_no_augmentation_runs(folder, store, monkeypatch):
    live = training_images(config(folder), None)
    stored = training_images(config(folder), store)
    expected = live.__getitems__([5, 24 + 5, 60, 5])

    def fail(*args):
        raise AssertionError('an augmentation ran')

    monkeypatch.setattr(AugmentedViews, '_drawn', fail)
    found = stored.__getitems__([5, 24 + 5, 60, 5])
    for own, other in zip(found, expected, strict=True):
        assert own['inputs'].equal(other['inputs'])
        assert own['inputs'].dtype == other['inputs'].dtype
        assert own['data_samples'].gt_label.equal(other['data_samples'].gt_label)
    features = TeacherStore(str(store)).features('train', 5, 1)['target']
    assert torch.from_numpy(found[1]['data_samples'].get(FIELD)['target']).equal(features)
    loader = DataLoader(stored, 4, num_workers=2, collate_fn=default_collate)
    assert torch.cat([batch['inputs'] for batch in loader]).equal(
        torch.stack([stored[index]['inputs'] for index in range(24)])
    )


def test_the_tool_stores_them(folder, tmp_path):
    done = subprocess.run(
        [
            *(sys.executable, ROOT / 'tools' / 'store_teacher.py', config(folder)),
            *(tmp_path / 'store', '--views', '2', '--pixels'),
        ],
        capture_output=True,
        text=True,
        env=dict(os.environ, PYTHONPATH=str(ROOT)),
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    assert '256 numbers of float16 and the pixels: 3.38e-05 GB' in done.stdout
    assert read_description(str(tmp_path / 'store')).parts['train'].pixels == [3, 8, 8]


def test_pixels_count_in_size_and_description(store):
    description = read_description(str(store))
    assert description.parts['train'].pixels == [3, 8, 8]
    assert description.row_bytes('train') == 256 * 4 + 3 * 8 * 8
    assert description.num_bytes == 24 * 3 * (256 * 4 + 3 * 8 * 8)
    rows = TeacherStore(str(store)).rows('train', [(23, 2), (0, 0), (23, 2)])
    assert rows[PIXELS].shape == (3, 3, 8, 8)
    assert rows[PIXELS].dtype == torch.uint8
    assert rows[PIXELS][0].equal(rows[PIXELS][2])


def test_a_store_goes_on_with_pixels_or_without_as_it_began(folder, store, tmp_path):
    path = config(folder)
    build(path, tmp_path / 'store', num_views=2, pixels=True)
    build(path, tmp_path / 'store', num_views=3)
    grown, at_once = (TeacherStore(str(each)) for each in (tmp_path / 'store', store))
    every = [(image, view) for image in range(24) for view in range(3)]
    for name, values in at_once.rows('train', every).items():
        assert grown.rows('train', every)[name].equal(values)
    build(path, tmp_path / 'without')
    with pytest.raises(StoreError, match=r'train.pixels: None there, \[3, 8, 8\] here'):
        build(path, tmp_path / 'without', pixels=True)


def test_a_damaged_pixel_is_an_error(folder, tmp_path):
    path = config(folder)
    build(path, tmp_path / 'store', pixels=True)
    shard = tmp_path / 'store' / 'train' / 'view_000' / '00000.safetensors'
    content = bytearray(shard.read_bytes())
    # Pixels have the smaller type, so they are last.
    content[-1] ^= 1
    shard.write_bytes(content)
    with pytest.raises(StoreError, match='its checksum is wrong'):
        training_images(path, tmp_path / 'store')[0]


PIPELINES = {
    'another label': (
        [dict(type='gendd_mm.FlipsItsLabel'), dict(type='mmpretrain.PackInputs')],
        r"the transforms of the pipeline change \['gt_label'\] .* without --pixels",
    ),
    'floats': (
        [
            dict(type='mmcv.Normalize', mean=[0.0] * 3, std=[1.0] * 3, to_rgb=False),
            dict(type='mmpretrain.PackInputs'),
        ],
        r'of one size and in levels of 8 bits, but here are .*float32',
    ),
    'another end': (
        [dict(type='mmpretrain.PackInputs'), dict(type='gendd_mm.Nothing')],
        r'one pipeline ends with mmpretrain.PackInputs, and here none does; leave out --pixels',
    ),
}


@TRANSFORMS.register_module(force=True)
class Nothing(BaseTransform):
    """Leaves a packed sample as it is."""

    def transform(self, results):
        return results


@pytest.mark.fault('Stores', 'pixels that cannot be stored', 'error')
@pytest.mark.parametrize('case', PIPELINES)
def test_pixels_that_cannot_be_stored(folder, tmp_path, case):
    pipeline, message = PIPELINES[case]
    options = {'train_dataloader.dataset.pipeline': pipeline}
    with pytest.raises(StoreError, match=message):
        build(config(folder), tmp_path / 'store', cfg_options=options, pixels=True)
    assert not (tmp_path / 'store').exists()


def test_mixed_views_are_stored_without_pixels(tmp_path):
    with pytest.raises(StoreError, match=r'the views are mixed, and the label .* leave out --pix'):
        build(config(tmp_path, mixed=True), tmp_path / 'store', pixels=True)


def test_labels_that_the_pipeline_changes_are_refused_in_training_too(folder, store, monkeypatch):
    packs = PackInputs.transform

    def flipped(self, results):
        packed = packs(self, results)
        if 'inputs' in packed:
            packed['data_samples'].set_gt_label(3)
        return packed

    monkeypatch.setattr(PackInputs, 'transform', flipped)
    with pytest.raises(StoreError, match=re.escape("change ['gt_label']")):
        training_images(config(folder), store)


def test_wrapped_datasets_pack_by_the_pipeline_inside():
    digits = dict(
        type='gendd_mm.DigitsDataset', indices=300, pipeline=[dict(type='mmpretrain.PackInputs')]
    )
    wrapped = [
        dict(type='gendd_mm.LongTailed', imbalance=2, dataset=digits),
        dict(type='RepeatDataset', times=2, dataset=digits),
    ]
    for cfg in wrapped:
        dataset = DATASETS.build(cfg)
        packer = SamplePacker(dataset)
        for image in (0, 7, len(dataset) - 1):
            packer.check(image, dataset[image]['data_samples'])
    with pytest.raises(StoreError, match=r'ConcatDataset: pixels can be stored where one pipel'):
        SamplePacker(DATASETS.build(dict(type='ConcatDataset', datasets=[digits, digits])))
