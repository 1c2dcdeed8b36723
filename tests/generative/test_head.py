"""GenerativeHead: its loss and samples against the plain reference."""

import pytest
import torch
from reference_head import ReferenceHead
from small_head import fix_draws, rows_of, seeded, small_head

from gendd_mm.generative import DDIMSampler, UniformTimesteps, linear
from gendd_mm.models import GenerativeHead

BOTH = pytest.mark.parametrize('noise_sampling', ['independent', 'antithetic'])


def distances_to_reference(head: GenerativeHead, dtype: torch.dtype) -> dict:
    """Relative distances of loss, and of each gradient as a vector."""
    reference = ReferenceHead.like(head)
    condition = torch.randn(4, 6, dtype=dtype, requires_grad=True)
    same_condition = condition.detach().clone().requires_grad_()
    target = torch.randn(4, 12, dtype=dtype)
    draws = fix_draws(head, 4)
    assert not draws.keep.all()
    assert draws.keep.any()

    loss = head.loss(condition, target)
    expected = reference.loss(same_condition, target, *rows_of(head, draws))
    loss.backward()
    expected.backward()
    pairs = {
        'loss': (loss.detach(), expected.detach()),
        'condition': (condition.grad, same_condition.grad),
    }
    parameters = dict(head.named_parameters())
    for mine, theirs in reference.names_in_head().items():
        pairs[theirs] = (parameters[theirs].grad, reference.get_parameter(mine).grad)
    assert all(theirs.norm() > 0 for _, theirs in pairs.values())
    return {
        name: ((ours - theirs).norm() / theirs.norm()).item()
        for name, (ours, theirs) in pairs.items()
    }


# Of 180 repeats there are more groups than steps, so that every step is
# embedded once. Chunks of 101 and 7 rows leave a rest.
@pytest.mark.parametrize(
    ('repeats', 'row_chunk'),
    [(4, None), (4, 1), (4, 7), (180, None), (180, 101)],
)
@BOTH
def test_loss_and_gradients_equal_the_reference(float64, noise_sampling, repeats, row_chunk):
    head = small_head(noise_sampling=noise_sampling, repeats=repeats, row_chunk=row_chunk)
    distances = distances_to_reference(head, torch.float64)
    assert max(distances.values()) < 1e-8, distances


@pytest.fixture(params=['torch', 'oneDNN'])
def products(request, monkeypatch):
    """Either library for the products."""
    if request.param == 'oneDNN' and not linear.has_onednn():
        pytest.skip('this build of torch has no oneDNN')
    monkeypatch.setattr(linear, 'FEWEST_MULTIPLY_ADDS', 1)
    linear.use_onednn(request.param == 'oneDNN')
    yield
    linear.use_onednn(False)


@pytest.mark.parametrize(('repeats', 'row_chunk'), [(4, 7), (180, None), (180, 101)])
@BOTH
def test_float32_loss_and_gradients_equal_the_reference(
    products, noise_sampling, repeats, row_chunk
):
    head = small_head(noise_sampling=noise_sampling, repeats=repeats, row_chunk=row_chunk)
    distances = distances_to_reference(head, torch.float32)
    assert max(distances.values()) < 1e-5, distances


@BOTH
def test_a_single_token_of_the_whole_feature_equals_the_reference(float64, noise_sampling):
    """Naive GenDD."""
    head = small_head(
        tokenizer=dict(type='SplitTokenizer', token_dim=12),
        noise_sampling=noise_sampling,
        row_chunk=5,
    )
    distances = distances_to_reference(head, torch.float64)
    assert max(distances.values()) < 1e-8, distances


def sampled(head: GenerativeHead) -> tuple:
    """Two draws for four images, ours and the reference's."""
    condition = torch.randn(4, 6)
    samples = head.sample(condition, num_draws=2, generator=seeded())
    generator, sampler = seeded(), head.sampler
    # 2 draws x 4 images x 3 tokens
    noise = [torch.randn(24, 4, generator=generator) for _ in range(sampler.num_steps)]
    expected = ReferenceHead.like(head).sample(
        condition, noise, sampler.num_steps, sampler.start(head.process), sampler.guidance_scale
    )
    assert samples.shape == expected.shape == (2, 4, 12)
    return samples, expected


@pytest.mark.parametrize('scale', [0.0, 1.0, 2.0])
@pytest.mark.parametrize('start_t', [950, 999])
def test_samples_equal_the_reference(float64, scale, start_t):
    head = small_head(
        sampling=dict(type='ancestral', num_steps=6, start_t=start_t, guidance_scale=scale)
    )
    samples, expected = sampled(head)
    torch.testing.assert_close(samples, expected, rtol=1e-6, atol=1e-6)


def test_float32_samples_equal_the_reference(products):
    samples, expected = sampled(
        small_head(sampling=dict(type='ancestral', num_steps=6, start_t=950))
    )
    assert samples.dtype == torch.float32
    assert (samples - expected).norm() < 1e-5 * expected.norm()


def test_a_dropped_row_is_one_with_the_condition_zero(float64):
    head = small_head()
    condition = torch.randn(2, 6, requires_grad=True)
    target = torch.randn(2, 12)
    none, every = torch.zeros(24).bool(), torch.ones(24).bool()
    fix_draws(head, 2, keep=none)
    dropped = head.loss(condition, target)
    dropped.backward()
    assert (condition.grad == 0).all()
    fix_draws(head, 2, keep=every)
    torch.testing.assert_close(dropped.detach(), head.loss(torch.zeros(2, 6), target).detach())
    assert not torch.isclose(dropped, head.loss(condition, target))


@pytest.mark.parametrize('row_chunk', [None, 5])
def test_loss_sends_gradient_to_the_condition_only(row_chunk):
    head = small_head(row_chunk=row_chunk)
    condition = torch.randn(2, 6, requires_grad=True)
    target = torch.randn(2, 12, requires_grad=True)
    head.loss(condition, target).backward()
    assert condition.grad.abs().sum() > 0
    assert target.grad is None
    assert all(parameter.grad is not None for parameter in head.parameters())
    assert not head.sample(condition).requires_grad


def test_a_generator_makes_loss_and_samples_repeatable():
    head = small_head()
    condition, target = torch.randn(2, 6), torch.randn(2, 12)
    before = torch.get_rng_state()
    for run in (
        lambda seed: head.loss(condition, target, seeded(seed)),
        lambda seed: head.sample(condition, 2, seeded(seed)),
    ):
        assert run(1).equal(run(1))
        assert not run(1).equal(run(2))
    # And it leaves the global one alone.
    assert torch.get_rng_state().equal(before)


def test_draws_of_one_image_differ():
    first, second = small_head().sample(torch.randn(2, 6), num_draws=2)
    assert not torch.isclose(first, second).any()


@pytest.mark.parametrize('dtype', [torch.float16, torch.float64])
def test_a_target_of_another_precision_is_taken_as_the_conditions(dtype):
    head = small_head()
    condition, target = torch.randn(4, 6), torch.randn(4, 12).to(dtype)
    fix_draws(head, 4)
    loss = head.loss(condition, target)
    assert loss.dtype == torch.float32
    assert loss.equal(head.loss(condition, target.float()))


@pytest.mark.parametrize('shape', [(2, 5), (2, 6, 1), (6,)])
def test_a_condition_that_does_not_fit_is_an_error(shape):
    head, condition = small_head(), torch.randn(shape)
    for use in (lambda: head.loss(condition, torch.randn(2, 12)), lambda: head.sample(condition)):
        with pytest.raises(ValueError, match='condition of shape .*dim=6'):
            use()


def test_a_target_that_does_not_fit_is_an_error():
    with pytest.raises(ValueError, match='size 16 does not fit .*dim=12'):
        small_head().loss(torch.randn(2, 6), torch.randn(2, 16))


@pytest.mark.parametrize('row_chunk', [None, 7])
def test_a_batch_without_images_is_an_error(row_chunk):
    with pytest.raises(ValueError, match='no images'):
        small_head(row_chunk=row_chunk).loss(torch.randn(0, 6), torch.randn(0, 12))


@pytest.mark.parametrize('num_draws', [0, -2])
def test_no_draws_are_an_error(num_draws):
    with pytest.raises(ValueError, match=f'num_draws={num_draws} must be'):
        small_head().sample(torch.randn(2, 6), num_draws=num_draws)


def test_a_sampler_may_take_the_place_of_the_heads_own(float64):
    head = small_head()
    condition = torch.randn(3, 6)
    other = DDIMSampler(5, guidance_scale=1.0)
    given = head.sample(condition, 2, seeded(), other)
    assert not given.equal(head.sample(condition, 2, seeded()))
    head.sampler = other
    assert given.equal(head.sample(condition, 2, seeded()))


def test_a_sampler_that_does_not_fit_is_an_error():
    condition = torch.randn(3, 6)
    with pytest.raises(ValueError, match='start_t=1000 is not a timestep'):
        small_head().sample(condition, sampler=DDIMSampler(start_t=1000))
    never_dropped = small_head(
        condition_drop=0.0, sampling=dict(type='ddim', num_steps=2, guidance_scale=1.0)
    )
    with pytest.raises(ValueError, match='condition_drop=0'):
        never_dropped.sample(condition, sampler=DDIMSampler(2))


def test_a_distribution_of_timesteps_may_take_the_place_of_the_processs_own(float64):
    head = small_head()
    condition, target = torch.randn(3, 6), torch.randn(3, 12)
    noisy = UniformTimesteps(0.7, 1.0)
    given = head.loss(condition, target, seeded(), noisy)
    assert not given.isclose(head.loss(condition, target, seeded()))
    head.process.timesteps = noisy
    assert given.equal(head.loss(condition, target, seeded()))
