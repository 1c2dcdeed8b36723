"""DigitsDataset: the same real images, split once and for all."""

import hashlib
import sys

import numpy as np
import pytest
from mmengine.registry import DATASETS
from sklearn.datasets import load_digits

from gendd_mm.datasets import DigitsDataset


def load(split: str):
    """Images (N, 8, 8, 3) and labels (N,) of a split."""
    dataset = DigitsDataset(split, pipeline=[])
    samples = [dataset[i] for i in range(len(dataset))]
    return (
        np.stack([sample['img'] for sample in samples]),
        np.array([sample['gt_label'] for sample in samples]),
    )


@pytest.fixture(scope='module')
def train():
    return load('train')


@pytest.fixture(scope='module')
def test():
    return load('test')


def grey_levels(images: np.ndarray) -> np.ndarray:
    """Levels 0..16, as scikit-learn gives them, one row per image."""
    return np.round(images[..., 0] / 255 * 16).reshape(len(images), -1)


def test_sizes_and_types(train, test):
    for (images, labels), count in ((train, 1200), (test, 597)):
        assert images.shape == (count, 8, 8, 3)
        assert images.dtype == np.uint8
        assert sorted(set(labels)) == list(range(10))
    assert DigitsDataset.METAINFO['classes'] == tuple('0123456789')


def test_the_two_splits_are_scikit_learns_images_each_once(train, test):
    digits = load_digits()
    expected = np.column_stack([digits.data, digits.target])
    found = np.concatenate(
        [np.column_stack([grey_levels(images), labels]) for images, labels in (train, test)]
    )
    # As multisets of (image, label): nothing lost, changed or in both splits.
    order, expected_order = (np.lexsort(rows.T) for rows in (found, expected))
    np.testing.assert_array_equal(found[order], expected[expected_order])


def test_grey_levels_fill_the_byte_on_equal_channels(train):
    images, _ = train
    assert (images.min(), images.max()) == (0, 255)
    assert (images == images[..., :1]).all()


def test_classes_have_their_share_in_both_splits(train, test):
    all_labels = load_digits().target
    for _, labels in (train, test):
        share = np.bincount(all_labels) * len(labels) / len(all_labels)
        assert (np.abs(np.bincount(labels) - share) < 1).all()


def test_the_split_is_fixed(train, test):
    digest = hashlib.sha256()
    for images, labels in (train, test):
        digest.update(grey_levels(images).astype(np.uint8).tobytes())
        digest.update(labels.astype(np.uint8).tobytes())
    assert digest.hexdigest()[:16] == '2c79c0b1d83b1237'


def test_labels_are_known_without_the_images():
    dataset = DigitsDataset('test', pipeline=[])
    assert dataset.get_gt_labels().tolist() == load('test')[1].tolist()


def test_an_unknown_split_is_an_error():
    with pytest.raises(ValueError, match="split='val' .*'train', 'test'"):
        DigitsDataset('val')


def test_without_scikit_learn_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, 'sklearn.datasets', None)
    with pytest.raises(ImportError, match='pip install scikit-learn'):
        DigitsDataset()


def test_builds_in_other_projects(build):
    dataset = build(DATASETS, type='gendd_mm.DigitsDataset', split='test', pipeline=[])
    assert len(dataset) == 597
