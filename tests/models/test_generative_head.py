"""GenerativeHead: its loss and samples against the plain reference."""

import pytest
import torch
from mmengine.registry import MODELS
from reference_head import ReferenceHead, randomize

from gendd_mm.diffusion import AncestralSampler, GaussianDiffusion
from gendd_mm.models import GenerativeHead
from gendd_mm.registry import TASK_UTILS

CPU = torch.device('cpu')


def small_head(**changes) -> GenerativeHead:
    settings = dict(
        condition_dim=6,
        target_dim=12,
        tokenizer=dict(type='SplitTokenizer', token_dim=4),
        denoiser=dict(type='TokenDenoiser', width=16, depth=2),
        sampling=dict(type='ancestral', num_steps=6),
        repeats=3)
    return randomize(GenerativeHead(**{**settings, **changes}))


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def fix_draws(head: GenerativeHead, batch_size: int, **changes):
    """Let the head draw the same again and again; the ends of t included."""
    draws = head.draw(batch_size, CPU, seeded())
    draws.t[:6] = torch.tensor([0, 1, 999, 0, 998, 2])
    draws = draws._replace(**changes)
    head.draw = lambda *args: draws
    return draws


def count_calls(head: GenerativeHead) -> list:
    """The number of rows of every evaluation of the denoiser, as it grows."""
    calls = []
    head.denoiser.input.register_forward_pre_hook(
        lambda _, inputs: calls.append(len(inputs[0])))
    return calls


@pytest.mark.parametrize('token_dim', [4, 12])
def test_loss_and_gradients_equal_the_reference(float64, token_dim):
    """Split tokens, and naive GenDD: one token of the whole feature."""
    head = small_head(
        tokenizer=dict(type='SplitTokenizer', token_dim=token_dim))
    reference = ReferenceHead.like(head)
    condition = torch.randn(4, 6, requires_grad=True)
    same_condition = condition.detach().clone().requires_grad_()
    target = torch.randn(4, 12)
    draws = fix_draws(head, 4)
    assert not draws.keep.all() and draws.keep.any()

    loss = head.loss(condition, target)
    expected = reference.loss(same_condition, target, *draws)
    torch.testing.assert_close(loss, expected, rtol=1e-8, atol=0)

    loss.backward()
    expected.backward()
    torch.testing.assert_close(
        condition.grad, same_condition.grad, rtol=1e-7, atol=1e-10)
    parameters = dict(head.named_parameters())
    for mine, theirs in reference.names_in_head().items():
        torch.testing.assert_close(
            parameters[theirs].grad,
            reference.get_parameter(mine).grad,
            rtol=1e-7,
            atol=1e-10,
            msg=lambda text: f'{theirs}: {text}')


def test_float32_loss_and_gradient_equal_the_reference():
    # To 2e-5: the angles of the time embedding, up to 999, are rounded to
    # 3e-5 in float32.
    head = small_head()
    reference = ReferenceHead.like(head)
    condition = torch.randn(4, 6, requires_grad=True)
    same_condition = condition.detach().clone().requires_grad_()
    target = torch.randn(4, 12)
    draws = fix_draws(head, 4)
    loss = head.loss(condition, target)
    expected = reference.loss(same_condition, target, *draws)
    torch.testing.assert_close(loss.double(), expected, rtol=2e-5, atol=0)
    loss.backward()
    expected.backward()
    mistake = (condition.grad - same_condition.grad).norm()
    assert mistake < 2e-5 * same_condition.grad.norm()


@pytest.mark.parametrize('scale', [0., 1., 2.])
@pytest.mark.parametrize('start_t', [950, 999])
def test_samples_equal_the_reference(float64, scale, start_t):
    head = small_head(
        sampling=dict(
            type='ancestral',
            num_steps=6,
            start_t=start_t,
            guidance_scale=scale))
    condition = torch.randn(4, 6)
    samples = head.sample(condition, num_draws=2, generator=seeded())
    generator = seeded()
    # 2 draws x 4 images x 3 tokens
    noise = [torch.randn(24, 4, generator=generator) for _ in range(6)]
    expected = ReferenceHead.like(head).sample(condition, noise, 6, start_t,
                                               scale)
    assert samples.shape == (2, 4, 12)
    torch.testing.assert_close(samples, expected, rtol=1e-6, atol=1e-6)


def test_guidance_1_is_the_conditional_model_alone(float64):
    head = small_head(
        sampling=dict(type='ancestral', num_steps=6, guidance_scale=1.))
    condition = torch.randn(4, 6)
    calls = count_calls(head)
    samples = head.sample(condition, generator=seeded())
    assert calls == 6 * [12]  # no unconditional evaluation

    def conditional(x_t, t):
        return head.denoiser(x_t, torch.full((12, ), t),
                             condition.repeat_interleave(3, 0),
                             torch.arange(3).repeat(4))

    generator = seeded()
    noise = torch.randn(12, 4, generator=generator)
    alone = head.sampler(head.process, conditional, noise, generator)
    torch.testing.assert_close(
        samples, alone.view(1, 4, 12), rtol=1e-10, atol=1e-10)


def test_guidance_evaluates_the_denoiser_twice_a_step():
    head = small_head()
    calls = count_calls(head)
    head.sample(torch.randn(4, 6), num_draws=2)
    assert calls == 12 * [24]


def test_a_loss_takes_one_row_per_image_token_and_repeat():
    head = small_head(repeats=7)
    calls = count_calls(head)
    head.loss(torch.randn(2, 6), torch.randn(2, 12))
    assert calls == [2 * 3 * 7]


def test_a_dropped_row_is_one_with_the_condition_zero(float64):
    head = small_head()
    condition = torch.randn(2, 6, requires_grad=True)
    target = torch.randn(2, 12)
    none, every = torch.zeros(18).bool(), torch.ones(18).bool()
    fix_draws(head, 2, keep=none)
    dropped = head.loss(condition, target)
    dropped.backward()
    assert (condition.grad == 0).all()
    fix_draws(head, 2, keep=every)
    torch.testing.assert_close(dropped.detach(),
                               head.loss(torch.zeros(2, 6), target).detach())
    assert not torch.isclose(dropped, head.loss(condition, target))


@pytest.mark.parametrize('drop', [0.2, 0.7])
def test_conditions_are_dropped_as_often_as_asked(drop):
    head = small_head(repeats=1000, condition_drop=drop)
    keep = head.draw(10, CPU).keep  # 30,000 rows
    assert 1 - keep.float().mean().item() == pytest.approx(drop, abs=0.01)


def test_without_condition_drop_every_row_keeps_its_condition():
    head = small_head(
        condition_drop=0.,
        sampling=dict(type='ancestral', num_steps=6, guidance_scale=1.))
    assert head.draw(100, CPU).keep.all()


def test_rows_have_steps_and_noise_of_their_own():
    draws = small_head(repeats=1000).draw(2, CPU)
    assert draws.noise.shape == (6000, 4)
    assert len(draws.noise.unique(dim=0)) == 6000
    assert len(draws.t.unique()) > 900
    assert draws.noise.std().item() == pytest.approx(1, abs=0.02)


def test_loss_sends_gradient_to_the_condition_only():
    head = small_head()
    condition = torch.randn(2, 6, requires_grad=True)
    target = torch.randn(2, 12)
    head.loss(condition, target).backward()
    assert (condition.grad != 0).all()
    assert all(parameter.grad is not None for parameter in head.parameters())
    assert not head.sample(condition).requires_grad


def test_a_generator_makes_loss_and_samples_repeatable():
    head = small_head()
    condition, target = torch.randn(2, 6), torch.randn(2, 12)
    before = torch.get_rng_state()
    for run in (lambda seed: head.loss(condition, target, seeded(seed)),
                lambda seed: head.sample(condition, 2, seeded(seed))):
        assert run(1).equal(run(1))
        assert not run(1).equal(run(2))
    # And it leaves the global one alone.
    assert torch.get_rng_state().equal(before)


def test_draws_of_one_image_differ():
    first, second = small_head().sample(torch.randn(2, 6), num_draws=2)
    assert not torch.isclose(first, second).any()


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_autocast_gives_a_float32_loss_and_samples(dtype):
    head = small_head()
    condition, target = torch.randn(4, 6), torch.randn(4, 12)
    fix_draws(head, 4)
    expected = head.loss(condition, target)
    with torch.autocast('cpu', dtype):
        loss = head.loss(condition.to(dtype), target.to(dtype))
        samples = head.sample(condition.to(dtype))
    assert loss.dtype == samples.dtype == torch.float32
    torch.testing.assert_close(loss, expected, rtol=0.05, atol=0)


@pytest.mark.parametrize('dtype', [torch.float16, torch.float64])
def test_a_target_of_another_precision_is_taken_as_the_conditions(dtype):
    head = small_head()
    condition, target = torch.randn(4, 6), torch.randn(4, 12).to(dtype)
    fix_draws(head, 4)
    loss = head.loss(condition, target)
    assert loss.dtype == torch.float32
    assert loss.equal(head.loss(condition, target.float()))


def test_a_trained_head_samples_the_target_of_its_condition():
    """Two conditions, two targets; no guidance, so that nothing overshoots."""
    head = GenerativeHead(
        condition_dim=2,
        target_dim=4,
        tokenizer=dict(type='SplitTokenizer', token_dim=2),
        denoiser=dict(type='TokenDenoiser', width=32, depth=1),
        sampling=dict(type='ancestral', num_steps=20, guidance_scale=1.),
        repeats=64)
    condition = torch.eye(2)
    target = torch.tensor([[1., -1., 0.5, 2.], [-1., 0., 2., -0.5]])
    optimizer = torch.optim.Adam(head.parameters(), lr=5e-3)
    for _ in range(300):
        optimizer.zero_grad()
        head.loss(condition, target).backward()
        optimizer.step()
    samples = head.sample(condition, num_draws=20).mean(0)
    torch.testing.assert_close(samples, target, rtol=0, atol=0.3)


def test_defaults_are_those_of_the_method():
    with torch.device('meta'):
        head = GenerativeHead(condition_dim=512, target_dim=1024)
    assert (head.tokenizer.token_dim, head.tokenizer.num_tokens) == (64, 16)
    assert head.denoiser.input.out_features == 1024
    assert len(head.denoiser.blocks) == 3
    assert head.process.num_steps == 1000
    assert (head.repeats, head.condition_drop) == (10, 0.2)
    assert head.sampler.guidance_scale == 2
    assert len(head.sampler.steps) == 64


def test_the_setting_of_the_paper_is_reachable():
    head = small_head(
        sampling=dict(
            type='ancestral', num_steps=64, start_t=999, guidance_scale=2.))
    assert head.sampler.steps[-1] == 999


def test_state_holds_the_denoiser_alone():
    assert all(
        name.startswith('denoiser.') for name in small_head().state_dict())


@pytest.mark.parametrize('changes, message', [
    (dict(tokenizer=dict(type='SplitTokenizer', token_dim=5)),
     'token_dim=5 does not divide .* 12; nearest divisors: 4, 6'),
    (dict(repeats=0), 'repeats=0 must be at least 1'),
    (dict(condition_drop=1.), r'condition_drop=1.0 is outside \[0, 1\)'),
    (dict(condition_drop=-0.1), r'condition_drop=-0.1 is outside \[0, 1\)'),
    (dict(condition_drop=0.),
     'guidance_scale=2.0 needs .*condition_drop=0; set condition_drop'),
    (dict(sampling=dict(type='ancestral', start_t=1000)),
     'start_t=1000 is not a step .*at most 999'),
    (dict(process=dict(type='GaussianDiffusion', num_steps=100)),
     'start_t=950 is not a step .*num_steps=100.*at most 99'),
    (dict(sampling=dict(type='ancestral', num_steps=0)),
     'num_steps=0 sampling steps'),
])
def test_what_cannot_work_is_an_error_when_built(changes, message):
    with pytest.raises(ValueError, match=message):
        small_head(**changes)


@pytest.mark.parametrize('part',
                         ['tokenizer', 'denoiser', 'process', 'sampling'])
def test_an_unknown_registry_name_is_a_key_error(part):
    with pytest.raises(KeyError, match='Nothing is not in the'):
        small_head(**{part: dict(type='Nothing')})


@pytest.mark.parametrize('shape', [(2, 5), (2, 6, 1), (6, )])
def test_a_condition_that_does_not_fit_is_an_error(shape):
    head, condition = small_head(), torch.randn(shape)
    for use in (lambda: head.loss(condition, torch.randn(2, 12)),
                lambda: head.sample(condition)):
        with pytest.raises(ValueError, match='condition of shape .*dim=6'):
            use()


def test_a_target_that_does_not_fit_is_an_error():
    with pytest.raises(ValueError, match='size 16 does not fit .*dim=12'):
        small_head().loss(torch.randn(2, 6), torch.randn(2, 16))


@pytest.mark.parametrize('num_draws', [0, -2])
def test_no_draws_are_an_error(num_draws):
    with pytest.raises(ValueError, match=f'num_draws={num_draws} must be'):
        small_head().sample(torch.randn(2, 6), num_draws=num_draws)


def test_builds_in_other_projects(build):
    head = build(
        MODELS,
        type='gendd_mm.GenerativeHead',
        condition_dim=6,
        target_dim=12,
        tokenizer=dict(type='SplitTokenizer', token_dim=4),
        denoiser=dict(type='TokenDenoiser', width=16))
    assert isinstance(head, GenerativeHead)
    assert isinstance(
        build(MODELS, type='gendd_mm.GaussianDiffusion'), GaussianDiffusion)


def test_the_sampler_is_a_task_util_of_the_package(build):
    sampler = build(TASK_UTILS, type='gendd_mm.ancestral', num_steps=5)
    assert isinstance(sampler, AncestralSampler)
