"""What GenerativeHead computes to sample, and what it leaves out."""

import pytest
import torch
from small_head import rows_into, seeded, small_head

from gendd_mm.models import GenerativeHead

# Sampler, evaluations in 6 steps.
DETERMINISTIC = [('ddim', 6), ('dpmpp_2m', 6), ('midpoint', 12)]


def seen_by_sampler(head: GenerativeHead) -> list:
    """Every output of the guided denoiser, as the list grows."""
    outputs, sampler = [], head.sampler

    class Spy:
        guidance_scale = sampler.guidance_scale
        uses_variance = sampler.uses_variance

        def __call__(self, process, denoise, *args):

            def spied(x, t):
                outputs.append(denoise(x, t))
                return outputs[-1]

            return sampler(process, spied, *args)

    head.sampler = Spy()
    return outputs


def test_guidance_1_is_the_conditional_model_alone(float64):
    head = small_head(sampling=dict(type='ancestral', num_steps=6, guidance_scale=1.0))
    condition = torch.randn(4, 6)
    rows = rows_into(head.denoiser.input)
    samples = head.sample(condition, generator=seeded())
    assert rows == 6 * [12]  # no unconditional evaluation

    def conditional(x_t, t):
        return head.denoiser(
            x_t, torch.full((12,), t), condition.repeat_interleave(3, 0), torch.arange(3).repeat(4)
        )

    generator = seeded()
    noise = torch.randn(12, 4, generator=generator)
    alone = head.sampler(head.process, conditional, noise, generator)
    torch.testing.assert_close(samples, alone.view(1, 4, 12), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize('num_draws', [1, 2])
def test_both_halves_of_guidance_are_one_product(num_draws):
    head = small_head()
    entering = rows_into(head.denoiser.input)
    rows = rows_into(head.denoiser.blocks[0].mlp)
    head.sample(torch.randn(4, 6), num_draws=num_draws)
    # What enters is the same for both.
    assert entering == 6 * [num_draws * 4 * 3]
    assert rows == 6 * [2 * num_draws * 4 * 3]


@pytest.mark.parametrize('num_draws', [1, 5])
def test_modulations_are_shared(num_draws):
    """By all draws of an image, and without a condition by all images."""
    head = small_head()
    rows = rows_into(head.denoiser.modulation)
    steps = rows_into(head.denoiser.time_embedding.mlp)
    head.sample(torch.randn(4, 6), num_draws=num_draws)
    assert rows == 6 * [4 * 3 + 3]
    assert steps == 6 * [1]


@pytest.mark.parametrize(('type', 'evaluations'), DETERMINISTIC)
def test_a_variance_that_nobody_reads_is_not_computed(type, evaluations):
    head = small_head(sampling=dict(type=type, num_steps=6))
    assert head.denoiser.output.out_features == 8
    denoise, channels = head.denoiser.denoise, []

    def spied(*args):
        output = denoise(*args)
        channels.append(output.size(-1))
        return output

    head.denoiser.denoise = spied
    head.sample(torch.randn(4, 6))
    assert channels == evaluations * [4]


def test_the_variance_of_a_guided_output_is_there_once():
    head = small_head()
    outputs = seen_by_sampler(head)
    head.sample(torch.randn(4, 6))
    assert [output.size(-1) for output in outputs] == 6 * [8]


@pytest.mark.parametrize('type', ['ddim', 'dpmpp_2m', 'midpoint', 'one_step'])
@pytest.mark.parametrize('process', ['GaussianDiffusion', 'RectifiedFlow'])
def test_draws_and_images_are_sampled_as_if_alone(float64, type, process):
    head = small_head(process=dict(type=process), sampling=dict(type=type))
    condition = torch.randn(4, 6)
    together = head.sample(condition, num_draws=2, generator=seeded())
    noise = torch.randn(2, 4, 3, 4, generator=seeded())

    def denoise(row):

        def guided(x_t, t):
            outputs = [
                head.denoiser(x_t, torch.full((3,), t), image.expand(3, -1), torch.arange(3))[:, :4]
                for image in (condition[row], torch.zeros(6))
            ]
            return outputs[1] + 2 * (outputs[0] - outputs[1])

        return guided

    for draw in range(2):
        for row in range(4):
            alone = head.sampler(head.process, denoise(row), noise[draw, row])
            torch.testing.assert_close(together[draw, row], alone.flatten())


@pytest.mark.parametrize('type', ['ancestral', 'ddim'])
@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_under_autocast_the_sampler_keeps_float32(dtype, type):
    head = small_head(sampling=dict(type=type, num_steps=6))
    outputs = seen_by_sampler(head)
    with torch.autocast('cpu', dtype):
        samples = head.sample(torch.randn(4, 6).to(dtype))
    assert samples.dtype == torch.float32
    assert {output.dtype for output in outputs} == {torch.float32}


def test_a_trained_head_samples_the_target_of_its_condition():
    """Two conditions, two targets; no guidance, so that nothing overshoots."""

    def head(**sampling) -> GenerativeHead:
        return GenerativeHead(
            condition_dim=2,
            target_dim=4,
            tokenizer=dict(type='SplitTokenizer', token_dim=2),
            denoiser=dict(type='TokenDenoiser', width=32, depth=1),
            sampling=dict(guidance_scale=1.0, **sampling),
            repeats=64,
        )

    trained = head(type='ancestral', num_steps=20)
    condition = torch.eye(2)
    target = torch.tensor([[1.0, -1.0, 0.5, 2.0], [-1.0, 0.0, 2.0, -0.5]])
    optimizer = torch.optim.Adam(trained.parameters(), lr=5e-3)
    for _ in range(300):
        optimizer.zero_grad()
        trained.loss(condition, target).backward()
        optimizer.step()
    for other in (trained, head(type='dpmpp_2m', num_steps=20)):
        other.load_state_dict(trained.state_dict())
        samples = other.sample(condition, num_draws=200).mean(0)
        torch.testing.assert_close(samples, target, rtol=0, atol=0.3)


def test_noise_may_be_given(float64):
    head = small_head(sampling=dict(type='ddim', num_steps=3))
    condition = torch.randn(4, 6)
    noise = torch.randn(2, 4, 3, 4, generator=seeded())
    drawn = head.sample(condition, 2, seeded())
    assert torch.equal(head.sample(condition, noise=noise), drawn)
    with pytest.raises(ValueError, match=r'noise has shape \(2, 3, 3, 4\).* need \(K, 4, 3, 4\)'):
        head.sample(condition, noise=noise[:, :3])
