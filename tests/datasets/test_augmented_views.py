"""Views are a function of (seed, image, view), whoever asks and in whatever order."""

import itertools
import pickle
import random

import numpy as np
import pytest
import torch
from mmengine.dataset import default_collate
from mmengine.registry import DATA_SAMPLERS
from torch.utils.data import DataLoader

from gendd_mm.datasets import AugmentedViews, ViewSampler, view_sampler
from gendd_mm.datasets.seeded import seeded
from gendd_mm.engine.batches import endless_batches

PIPELINE = [
    dict(type='mmpretrain.RandomCrop', crop_size=8, padding=2),
    dict(type='mmpretrain.PackInputs'),
]
MIXUP = dict(augments=[dict(type='Mixup', alpha=0.8)])
CUTMIX = dict(augments=[dict(type='CutMix', alpha=1.0)])


def views(num_views: int = 3, pipeline=PIPELINE, **settings) -> AugmentedViews:
    dataset = dict(type='gendd_mm.DigitsDataset', pipeline=pipeline, indices=30)
    return AugmentedViews(dataset, num_views, **settings)


def pixels(dataset: AugmentedViews, index: int) -> torch.Tensor:
    return dataset[index]['inputs']


def test_any_order_and_any_worker_give_the_same_pixels():
    dataset = views()
    forward = [pixels(dataset, index) for index in range(90)]
    torch.rand(5), np.random.rand(3), random.random()
    backward = [pixels(views(), index) for index in reversed(range(90))]
    assert all(a.equal(b) for a, b in zip(forward, reversed(backward), strict=True))
    loader = DataLoader(dataset, 8, sampler=range(90), num_workers=2, collate_fn=default_collate)
    assert torch.cat([batch['inputs'] for batch in loader]).equal(torch.stack(forward))


def test_views_images_and_seeds_differ():
    dataset, other = views(), views(seed=1)
    kinds = {
        'view': [(dataset, 5), (dataset, 35), (dataset, 65)],
        'seed': [(dataset, 5), (other, 5)],
    }
    for name, cases in kinds.items():
        # Of many images, as two crops may be the same.
        shown = [
            torch.stack([pixels(which, first // 30 * 30 + image) for image in range(30)])
            for which, first in cases
        ]
        assert all(not a.equal(b) for a, b in itertools.pairwise(shown)), name
    # Beyond the last view they begin again.
    assert pixels(dataset, 90 + 7).equal(pixels(dataset, 7))


def test_global_generators_are_as_they_were():
    torch.manual_seed(3), np.random.seed(3), random.seed(3)
    np.random.randn()  # leaves half of a pair of normal numbers behind
    expected = torch.rand(2), np.random.randn(2).tolist(), random.random()
    torch.manual_seed(3), np.random.seed(3), random.seed(3)
    np.random.randn()
    views(mixing=MIXUP)[4]
    with pytest.raises(ZeroDivisionError), seeded(1, 2):
        _ = 1 / 0
    assert torch.rand(2).equal(expected[0])
    assert (np.random.randn(2).tolist(), random.random()) == expected[1:]


def test_mixup_is_the_mixture_that_its_label_states():
    dataset, plain = views(mixing=MIXUP), views()
    found = 0
    for index in range(60):
        item = dataset[index]
        weights = item['data_samples'].gt_score
        assert weights.sum() == pytest.approx(1)
        own = int(plain[index]['data_samples'].gt_label)
        share = weights[own].item()
        # It is one with an image of the same view, and of the label that has the rest.
        first = index // 30 * 30
        for other in range(first, first + 30):
            label = int(plain[other]['data_samples'].gt_label)
            if label == own:
                continue
            mixture = share * pixels(plain, index) + (1 - share) * pixels(plain, other)
            if torch.allclose(item['inputs'], mixture, atol=1e-3):
                assert weights[label].item() == pytest.approx(1 - share, abs=1e-5)
                found += 1
                break
    assert found > 40  # the others have a partner of their own class


def test_cutmix_pastes_what_its_label_states():
    dataset, plain = views(mixing=CUTMIX), views()
    shares = []
    for index in range(60):
        item = dataset[index]
        weight = item['data_samples'].gt_score[int(plain[index]['data_samples'].gt_label)].item()
        kept = (item['inputs'] == pixels(plain, index)).all(0).float().mean().item()
        assert kept >= weight - 1e-6 or weight == 1
        shares.append(weight)
    # Half of the images would be whole if a batch of two kept its order.
    assert sum(share == 1 for share in shares) < 30


def test_images_without_labels_are_not_mixed():
    unlabeled = dict(
        type='gendd_mm.ShiftedUnlabeled',
        dataset=dict(type='gendd_mm.DigitsDataset', pipeline=[], indices=30),
        pipeline=PIPELINE,
    )
    mixed, plain = (AugmentedViews(unlabeled, 1, mixing=mixing) for mixing in (MIXUP, None))
    assert all(pixels(mixed, index).equal(pixels(plain, index)) for index in range(30))


def test_images_of_two_sizes_are_not_mixed():
    uncropped = [
        dict(type='mmcv.RandomChoiceResize', scales=[(8, 8), (16, 16)], keep_ratio=False),
        dict(type='mmpretrain.PackInputs'),
    ]
    dataset = views(pipeline=uncropped, mixing=MIXUP)
    with pytest.raises(ValueError, match='cannot be mixed; let the pipeline crop'):
        [dataset[index] for index in range(30)]


def test_number_of_views_is_checked():
    with pytest.raises(ValueError, match='num_views=0 must be at least 1'):
        views(0)


def test_a_pickled_dataset_gives_the_same():
    dataset = views(mixing=MIXUP)
    assert pixels(pickle.loads(pickle.dumps(dataset)), 7).equal(pixels(dataset, 7))


# The sampler.
def sampler(dataset, kind: str = 'DefaultSampler', **settings) -> ViewSampler:
    config = dict(type='gendd_mm.ViewSampler', sampler=dict(type=kind, **settings))
    return DATA_SAMPLERS.build(config, default_args=dict(dataset=dataset, seed=0))


def test_an_epoch_shows_its_view():
    dataset = views()
    drawn = sampler(dataset, shuffle=True)
    for epoch in range(5):
        drawn.set_epoch(epoch)
        indices = list(drawn)
        assert {index // 30 for index in indices} == {epoch % 3}
        assert sorted(index % 30 for index in indices) == list(range(30))
    assert len(drawn) == 30


@pytest.mark.parametrize('world_size', [1, 2, 3])
def test_an_endless_pass_shows_its_view(monkeypatch, world_size):
    dataset, seen = views(), []
    for rank in range(world_size):
        for place in (view_sampler, __import__('mmengine.dataset.sampler', fromlist=['x'])):
            monkeypatch.setattr(place, 'get_dist_info', lambda rank=rank: (rank, world_size))
        endless = iter(sampler(dataset, 'InfiniteSampler', shuffle=True))
        seen += [next(endless) for _ in range(90 // world_size)]
    assert sorted(seen) == list(range(90))


def test_an_endless_run_goes_on_where_it_was():
    loader = DataLoader(
        views(), 4, sampler=sampler(views(), 'InfiniteSampler'), collate_fn=default_collate
    )
    unbroken = endless_batches(loader, 0)
    expected = [next(unbroken)['inputs'] for _ in range(12)]
    resumed = endless_batches(loader, 9)
    assert all(next(resumed)['inputs'].equal(batch) for batch in expected[9:])


def test_samplers_that_show_an_image_twice_are_refused():
    with pytest.raises(ValueError, match='RepeatAugSampler shows an image several times'):
        sampler(views(), 'mmpretrain.RepeatAugSampler')
    with pytest.raises(ValueError, match='DigitsDataset has none; wrap the dataset'):
        sampler(views().dataset)


def test_a_batch_is_what_its_images_are_alone():
    for dataset in (views(), views(mixing=MIXUP)):
        indices = [3, 75, 3, 31]
        together = dataset.__getitems__(indices)
        for index, item in zip(indices, together, strict=True):
            alone = dataset[index]
            assert item['inputs'].equal(alone['inputs'])
            assert item['data_samples'].to_dict().keys() == alone['data_samples'].to_dict().keys()


def test_a_batch_restores_the_generators_even_after_an_error():
    dataset = views()
    torch.manual_seed(3), np.random.seed(3), random.seed(3)
    np.random.randn()
    state = torch.get_rng_state(), np.random.get_state(), random.getstate()
    dataset.__getitems__([1, 40])
    with pytest.raises(TypeError):
        dataset.__getitems__([1, None])
    assert torch.get_rng_state().equal(state[0])
    assert all(np.array_equal(*pair) for pair in zip(np.random.get_state(), state[1], strict=True))
    assert random.getstate() == state[2]
