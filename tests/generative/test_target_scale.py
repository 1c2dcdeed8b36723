"""TargetScale: a number, or the inverse deviation of the targets seen."""

import pytest
import torch
from small_head import fix_draws, seeded, small_head

from gendd_mm.generative.target_scale import MIN_SHARE, TargetScale


def test_a_number_is_the_loss_of_scaled_targets(float64):
    plain, scaled = small_head(), small_head(target_scale=5.0)
    scaled.load_state_dict(plain.state_dict())
    condition, target = torch.randn(4, 6), torch.randn(4, 12)
    for head in (plain, scaled):
        fix_draws(head, 4)
    torch.testing.assert_close(scaled.loss(condition, target), plain.loss(condition, 5 * target))


@pytest.mark.parametrize('scale', [5.0, 'auto'])
def test_samples_are_brought_back_to_the_targets_scale(float64, scale):
    plain, scaled = small_head(), small_head(target_scale=scale)
    scaled.denoiser.load_state_dict(plain.denoiser.state_dict())
    condition = torch.randn(4, 6)
    scaled.loss(condition, 0.1 * torch.randn(4, 12) + 3)
    factor = scaled.target_scale.factor
    assert factor != 1
    torch.testing.assert_close(
        factor * scaled.sample(condition, 2, seeded()), plain.sample(condition, 2, seeded())
    )


def test_a_scale_of_one_changes_nothing():
    target = torch.randn(4, 12)
    assert TargetScale()(target).equal(target)
    assert not TargetScale(5.0).state_dict()


@pytest.mark.parametrize('scale', [1.0, 5.0, 'auto'])
def test_targets_get_no_gradient_and_undo_inverts(scale):
    target = torch.randn(4, 12, requires_grad=True)
    target_scale = TargetScale(scale)
    scaled = target_scale(target)
    assert not scaled.requires_grad
    torch.testing.assert_close(target_scale.undo(scaled), target.detach())


@pytest.mark.parametrize(('mean', 'std'), [(0.0, 0.01), (2.0, 0.5), (-1.0, 30.0)])
def test_auto_gives_the_first_batch_unit_variance(float64, mean, std):
    target = mean + std * torch.randn(64, 12)
    scaled = TargetScale('auto')(target)
    torch.testing.assert_close(scaled.std(correction=0), torch.tensor(1.0))


def test_auto_averages_the_first_batches_evenly(float64):
    scale, batches = TargetScale('auto'), torch.randn(5, 8, 12)
    for batch in batches:
        scale(batch)
    assert 1 / MIN_SHARE > 5
    torch.testing.assert_close(1 / scale.factor, batches.std(correction=0))


def test_auto_forgets_what_it_saw_long_ago():
    scale = TargetScale('auto')
    scale(1000 * torch.randn(8, 12))
    for _ in range(2000):
        scale(0.1 * torch.randn(64, 12))
    assert 1 / scale.factor.item() == pytest.approx(0.1, rel=0.02)


def test_auto_moves_in_training_only():
    scale = TargetScale('auto')
    scale(3 * torch.randn(8, 12))
    factor = scale.factor.clone()
    scale.eval()
    other = 100 * torch.randn(8, 12)
    assert scale(other).equal(other * factor)
    assert scale.factor.equal(factor)
    scale.train()(other)
    assert scale.factor < factor


def test_auto_is_saved():
    head = small_head(target_scale='auto')
    head.loss(torch.randn(4, 6), 3 * torch.randn(4, 12))
    state = head.state_dict()
    assert {name for name in state if not name.startswith('denoiser.')} == {
        'target_scale.moments',
        'target_scale.num_batches',
    }
    again = small_head(target_scale='auto')
    again.load_state_dict(state)
    condition, target = torch.randn(4, 6), torch.randn(4, 12)
    for each in (head, again):
        fix_draws(each, 4)
    assert head.loss(condition, target).equal(again.loss(condition, target))
    assert again.target_scale.num_batches == 2


def test_constant_targets_are_scaled_by_a_finite_number():
    assert TargetScale('auto')(torch.ones(4, 12)).isfinite().all()


def test_auto_takes_targets_of_half_precision_under_autocast():
    head = small_head(target_scale='auto')
    with torch.autocast('cpu', torch.bfloat16):
        loss = head.loss(torch.randn(4, 6).bfloat16(), torch.randn(4, 12).bfloat16())
    assert loss.dtype == torch.float32
    assert head.target_scale.moments.dtype == torch.float32


@pytest.mark.parametrize('scale', [0, -1, float('nan'), 'automatic', '1'])
def test_what_is_no_scale_is_an_error(scale):
    with pytest.raises(ValueError, match=f"{scale!r} must be .*'auto'"):
        TargetScale(scale)
