"""Class centres: where contraction pulls features to."""

import torch
from torch import Tensor, nn

from .running_statistics import RunningMeans

# The mean norm of features is steady: remember about 10,000 images.
NORM_MOMENTUM = 0.9999


class ClassifierCenters(nn.Module):
    """Rows of the teacher's classifier, as in the paper (arXiv 2507.14503).

    A row points to its class, but it has the length of a weight, not of a feature.

    Args:
        scale: Positive factor on the rows, or ``'feature_norm'``, which scales them to
            the mean norm of the teacher's features, a running mean over the training
            images. Defaults to 1, as in the paper.

    Raises:
        ValueError: If ``scale`` is neither.
    """

    def __init__(self, scale: float | str = 1.0) -> None:
        super().__init__()
        if scale != 'feature_norm' and (isinstance(scale, str) or not scale > 0):
            raise ValueError(
                f'scale={scale!r} must be a positive number, or '
                "'feature_norm' for the length of features."
            )
        self.scale = scale
        if scale == 'feature_norm':
            self.norm = RunningMeans(1, 1, NORM_MOMENTUM)

    def forward(self, target: Tensor, distribution: Tensor, rows: Tensor) -> Tensor:
        """Return the centres; in training, update the running norm first.

        Args:
            target: Teacher features, shape (B, D).
            distribution: Labels as distributions, shape (B, C); not read.
            rows: Rows of the teacher's classifier, shape (C, D).

        Returns:
            Class centres, shape (C, D).
        """
        if not isinstance(self.scale, str):
            return rows if self.scale == 1 else self.scale * rows
        if self.training:
            norms = target.norm(dim=1, keepdim=True)
            self.norm.update(norms, torch.ones_like(norms))
        factor = self.norm.mean[0] / rows.norm(dim=1).mean()
        return rows * torch.where(self.norm.seen, factor, 1.0).to(rows)


class FeatureMeanCenters(nn.Module):
    """Running mean of the teacher's features of each class.

    An alternative to the paper's classifier rows: the mean has the scale of the features
    and lies among them. Soft labels weight it by their probabilities. A class that has
    not been seen yet has its classifier row.

    The means are equal on all ranks and saved with the model.

    Args:
        num_classes: Number of classes C.
        feature_dim: Teacher feature size D.
        momentum: By how much a new image of a class decays the weight of the earlier
            ones, in [0, 1]. The mean remembers about ``1 / (1 - momentum)`` images of
            the class; at 1, all of them. Defaults to 0.999.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(self, num_classes: int, feature_dim: int, momentum: float = 0.999) -> None:
        super().__init__()
        self.means = RunningMeans(num_classes, feature_dim, momentum)

    def forward(self, target: Tensor, distribution: Tensor, rows: Tensor) -> Tensor:
        """Return the centres; in training, update the means first.

        Args:
            target: Teacher features, shape (B, D).
            distribution: Labels as distributions, shape (B, C).
            rows: Rows of the teacher's classifier, shape (C, D).

        Returns:
            Class centres, shape (C, D).

        Raises:
            ValueError: If ``rows`` does not have the shape of the means.
        """
        means = self.means
        if rows.shape != means.mean.shape:
            raise ValueError(
                f"num_classes, feature_dim = {tuple(means.mean.shape)} do not fit the teacher's "
                f'classifier, {tuple(rows.shape)}; set them to these numbers.'
            )
        if self.training:
            means.update(target, distribution)
        return torch.where(means.seen[:, None], means.mean, rows)
