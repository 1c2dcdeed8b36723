"""A tiny generative head with random weights, and draws for it."""

import torch
from reference_head import randomize

from gendd_mm.generative.training_noise import TrainingNoise
from gendd_mm.models import GenerativeHead

CPU = torch.device('cpu')


def small_head(**changes) -> GenerativeHead:
    """Three tokens of 4; every parameter drawn, as nothing is zero then."""
    settings = dict(
        condition_dim=6,
        target_dim=12,
        tokenizer=dict(type='SplitTokenizer', token_dim=4),
        denoiser=dict(type='TokenDenoiser', width=16, depth=2),
        sampling=dict(type='ancestral', num_steps=6),
        repeats=4,
    )
    return randomize(GenerativeHead(**{**settings, **changes}))


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def fix_draws(head: GenerativeHead, batch_size: int, **changes) -> TrainingNoise:
    """Let the head draw the same again and again; the ends of t included."""
    draws = head.training_noise(batch_size, CPU, seeded())
    steps = torch.tensor([0, 1, 999, 0, 998, 2])
    draws.uniform[:6] = (steps + 0.5) / 1000
    draws = draws._replace(**changes)
    head.training_noise = lambda *args: draws
    return draws


def rows_of(head: GenerativeHead, draws: TrainingNoise) -> tuple:
    """Step, noise and keep of every row, in the order of the reference.

    That is image, token, repeat: the copies of a group follow each other.
    """
    copies = len(draws.noise)
    t = head.process.timesteps_from_quantiles(draws.uniform)
    return (
        t.repeat_interleave(copies),
        draws.noise.transpose(0, 1).flatten(0, 1),
        draws.keep.repeat_interleave(copies),
    )


def rows_into(module: torch.nn.Module) -> list:
    """The number of rows of every evaluation of a module, as it grows."""
    rows = []
    module.register_forward_pre_hook(lambda _, inputs: rows.append(inputs[0].shape[:-1].numel()))
    return rows
