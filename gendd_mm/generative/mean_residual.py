"""The mean learned directly, and the distribution of what it leaves."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from .head import GenerativeHead
from .precision import at_least_float32
from .rectified_flow import RectifiedFlow
from .samplers import DDIMSampler, Sampler


def flow_of_residual(condition_dim: int, target_dim: int) -> GenerativeHead:
    """The default head: a rectified flow at unit variance, whose condition is never dropped."""
    return GenerativeHead(
        condition_dim,
        target_dim,
        process=RectifiedFlow(),
        sampler=DDIMSampler(num_steps=4, guidance_scale=1.0),
        condition_drop=0.0,
        target_scale='auto',
    )


class MeanResidualHead(nn.Module):
    """Learn the mean of the teacher's feature directly, and generate the residual.

    For an arg max the mean is what counts, and a squared error is the shortest way to it.
    So the student's feature, or a linear map of it, is the mean, and a generative head
    models target minus mean, given the feature. As in CARD (arXiv 2206.07275), but the mean
    is trained along, by the student itself.

    With s the measured standard deviation of what the mean leaves, the loss is the mean of
    ((target - mean) / s)^2, twice the negative log-likelihood of a Gaussian of that width but
    for a constant, plus the generative loss of the same residual at unit variance. So both
    parts are without units, and are added as they are.

    It takes the generative head's place in ``GenDDLoss(head=...)``. Its condition is the
    student's feature as it is, without a norm: the norm in front of the generative part is
    its own.

    Args:
        condition_dim: Size S of the student's feature.
        target_dim: Size D of the teacher's feature. If S = D, the student's feature is the
            mean; else a linear layer makes it.
        residual: Builds the generative head from ``condition_dim`` and ``target_dim``, with
            ``target_scale='auto'``. Defaults to a :class:`GenerativeHead` with a rectified
            flow, sampled by 4 steps without guidance.
        teaches: Whether the generative part sends its gradient to the student. False shows
            what it teaches. Defaults to True.

    Raises:
        ValueError: If the residual's scale is not measured.

    Example:
        >>> import torch
        >>> from gendd_mm.generative import MeanResidualHead
        >>> head = MeanResidualHead(condition_dim=64, target_dim=64)
        >>> feature, target = torch.randn(4, 64, requires_grad=True), torch.randn(4, 64)
        >>> head.loss(feature, target).backward()
        >>> head.sample(feature, num_draws=5).shape
        torch.Size([5, 4, 64])
    """

    def __init__(
        self,
        condition_dim: int,
        target_dim: int,
        residual: Callable[..., GenerativeHead] = flow_of_residual,
        teaches: bool = True,
    ) -> None:
        super().__init__()
        self.condition_dim = condition_dim
        self.target_dim = target_dim
        self.teaches = teaches
        same = condition_dim == target_dim
        self.mean = nn.Identity() if same else nn.Linear(condition_dim, target_dim)
        self.norm = nn.LayerNorm(condition_dim)
        self.residual = residual(condition_dim=condition_dim, target_dim=target_dim)
        if self.residual.target_scale.scale != 'auto':
            raise ValueError(
                f'target_scale={self.residual.target_scale.scale!r} of the residual must be '
                "'auto': its measured variance weighs the loss of the mean."
            )

    @property
    def denoiser(self) -> nn.Module:
        """The network of the generative part."""
        return self.residual.denoiser

    def loss(
        self, condition: Tensor, target: Tensor, generator: torch.Generator | None = None
    ) -> Tensor:
        """Loss of the mean plus that of the residual.

        Args:
            condition: Student features, shape (B, S), which receive a gradient.
            target: Teacher features, shape (B, D), which receive none.
            generator: Source of the randomness, on their device.

        Returns:
            Scalar loss, float32 at least.

        Raises:
            ValueError: If a size does not fit the head or there is no image.
        """
        mean = at_least_float32(self.mean(condition))
        left = at_least_float32(target.detach()).to(mean) - mean
        given = condition if self.teaches else condition.detach()
        # First: it measures the variance of what is left. A target receives no gradient.
        generative = self.residual.loss(self.norm(given), left, generator)
        return (left * self.residual.target_scale.factor).square().mean() + generative

    @torch.no_grad()
    def sample(
        self,
        condition: Tensor,
        num_draws: int = 1,
        generator: torch.Generator | None = None,
        sampler: Sampler | None = None,
        noise: Tensor | None = None,
    ) -> Tensor:
        """Draw teacher features: the mean plus draws of the residual.

        Args:
            condition: Student features, shape (B, S).
            num_draws: Independent draws K per image, at least 1.
            generator: Source of the randomness, on the condition's device.
            sampler: Sampler to use. None takes the residual head's own.
            noise: Where the draws begin, as in :meth:`GenerativeHead.sample`.

        Returns:
            Sampled features, shape (K, B, D).

        Raises:
            ValueError: As :meth:`GenerativeHead.sample`.
        """
        given = self.norm(condition)
        residual = self.residual.sample(given, num_draws, generator, sampler, noise)
        return at_least_float32(self.mean(condition)) + residual
