"""RegressionHead: the network without diffusion, in the head's place."""

import pytest
import small_models
import torch
from mmengine.registry import MODELS
from reference_head import randomize
from small_models import batch, losses_of

from gendd_mm.models import GenerativeHead, RegressionHead

SMALL = dict(
    condition_dim=6,
    target_dim=12,
    tokenizer=dict(type='SplitTokenizer', token_dim=4),
    denoiser=dict(type='TokenDenoiser', width=16, depth=2),
)


def small_head(**changes) -> RegressionHead:
    return randomize(RegressionHead(**{**SMALL, **changes}))


def row_by_row(head: RegressionHead, condition: torch.Tensor):
    """Features by the denoiser's plain forward pass, one token at a time."""
    tokens = [
        head.denoiser(head.token[None], torch.zeros(1), row[None], torch.tensor([position]))
        for row in condition
        for position in range(head.tokenizer.num_tokens)
    ]
    return torch.cat(tokens).reshape(len(condition), -1)


@pytest.mark.parametrize('modulation', ['block', 'shared'])
def test_loss_is_the_squared_error_of_every_token(float64, modulation):
    head = small_head(denoiser=dict(type='TokenDenoiser', width=16, depth=2, modulation=modulation))
    condition, target = torch.randn(5, 6), torch.randn(5, 12)
    torch.testing.assert_close(
        head.loss(condition, target), (row_by_row(head, condition) - target).square().mean()
    )


@pytest.mark.parametrize('scale', [1.0, 5.0, 'auto'])
def test_samples_are_the_regressed_features(float64, scale):
    head = small_head(target_scale=scale)
    condition = torch.randn(5, 6)
    head.loss(condition, 3 + torch.randn(5, 12))  # for 'auto'
    expected = row_by_row(head, condition) / head.target_scale.factor
    samples = head.sample(condition, 3, torch.Generator())
    assert samples.shape == (3, 5, 12)
    assert not samples.requires_grad
    for draw in samples:
        torch.testing.assert_close(draw, expected.detach())


def test_scaled_targets_are_regressed(float64):
    head, plain = small_head(target_scale=5.0), small_head()
    head.load_state_dict(plain.state_dict())
    condition, target = torch.randn(4, 6), torch.randn(4, 12)
    torch.testing.assert_close(head.loss(condition, target), plain.loss(condition, 5 * target))


def test_nothing_is_random():
    head = small_head()
    condition, target = torch.randn(4, 6), torch.randn(4, 12)
    before = torch.get_rng_state()
    assert head.loss(condition, target).equal(head.loss(condition, target))
    assert head.sample(condition).equal(head.sample(condition))
    assert torch.get_rng_state().equal(before)


def test_gradient_reaches_all_parameters_and_the_condition_only():
    """All of them: DistributedDataParallel waits for each."""
    head = small_head()
    condition = torch.randn(4, 6, requires_grad=True)
    target = torch.randn(4, 12, requires_grad=True)
    head.loss(condition, target).backward()
    assert (condition.grad != 0).any()
    assert target.grad is None
    assert all((p.grad != 0).any() for p in head.parameters())


def test_it_is_the_generative_heads_network():
    """The same parameters, but the constant token and half of the output."""
    mine = dict(RegressionHead(**SMALL).named_parameters())
    theirs = dict(GenerativeHead(**SMALL).named_parameters())
    assert mine.keys() - theirs.keys() == {'token'}
    assert {name for name, p in theirs.items() if mine[name].shape != p.shape} == {
        'denoiser.output.weight',
        'denoiser.output.bias',
    }


def test_it_learns_the_conditional_mean():
    """Of targets that are one of two, it gives neither."""
    head = RegressionHead(**SMALL)
    condition = torch.randn(1, 6).expand(2, -1)
    modes = torch.tensor([1.0, -3.0])[:, None].expand(-1, 12)
    optimizer = torch.optim.Adam(head.parameters(), 1e-2)
    for _ in range(100):
        optimizer.zero_grad()
        head.loss(condition, modes).backward()
        optimizer.step()
    mean = torch.full((2, 12), -1.0)
    torch.testing.assert_close(head.sample(condition)[0], mean, atol=0.02, rtol=0)


def test_half_precision_keeps_a_float32_loss():
    head = small_head()
    with torch.autocast('cpu', torch.bfloat16):
        loss = head.loss(torch.randn(4, 6).bfloat16(), torch.randn(4, 12).bfloat16())
        sample = head.sample(torch.randn(4, 6))
    assert loss.dtype == sample.dtype == torch.float32


REGRESSION = dict(
    type='RegressionHead',
    condition_dim=4,
    target_dim=8,
    tokenizer=dict(type='SplitTokenizer', token_dim=4),
    denoiser=dict(type='TokenDenoiser', width=8, depth=1),
)


def gendd(**changes):
    """The algorithm with contraction, feature mixup and this head."""
    distiller = small_models.gendd()['distiller']
    distiller['distill_losses']['loss_gendd']['head'] = {**REGRESSION, **changes}
    return small_models.built(distiller=distiller)


def test_gendd_trains_and_predicts_by_both_paths():
    model = gendd()
    loss = model.distiller.gendd_loss
    assert loss.contraction.strength == 0.9
    assert loss.feature_mixup.beta == 1
    losses = losses_of(model.train(), batch())
    assert losses['distill.loss_gendd'].isfinite()
    losses['distill.loss_gendd'].backward()
    data = model.data_preprocessor(batch(3), False)
    one, many = (model.eval().predict(data['inputs'], num_draws=k) for k in (1, 4))
    for sample, same in zip(one, many):
        torch.testing.assert_close(sample.pred_score, same.pred_score)
        assert 'probe_score' in sample


@pytest.mark.parametrize(
    ('sizes', 'message'),
    [
        (dict(target_dim=12), 'target_dim=12 .*does not fit .*8'),
        (dict(condition_dim=5), 'condition_dim=5 does not fit .*4'),
    ],
)
def test_gendd_checks_its_sizes(sizes, message):
    with pytest.raises(ValueError, match=message):
        gendd(**sizes)


@pytest.mark.parametrize(
    ('use', 'message'),
    [
        (
            lambda head: head.loss(torch.randn(2, 5), torch.randn(2, 12)),
            'condition of shape .*dim=6',
        ),
        (lambda head: head.sample(torch.randn(2, 6, 1)), 'condition of shape .*dim=6'),
        (
            lambda head: head.loss(torch.randn(2, 6), torch.randn(2, 16)),
            'size 16 does not fit .*dim=12',
        ),
        (lambda head: head.sample(torch.randn(2, 6), 0), 'num_draws=0 must be at least 1'),
    ],
)
def test_what_does_not_fit_is_an_error(use, message):
    with pytest.raises(ValueError, match=message):
        use(small_head())


def test_builds_in_other_projects(build):
    head = build(MODELS, **dict(REGRESSION, type='gendd_mm.RegressionHead'))
    assert isinstance(head, RegressionHead)
