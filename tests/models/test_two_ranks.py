"""The head on two processes: DDP over chunks, one scale of targets."""

import pytest
import torch
import torch.multiprocessing as mp
import two_ranks


@pytest.fixture(scope='module')
def ranks(tmp_path_factory) -> list:
    """What each of two processes ends with."""
    folder = str(tmp_path_factory.mktemp('ranks'))
    mp.spawn(two_ranks.main, (folder, ), nprocs=two_ranks.WORLD_SIZE)
    return [torch.load(f'{folder}/{rank}') for rank in range(2)]


def test_both_have_the_scale_of_all_targets(ranks):
    assert ranks[0]['moments'].equal(ranks[1]['moments'])
    seen = torch.cat([
        two_ranks.part_of(rank, batch)[1] for rank in range(2)
        for batch in range(two_ranks.BATCHES)
    ])
    torch.testing.assert_close(ranks[0]['moments'],
                               torch.stack([seen.mean(),
                                            seen.square().mean()]))


def test_both_have_the_mean_of_their_gradients(ranks):
    model = two_ranks.built()
    scale = model.head.target_scale
    for batch in range(two_ranks.BATCHES):
        parts = [two_ranks.part_of(rank, batch) for rank in range(2)]
        scale.train()(torch.cat([target for _, target in parts]))
        scale.eval()
        for rank, part in enumerate(parts):
            (model(*part, seed=rank) / 2).backward()
    for parameter, *gradients in zip(model.parameters(),
                                     *(rank['gradients'] for rank in ranks)):
        assert gradients[0].equal(gradients[1])
        torch.testing.assert_close(
            gradients[0], parameter.grad, rtol=1e-4, atol=1e-6)
