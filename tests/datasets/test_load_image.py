"""LoadImage: upstream's bits for good images; broken ones named, or skipped and counted."""

import io
import logging

import mmcv
import numpy as np
import pytest
import tar_shards
from mmcv.transforms import LoadImageFromFile
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import DATASETS, TRANSFORMS, DefaultScope
from mmpretrain.datasets import CustomDataset
from PIL import Image
from small_models import CONFIGS
from torch.utils.data import DataLoader

from gendd_commands.command_line import is_user_error
from gendd_mm.datasets import LoadImage
from gendd_mm.datasets.image_check import is_cut_off
from gendd_mm.datasets.load_image import BrokenImageError


def encoded(kind: str, mode: str, **options) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (24, 31, 3)).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(file, kind, **options)
    return file.getvalue()


WITH_THUMBNAIL = b'\xff\xd8\xff\xe1\x00\x0a\xff\xd8\xff\xda\xff\xd9\x00\x00'
JPEG = tar_shards.jpeg(0, size=16)
GOOD = {
    'jpeg': JPEG,
    'progressive': encoded('JPEG', 'RGB', progressive=True),
    'grey': encoded('JPEG', 'L'),
    'CMYK': encoded('JPEG', 'CMYK'),
    'bytes behind the end': JPEG + b'\0\0 of a camera',
    'a film behind the end': JPEG + b'ftyp \xff\xda mdat',
    'a thumbnail in front': WITH_THUMBNAIL + JPEG[2:],
    'palette': encoded('PNG', 'P'),
    'alpha': encoded('PNG', 'RGBA'),
}
BROKEN = {
    'empty': b'',
    'text': b'not an image',
    'cut off': JPEG[:-20],
    'cut off behind a thumbnail': (WITH_THUMBNAIL + JPEG[2:])[:-20],
    'between two scans': GOOD['progressive'][: GOOD['progressive'].rfind(b'\xff\xda')],
    'header alone': JPEG[:50],
    'too many pixels': encoded('PNG', '1'),
}
# Below the 24 x 31 of that one; JPEG has 16 x 16.
MAX_PIXELS = 24 * 31 - 1


@pytest.mark.parametrize('options', [{}, dict(color_type='grayscale'), dict(to_float32=True)])
@pytest.mark.parametrize('kind', GOOD)
def test_good_images_are_upstreams_to_the_bit(kind, options, tmp_path):
    path = tmp_path / kind
    path.write_bytes(GOOD[kind])
    for backend in ('cv2', 'pillow'):
        theirs, ours = (
            load(**options, imdecode_backend=backend)(dict(img_path=str(path), gt_label=3))
            for load in (LoadImageFromFile, LoadImage)
        )
        assert ours.keys() == theirs.keys()
        np.testing.assert_array_equal(ours.pop('img'), theirs.pop('img'), strict=True)
        assert ours == theirs


def test_the_recipes_train_on_the_same_bits(tmp_path):
    (tmp_path / 'a.jpg').write_bytes(tar_shards.jpeg(0, size=300))
    pipeline = Config.fromfile(CONFIGS / '_base_/datasets/imagenet_a1.py').train_pipeline
    assert pipeline[0] == dict(type='gendd_mm.LoadImage')
    found = []
    for load in (pipeline[0], dict(type='LoadImageFromFile')):
        with DefaultScope.overwrite_default_scope('mmpretrain'):
            dataset = DATASETS.build(
                dict(
                    type='CustomDataset',
                    data_root=str(tmp_path),
                    with_label=False,
                    pipeline=[load, *pipeline[1:]],
                )
            )
        np.random.seed(0)
        found.append(dataset[0]['inputs'])
    assert found[0].equal(found[1])


def folder_of(tmp_path, **settings) -> CustomDataset:
    """Four good images and one of each broken kind."""
    for i in range(4):
        (tmp_path / f'{i}.jpg').write_bytes(JPEG)
    for name, data in BROKEN.items():
        (tmp_path / f'broken {name}.jpg').write_bytes(data)
    load = LoadImage(**settings)
    return CustomDataset(data_root=str(tmp_path), with_label=False, pipeline=[load])


@pytest.mark.fault(
    'Data', 'a broken image at some step', 'the run stops; file and remedy are one line'
)
@pytest.mark.parametrize('kind', BROKEN)
def test_a_broken_image_is_named(kind, tmp_path):
    path = str(tmp_path / 'a.jpg')
    (tmp_path / 'a.jpg').write_bytes(BROKEN[kind])
    with pytest.raises(BrokenImageError, match=f'^{path} is a broken image .*skip_broken=True'):
        LoadImage(max_pixels=MAX_PIXELS)(dict(img_path=path))


def test_a_worker_says_the_same(tmp_path):
    (tmp_path / '0.jpg').write_bytes(b'not an image')
    dataset = CustomDataset(data_root=str(tmp_path), with_label=False, pipeline=[LoadImage()])
    with pytest.raises(BrokenImageError) as caught:
        next(iter(DataLoader(dataset, num_workers=1)))
    assert str(caught.value).startswith(f'{tmp_path}/0.jpg is a broken image (not an image). ')
    assert '\n' not in str(caught.value)
    assert is_user_error(caught.value)


def test_a_file_that_is_gone_and_an_odd_name_are_named():
    with pytest.raises(BrokenImageError, match=r'^/t\\udce9.jpg is .*FileNotFoundError'):
        LoadImage()(dict(img_path='/t\udce9.jpg'))


def test_too_many_pixels_are_not_decoded(tmp_path, monkeypatch):
    (tmp_path / 'a.png').write_bytes(BROKEN['too many pixels'])
    monkeypatch.setattr(mmcv, 'imfrombytes', None)
    with pytest.raises(BrokenImageError, match='too large: 31 x 24 pixels'):
        LoadImage(max_pixels=MAX_PIXELS)(dict(img_path=str(tmp_path / 'a.png')))


@pytest.mark.fault(
    'Data', 'broken images, skip_broken=True', 'others take their places; each is logged, counted'
)
@pytest.mark.parametrize('num_workers', [0, 2])
def test_skipped_images_are_replaced_and_counted(num_workers, tmp_path, monkeypatch):
    dataset = folder_of(tmp_path, skip_broken=True, max_pixels=MAX_PIXELS)
    load = dataset.pipeline.transforms[0]
    log = tmp_path / 'run.log'
    logger = MMLogger.get_instance(f'skipping_{num_workers}', log_file=str(log))
    monkeypatch.setenv('RANK', '2')
    loader = DataLoader(dataset, num_workers=num_workers, collate_fn=lambda batch: batch[0])
    for _ in range(2):
        paths = [sample['img_path'] for sample in loader]
        assert len(paths) == len(dataset)
        assert not any('broken' in path for path in paths)
    for handler in logger.handlers:
        handler.flush()
    lines = [line for line in log.read_text().splitlines() if 'is a broken image' in line]
    assert len(lines) == load.num_skipped
    assert all('Skipped so far by rank 2: ' in line for line in lines)
    for name in BROKEN:
        assert sum(f'broken {name}.jpg is a broken image' in line for line in lines) >= 2


def test_where_all_are_broken_the_run_stops(tmp_path):
    (tmp_path / '0.jpg').write_bytes(b'')
    dataset = CustomDataset(
        data_root=str(tmp_path),
        with_label=False,
        max_refetch=3,
        pipeline=[LoadImage(skip_broken=True)],
    )
    logging.disable(logging.ERROR)
    try:
        with pytest.raises(Exception, match='Cannot find valid image'):
            dataset[0]
    finally:
        logging.disable(logging.NOTSET)
    assert dataset.pipeline.transforms[0].num_skipped == 4


def test_only_a_jpeg_is_cut_off():
    assert not is_cut_off(b'')
    assert not is_cut_off(GOOD['palette'][:-9])
    assert is_cut_off(JPEG[:-1])


def test_builds_in_other_projects(build):
    assert build(TRANSFORMS, type='gendd_mm.LoadImage', skip_broken=True).skip_broken
