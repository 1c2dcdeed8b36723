"""Distribution contraction: labels without a classification loss."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .centers import ClassifierCenters
from .precision import without_autocast


class DistributionContraction(nn.Module):
    """Pull teacher features towards the centre of their class.

    Implements ``u = (1 - strength) * target + strength * q @ centers``
    (arXiv 2507.14503, Distribution Contraction). For the reconstruction error
    ``||g - u||^2`` the gradient is that of
    ``(1 - strength) ||g - target||^2 + strength ||g - q @ centers||^2``: distillation
    plus a pull along the class centre, so one objective stands in for two tasks.

    With ``teacher_label_weight`` a > 0 the label distribution is
    ``q <- (1 - a) * q + a * softmax(class_centers @ target + class_bias)``; with a = 1
    no labels are read, so that it works on unlabeled images too.

    Args:
        strength: How far to pull, in [0, 1]. 0 leaves the target alone and reads no
            labels. Defaults to 0.9.
        teacher_label_weight: Share of the teacher's prediction in the labels, in
            [0, 1]. Defaults to 0.
        centers: The centres that features are pulled to: :class:`ClassifierCenters`,
            the rows of the teacher's classifier, or :class:`FeatureMeanCenters`. None
            means the first, as in the paper.

    Raises:
        ValueError: If an argument is outside [0, 1].
    """

    def __init__(
        self,
        strength: float = 0.9,
        teacher_label_weight: float = 0.0,
        centers: nn.Module | None = None,
    ) -> None:
        super().__init__()
        for name, value in (('strength', strength), ('teacher_label_weight', teacher_label_weight)):
            if not 0 <= value <= 1:
                raise ValueError(f'{name}={value} is outside [0, 1].')
        self.strength = strength
        self.teacher_label_weight = teacher_label_weight
        self.centers = ClassifierCenters() if centers is None else centers

    @property
    def needs_labels(self) -> bool:
        """Whether labels are read at all."""
        return self.strength > 0 and self.teacher_label_weight < 1

    @torch.no_grad()
    def forward(
        self,
        target: Tensor,
        labels: Tensor | None = None,
        class_centers: Tensor | None = None,
        class_bias: Tensor | None = None,
    ) -> Tensor:
        """Contract a batch.

        Args:
            target: Teacher features, shape (B, D).
            labels: Class indices (B,), int64, or label distributions (B, C). Not read
                when ``needs_labels`` is false.
            class_centers: Rows of the teacher's classifier, shape (C, D).
            class_bias: Bias of the teacher's classifier, shape (C,); read only for the
                teacher's prediction. None means zero.

        Returns:
            Contracted features, shape (B, D), without gradient.

        Raises:
            ValueError: If a needed argument is missing, a shape does not fit, or
                a label is outside [0, C). On a GPU the last is an asynchronous device
                assertion instead, to keep the step free of synchronisation.
        """
        if self.strength == 0:
            return target.detach()
        if class_centers is None:
            raise ValueError(
                f'contraction with strength={self.strength} needs class_centers, the weight of '
                "the teacher's classifier; in a config, record it as "
                'configs/_base_/models/gendd_supervised.py does.'
            )
        if class_centers.size(1) != target.size(1):
            raise ValueError(
                f'class_centers of size {class_centers.size(1)} do not fit '
                f'teacher features of size {target.size(1)}; the target must be '
                "the input of the teacher's last linear layer."
            )
        # Autocast would round the centres to half precision.
        with without_autocast(target.device):
            class_centers = class_centers.to(target.dtype)
            class_bias = None if class_bias is None else class_bias.to(target.dtype)
            distribution = self._label_distribution(target, labels, class_centers, class_bias)
            centers = self.centers(target, distribution, class_centers)
            center = distribution.to(centers.dtype) @ centers
            return torch.lerp(target, center.to(target.dtype), self.strength)

    def _label_distribution(
        self,
        target: Tensor,
        labels: Tensor | None,
        class_centers: Tensor,
        class_bias: Tensor | None,
    ) -> Tensor:
        """q, shape (B, C)."""
        weight = self.teacher_label_weight
        if weight == 1:
            return F.linear(target, class_centers, class_bias).softmax(-1)
        if labels is None:
            raise ValueError(
                f'contraction with strength={self.strength} and teacher_label_weight={weight} '
                'reads labels, but none are given; map them, or set teacher_label_weight=1 or '
                'strength=0 for unlabeled images.'
            )
        if len(labels) != len(target):
            raise ValueError(
                f'{len(labels)} labels do not fit {len(target)} teacher features; record both '
                'from the same batch.'
            )
        given = as_distribution(labels, class_centers.size(0))
        if weight == 0:
            return given
        opinion = F.linear(target, class_centers, class_bias).softmax(-1)
        return torch.lerp(given.to(opinion.dtype), opinion, weight)


def as_distribution(labels: Tensor, num_classes: int) -> Tensor:
    """Labels as distributions over classes.

    Args:
        labels: Class indices (B,), or distributions (B, C), returned as is.
        num_classes: Number of classes C.

    Returns:
        Distributions, shape (B, C).

    Raises:
        ValueError: If a label is outside [0, C) (CPU), or the distributions have
            another number of classes.
    """
    if labels.dim() == 2:
        if labels.size(1) != num_classes:
            raise ValueError(
                f'soft labels over {labels.size(1)} classes do not fit a '
                f'teacher with {num_classes} classes.'
            )
        return labels
    valid = ((labels >= 0) & (labels < num_classes)).all()
    if labels.device.type != 'cpu':
        torch._assert_async(valid, 'a label is outside the classes')
    elif not valid:
        wrong = labels[(labels < 0) | (labels >= num_classes)][0].item()
        raise ValueError(
            f'label {wrong} is outside [0, {num_classes}), the classes of the teacher; check the '
            "annotations or the teacher's num_classes."
        )
    # Not F.one_hot: it reads the largest label back from the device.
    return torch.zeros(len(labels), num_classes, device=labels.device).scatter_(
        1, labels[:, None], 1.0
    )
