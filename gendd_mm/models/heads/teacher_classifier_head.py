"""The teacher's classifier on a student that learns the teacher's feature."""

from typing import Any

from mmpretrain.models import LinearClsHead
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from gendd_mm.registry import MODELS


@MODELS.register_module()
class TeacherClassifierHead(LinearClsHead):
    """A frozen copy of the teacher's classifier, which :class:`GenDD` lends it.

    For a student whose feature is its teacher's, as behind a :class:`ProjectorNeck`: it
    answers in one pass, without labels and without a classifier to be trained. Exported, it
    is an mmpretrain ``LinearClsHead``.

    Args:
        num_classes, in_channels: Those of the teacher's classifier; measured if left out.
        kwargs: ``loss``, ``topk``, ``cal_acc`` of :class:`mmpretrain.models.LinearClsHead`.
    """

    # For LabelCheckHook: it reads no labels.
    trainable = False

    def __init__(self, num_classes: int, in_channels: int, **kwargs: Any) -> None:
        super().__init__(num_classes, in_channels, **dict(dict(init_cfg=None), **kwargs))
        self.fc.requires_grad_(False)
        self._lender: tuple[nn.Linear, ...] = ()  # a tuple: no part of this module

    def borrow(self, classifier: nn.Linear) -> None:
        """Take the weights of the teacher's classifier.

        Raises:
            ValueError: If its sizes are others.
        """
        if classifier.weight.shape != self.fc.weight.shape:
            theirs, own = tuple(classifier.weight.shape), tuple(self.fc.weight.shape)
            raise ValueError(
                f"the teacher's classifier has the shape {theirs} (classes, feature), but that of "
                f"the student's head is {own}; give the student a ProjectorNeck that ends with "
                f'out_channels={theirs[1]} and leave num_classes out, or take '
                "head=dict(type='gendd_mm.LinearProbeHead')."
            )
        self._lender = (classifier,)
        self._copy()

    def init_weights(self) -> None:
        """Keep the teacher's weights, whatever the model around it initialises."""
        self._copy()

    def _copy(self) -> None:
        for classifier in self._lender:
            self.fc.weight.data.copy_(classifier.weight.detach())
            if classifier.bias is None:
                self.fc.bias.data.zero_()
            else:
                self.fc.bias.data.copy_(classifier.bias.detach())

    def loss(self, feats: tuple[Tensor, ...], data_samples: list[DataSample], **kwargs) -> dict:
        """No loss, and no labels: the student learns the feature."""
        return {}
