"""In place of a teacher: its features from a store, and its classifier."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.model import BaseModel
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from gendd_mm.registry import MODELS
from gendd_mm.teacher_store import StoreError, TeacherStore

__all__ = ['FIELD', 'StoredTeacher']

# The field of a sample that holds its features by name, as numpy arrays.
FIELD = 'stored_features'


@MODELS.register_module()
class StoredTeacher(BaseModel):
    """A teacher whose features were stored beforehand, so that no network runs.

    The samples of a batch bring their features (:class:`AugmentedViews` reads them), and
    the classifier is in the store; it has the name that it had in the teacher, so that
    recorders find it, whether of :class:`GenDD` or of MMRazor's ``SingleTeacherDistill``.

    ``tools/store_teacher.py`` builds a store, and ``tools/train.py --teacher-store`` or
    this type in a config trains from it; either way the training images become the views
    that are in it. docs/store.md says when that pays.

    Args:
        store: Folder of the store.
        data_preprocessor: Not used; the features are of images as the teacher saw them.
        init_cfg: Initialisation config. Defaults to None.

    Raises:
        StoreError: If there is no such store, or it is not whole.
    """

    def __init__(
        self,
        store: str,
        data_preprocessor: dict | nn.Module | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(None, init_cfg)
        self.store = TeacherStore(store)
        self._is_dry = False
        self._classifier: tuple[nn.Linear, ...] = ()  # not registered under a second name
        if self.store.description.classifier is not None:
            self._add_classifier(self.store.description.classifier)

    def _add_classifier(self, name: str) -> None:
        weight, bias = self.store.classifier()
        classifier = nn.Linear(weight.size(1), weight.size(0), bias=bias is not None)
        classifier.weight.data.copy_(weight)
        if bias is not None:
            classifier.bias.data.copy_(bias)
        *path, last = name.split('.')
        owner: nn.Module = self
        for part in path:
            owner.add_module(part, nn.Module())
            owner = owner.get_submodule(part)
        owner.add_module(last, classifier)
        self._classifier = (classifier,)

    @property
    def fingerprint(self) -> str:
        """Hash of the weights of the teacher itself."""
        return self.store.description.teacher

    def features(
        self, inputs: Tensor, data_samples: list[DataSample] | None, names: Iterable[str]
    ) -> dict[str, Tensor]:
        """The stored features of a batch.

        Args:
            inputs: Its images, of which only number, type and device count.
            data_samples: Its samples.
            names: Which features.

        Returns:
            Features by name, each (B, D).

        Raises:
            StoreError: If the samples bring none, or the store has no feature of a name.
        """
        names = list(names)
        known = self.store.description.features
        absent = [name for name in names if name not in known]
        if absent:
            raise StoreError(
                f'store={self.store.path!r} holds {sorted(known)}, not {absent}; build one from '
                'this config.'
            )
        if self._is_dry:
            part, stated = next(iter(self.store.description.parts.items()))
            images = (index % stated.num_images for index in range(len(inputs)))
            rows = [self.store.features(part, image, 0) for image in images]
        else:
            rows = [self._features_of(sample) for sample in data_samples or [DataSample()]]
        return {
            name: torch.stack([torch.as_tensor(row[name]) for row in rows]).to(inputs)
            for name in names
        }

    def forward(
        self, inputs: Tensor, data_samples: list[DataSample] | None = None, mode: str = 'tensor'
    ) -> Any:
        """Scores (B, C) in mode ``'tensor'``; in mode ``'loss'`` they are recorded alone.

        Raises:
            StoreError: If the samples bring no features, or the teacher has no classifier.
        """
        if not self._classifier:
            raise StoreError(
                f'store={self.store.path!r}: its teacher has no classifier, so it gives no scores.'
            )
        scores = self._classifier[0](self.features(inputs, data_samples, ['target'])['target'])
        return {} if mode == 'loss' else scores

    @contextmanager
    def dry_run(self) -> Iterator[None]:
        """Give the first features of the store for any images, as for a check of the pair."""
        self._is_dry = True
        try:
            yield
        finally:
            self._is_dry = False

    def _features_of(self, sample: DataSample) -> dict:
        features = sample.get(FIELD)
        if features is None:
            raise StoreError(
                f'an image brings no stored features of store={self.store.path!r}. Training '
                'images get them from gendd_mm.AugmentedViews, which gendd-train arranges; '
                'for others the teacher must run: take its own config.'
            )
        return features
