"""RunningMeans: weighted means, forgetting by image, on all ranks."""

import pytest
import torch

from gendd_mm.generative.running_statistics import RunningMeans

NUM_CLASSES, DIM = 3, 2


def batches(count: int = 4, size: int = 6):
    """Vectors and shares; the last class gets nothing."""
    generator = torch.Generator().manual_seed(0)
    for _ in range(count):
        shares = torch.rand(size, NUM_CLASSES, generator=generator)
        shares[:, -1] = 0
        yield torch.randn(size, DIM, generator=generator), shares


def plain_means(momentum: float) -> torch.Tensor:
    """Every vector of every batch with its weight, written out, float64."""
    vectors, weights = [], []
    for batch, shares in batches():
        decay = momentum ** shares.double().sum(0)
        weights = [each * decay for each in weights] + list(shares.double())
        vectors += list(batch.double())
    weights = torch.stack(weights)
    return (weights.T @ torch.stack(vectors)) / weights.sum(0)[:, None]


@pytest.mark.parametrize('momentum', [0.0, 0.5, 0.99, 1])
def test_means_are_those_of_all_vectors_with_their_weights(momentum):
    means = RunningMeans(NUM_CLASSES, DIM, momentum)
    for batch in batches():
        means.update(*batch)
    torch.testing.assert_close(means.mean[:-1], plain_means(momentum)[:-1].float())
    assert means.seen.tolist() == [True, True, False]
    assert (means.mean[-1] == 0).all()


def test_the_first_update_is_the_mean_of_the_batch():
    means = RunningMeans(1, DIM, 0.9)
    vectors = torch.randn(5, DIM)
    means.update(vectors, torch.ones(5, 1))
    torch.testing.assert_close(means.mean[0], vectors.mean(0))


def test_a_rare_class_remembers_as_many_images_as_a_frequent_one():
    means = RunningMeans(2, 1, 0.5)
    rare, frequent = torch.eye(2)
    means.update(torch.tensor([[1.0]]), rare[None])
    for _ in range(200):  # decay by steps would have underflowed
        means.update(torch.tensor([[1.0]]), frequent[None])
    means.update(torch.tensor([[0.0]]), rare[None])
    means.update(torch.tensor([[0.0]]), frequent[None])
    # 1 / 2 of the rare one's, of all 1 + 1 / 2; the other's weight is full.
    torch.testing.assert_close(means.mean[:, 0], torch.tensor([1 / 3, 0.5]))


def test_half_precision_is_summed_in_float32():
    means = RunningMeans(1, 1, 1.0)
    with torch.autocast('cpu', torch.bfloat16):
        means.update(torch.full((1001, 1), 1.5), torch.ones(1001, 1))
    assert means.mean.dtype == torch.float32
    assert means.mean.item() == 1.5
    assert means.weight.item() == 1001


def update_in_parts(rank: int, folder: str) -> None:
    """Update as one of two processes with every other image."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2
    )
    means = RunningMeans(NUM_CLASSES, DIM, 0.9)
    for vectors, shares in batches():
        means.update(vectors[rank::2], shares[rank::2])
    torch.save(means.state_dict(), f'{folder}/{rank}.pt')
    torch.distributed.destroy_process_group()


def test_two_ranks_have_the_means_of_the_whole_batch(tmp_path):
    torch.multiprocessing.start_processes(
        update_in_parts, (str(tmp_path),), nprocs=2, start_method='fork'
    )
    first, second = (torch.load(tmp_path / f'{rank}.pt') for rank in range(2))
    alone = RunningMeans(NUM_CLASSES, DIM, 0.9)
    for batch in batches():
        alone.update(*batch)
    for name, expected in alone.state_dict().items():
        assert first[name].equal(second[name])
        torch.testing.assert_close(first[name], expected)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ((0, 2, 0.9), 'num_classes=0 must be at least 1'),
        ((3, -1, 0.9), 'dim=-1 must be at least 1'),
        ((3, 2, 1.1), r'momentum=1.1 is outside \[0, 1\]'),
        ((3, 2, -0.1), r'momentum=-0.1 is outside \[0, 1\]'),
    ],
)
def test_what_cannot_work_is_an_error(arguments, message):
    with pytest.raises(ValueError, match=message):
        RunningMeans(*arguments)
