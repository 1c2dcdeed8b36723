"""The teacher: frozen, in eval mode, and kept apart."""

from typing import Any

import torch
from mmengine.model import BaseModel
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from gendd_mm.models.stored_teacher import StoredTeacher

from .classifier_search import scores_of
from .renormalize import Renormalize
from .teacher_features import compile_network, record_features

DTYPES = {
    'float32': torch.float32,
    'bfloat16': torch.bfloat16,
    'float16': torch.float16,
}


class FrozenTeacher:
    """A trained network that is only read.

    Deliberately not an ``nn.Module``: as the attribute of a model it stays out of
    checkpoints, EMA copies, optimizers and DistributedDataParallel. It is in eval mode
    as a whole (batch norm, dropout, drop path).

    Args:
        model: The teacher, with its weights.
        renormalize: From the student's normalisation to the teacher's.
        classifier: Name of the linear layer that gives its scores, as
            :func:`find_classifier` finds it. None has features alone, those that
            :func:`attach_features` named.
        dtype: Precision in which it runs, by autocast, ``'float32'``, ``'bfloat16'``
            or ``'float16'``. None leaves it to the run. Defaults to None.

    Raises:
        ValueError: If ``dtype`` is unknown.

    Attributes:
        classifier_name: Name of the linear layer that gives the scores, or None.
        classifier: That layer, or None. What enters it is the target.
        data_preprocessor: The student's, which MMRazor's loop sets.
    """

    data_preprocessor: nn.Module

    def __init__(
        self,
        model: BaseModel,
        renormalize: Renormalize,
        classifier: str | None,
        dtype: str | None = None,
    ) -> None:
        if dtype not in (None, *DTYPES):
            raise ValueError(
                f'teacher_dtype={dtype!r} is unknown; choose from {list(DTYPES)}, or None for that '
                'of the run.'
            )
        self.model = model.requires_grad_(False).eval()
        self.renormalize = renormalize
        self.classifier_name = classifier
        self.classifier: Any = None if classifier is None else model.get_submodule(classifier)
        self.dtype = None if dtype is None else DTYPES[dtype]

    def __call__(
        self, inputs: Tensor, data_samples: list[DataSample] | None = None, mode: str = 'loss'
    ) -> dict:
        """Run as MMRazor runs a teacher: its recorders see all that happens, no loss."""
        self.extract_feat(inputs, data_samples)
        return {}

    def extract_feat(
        self, inputs: Tensor, data_samples: list[DataSample] | None = None
    ) -> tuple[Tensor]:
        """Run the whole teacher to its scores, and take what enters its classifier.

        Without a classifier, take the first of its named features.

        Args:
            inputs: Images in the student's normalisation, shape (B, 3, H, W).
            data_samples: Their samples, which bring the features of a stored teacher.

        Returns:
            The feature, shape (B, D), in a tuple, as of mmpretrain's classifiers. MMRazor's
            recorders see all that happens on the way.
        """
        return (next(iter(self.features(inputs, data_samples).values())),)

    @torch.no_grad()
    def features(
        self, inputs: Tensor, data_samples: list[DataSample] | None = None
    ) -> dict[str, Tensor]:
        """All that a student learns of a batch, by name, each (B, D).

        What enters the classifier is ``target``; without one they are the named features.
        """
        inputs = self.renormalize(inputs)
        if self.dtype is None:
            return self._run(inputs, data_samples)
        half = self.dtype != torch.float32
        with torch.autocast(inputs.device.type, self.dtype, enabled=half):
            return self._run(inputs, data_samples)

    def _run(self, inputs: Tensor, data_samples: list[DataSample] | None) -> dict[str, Tensor]:
        if self.classifier is None:
            return record_features(self.model, inputs, data_samples)
        entered: list[Tensor] = []
        with self.classifier.register_forward_pre_hook(lambda _, args: entered.append(args[0])):
            scores_of(self.model, inputs, data_samples)
        return dict(target=entered[-1])

    def val_step(self, data: dict) -> list[DataSample]:
        """Classify a batch, for MMRazor's ``SingleTeacherDistillValLoop``.

        Raises:
            ValueError: If the teacher has no classifier.
        """
        data = self.data_preprocessor(data, False)
        samples = data['data_samples']
        (feature,) = self.extract_feat(data['inputs'], samples)
        scores = self.classify(feature).softmax(-1)
        for sample, score in zip(samples, scores, strict=True):
            sample.set_pred_score(score).set_pred_label(score.argmax())
        return samples

    @torch.no_grad()
    def classify(self, features: Tensor) -> Tensor:
        """Class scores, shape (B, C), of features, shape (B, D).

        Raises:
            ValueError: If the teacher has no classifier.
        """
        if self.classifier is None:
            raise ValueError(
                'the teacher has no classifier (teacher_classifier=None), so it gives no scores.'
            )
        return self.classifier(features)

    def compile(self, options: dict) -> None:
        """Compile the network in place, with options of ``torch.compile``."""
        if isinstance(self.model, StoredTeacher):
            return  # no network runs
        if hasattr(self.model, 'backbone'):
            self.model.backbone.compile(**options)
        elif self.classifier is not None:
            self.model.compile(**options)
        else:
            compile_network(self.model, options)

    def apply_to_tensors(self, fn) -> None:
        """Move or cast along with the model that owns this teacher."""
        self.model._apply(fn)
        self.renormalize._apply(fn)

    def __deepcopy__(self, memo: dict) -> 'FrozenTeacher':
        # Never written, so a copy of the owner (EMA) shares it.
        return self
