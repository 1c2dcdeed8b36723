"""The deterministic counterpart of the generative head: an ablation."""

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from gendd_mm.diffusion import widened
from gendd_mm.registry import MODELS

from .target_scale import TargetScale


@MODELS.register_module()
class RegressionHead(BaseModule):
    """Regress the teacher's feature from the student's, token by token.

    The network of :class:`GenerativeHead` and its number of parameters (but
    for the outputs of a learned variance), without diffusion: where that has a
    noisy token and its step, this has a learned constant token and step 0, so
    that a token is a function of condition and position alone. The loss is the
    mean squared error, its optimum the conditional mean; a comparison shows
    what learning the distribution adds.

    It takes the generative head's place in ``GenDDLoss(head=...)``.

    Args:
        condition_dim: Size S of the condition, the student's feature.
        target_dim: Size D of the teacher's feature.
        tokenizer: Config of the tokenizer; ``feature_dim`` is filled in.
            Defaults to ``dict(type='SplitTokenizer', token_dim=64)``.
        denoiser: Config of the network; its sizes are filled in. Defaults to
            ``dict(type='TokenDenoiser', width=1024, depth=3)``.
        target_scale: Factor on the targets, a positive number or ``'auto'``
            for unit variance. Defaults to 1.
        init_cfg: Initialisation config. Defaults to None.

    Raises:
        ValueError: If an argument is out of range, or ``token_dim`` does not
            divide ``target_dim``.
    """

    def __init__(
        self,
        condition_dim: int,
        target_dim: int,
        tokenizer: dict = dict(type='SplitTokenizer', token_dim=64),
        denoiser: dict = dict(type='TokenDenoiser', width=1024, depth=3),
        target_scale: float | str = 1.0,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.condition_dim = condition_dim
        self.target_dim = target_dim
        self.target_scale = TargetScale(target_scale)
        self.tokenizer = MODELS.build(dict(tokenizer, feature_dim=target_dim, _scope_='gendd_mm'))
        token_dim = self.tokenizer.token_dim
        self.denoiser = MODELS.build(
            dict(
                denoiser,
                token_dim=token_dim,
                output_dim=token_dim,
                condition_dim=condition_dim,
                num_tokens=self.tokenizer.num_tokens,
                _scope_='gendd_mm',
            )
        )
        # Drawn as the noisiest token would be.
        self.token = nn.Parameter(torch.randn(token_dim))

    def loss(
        self, condition: Tensor, target: Tensor, generator: torch.Generator | None = None
    ) -> Tensor:
        """Mean squared error of a batch.

        Args:
            condition: Conditions, shape (B, S); the loss sends them gradient.
            target: Teacher features, shape (B, D); no gradient.
            generator: Not used: nothing is random.

        Returns:
            Scalar loss, float32 at least.

        Raises:
            ValueError: If a size does not fit the head.
        """
        target = self.target_scale(widened(target).to(widened(condition)))
        return F.mse_loss(widened(self._regress(condition)), self.tokenizer.tokenize(target))

    @torch.no_grad()
    def sample(
        self, condition: Tensor, num_draws: int = 1, generator: torch.Generator | None = None
    ) -> Tensor:
        """The regressed features; every draw is the same.

        Args:
            condition: Conditions, shape (B, S).
            num_draws: Draws K, at least 1.
            generator: Not used: nothing is random.

        Returns:
            Features, shape (K, B, D), a view of one draw.

        Raises:
            ValueError: If ``num_draws`` is below 1 or a size does not fit.
        """
        if num_draws < 1:
            raise ValueError(
                f'num_draws={num_draws} must be at least 1; more than one are all the same.'
            )
        feature = self.target_scale.undo(
            self.tokenizer.detokenize(widened(self._regress(condition)))
        )
        return feature.expand(num_draws, -1, -1)

    def _regress(self, condition: Tensor) -> Tensor:
        """Scaled tokens, shape (B, L, d)."""
        if condition.dim() != 2 or condition.size(1) != self.condition_dim:
            raise ValueError(
                f'a condition of shape {tuple(condition.shape)} does not fit '
                f'a head built for condition_dim={self.condition_dim}; record '
                'the pooled student feature, shape (B, condition_dim).'
            )
        denoiser = self.denoiser
        linear, positions = denoiser.embed_condition(condition)
        step = denoiser.time_embedding(torch.zeros(1, device=condition.device))
        embedding = linear[:, None] + positions + step
        return denoiser.denoise(self.token, denoiser.modulation(embedding))
