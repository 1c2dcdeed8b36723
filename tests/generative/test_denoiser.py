"""TokenDenoiser: a plain second implementation, initialisation, cost."""

import math

import pytest
import torch
from mmengine.registry import MODELS
from reference_head import ReferenceDenoiser, ReferenceHead, randomize
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from gendd_mm.generative import TokenDenoiser
from gendd_mm.models import GenerativeHead

KINDS = pytest.mark.parametrize('modulation', ['block', 'shared'])


def small_denoiser(**changes) -> TokenDenoiser:
    settings = dict(token_dim=4, output_dim=8, condition_dim=6, num_tokens=3, width=16, depth=2)
    return TokenDenoiser(**{**settings, **changes})


def rows(num_rows: int = 5):
    """Noisy tokens, steps, conditions and positions."""
    return (
        torch.randn(num_rows, 4),
        torch.randint(1000, (num_rows,)),
        torch.randn(num_rows, 6),
        torch.arange(num_rows) % 3,
    )


def test_equals_the_plain_implementation(float64):
    head = randomize(
        GenerativeHead(
            condition_dim=6,
            target_dim=12,
            tokenizer=dict(type='SplitTokenizer', token_dim=4),
            denoiser=dict(type='TokenDenoiser', width=16, depth=3),
        )
    )
    reference = ReferenceHead.like(head).denoiser
    assert isinstance(reference, ReferenceDenoiser)
    inputs = rows()
    torch.testing.assert_close(head.denoiser(*inputs), reference(*inputs), rtol=1e-10, atol=1e-10)


@KINDS
def test_gives_zeros_at_its_initialisation(modulation):
    output = small_denoiser(modulation=modulation)(*rows())
    assert output.shape == (5, 8)
    assert (output == 0).all()


@KINDS
def test_every_block_is_the_identity_at_its_initialisation(modulation):
    denoiser = small_denoiser(modulation=modulation)
    hidden = torch.randn(5, 16)
    *of_blocks, _ = denoiser.modulation(torch.randn(5, 16))
    for block, of_block in zip(denoiser.blocks, of_blocks):
        assert block(hidden, of_block).equal(hidden)


def test_linears_start_xavier_uniform():
    denoiser = small_denoiser(width=256, depth=1, token_dim=64)
    linears = [denoiser.input, denoiser.condition_embedding, *denoiser.blocks[0].mlp]
    for linear in linears:
        if isinstance(linear, nn.Linear):
            bound = math.sqrt(6 / (linear.in_features + linear.out_features))
            largest = linear.weight.abs().max().item()
            assert 0.98 * bound < largest <= bound
            # A uniform distribution, by its standard deviation.
            assert linear.weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.05)


def test_time_linears_and_positions_start_normal():
    denoiser = small_denoiser(width=256, num_tokens=64)
    first, second = denoiser.time_embedding.linears
    assert (first.in_features, second.in_features) == (256, 256)
    for linear in (first, second):
        assert linear.weight.std().item() == pytest.approx(0.02, rel=0.02)
    assert denoiser.token_embedding.weight.std().item() == pytest.approx(1, rel=0.02)


def test_modulations_output_and_all_biases_start_at_zero():
    denoiser = small_denoiser()
    zeros = [denoiser.modulation.output, denoiser.output, *denoiser.modulation.blocks]
    assert len(zeros) == 4
    assert all((linear.weight == 0).all() for linear in zeros)
    for module in denoiser.modules():
        if isinstance(module, nn.Linear):
            assert (module.bias == 0).all()


def test_norms_are_affine_in_the_blocks_only():
    denoiser = small_denoiser()
    norms = [block.norm for block in denoiser.blocks] + [denoiser.output_norm]
    assert [norm.elementwise_affine for norm in norms] == [True, True, False]
    assert {norm.eps for norm in norms} == {1e-6}


def test_sinusoids_of_float32_steps_are_exact_to_its_last_digit():
    """An angle of 999 in float32 would be off by 3e-5."""
    embedding, seen = small_denoiser().time_embedding, []
    embedding.mlp[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    embedding(torch.tensor([999.0]))
    assert seen[0].dtype == torch.float32
    expected = torch.tensor([math.cos(999), math.sin(999)])
    torch.testing.assert_close(seen[0][0, [0, 128]], expected, rtol=0, atol=1e-7)


def test_sinusoids_are_cosines_first(float64):
    embedding = small_denoiser().time_embedding
    seen = []
    embedding.mlp[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    t = torch.tensor([0, 1, 999])
    embedding(t)
    angles = torch.tensor(
        [[step * math.exp(-math.log(10000) * i / 128) for i in range(128)] for step in t.tolist()]
    )
    torch.testing.assert_close(seen[0], torch.cat([angles.cos(), angles.sin()], 1))


def test_steps_may_be_whole_or_real():
    denoiser = randomize(small_denoiser())
    noisy, t, condition, position = rows()
    assert denoiser(noisy, t.float(), condition, position).equal(
        denoiser(noisy, t, condition, position)
    )


def test_a_condition_of_zeros_leaves_position_and_bias(float64):
    denoiser = randomize(small_denoiser())
    condition = torch.randn(2, 6)
    linear, without = denoiser.embed_condition(condition)
    assert (linear.shape, without.shape) == ((2, 16), (3, 16))
    torch.testing.assert_close(
        linear[:, None] + without,
        denoiser.condition_embedding(condition)[:, None] + denoiser.token_embedding.weight,
    )
    left, same = denoiser.embed_condition(torch.zeros(2, 6))
    assert (left == 0).all()
    assert same.equal(without)
    assert (without != denoiser.token_embedding.weight).all()


@KINDS
def test_forward_is_denoising_with_the_modulations_of_the_sum(float64, modulation):
    denoiser = randomize(small_denoiser(modulation=modulation))
    noisy, t, condition, position = rows()
    embedding = (
        denoiser.time_embedding(t)
        + denoiser.condition_embedding(condition)
        + denoiser.token_embedding(position)
    )
    torch.testing.assert_close(
        denoiser.denoise(noisy, denoiser.modulation(embedding)),
        denoiser(noisy, t, condition, position),
    )


def test_noisy_copies_share_modulations(float64):
    denoiser = randomize(small_denoiser())
    noisy, modulations = torch.randn(7, 5, 4), denoiser.modulation(torch.randn(5, 16))
    together = denoiser.denoise(noisy, modulations)
    assert together.shape == (7, 5, 8)
    for copy, alone in zip(noisy, together):
        torch.testing.assert_close(denoiser.denoise(copy, modulations), alone)


def test_leading_outputs_can_be_computed_alone(float64):
    denoiser = randomize(small_denoiser())
    noisy, modulations = torch.randn(5, 4), denoiser.modulation(torch.randn(5, 16))
    some, flops = {}, {}
    for count in (None, 4):
        with FlopCounterMode(display=False) as counter:
            some[count] = denoiser.denoise(noisy, modulations, count)
        flops[count] = counter.get_total_flops()
    torch.testing.assert_close(some[4], some[None][:, :4])
    # The other four channels: 5 rows, width 16.
    assert flops[None] - flops[4] == 2 * 5 * 16 * 4


@pytest.mark.parametrize(
    ('token_dim', 'condition_dim', 'width', 'depth'), [(64, 512, 1024, 3), (4, 6, 16, 2)]
)
@pytest.mark.parametrize(('modulation', 'millions'), [('block', 19.9), ('shared', 11.5)])
def test_cost_is_that_of_the_docstring(
    token_dim, condition_dim, width, depth, modulation, millions
):
    with torch.device('meta'):
        denoiser = TokenDenoiser(
            token_dim, 2 * token_dim, condition_dim, 3, width, depth, modulation
        )
        inputs = (
            torch.randn(5, token_dim),
            torch.zeros(5),
            torch.randn(5, condition_dim),
            torch.zeros(5, dtype=torch.int64),
        )
    with FlopCounterMode(display=False) as counter:
        denoiser(*inputs)
    multiply_adds = counter.get_total_flops() / 2 / 5
    squares = dict(block=5 * depth + 3, shared=2 * depth + 4)[modulation]
    assert multiply_adds == (squares * width**2 + (3 * token_dim + condition_dim + 256) * width)
    if width == 1024:
        assert round(multiply_adds / 1e6, 1) == millions


def test_unknown_modulations_are_errors():
    with pytest.raises(ValueError, match="'film' is unknown.*block.*shared"):
        small_denoiser(modulation='film')


@pytest.mark.parametrize('name', ['width', 'depth', 'condition_dim'])
def test_empty_networks_are_errors(name):
    with pytest.raises(ValueError, match=f'{name}=0 must be at least 1'):
        small_denoiser(**{name: 0})


def test_builds_in_other_projects(build):
    denoiser = build(
        MODELS,
        type='gendd_mm.TokenDenoiser',
        token_dim=4,
        output_dim=8,
        condition_dim=6,
        num_tokens=3,
        width=16,
    )
    assert isinstance(denoiser, TokenDenoiser)
    assert len(denoiser.blocks) == 3
