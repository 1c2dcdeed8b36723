"""Linear probe: the plain classifier that ships with the student."""

from mmpretrain.models import LinearClsHead
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from gendd_mm.registry import MODELS

from .standardizer import Standardizer


@MODELS.register_module()
class LinearProbeHead(LinearClsHead):
    """A linear classifier on detached features.

    It measures the features and makes the student a plain classifier; it never moves
    the backbone (arXiv 2507.14503, linear probing). Exported, it is an mmpretrain
    ``LinearClsHead``.

    Args:
        trainable: False freezes it and makes it label-free: ``loss`` reads no labels
            and returns nothing, for unsupervised training. Defaults to True.
        standardize: Give the linear layer features of zero mean and unit variance, by
            running statistics. It is still a linear classifier and is exported as one
            layer, but the scale of the features no longer slows its training. Defaults
            to False, as in the paper.
        kwargs: Arguments of :class:`mmpretrain.models.LinearClsHead`: ``num_classes``,
            ``in_channels``, ``loss``, ``topk``, ``cal_acc``, ``init_cfg``.
    """

    def __init__(self, *args, trainable: bool = True, standardize: bool = False, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.trainable = trainable
        self.standardizer = Standardizer(self.in_channels) if standardize else nn.Identity()
        self.fc.requires_grad_(trainable)

    def pre_logits(self, feats: tuple[Tensor, ...]) -> Tensor:
        """The last stage's feature, detached, perhaps standardised, (B, S).

        Raises:
            ValueError: If the feature is not of size ``in_channels``.
        """
        feature = super().pre_logits(feats)
        if feature.size(-1) != self.in_channels:
            raise ValueError(
                f'in_channels={self.in_channels} does not fit a student feature of size '
                f"{feature.size(-1)}; set in_channels, condition_dim and the condition's "
                f'normalized_shape to {feature.size(-1)}.'
            )
        # Detached: the probe measures the features; it must not shape them.
        return self.standardizer(feature.detach())

    def loss(self, feats: tuple[Tensor, ...], data_samples: list[DataSample], **kwargs) -> dict:
        """Cross-entropy of the probe, or nothing when it is not trainable."""
        if not self.trainable:
            return {}
        return super().loss(feats, data_samples, **kwargs)
