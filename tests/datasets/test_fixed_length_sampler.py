"""Epochs of a set length: every sample as often, resumed at any epoch."""

from collections import Counter
from types import SimpleNamespace

import pytest
import torch
from mmengine.hooks import DistSamplerSeedHook
from mmengine.registry import DATA_SAMPLERS
from torch.utils.data import DataLoader

from gendd_mm.datasets import FixedLengthSampler, fixed_length_sampler


def drawn(sampler: FixedLengthSampler, epochs) -> list:
    indices = []
    for epoch in epochs:
        sampler.set_epoch(epoch)
        indices += sampler
    return indices


@pytest.mark.parametrize(('size', 'length'), [(7, 7), (7, 5), (7, 12), (5, 16)])
def test_samples_are_drawn_equally_often(size, length):
    sampler = FixedLengthSampler(range(size), length, seed=3)
    assert len(sampler) == length
    indices = drawn(sampler, range(9))
    assert len(indices) == 9 * length
    counts = Counter(indices)
    assert set(counts) == set(range(size))
    assert max(counts.values()) - min(counts.values()) <= 1


def test_as_long_as_the_dataset_it_is_a_shuffle_an_epoch():
    sampler = FixedLengthSampler(range(50), 50, seed=0)
    one, other = drawn(sampler, [0]), drawn(sampler, [1])
    assert sorted(one) == sorted(other) == list(range(50))
    assert one != other


def test_an_epoch_follows_from_its_number():
    """No matter what was drawn before: what resuming needs."""
    fresh = FixedLengthSampler(range(20), 30, seed=1)
    used = FixedLengthSampler(range(20), 30, seed=1)
    drawn(used, range(4))
    assert drawn(fresh, [4]) == drawn(used, [4])
    other = FixedLengthSampler(range(20), 30, seed=2)
    assert drawn(other, [4]) != drawn(fresh, [4])


def test_mmengine_tells_it_the_epoch():
    sampler = FixedLengthSampler(range(20), 30, seed=1)
    loader = DataLoader(range(20), sampler=sampler)
    runner = SimpleNamespace(epoch=4, train_loop=SimpleNamespace(dataloader=loader))
    DistSamplerSeedHook().before_train_epoch(runner)
    expected = drawn(FixedLengthSampler(range(20), 30, seed=1), [4])
    assert torch.cat(list(loader)).tolist() == expected


def test_processes_share_an_epoch(monkeypatch):
    alone = drawn(FixedLengthSampler(range(10), 24, seed=0), range(3))
    parts = []
    for rank in range(4):
        monkeypatch.setattr(fixed_length_sampler, 'get_dist_info', lambda rank=rank: (rank, 4))
        parts.append(drawn(FixedLengthSampler(range(10), 24, seed=0), range(3)))
    # Place by place, the processes take turns.
    assert [i for places in zip(*parts) for i in places] == alone
    assert len(FixedLengthSampler(range(10), 25, seed=0)) == 7  # rounded up


def test_it_is_in_the_registry_and_agrees_on_a_seed():
    sampler = DATA_SAMPLERS.build(
        dict(type='gendd_mm.FixedLengthSampler', length=4, dataset=range(3))
    )
    assert isinstance(sampler.seed, int)
    assert len(list(sampler)) == 4


def test_what_cannot_be_drawn_is_named():
    with pytest.raises(ValueError, match='length=0 must be at least 1'):
        FixedLengthSampler(range(3), 0)
    with pytest.raises(ValueError, match='dataset is empty.*check its path'):
        FixedLengthSampler([], 3)
