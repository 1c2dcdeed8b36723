"""configs/_base_/datasets: the recipes' numbers, on data of their layout."""

import numpy as np
import pytest
import tar_shards
import torch
from mmengine.config import Config
from mmengine.registry import DATASETS, DefaultScope
from mmpretrain.datasets import CIFAR100
from mmpretrain.registry import METRICS, MODELS
from small_models import CONFIGS

FOLDER = CONFIGS / '_base_' / 'datasets'
LONG_TAILED = ['imagenet_lt', 'places_lt', 'inaturalist18']
IMAGENET_LIKE = ['imagenet', 'cc3m_shards', 'cc3m_folder', *LONG_TAILED]


@pytest.fixture(autouse=True)
def scope():
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        yield


def read(name: str) -> Config:
    return Config.fromfile(FOLDER / f'{name}.py')


def step(pipeline: list, kind: str) -> dict:
    (found,) = [transform for transform in pipeline if transform.type == kind]
    return found


@pytest.mark.parametrize('name', IMAGENET_LIKE)
def test_imagenet_like_sets_have_the_plain_augmentation(name):
    cfg = read(name)
    train = cfg.train_dataloader.dataset.pipeline
    assert [transform.type for transform in train] == [
        'gendd_mm.LoadImage',
        'RandomResizedCrop',
        'RandomFlip',
        'PackInputs',
    ]
    crop = step(train, 'RandomResizedCrop')
    assert (crop.scale, crop.crop_ratio_range) == (224, (0.6, 1.0))
    assert step(train, 'RandomFlip').prob == 0.5
    for loader in (cfg.val_dataloader, cfg.test_dataloader):
        test = loader.dataset.pipeline
        # An exported student has these: they are upstream's.
        assert test[0] == dict(type='LoadImageFromFile')
        assert step(test, 'ResizeEdge').scale == 256
        assert step(test, 'CenterCrop').crop_size == 224
    # The total batch on 8 GPUs.
    total = 256 if name in LONG_TAILED else 512
    assert cfg.train_dataloader.batch_size * 8 == total


def test_a1_adds_its_augmentation_between_flip_and_packing():
    plain = read('imagenet').train_dataloader.dataset.pipeline
    a1 = read('imagenet_a1').train_dataloader.dataset.pipeline
    assert [*a1[:3], *a1[5:]] == plain
    jitter, augment = a1[3:5]
    assert (augment.num_policies, augment.magnitude_level, augment.magnitude_std) == (2, 7, 0.5)
    assert (jitter.brightness, jitter.contrast, jitter.saturation) == (0.4,) * 3


def test_stage_1_has_larger_crops_alone():
    plain = read('imagenet').train_dataloader
    plain.dataset.pipeline[1].crop_ratio_range = (0.08, 1.0)
    assert read('imagenet_warmup').train_dataloader == plain


@pytest.mark.parametrize('name', ['cc3m_shards', 'cc3m_folder'])
def test_cc3m_is_read_without_labels(name, tmp_path):
    images = {f'{i:09}': tar_shards.jpeg(i, size=32) for i in range(3)}
    if name == 'cc3m_shards':
        tar_shards.write_shard(tmp_path / '00000.tar', images)
    else:
        (tmp_path / '00000').mkdir()
        for key, data in images.items():
            (tmp_path / '00000' / f'{key}.jpg').write_bytes(data)
            (tmp_path / '00000' / f'{key}.txt').touch()
    cfg = read(name)
    cfg.train_dataloader.dataset.data_root = str(tmp_path)
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    assert len(dataset) == 3
    sample = dataset[0]
    assert sample['inputs'].shape == (3, 224, 224)
    assert 'gt_label' not in sample['data_samples']
    # Evaluation is on ImageNet.
    assert cfg.val_dataloader == read('imagenet').val_dataloader


@pytest.mark.parametrize(
    ('name', 'classes'), [('imagenet_lt', 1000), ('places_lt', 365), ('inaturalist18', 8142)]
)
def test_long_tailed_sets_are_read_from_annotation_files(name, classes, tmp_path):
    cfg = read(name)
    assert cfg.student_preprocessor.num_classes == classes
    assert MODELS.build(cfg.student_preprocessor).num_classes == classes
    assert cfg.val_evaluator.train_counts.startswith(f'{cfg.data_root}/')
    (tmp_path / 'a').mkdir()
    (tmp_path / 'a' / 'b.jpg').write_bytes(tar_shards.jpeg(0, size=32))
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        assert loader.dataset.data_root == cfg.data_root
        (tmp_path / loader.dataset.ann_file).write_text(f'a/b.jpg 2\na/b.jpg {classes - 1}\n')
        loader.dataset.data_root = str(tmp_path)
        sample = DATASETS.build(loader.dataset)[1]
        assert sample['inputs'].shape == (3, 224, 224)
        assert sample['data_samples'].gt_label.item() == classes - 1
    cfg.val_evaluator.train_counts = str(tmp_path / cfg.train_ann_file)
    metric = METRICS.build(cfg.val_evaluator)
    assert len(metric.train_counts) == classes
    assert metric.train_counts.sum() == 2
    assert cfg.train_ann_file == cfg.train_dataloader.dataset.ann_file


@pytest.fixture
def cifar(monkeypatch):
    """CIFAR-100 with its sizes of classes; the first image alone is whole."""
    whole = np.full((32, 32, 3), 255, np.uint8)
    monkeypatch.setattr(
        CIFAR100,
        'load_data_list',
        lambda self: [dict(img=whole[i:], gt_label=i % 100) for i in range(50000)],
    )


def test_cifar100_has_the_numbers_of_its_recipe():
    cfg = read('cifar100')
    assert cfg.train_dataloader.batch_size == 64
    np.testing.assert_allclose(np.array(cfg.data_preprocessor.mean) / 255, (0.5071, 0.4867, 0.4408))
    np.testing.assert_allclose(np.array(cfg.data_preprocessor.std) / 255, (0.2675, 0.2565, 0.2761))
    train = cfg.train_dataloader.dataset.pipeline
    crop = step(train, 'RandomCrop')
    assert (crop.crop_size, crop.padding) == (32, 4)
    assert step(train, 'RandomFlip').prob == 0.5
    # CIFAR-100 is read as RGB: the mean colour in that order becomes zero.
    image = torch.tensor(cfg.data_preprocessor.mean).view(1, 3, 1, 1)
    inputs = MODELS.build(cfg.data_preprocessor)(dict(inputs=image))['inputs']
    torch.testing.assert_close(inputs, torch.zeros(1, 3, 1, 1))


def test_cifar100_lt_trains_on_its_tail_and_evaluates_by_it(cifar):
    cfg = read('cifar100_lt')
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    counts = np.bincount(dataset.get_gt_labels())
    assert (len(dataset), counts[0], counts[99]) == (10847, 500, 5)
    assert dataset[0]['inputs'].shape == (3, 32, 32)
    metric = METRICS.build(cfg.val_evaluator)
    assert metric.train_counts.tolist() == counts.tolist()
    assert cfg.val_dataloader == read('cifar100').val_dataloader


@pytest.mark.parametrize('path', sorted(FOLDER.glob('*.py')), ids=lambda path: path.stem)
def test_a_dumped_config_reads_back(path):
    cfg = Config.fromfile(path)
    again = Config.fromstring(cfg.pretty_text, '.py')
    assert again.to_dict() == cfg.to_dict()
