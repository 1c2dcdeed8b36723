"""The generative head: a diffusion model of teacher features."""

import copy
import math

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor

from gendd_mm.diffusion import Sampler, guide, widened
from gendd_mm.diffusion.timesteps import Timesteps
from gendd_mm.registry import MODELS, TASK_UTILS

from .row_chunks import chunked_sum
from .row_draws import NOISE_SAMPLING, Draws
from .target_scale import TargetScale

# Rows of width 1024 that are trained at a time by default: enough for matrix
# products at full speed, few enough for the cache of a CPU.
ROW_CHUNK = {'cpu': 512, 'cuda': 16384}


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
        sampling: Config of the sampler. Defaults to ``dict(type='dpmpp_2m',
            num_steps=3, guidance_scale=2.0)``. The paper's setting is
            ``dict(type='ancestral', num_steps=64, start_t=999)``, which is
            fragile: see :class:`gendd_mm.diffusion.AncestralSampler`.
        repeats: Noisy copies of each token per step, at least 1. Defaults to
            10 (ImageNet; CIFAR uses 30).
        condition_drop: Probability that a row loses its condition, in
            [0, 1); guidance needs it above 0. Defaults to 0.2.
        noise_sampling: ``'independent'`` rows as in the paper, or
            ``'antithetic'`` pairs on stratified steps: the same expectation,
            less variance and time; needs an even ``repeats``. Defaults to
            ``'independent'``.
        target_scale: Factor that brings targets to the scale of the noise: a
            positive number, or ``'auto'`` for unit variance. Defaults to 1,
            as in the paper.
        row_chunk: Denoiser rows trained at a time, at least 1; it bounds the
            memory and changes no gradient. None chooses by width and
            device. Defaults to None.
        init_cfg: Initialisation config. Defaults to None.

    Raises:
        ValueError: If an argument is out of range, ``token_dim`` does not
            divide ``target_dim``, guidance is asked for without condition
            drop, or the sampler does not fit the process.
    """

    def __init__(
        self,
        condition_dim: int,
        target_dim: int,
        tokenizer: dict = dict(type='SplitTokenizer', token_dim=64),
        denoiser: dict = dict(type='TokenDenoiser', width=1024, depth=3),
        process: dict = dict(type='GaussianDiffusion'),
        sampling: dict = dict(type='dpmpp_2m', num_steps=3, guidance_scale=2.0),
        repeats: int = 10,
        condition_drop: float = 0.2,
        noise_sampling: str = 'independent',
        target_scale: float | str = 1.0,
        row_chunk: int | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if repeats < 1:
            raise ValueError(
                f'repeats={repeats} must be at least 1: every '
                'token is noised that many times a step.'
            )
        if not 0 <= condition_drop < 1:
            raise ValueError(
                f'condition_drop={condition_drop} is outside [0, 1); at 1 '
                'the student would get no gradient.'
            )
        if noise_sampling not in NOISE_SAMPLING:
            raise ValueError(
                f'noise_sampling={noise_sampling!r} is unknown; '
                f'choose from {sorted(NOISE_SAMPLING)}.'
            )
        if row_chunk is not None and row_chunk < 1:
            raise ValueError(
                f'row_chunk={row_chunk} must be at least 1; '
                'leave it out to choose it by width and device.'
            )
        self.condition_dim = condition_dim
        self.target_dim = target_dim
        self.repeats = repeats
        self.condition_drop = condition_drop
        self.row_chunk = row_chunk
        self.draws = NOISE_SAMPLING[noise_sampling](repeats, condition_drop)
        self.target_scale = TargetScale(target_scale)
        self.tokenizer = MODELS.build(dict(tokenizer, feature_dim=target_dim, _scope_='gendd_mm'))
        self.process = MODELS.build(dict(process, _scope_='gendd_mm'))
        self.denoiser = MODELS.build(
            dict(
                denoiser,
                token_dim=self.tokenizer.token_dim,
                output_dim=self.process.output_dim(self.tokenizer.token_dim),
                condition_dim=condition_dim,
                num_tokens=self.tokenizer.num_tokens,
                _scope_='gendd_mm',
            )
        )
        self.sampler = TASK_UTILS.build(dict(sampling, _scope_='gendd_mm'))
        self.sampler.steps(self.process)  # raises if they do not fit
        if self.sampler.guidance_scale != 1 and condition_drop == 0:
            raise ValueError(
                f'guidance_scale={self.sampler.guidance_scale} needs a head '
                'that has learned to do without its condition, but '
                'condition_drop=0; set condition_drop (0.2 in the paper) or '
                'guidance_scale=1.'
            )

    def loss(
        self,
        condition: Tensor,
        target: Tensor,
        generator: torch.Generator | None = None,
        timesteps: Timesteps | None = None,
    ) -> Tensor:
        """Mean generative loss of a batch.

        Args:
            condition: Conditions, shape (B, S); the loss sends them gradient.
            target: Teacher features, shape (B, D); no gradient.
            generator: Source of the randomness, on their device.
            timesteps: Distribution of the training steps. None takes that of
                the process.

        Returns:
            Scalar loss, float32 at least.

        Raises:
            ValueError: If a size does not fit the head or there is no image.
        """
        self._check_condition(condition)
        if len(condition) == 0:
            raise ValueError(
                'the batch has no images, so that its mean loss '
                'is undefined; leave out empty batches.'
            )
        draws = self.draw(len(condition), condition.device, generator)
        target = self.target_scale(widened(target).to(widened(condition)))
        tokens = self.tokenizer.tokenize(target).flatten(0, 1)
        process = self.process
        if timesteps is not None:
            process = copy.copy(process)
            process.timesteps = timesteps
        t = process.steps_at(draws.uniform)
        table, index, in_table = self._embeddings(condition, t, draws.keep)
        per_token = self.draws.groups_per_token
        token = torch.arange(len(t), device=t.device) // per_token

        def losses(groups: slice, table: Tensor) -> Tensor:
            x_0, steps = tokens[token[groups]], t[groups]
            noise = draws.noise[:, groups].to(x_0)
            # Sums the rows of the table; the last one is that of a dropped
            # condition.
            embedding = F.embedding_bag(
                index[groups], table, mode='sum', padding_idx=len(table) - 1
            )
            if not in_table:
                embedding = embedding + self.denoiser.time_embedding(steps)
            output = self.denoiser.denoise(
                self.process.add_noise(x_0, steps, noise), self.denoiser.modulation(embedding)
            )
            return self.process.loss(output, x_0, steps, noise)

        num_rows = len(t) * self.draws.copies
        num_chunks = self._num_chunks(num_rows, t.device)
        total = chunked_sum(
            losses, len(t), math.ceil(len(t) / num_chunks), table, tuple(self.denoiser.parameters())
        )
        return total / num_rows

    def draw(
        self, batch_size: int, device: torch.device, generator: torch.Generator | None = None
    ) -> Draws:
        """Draw the randomness of one loss.

        Args:
            batch_size: Number of images B.
            device: Where to draw.
            generator: Source, on ``device``.
        """
        return self.draws(
            batch_size, self.tokenizer.num_tokens, self.tokenizer.token_dim, device, generator
        )

    @torch.no_grad()
    def sample(
        self,
        condition: Tensor,
        num_draws: int = 1,
        generator: torch.Generator | None = None,
        sampler: Sampler | None = None,
    ) -> Tensor:
        """Draw teacher features.

        Args:
            condition: Conditions, shape (B, S).
            num_draws: Independent draws K per image, at least 1.
            generator: Source of the randomness, on the condition's device.
            sampler: Draws in place of the head's own.

        Returns:
            Sampled features, shape (K, B, D).

        Raises:
            ValueError: If ``num_draws`` is below 1 or a size does not fit.
        """
        self._check_condition(condition)
        if num_draws < 1:
            raise ValueError(
                f'num_draws={num_draws} must be at least 1 (the '
                'paper uses 1 in validation, 5 for the result).'
            )
        sampler = self.sampler if sampler is None else sampler
        denoiser, scale = self.denoiser, sampler.guidance_scale
        guided = scale != 1
        token_dim = self.tokenizer.token_dim
        num_outputs = None if sampler.uses_variance else token_dim
        linear, positions = denoiser.embed_condition(condition)
        embedding = linear[:, None] + positions
        noise = torch.randn(
            num_draws,
            *embedding.shape[:2],
            token_dim,
            dtype=widened(condition).dtype,
            device=condition.device,
            generator=generator,
        )
        if guided:
            # One more image, without a condition, for all of them.
            embedding = torch.cat([embedding, positions[None]])

        def denoise(x_t: Tensor, t: float) -> Tensor:
            time = denoiser.time_embedding(torch.full((1,), t, device=x_t.device))
            # Per image and token, for all draws.
            modulations = denoiser.modulation(embedding + time)
            if guided:
                modulations = [m.map(_halves) for m in modulations]
            # In half precision the network runs, not the sampler: guidance
            # and steps amplify rounding errors.
            output = denoiser.denoise(x_t, modulations, num_outputs).to(x_t.dtype)
            if not guided:
                return output
            conditional, null = output
            return guide(conditional, null[..., :token_dim], scale)

        tokens = sampler(self.process, denoise, noise, generator)
        return self.target_scale.undo(self.tokenizer.detokenize(tokens))

    def _embeddings(self, condition: Tensor, t: Tensor, keep: Tensor):
        """What is embedded once: positions, conditions and, if few, steps.

        Returns:
            A table, shape (M, w); for each group the rows of it that add up
            to its embedding, shape (G, 2 or 3); whether the steps are among
            them.
        """
        linear, positions = self.denoiser.embed_condition(condition)
        group = torch.arange(len(t), device=t.device)
        position = group // self.draws.groups_per_token
        image = position // len(positions)
        rows = [positions, linear, torch.zeros_like(linear[:1])]
        dropped = len(positions) + len(linear)
        index = [position % len(positions), torch.where(keep, len(positions) + image, dropped)]
        in_table = not t.is_floating_point() and len(t) > self.process.num_steps
        if in_table:
            steps = torch.arange(self.process.num_steps, device=t.device)
            rows.insert(0, self.denoiser.time_embedding(steps))
            index = [t, *(i + len(steps) for i in index)]
        return torch.cat(rows), torch.stack(index, dim=1), in_table

    def _num_chunks(self, num_rows: int, device: torch.device) -> int:
        if self.row_chunk is not None:
            return math.ceil(num_rows / self.row_chunk)
        rows = ROW_CHUNK.get(device.type, ROW_CHUNK['cuda'])
        rows = rows * 1024 / self.denoiser.input.out_features
        # Rather one chunk somewhat larger than two small ones.
        return max(1, round(num_rows / rows))

    def _check_condition(self, condition: Tensor) -> None:
        if condition.dim() != 2 or condition.size(1) != self.condition_dim:
            raise ValueError(
                f'a condition of shape {tuple(condition.shape)} does not fit '
                f'a head built for condition_dim={self.condition_dim}; record '
                'the pooled student feature, shape (B, condition_dim).'
            )


def _halves(part: Tensor) -> Tensor:
    """From images and none, (B + 1, L, w), to both for each, (2, 1, B, L, w).

    The second axis is that of the draws.
    """
    conditional, null = part[:-1], part[-1:]
    return torch.stack([conditional, null.expand_as(conditional)])[:, None]
