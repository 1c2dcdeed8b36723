"""LongTailed: the profile of the literature, the same images every time."""

import numpy as np
import pytest
from mmengine.dataset import ConcatDataset, RepeatDataset
from mmengine.registry import DATASETS
from mmpretrain.datasets import BaseDataset

from gendd_mm.datasets import DigitsDataset, LongTailed
from gendd_mm.datasets.long_tailed import exponential_profile


class Balanced(BaseDataset):
    """Five classes in turns; sample i has ``img`` i."""

    METAINFO = {'classes': tuple('abcde')}

    def __init__(self, per_class: int = 40) -> None:
        self.per_class = per_class
        super().__init__(ann_file='')

    def load_data_list(self) -> list:
        return [dict(img=i, gt_label=i % 5) for i in range(5 * self.per_class)]


def images(dataset) -> list:
    return [dataset[i]['img'] for i in range(len(dataset))]


@pytest.mark.parametrize(
    ('num_classes', 'most', 'imbalance', 'total'),
    [
        (100, 500, 100, 10847),
        (10, 5000, 100, 12406),
        (10, 5000, 10, 20431),
    ],
)
def test_profile_has_the_known_totals_of_cifar_lt(num_classes, most, imbalance, total):
    counts = exponential_profile(num_classes, most, imbalance)
    assert counts.sum() == total
    assert (counts[0], counts[-1]) == (most, most / imbalance)
    assert (np.diff(counts) <= 0).all()


def test_whole_numbers_are_not_rounded_away():
    assert exponential_profile(3, 500, 100).tolist() == [500, 50, 5]
    assert exponential_profile(4, 500, 1000 / 8).tolist() == [500, 100, 20, 4]


def test_a_class_has_its_share_of_distinct_images():
    dataset = LongTailed(Balanced(), imbalance=8.0)
    labels = dataset.get_gt_labels()
    assert np.bincount(labels).tolist() == [40, 23, 14, 8, 5]
    found = images(dataset)
    assert found == sorted(set(found))
    assert [i % 5 for i in found] == labels.tolist()
    assert len(dataset) == 90


def test_the_subset_is_a_function_of_the_seed():
    first = images(LongTailed(Balanced(), imbalance=8.0))
    assert images(LongTailed(Balanced(), imbalance=8.0)) == first
    other = images(LongTailed(Balanced(), imbalance=8.0, seed=1))
    assert len(other) == len(first)
    assert other != first
    # For good, whatever the version of numpy.
    assert [i for i in first if i % 5 == 4] == [54, 89, 109, 169, 174]


def test_a_longer_tail_is_a_subset_of_a_shorter_one():
    short, long = (images(LongTailed(Balanced(), imbalance=i)) for i in (2.0, 20.0))
    assert set(long) < set(short)


def test_no_imbalance_keeps_all():
    assert images(LongTailed(Balanced(), imbalance=1.0)) == list(range(200))


def test_the_largest_class_can_be_given():
    dataset = LongTailed(Balanced(), imbalance=2.0, most=10)
    assert np.bincount(dataset.get_gt_labels()).tolist() == [10, 8, 7, 5, 5]


def test_without_a_size_the_smallest_class_sets_it():
    counts = np.bincount(DigitsDataset().get_gt_labels())
    dataset = LongTailed(DigitsDataset(pipeline=[]), imbalance=10.0)
    kept = np.bincount(dataset.get_gt_labels())
    assert kept[0] == counts.min() < counts.max()


def test_it_is_a_wrapper_as_mmengine_has_them():
    dataset = LongTailed(Balanced(), imbalance=8.0, lazy_init=True)
    assert dataset.metainfo == {'classes': tuple('abcde')}
    assert tuple('abcde') == dataset.CLASSES
    dataset.full_init()
    info = dataset.get_data_info(3)
    assert info['img'] == dataset[3]['img'] == info['sample_idx']
    assert dataset.get_cat_ids(3) == [info['gt_label']]
    assert dataset[-1]['img'] == images(dataset)[-1]
    with pytest.raises(IndexError):
        dataset[len(dataset)]


@pytest.mark.parametrize(
    'wrap',
    [
        lambda dataset: ConcatDataset([dataset, dataset]),
        lambda dataset: RepeatDataset(dataset, times=2),
    ],
)
def test_it_works_over_wrappers(wrap):
    dataset = LongTailed(wrap(Balanced(20)), imbalance=8.0)
    assert np.bincount(dataset.get_gt_labels()).tolist() == [40, 23, 14, 8, 5]


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(imbalance=0.1), 'imbalance=0.1 must be at least 1'),
        (dict(most=41), 'class 0 should keep 41 of its 40 images'),
        (dict(imbalance=100.0), r'class 4 should keep 0 of its 40 images \(most=40'),
    ],
)
def test_bad_input_is_named(options, message):
    with pytest.raises(ValueError, match=message):
        LongTailed(Balanced(), **options)


def test_builds_in_other_projects(build):
    dataset = build(
        DATASETS,
        type='gendd_mm.LongTailed',
        imbalance=10,
        dataset=dict(type='gendd_mm.DigitsDataset', pipeline=[]),
    )
    assert dataset[0]['img'].shape == (8, 8, 3)
