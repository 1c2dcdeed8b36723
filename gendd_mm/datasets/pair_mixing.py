"""Mixup, CutMix and the like between two images, before there is a batch."""

from typing import Any

import torch
from mmpretrain.models import RandomBatchAugment
from mmpretrain.structures import DataSample
from torch import Tensor
from torch.nn.functional import one_hot

__all__ = ['PairMixing']


class PairMixing:
    """Apply the augmentations of a batch to a batch of two, and keep the first.

    Each image draws its own augmentation, ratio and box, from the global generators; in a
    batch of MMPretrain's preprocessor one draw serves all. Pixels are mixed before they are
    normalised, which comes to the same up to rounding.

    Args:
        augments: As of :class:`mmpretrain.models.RandomBatchAugment`.
        probs: As there. Defaults to None.
        num_classes: Number of classes C of the soft labels.
    """

    def __init__(self, augments: Any, probs: Any = None, num_classes: int | None = None) -> None:
        # A copy: it appends the rest to its list.
        own = list(probs) if isinstance(probs, (list, tuple)) else probs
        self.augment = RandomBatchAugment(augments, own)
        self.num_classes = num_classes

    def __call__(
        self, image: Tensor, sample: DataSample, partner: Tensor, other: DataSample
    ) -> tuple[Tensor, Tensor]:
        """Mix a partner into an image.

        Args:
            image: Shape (C, H, W), pixel levels.
            sample: With ``gt_label`` or ``gt_score``.
            partner: Of the same shape.
            other: Its sample.

        Returns:
            The mixed image in float32, and its soft label (C,).

        Raises:
            ValueError: If the shapes differ, or the number of classes is not known.
        """
        if image.shape != partner.shape:
            raise ValueError(
                f'images of {tuple(image.shape)} and {tuple(partner.shape)} cannot be mixed; let '
                'the pipeline crop or resize all images to one size.'
            )
        images = torch.stack([image, partner]).float()
        scores = torch.stack([self._score(sample), self._score(other)])
        _let_permutation_swap()
        mixed, label = self.augment(images, scores)
        return mixed[0], label[0]

    def _score(self, sample: DataSample) -> Tensor:
        if 'gt_score' in sample:
            return sample.gt_score.float()
        if self.num_classes is None:
            raise ValueError(
                'the number of classes is not known, so labels cannot be mixed; set num_classes '
                'of gendd_mm.AugmentedViews.'
            )
        return one_hot(sample.gt_label.flatten(), self.num_classes).sum(0).float()


def _let_permutation_swap() -> None:
    """Draw until the next permutation of two swaps them.

    The augmentations shuffle a batch to find partners. One of two that stays in its place
    would leave half of the images unmixed.
    """
    while True:
        state = torch.get_rng_state()
        if torch.randperm(2)[0] == 1:
            torch.set_rng_state(state)
            return
