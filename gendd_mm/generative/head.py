"""The generative head: a diffusion model of teacher features."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .chunked_sum import chunked_sum
from .denoiser import TokenDenoiser
from .gaussian import GaussianDiffusion
from .precision import at_least_float32
from .process import DiffusionProcess
from .samplers import DPMSolverPPSampler, Sampler, guide
from .target_scale import TargetScale
from .timesteps import Timesteps
from .tokenizer import SplitTokenizer
from .training_noise import NOISE_SAMPLING, TrainingNoise

# Rows of width 1024 that are trained at a time by default: enough for matrix
# products at full speed, few enough for the cache of a CPU.
ROW_CHUNK = {'cpu': 512, 'cuda': 16384}


class GenerativeHead(nn.Module):
    """Learn and sample p(teacher feature | student feature).

    GenDD's head (arXiv 2507.14503): features are split into tokens, each is noised
    ``repeats`` times with its own timestep and noise, and a small MLP estimates the
    noise given the student's feature. Callers never see tokens.

    Args:
        condition_dim: Size S of the condition, the student's feature.
        target_dim: Size D of the teacher's feature.
        tokenizer: Builds the tokenizer from ``feature_dim``. Defaults to
            :class:`SplitTokenizer`: tokens of 64.
        denoiser: Builds the network from ``token_dim``, ``output_dim``,
            ``condition_dim`` and ``num_tokens``. Defaults to :class:`TokenDenoiser`:
            width 1024, depth 3.
        process: The diffusion process. None means :class:`GaussianDiffusion`.
        sampler: The sampler. None means :class:`DPMSolverPPSampler` with 3 steps and
            guidance 2. The paper's is ``AncestralSampler(64, start_t=999)``, which is
            fragile: see its docstring.
        repeats: Noisy copies of each token per step, at least 1. Defaults to 10
            (ImageNet; CIFAR uses 30).
        condition_drop: Probability that a row loses its condition, in [0, 1); guidance
            needs it above 0. Defaults to 0.2.
        noise_sampling: ``'independent'`` rows as in the paper, or ``'antithetic'``
            pairs on stratified timesteps: the same expectation, less variance and time;
            needs an even ``repeats``. Defaults to ``'independent'``.
        target_scale: Factor that brings targets to the scale of the noise: a positive
            number, or ``'auto'`` for unit variance. Defaults to 1, as in the paper.
        row_chunk: Denoiser rows trained at a time, at least 1; it bounds the memory and
            changes no gradient. None chooses by width and device. Defaults to None.

    Raises:
        ValueError: If an argument is out of range, ``token_dim`` does not divide
            ``target_dim``, guidance is asked for without condition drop, or the sampler
            does not fit the process.

    Example:
        >>> from functools import partial
        >>> import torch
        >>> from gendd_mm.generative import GenerativeHead, TokenDenoiser
        >>> small = partial(TokenDenoiser, width=32, depth=1)
        >>> head = GenerativeHead(condition_dim=8, target_dim=128, denoiser=small)
        >>> condition, target = torch.randn(4, 8, requires_grad=True), torch.randn(4, 128)
        >>> head.loss(condition, target).backward()
        >>> head.sample(condition, num_draws=5).shape
        torch.Size([5, 4, 128])
    """

    def __init__(
        self,
        condition_dim: int,
        target_dim: int,
        tokenizer: Callable[..., SplitTokenizer] = SplitTokenizer,
        denoiser: Callable[..., TokenDenoiser] = TokenDenoiser,
        process: DiffusionProcess | None = None,
        sampler: Sampler | None = None,
        repeats: int = 10,
        condition_drop: float = 0.2,
        noise_sampling: str = 'independent',
        target_scale: float | str = 1.0,
        row_chunk: int | None = None,
    ) -> None:
        super().__init__()
        if repeats < 1:
            raise ValueError(
                f'repeats={repeats} must be at least 1: every token is noised that many times '
                'a step.'
            )
        if not 0 <= condition_drop < 1:
            raise ValueError(
                f'condition_drop={condition_drop} is outside [0, 1); at 1 the student would get '
                'no gradient.'
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
        self.noise_sampling = NOISE_SAMPLING[noise_sampling](repeats, condition_drop)
        self.target_scale = TargetScale(target_scale)
        self.tokenizer = tokenizer(feature_dim=target_dim)
        self.process = GaussianDiffusion() if process is None else process
        self.denoiser = denoiser(
            token_dim=self.tokenizer.token_dim,
            output_dim=self.process.output_dim(self.tokenizer.token_dim),
            condition_dim=condition_dim,
            num_tokens=self.tokenizer.num_tokens,
        )
        self.sampler = DPMSolverPPSampler(num_steps=3) if sampler is None else sampler
        self._check_sampler(self.sampler)

    def loss(
        self,
        condition: Tensor,
        target: Tensor,
        generator: torch.Generator | None = None,
        timesteps: Timesteps | None = None,
    ) -> Tensor:
        """Mean generative loss of a batch.

        Args:
            condition: Conditions, shape (B, S), which receive a gradient.
            target: Teacher features, shape (B, D), which receive none.
            generator: Source of the randomness, on their device.
            timesteps: Distribution of the timesteps. None takes the process's own.

        Returns:
            Scalar loss, float32 at least.

        Raises:
            ValueError: If a size does not fit the head or there is no image.
        """
        if len(condition) == 0:
            raise ValueError(
                'the batch has no images, so its mean loss is undefined; skip empty batches.'
            )
        drawn = self.training_noise(len(condition), condition.device, generator)
        target = self.target_scale(at_least_float32(target).to(at_least_float32(condition)))
        tokens = self.tokenizer.tokenize(target).flatten(0, 1)
        t = self.process.timesteps_from_quantiles(drawn.uniform, timesteps)
        # Position of each timestep's token in the batch, (M,).
        token = torch.arange(len(t), device=t.device) // self.noise_sampling.timesteps_per_token
        # If rows outnumber timesteps, each timestep is embedded once.
        embeds_all = not t.is_floating_point() and len(t) > self.process.num_timesteps
        table, index = self.denoiser.embedding_table(condition, token, drawn.keep)
        if embeds_all:
            every = torch.arange(self.process.num_timesteps, device=t.device)
            index = torch.cat([t[:, None], index + len(every)], dim=1)
            table = torch.cat([self.denoiser.time_embedding(every), table])

        def losses(rows: slice, table: Tensor) -> Tensor:
            x_0, t_rows = tokens[token[rows]], t[rows]
            noise = drawn.noise[:, rows].to(x_0)
            # Adds up rows of the table, but not the last one, which stands for a
            # dropped condition.
            embedding = F.embedding_bag(index[rows], table, mode='sum', padding_idx=len(table) - 1)
            if not embeds_all:
                embedding = embedding + self.denoiser.time_embedding(t_rows)
            output = self.denoiser.denoise(
                self.process.add_noise(x_0, t_rows, noise), self.denoiser.modulation(embedding)
            )
            return self.process.loss(output, x_0, t_rows, noise)

        num_rows = drawn.noise.shape[:2].numel()
        chunk = math.ceil(len(t) / self._num_chunks(num_rows, t.device))
        return chunked_sum(losses, len(t), chunk, table, self) / num_rows

    def training_noise(
        self, batch_size: int, device: torch.device, generator: torch.Generator | None = None
    ) -> TrainingNoise:
        """Draw the randomness of one loss.

        Args:
            batch_size: Number of images B.
            device: Where to draw.
            generator: Source, on ``device``.
        """
        shape = (batch_size, self.tokenizer.num_tokens, self.tokenizer.token_dim)
        return self.noise_sampling(shape, device, generator)

    @torch.no_grad()
    def sample(
        self,
        condition: Tensor,
        num_draws: int = 1,
        generator: torch.Generator | None = None,
        sampler: Sampler | None = None,
        noise: Tensor | None = None,
    ) -> Tensor:
        """Draw teacher features.

        Args:
            condition: Conditions, shape (B, S).
            num_draws: Independent draws K per image, at least 1.
            generator: Source of the randomness, on the condition's device.
            sampler: Sampler to use. None takes the head's own.
            noise: Where the draws begin, standard normal, shape (K, B, L, T) for L tokens of
                T numbers; its K counts. None draws it.

        Returns:
            Sampled features, shape (K, B, D).

        Raises:
            ValueError: If ``num_draws`` is below 1, a size does not fit, or the sampler
                does not fit the head.
        """
        if num_draws < 1:
            raise ValueError(
                f'num_draws={num_draws} must be at least 1 (the paper uses 1 in validation, 5 '
                'for the result).'
            )
        if sampler is None:
            sampler = self.sampler
        else:
            self._check_sampler(sampler)
        denoiser, scale = self.denoiser, sampler.guidance_scale
        guided = scale != 1
        token_dim = self.tokenizer.token_dim
        num_outputs = None if sampler.uses_variance else token_dim
        linear, positions = denoiser.embed_condition(condition)
        embedding = linear[:, None] + positions
        if noise is None:
            noise = torch.randn(
                num_draws,
                *embedding.shape[:2],
                token_dim,
                dtype=at_least_float32(condition).dtype,
                device=condition.device,
                generator=generator,
            )
        elif noise.ndim != 4 or noise.shape[1:] != (*embedding.shape[:2], token_dim):
            raise ValueError(
                f'noise has shape {tuple(noise.shape)}; {len(condition)} conditions need '
                f'(K, {", ".join(map(str, embedding.shape[:2]))}, {token_dim}).'
            )
        if guided:
            # One more image, without a condition, serves the whole batch.
            embedding = torch.cat([embedding, positions[None]])

        def denoise(x_t: Tensor, t: float) -> Tensor:
            time = denoiser.time_embedding(torch.full((1,), t, device=x_t.device))
            # Computed per image and token, shared by all draws.
            modulations = denoiser.modulation(embedding + time)
            if guided:
                modulations = [m.map(_with_and_without) for m in modulations]
            # Only the network may run in half precision: guidance and steps
            # amplify rounding errors.
            output = denoiser.denoise(x_t, modulations, num_outputs).to(x_t.dtype)
            if not guided:
                return output
            conditional, unconditional = output
            return guide(conditional, unconditional[..., :token_dim], scale)

        tokens = sampler(self.process, denoise, noise, generator)
        return self.target_scale.undo(self.tokenizer.detokenize(tokens))

    def _num_chunks(self, num_rows: int, device: torch.device) -> int:
        if self.row_chunk is not None:
            return math.ceil(num_rows / self.row_chunk)
        rows = ROW_CHUNK.get(device.type, ROW_CHUNK['cuda'])
        chunk = rows * 1024 / self.denoiser.input.out_features
        # Rather one chunk somewhat larger than two small ones.
        return max(1, round(num_rows / chunk))

    def _check_sampler(self, sampler: Sampler) -> None:
        sampler.timesteps(self.process)  # raises if they do not fit
        if sampler.guidance_scale != 1 and self.condition_drop == 0:
            raise ValueError(
                f'guidance_scale={sampler.guidance_scale} needs a head that has learned to do '
                'without its condition, but condition_drop=0; set condition_drop (0.2 in the '
                'paper) or guidance_scale=1.'
            )


def _with_and_without(part: Tensor) -> Tensor:
    """Pair each image with the one without a condition, which is the last.

    From (B + 1, L, w) to (2, 1, B, L, w); the second axis broadcasts over draws.
    """
    conditional, unconditional = part[:-1], part[-1:]
    return torch.stack([conditional, unconditional.expand_as(conditional)])[:, None]
