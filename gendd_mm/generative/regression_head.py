"""The deterministic counterpart of the generative head: an ablation."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .denoiser import TokenDenoiser
from .precision import at_least_float32
from .samplers import Sampler
from .target_scale import TargetScale
from .tokenizer import SplitTokenizer


class DeterministicHead(nn.Module):
    """A head that regresses the feature: all of its draws are the same.

    Args:
        target_scale: Factor on the targets, a positive number or ``'auto'`` for unit
            variance.
    """

    def __init__(self, target_scale: float | str) -> None:
        super().__init__()
        self.target_scale = TargetScale(target_scale)

    def regress(self, condition: Tensor) -> Tensor:
        """Scaled features, shape (B, D), float32 at least, of conditions, shape (B, S)."""
        raise NotImplementedError

    @torch.no_grad()
    def sample(
        self,
        condition: Tensor,
        num_draws: int = 1,
        generator: torch.Generator | None = None,
        sampler: Sampler | None = None,
        noise: Tensor | None = None,
    ) -> Tensor:
        """The regressed features; every draw is the same.

        Args:
            condition: Conditions, shape (B, S).
            num_draws: Draws K, at least 1.
            generator, sampler, noise: Not used: nothing is random.

        Returns:
            Features, shape (K, B, D), a view of one draw.

        Raises:
            ValueError: If ``num_draws`` is below 1 or a size does not fit.
        """
        if num_draws < 1:
            raise ValueError(f'num_draws={num_draws} must be at least 1; all draws are the same.')
        feature = self.target_scale.undo(self.regress(condition))
        return feature.expand(num_draws, -1, -1)


class RegressionHead(DeterministicHead):
    """Regress the teacher's feature from the student's, token by token.

    It has the network of :class:`GenerativeHead` and as many parameters (except for the
    outputs of a learned variance), but no diffusion. In place of a noisy token and its
    timestep it reads a learned constant token and timestep 0, so that a token depends
    on condition and position alone. The loss is the mean squared error and its optimum
    the conditional mean: a comparison shows what learning the distribution adds.

    It takes the generative head's place in ``GenDDLoss(head=...)``.

    Args:
        condition_dim: Size S of the condition, the student's feature.
        target_dim: Size D of the teacher's feature.
        tokenizer: Builds the tokenizer from ``feature_dim``. Defaults to
            :class:`SplitTokenizer`: tokens of 64.
        denoiser: Builds the network from ``token_dim``, ``output_dim``,
            ``condition_dim`` and ``num_tokens``. Defaults to :class:`TokenDenoiser`:
            width 1024, depth 3.
        target_scale: Factor on the targets, a positive number or ``'auto'`` for unit
            variance. Defaults to 1.

    Raises:
        ValueError: If an argument is out of range, or ``token_dim`` does not divide
            ``target_dim``.

    Example:
        >>> import torch
        >>> from gendd_mm.generative import RegressionHead
        >>> head = RegressionHead(condition_dim=8, target_dim=64)
        >>> head.sample(torch.randn(4, 8)).shape
        torch.Size([1, 4, 64])
    """

    def __init__(
        self,
        condition_dim: int,
        target_dim: int,
        tokenizer: Callable[..., SplitTokenizer] = SplitTokenizer,
        denoiser: Callable[..., TokenDenoiser] = TokenDenoiser,
        target_scale: float | str = 1.0,
    ) -> None:
        super().__init__(target_scale)
        self.condition_dim = condition_dim
        self.target_dim = target_dim
        self.tokenizer = tokenizer(feature_dim=target_dim)
        token_dim = self.tokenizer.token_dim
        self.denoiser = denoiser(
            token_dim=token_dim,
            output_dim=token_dim,
            condition_dim=condition_dim,
            num_tokens=self.tokenizer.num_tokens,
        )
        # Initialised like pure noise.
        self.token = nn.Parameter(torch.randn(token_dim))

    def loss(self, condition: Tensor, target: Tensor) -> Tensor:
        """Mean squared error of a batch.

        Args:
            condition: Conditions, shape (B, S); the loss sends them gradient.
            target: Teacher features, shape (B, D); no gradient.

        Returns:
            Scalar loss, float32 at least.

        Raises:
            ValueError: If a size does not fit the head.
        """
        target = self.target_scale(at_least_float32(target).to(at_least_float32(condition)))
        return F.mse_loss(self._regress(condition), self.tokenizer.tokenize(target))

    def regress(self, condition: Tensor) -> Tensor:
        """As of :class:`DeterministicHead`."""
        return self.tokenizer.detokenize(self._regress(condition))

    def _regress(self, condition: Tensor) -> Tensor:
        """Scaled tokens, shape (B, L, d), float32 at least."""
        denoiser = self.denoiser
        linear, positions = denoiser.embed_condition(condition)
        timestep = denoiser.time_embedding(torch.zeros(1, device=condition.device))
        embedding = linear[:, None] + positions + timestep
        return at_least_float32(denoiser.denoise(self.token, denoiser.modulation(embedding)))
