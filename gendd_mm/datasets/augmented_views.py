"""Augmented views of images that can be had again."""

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.dataset import BaseDataset, force_full_init

from gendd_mm.models.stored_teacher import FIELD
from gendd_mm.registry import DATASETS
from gendd_mm.teacher_store import PIXELS, TeacherStore

from .pair_mixing import PairMixing
from .seeded import generators_kept, seed_all, seeded
from .store_fit import check_fit, pipeline_texts, settings_text
from .stored_pixels import SamplePacker

# What a stream of random numbers is for.
VIEW, MIX = 0, 1


@DATASETS.register_module()
class AugmentedViews:
    """A dataset whose augmentations are a function of (seed, image, view).

    The pipeline of the dataset draws from Python's, numpy's and torch's global generators,
    as MMPretrain's transforms do; they are seeded for each item and then restored, so that
    any worker, rank and order gives the same pixels. Mixup and CutMix pair images by the
    same rule here, before there is a batch, so that a mixed image has one feature.

    An index counts through the views: ``view * len(dataset) + image``. :class:`ViewSampler`
    makes such indices of those of another sampler; a plain one sees the first view alone.

    Args:
        dataset: The dataset with its pipeline, or its config.
        num_views: Number of views K of each image, at least 1.
        seed: From which they follow. Defaults to 0.
        mixing: Augmentations of a batch, ``dict(augments=..., probs=...)`` as a student's
            ``train_cfg``, to be a part of the view. Images without a label are not
            mixed, as in MMPretrain. Defaults to None.
        num_classes: Number of classes of mixed labels. None takes it from the names of the
            classes. Defaults to None.
        store: Folder of stored features of a teacher, which the samples then bring. What
            it states is compared with the dataset. If it has the pixels of the views too,
            no augmentation runs. Defaults to None.
        part: Name of the dataset in the store. Defaults to ``'train'``.
        lazy_init: Whether to wait with reading the dataset. Defaults to False.

    Raises:
        ValueError: If ``num_views`` is below 1, or images cannot be mixed.
        StoreError: If the store is of other images or views.

    Example:
        >>> config = dict(type='gendd_mm.DigitsDataset', pipeline=[
        ...     dict(type='mmpretrain.RandomCrop', crop_size=8, padding=1),
        ...     dict(type='mmpretrain.PackInputs')])
        >>> views = AugmentedViews(config, num_views=2)
        >>> first, second = views[7], views[len(views) + 7]
        >>> views[7]['inputs'].equal(first['inputs'])
        True
        >>> second['inputs'].equal(first['inputs'])
        False
    """

    def __init__(
        self,
        dataset: BaseDataset | dict,
        num_views: int,
        seed: int = 0,
        mixing: dict | None = None,
        num_classes: int | None = None,
        store: str | None = None,
        part: str = 'train',
        lazy_init: bool = False,
    ) -> None:
        if num_views < 1:
            raise ValueError(f'num_views={num_views} must be at least 1: the views of an image.')
        # As text, for a store; None if the dataset is built already.
        self.pipeline = pipeline_texts(dataset)
        self.mixing_text = None if mixing is None else settings_text(mixing)
        if isinstance(dataset, dict):
            dataset = DATASETS.build(dataset)
        self.dataset = dataset
        self.num_views = num_views
        self.seed = seed
        self.part = part
        self.mixing = None if mixing is None else PairMixing(**mixing)
        if self.mixing is not None:
            names = self.metainfo.get('classes')
            self.mixing.num_classes = num_classes or (len(names) if names else None)
        self.store = None if store is None else TeacherStore(store)
        self._packer: SamplePacker | None = None
        self._fully_initialized = False
        if not lazy_init:
            self.full_init()

    @property
    def metainfo(self) -> dict:
        """A copy of the dataset's meta information."""
        return copy.deepcopy(self.dataset.metainfo)

    def full_init(self) -> None:
        """Initialise the dataset, and compare it with the store."""
        if self._fully_initialized:
            return
        if hasattr(self.dataset, 'full_init'):
            self.dataset.full_init()
        self._fully_initialized = True
        if self.store is not None:
            check_fit(self)
            if self.store.description.parts[self.part].pixels is not None:
                self._packer = SamplePacker(self.dataset)

    @force_full_init
    def __len__(self) -> int:
        return len(self.dataset)

    @force_full_init
    def __getitem__(self, index: int) -> dict:
        return self.__getitems__([index])[0]

    @force_full_init
    def __getitems__(self, indices: Sequence[int]) -> list[dict]:
        """The items of a batch, for which a ``DataLoader`` asks at once.

        Together they restore the generators once and read the store once.
        """
        size = len(self.dataset)
        views = [(int(index) % size, int(index) // size % self.num_views) for index in indices]
        rows = {} if self.store is None else self.store.rows(self.part, views)
        pixels = rows.pop(PIXELS, None)
        if pixels is None or self._packer is None:
            with generators_kept():
                items = [self._drawn(image, view) for image, view in views]
        else:
            items = [
                dict(inputs=own, data_samples=self._packer(image))
                for (image, _), own in zip(views, pixels, strict=True)
            ]
        if self.store is not None:
            for place, item in enumerate(items):
                arrays = {name: values[place].numpy() for name, values in rows.items()}
                item['data_samples'].set_field(arrays, FIELD)
        return items

    @force_full_init
    def view(self, image: int, view: int) -> dict:
        """One view of an image, mixed if views are, without what is stored."""
        with generators_kept():
            return self._drawn(image, view)

    def _drawn(self, image: int, view: int) -> dict:
        """A view; the generators are left as they come."""
        item = self._unmixed(image, view)
        sample: Any = item.get('data_samples')
        if self.mixing is None or not ('gt_label' in sample or 'gt_score' in sample):
            return item
        with seeded(self.seed, image, view, MIX):
            partner = int(np.random.randint(len(self.dataset)))
            with generators_kept():
                other = self._unmixed(partner, view)
            pixels, label = self.mixing(
                item['inputs'], sample, other['inputs'], other['data_samples']
            )
        sample.set_gt_score(label)
        return dict(item, inputs=pixels)

    def _unmixed(self, image: int, view: int) -> dict:
        seed_all(self.seed, image, view, VIEW)
        return self.dataset[image]

    @force_full_init
    def get_data_info(self, idx: int) -> dict:
        """Annotation of an image."""
        return self.dataset.get_data_info(idx)

    def get_cat_ids(self, idx: int) -> list[int]:
        """The classes of an image."""
        return self.dataset.get_cat_ids(idx)

    def get_gt_labels(self) -> np.ndarray:
        """Labels of all images, shape (N,)."""
        return self.dataset.get_gt_labels()

    @property
    def CLASSES(self) -> tuple | None:
        """Names of the classes, if known."""
        return self.metainfo.get('classes')
