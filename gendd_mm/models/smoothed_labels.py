"""Label smoothing as a part of the labels, not of a loss."""

import torch
from mmpretrain.models import RandomBatchAugment
from torch import Tensor

from gendd_mm.registry import BATCH_AUGMENTS


@BATCH_AUGMENTS.register_module()
class SmoothedLabels:
    """Mix a batch, then smooth its labels: one soft label for whatever reads it.

    ``q <- (1 - smoothing) * q + smoothing / C``. ``LabelSmoothLoss`` gives the
    same cross-entropy, but smooths out of sight: distribution contraction, which
    reads what enters the loss, would get the labels unsmoothed.

    Args:
        smoothing: Share of the uniform distribution, in [0, 1).
        augments: Configs of the augmentations of a batch that come first, one of
            which is chosen for each batch. None means none. Defaults to None.
        probs: Probability of each. None means equal ones. Defaults to None.

    Raises:
        ValueError: If ``smoothing`` is outside [0, 1).
    """

    def __init__(
        self,
        smoothing: float,
        augments: list[dict] | None = None,
        probs: list[float] | None = None,
    ) -> None:
        if not 0 <= smoothing < 1:
            raise ValueError(f'smoothing={smoothing} is outside [0, 1); 0 smooths nothing.')
        self.smoothing = smoothing
        self.mix = RandomBatchAugment(augments, probs) if augments else None

    def __call__(self, inputs: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
        """Mix inputs, shape (B, ...), and label distributions, shape (B, C)."""
        if self.mix is not None:
            inputs, scores = self.mix(inputs, scores)
        scores = scores.float()
        return inputs, torch.lerp(
            scores, torch.full_like(scores, 1 / scores.size(1)), self.smoothing
        )
