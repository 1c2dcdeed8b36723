"""The generative head: a diffusion model of teacher features."""
from typing import NamedTuple, Optional

import torch
from mmengine.model import BaseModule
from torch import Tensor

from gendd_mm.diffusion import guide
from gendd_mm.registry import MODELS, TASK_UTILS


class Draws(NamedTuple):
    """The randomness of one loss: one entry per denoiser row, shape (N, ...).

    Attributes:
        t: Diffusion steps, (N,), int64.
        noise: Standard normal, (N, d).
        keep: Whether the row keeps its condition, (N,), bool.
    """
    t: Tensor
    noise: Tensor
    keep: Tensor


@MODELS.register_module()
class GenerativeHead(BaseModule):
    """Learn and sample p(teacher feature | student feature).

    GenDD's head (arXiv 2507.14503): features are split into tokens, each is
    noised ``repeats`` times with its own step and noise, and a small MLP
    estimates the noise given the student's feature. Tokens never leave it.

    Args:
        condition_dim: Size S of the condition, the student's feature.
        target_dim: Size D of the teacher's feature.
        tokenizer: Config of the tokenizer; ``feature_dim`` is filled in.
            Defaults to ``dict(type='SplitTokenizer', token_dim=64)``.
        denoiser: Config of the denoiser; its sizes are filled in. Defaults to
            ``dict(type='TokenDenoiser', width=1024, depth=3)``.
        process: Config of the diffusion process. Defaults to
            ``dict(type='GaussianDiffusion')``.
        sampling: Config of the sampler. Defaults to ``dict(type='ancestral',
            num_steps=64, start_t=950, guidance_scale=2.0)``; the paper's
            setting is the same with ``start_t=999``.
        repeats: Noisy copies of each token per step, at least 1. Defaults to
            10 (ImageNet; CIFAR uses 30).
        condition_drop: Probability that a row loses its condition, in
            [0, 1); guidance needs it above 0. Defaults to 0.2.
        init_cfg: Initialisation config. Defaults to None.

    Raises:
        ValueError: If an argument is out of range, ``token_dim`` does not
            divide ``target_dim``, or guidance is asked for without condition
            drop.
    """

    def __init__(self,
                 condition_dim: int,
                 target_dim: int,
                 tokenizer: dict = dict(type='SplitTokenizer', token_dim=64),
                 denoiser: dict = dict(
                     type='TokenDenoiser', width=1024, depth=3),
                 process: dict = dict(type='GaussianDiffusion'),
                 sampling: dict = dict(
                     type='ancestral',
                     num_steps=64,
                     start_t=950,
                     guidance_scale=2.0),
                 repeats: int = 10,
                 condition_drop: float = 0.2,
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(init_cfg)
        if repeats < 1:
            raise ValueError(f'repeats={repeats} must be at least 1: every '
                             'token is noised that many times a step.')
        if not 0 <= condition_drop < 1:
            raise ValueError(
                f'condition_drop={condition_drop} is outside [0, 1); at 1 '
                'the student would get no gradient.')
        self.condition_dim = condition_dim
        self.target_dim = target_dim
        self.repeats = repeats
        self.condition_drop = condition_drop
        self.tokenizer = MODELS.build(
            dict(tokenizer, feature_dim=target_dim, _scope_='gendd_mm'))
        self.process = MODELS.build(dict(process, _scope_='gendd_mm'))
        self.denoiser = MODELS.build(
            dict(
                denoiser,
                token_dim=self.tokenizer.token_dim,
                output_dim=self.process.output_dim(self.tokenizer.token_dim),
                condition_dim=condition_dim,
                num_tokens=self.tokenizer.num_tokens,
                _scope_='gendd_mm'))
        self.sampler = TASK_UTILS.build(dict(sampling, _scope_='gendd_mm'))
        if self.sampler.start_t >= self.process.num_steps:
            raise ValueError(
                f'start_t={self.sampler.start_t} is not a step of the process '
                f'(num_steps={self.process.num_steps}); use at most '
                f'{self.process.num_steps - 1}.')
        if self.sampler.guidance_scale != 1 and condition_drop == 0:
            raise ValueError(
                f'guidance_scale={self.sampler.guidance_scale} needs a head '
                'that has learned to do without its condition, but '
                'condition_drop=0; set condition_drop (0.2 in the paper) or '
                'guidance_scale=1.')

    def loss(self,
             condition: Tensor,
             target: Tensor,
             generator: Optional[torch.Generator] = None) -> Tensor:
        """Mean generative loss of a batch.

        Args:
            condition: Conditions, shape (B, S); the loss sends them gradient.
            target: Teacher features, shape (B, D); no gradient.
            generator: Source of the randomness, on their device.

        Returns:
            Scalar loss, float32 at least.

        Raises:
            ValueError: If a size does not fit the head.
        """
        self._check_condition(condition)
        draws = self.draw(len(condition), condition.device, generator)
        # B images x L tokens x repeats, in this order: N rows.
        num_tokens, repeats = self.tokenizer.num_tokens, self.repeats
        shape = (len(condition), num_tokens, repeats)
        tokens = self.tokenizer.tokenize(target.to(widened(condition)))
        x_0 = tokens.repeat_interleave(repeats, dim=1).flatten(0, 1)
        noise = draws.noise.to(x_0.dtype)
        x_t = self.process.add_noise(x_0, draws.t, noise)

        # The condition's part is computed per image, the position's per
        # token; only the step's is a row's own.
        linear, bias = self.denoiser.embed_condition(condition)
        kept = draws.keep.view(*shape, 1) * linear[:, None, None]
        positions = self.denoiser.token_embedding.weight + bias
        embedding = (
            self.denoiser.time_embedding(draws.t).view(*shape, -1) + kept +
            positions[:, None])
        output = self.denoiser.denoise(x_t, embedding.flatten(0, 2))
        return self.process.loss(output, x_0, draws.t, noise).mean()

    def draw(self,
             batch_size: int,
             device: torch.device,
             generator: Optional[torch.Generator] = None) -> Draws:
        """Draw the randomness of one loss.

        Args:
            batch_size: Number of images B.
            device: Where to draw.
            generator: Source, on ``device``.
        """
        num_rows = batch_size * self.tokenizer.num_tokens * self.repeats
        t = self.process.draw_steps(num_rows, device, generator)
        noise = torch.randn(
            num_rows,
            self.tokenizer.token_dim,
            device=device,
            generator=generator)
        keep = torch.rand(
            num_rows, device=device,
            generator=generator) >= self.condition_drop
        return Draws(t, noise, keep)

    @torch.no_grad()
    def sample(self,
               condition: Tensor,
               num_draws: int = 1,
               generator: Optional[torch.Generator] = None) -> Tensor:
        """Draw teacher features.

        Args:
            condition: Conditions, shape (B, S).
            num_draws: Independent draws K per image, at least 1.
            generator: Source of the randomness, on the condition's device.

        Returns:
            Sampled features, shape (K, B, D).

        Raises:
            ValueError: If ``num_draws`` is below 1 or a size does not fit.
        """
        self._check_condition(condition)
        if num_draws < 1:
            raise ValueError(f'num_draws={num_draws} must be at least 1 (the '
                             'paper uses 1 in validation, 5 for the result).')
        shape = (num_draws, len(condition), self.tokenizer.num_tokens)
        linear, bias = self.denoiser.embed_condition(condition)
        positions = self.denoiser.token_embedding.weight + bias
        unconditional = positions.expand(*shape, -1).flatten(0, 2)
        conditional = (positions + linear[:, None]).expand(*shape,
                                                           -1).flatten(0, 2)
        scale = self.sampler.guidance_scale
        token_dim = self.tokenizer.token_dim

        def denoise(x_t: Tensor, t: int) -> Tensor:
            time = self.denoiser.time_embedding(
                torch.tensor([t], device=x_t.device))
            output = self.denoiser.denoise(x_t, conditional + time)
            if scale == 1:
                return output
            null = self.denoiser.denoise(x_t, unconditional + time)
            # Widened first: guidance extrapolates, rounding errors included.
            return guide(
                output.to(x_t.dtype), null[:, :token_dim].to(x_t.dtype), scale)

        noise = torch.randn(
            conditional.size(0),
            token_dim,
            dtype=widened(condition),
            device=condition.device,
            generator=generator)
        tokens = self.sampler(self.process, denoise, noise, generator)
        return self.tokenizer.detokenize(tokens.view(*shape, token_dim))

    def _check_condition(self, condition: Tensor) -> None:
        if condition.dim() != 2 or condition.size(1) != self.condition_dim:
            raise ValueError(
                f'a condition of shape {tuple(condition.shape)} does not fit '
                f'a head built for condition_dim={self.condition_dim}; record '
                'the pooled student feature, shape (B, condition_dim).')


def widened(tensor: Tensor) -> torch.dtype:
    """The precision of a tensor, but float32 at least."""
    return torch.promote_types(tensor.dtype, torch.float32)
