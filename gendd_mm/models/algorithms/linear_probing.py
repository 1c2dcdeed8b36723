"""The published probe protocol: a new classifier on a frozen student."""

import torch
import torch.nn.functional as F
from mmengine.model import BaseModel
from mmpretrain.structures import DataSample
from mmrazor.models.algorithms import BaseAlgorithm
from torch import Tensor, nn

from gendd_mm.registry import MODELS

from .build_teacher import build_teacher
from .classifier_search import find_classifier
from .frozen_teacher import FrozenTeacher
from .renormalize import Renormalize


@MODELS.register_module()
class LinearProbing(BaseAlgorithm):
    """Train the linear layer ``head.fc`` of a student that is frozen.

    The target is ``(1 - teacher_weight) * label + teacher_weight *
    softmax(teacher)``. The label is what the head's own loss makes of it, so
    mixup, CutMix and label smoothing count.

    The student is in eval mode while it is trained: its batch norm uses and
    keeps the statistics of its checkpoint, so the features are those of the
    student that ships, and SyncBN would change nothing. As in
    :class:`GenDD`, the teacher is frozen and in no checkpoint. Predictions
    are ``probe_score`` and ``probe_label``.

    Args:
        teacher: Config of the teacher, or a built model with its weights.
        teacher_ckpt: Weights of the teacher, loaded strictly. Needed unless
            the config names its own. Defaults to None.
        teacher_classifier: Name of the linear layer that gives the teacher's
            scores. ``'auto'`` finds it. Defaults to ``'auto'``.
        teacher_dtype: Precision in which the teacher runs; see
            :class:`GenDD`. Defaults to None.
        teacher_weight: Share of the teacher's softmax in the target, in
            [0, 1]; 1 reads no labels. Defaults to 0.5, the published one.
        kwargs: ``architecture`` (the student), ``data_preprocessor`` and
            ``init_cfg``.

    Raises:
        ValueError: If ``teacher_weight`` is outside [0, 1], the student's
            head has no linear layer ``fc``, or the teacher has no weights or
            ones that do not fit.
    """

    teacher: FrozenTeacher

    def __init__(
        self,
        teacher: BaseModel | dict,
        teacher_ckpt: str | None = None,
        teacher_classifier: str | None = 'auto',
        teacher_dtype: str | None = None,
        teacher_weight: float = 0.5,
        **kwargs,
    ) -> None:
        if not 0 <= teacher_weight <= 1:
            raise ValueError(
                f'teacher_weight={teacher_weight} is a share of the target; set it within [0, 1].'
            )
        if teacher_classifier is None:
            raise ValueError(
                'teacher_classifier=None: the target of linear probing is the scores of the '
                'teacher; give a teacher with a classifier, and leave the option out.'
            )
        super().__init__(**kwargs)
        model = build_teacher(teacher, teacher_ckpt)
        self.teacher = FrozenTeacher(
            model,
            Renormalize(self.data_preprocessor, getattr(model, 'data_preprocessor', None)),
            find_classifier(model, teacher_classifier),
            teacher_dtype,
        )
        self.teacher_weight = teacher_weight
        layer = getattr(self.student.head, 'fc', None)
        if not isinstance(layer, nn.Linear):
            raise ValueError(
                f'{type(self.student.head).__name__} has no linear layer fc to train; give the '
                'student a LinearClsHead.'
            )
        self.student.requires_grad_(False)
        layer.requires_grad_(True)

    @property
    def student(self) -> BaseModel:
        """The classifier whose linear layer is trained."""
        return self.architecture

    @property
    def reads_labels(self) -> bool:
        """Whether labels are part of the target."""
        return self.teacher_weight < 1

    def train(self, mode: bool = True) -> 'LinearProbing':
        """Set the mode; the student stays in eval mode."""
        super().train(mode)
        self.student.eval()
        return self

    def loss(self, inputs: Tensor, data_samples: list[DataSample] | None = None) -> dict:
        """The two parts of the cross-entropy, for preprocessed images (B, 3, H, W)."""
        head = self.student.head
        with torch.no_grad():
            features = self.student.extract_feat(inputs)
            (taught,) = self.teacher.extract_feat(inputs, data_samples)
            target = self.teacher.classify(taught).softmax(-1)
        loss_teacher = F.cross_entropy(head(features), target)
        losses = dict(loss_teacher=self.teacher_weight * loss_teacher)
        if self.reads_labels:
            loss_labels = head.loss(features, data_samples)['loss']
            losses['loss_labels'] = (1 - self.teacher_weight) * loss_labels
        return losses

    def forward(
        self, inputs: Tensor, data_samples: list[DataSample] | None = None, mode: str = 'tensor'
    ):
        """As MMRazor's, but ``mode='predict'`` gives ``probe_score``."""
        if mode == 'predict':
            return self.predict(inputs, data_samples)
        return super().forward(inputs, data_samples, mode)

    @torch.no_grad()
    def predict(
        self, inputs: Tensor, data_samples: list[DataSample] | None = None
    ) -> list[DataSample]:
        """Classify preprocessed images, shape (B, 3, H, W).

        Returns:
            The samples with ``probe_score`` and ``probe_label``.
        """
        scores = self.student(inputs, mode='tensor').softmax(-1)
        if data_samples is None:
            data_samples = [DataSample() for _ in range(len(inputs))]
        for sample, score in zip(data_samples, scores, strict=True):
            sample.set_field(score, 'probe_score')
            sample.set_field(score.argmax(), 'probe_label')
        return data_samples

    def _apply(self, fn, *args, **kwargs) -> nn.Module:
        super()._apply(fn, *args, **kwargs)
        self.teacher.apply_to_tensors(fn)
        return self
