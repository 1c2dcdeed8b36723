"""A long-tailed view of a balanced dataset."""

import copy

import numpy as np
from mmengine.dataset import BaseDataset, force_full_init

from gendd_mm.registry import DATASETS


def exponential_profile(num_classes: int, most: int, imbalance: float) -> np.ndarray:
    """Images per class, falling from ``most`` to ``most / imbalance``.

    n_k = floor(most * imbalance^(-k / (C - 1))), the profile of CIFAR-100-LT (Cui et
    al., arXiv 1901.05555).

    Args:
        num_classes: C, at least 2.
        most: Images of class 0.
        imbalance: Size of the first class over that of the last, at least 1.

    Returns:
        Counts, shape (C, ), int64.
    """
    share = imbalance ** (-np.arange(num_classes) / (num_classes - 1))
    # A little more, so that rounding does not turn a whole number n into n - 1.
    return np.floor(most * share + 1e-9).astype(np.int64)


@DATASETS.register_module()
class LongTailed:
    """A fixed long-tailed subset of any dataset with class labels.

    Class k keeps ``exponential_profile(...)[k]`` of its images. The seed chooses them;
    they stay in the order of the dataset. With one seed, the images at a higher
    imbalance are a subset of those at a lower one.

    Args:
        dataset: The dataset, or its config.
        imbalance: Size of the largest class over the smallest, at least 1. Defaults to
            100.
        most: Images of class 0. None takes the size of the dataset's smallest class.
            Defaults to None.
        seed: Which images stay. Defaults to 0.
        lazy_init: Whether to wait with reading the labels. Defaults to False.

    Raises:
        ValueError: If ``imbalance`` is below 1, a class would be empty or has too few
            images, or there are fewer than two classes.
    """

    def __init__(
        self,
        dataset: BaseDataset | dict,
        imbalance: float = 100.0,
        most: int | None = None,
        seed: int = 0,
        lazy_init: bool = False,
    ) -> None:
        if imbalance < 1:
            raise ValueError(
                f'imbalance={imbalance} must be at least 1: it is the size of the largest class '
                'over the smallest.'
            )
        if isinstance(dataset, dict):
            dataset = DATASETS.build(dataset)
        self.dataset = dataset
        self.imbalance = imbalance
        self.most = most
        self.seed = seed
        self._fully_initialized = False
        if not lazy_init:
            self.full_init()

    @property
    def metainfo(self) -> dict:
        """A copy of the dataset's meta information."""
        return copy.deepcopy(self.dataset.metainfo)

    def full_init(self) -> None:
        """Initialise the dataset and choose the images."""
        if self._fully_initialized:
            return
        self.dataset.full_init()
        # By get_data_info(), which wrappers have too.
        labels = np.array(
            [int(self.dataset.get_data_info(i)['gt_label']) for i in range(len(self.dataset))]
        )
        self._indices = self._choose(labels)
        self._fully_initialized = True

    def _choose(self, labels: np.ndarray) -> np.ndarray:
        classes = self.metainfo.get('classes') or ()
        have = np.bincount(labels, minlength=len(classes))
        if len(have) < 2:
            raise ValueError(
                f'{type(self.dataset).__name__} has {len(have)} class; a long tail needs at '
                'least two, so choose another dataset.'
            )
        most = have.min() if self.most is None else self.most
        keep = exponential_profile(len(have), most, self.imbalance)
        wrong = np.flatnonzero((keep < 1) | (keep > have))
        if len(wrong):
            k = wrong[0]
            raise ValueError(
                f'class {k} should keep {keep[k]} of its {have[k]} images '
                f'(most={most}, imbalance={self.imbalance}), but needs '
                'between 1 and all of them; choose another most or imbalance.'
            )
        # RandomState: its stream is the same in every version of numpy.
        random = np.random.RandomState(self.seed)
        return np.sort(
            np.concatenate(
                [
                    random.permutation(np.flatnonzero(labels == k))[:count]
                    for k, count in enumerate(keep)
                ]
            )
        )

    @force_full_init
    def __len__(self) -> int:
        return len(self._indices)

    @force_full_init
    def __getitem__(self, idx: int) -> dict:
        return self.dataset[int(self._indices[idx])]

    @force_full_init
    def get_data_info(self, idx: int) -> dict:
        """Annotation of an image; ``sample_idx`` is the dataset's own."""
        return self.dataset.get_data_info(int(self._indices[idx]))

    def get_cat_ids(self, idx: int) -> list[int]:
        """The class of an image, in a list."""
        return [int(self.get_data_info(idx)['gt_label'])]

    def get_gt_labels(self) -> np.ndarray:
        """Labels of all images, shape (N, )."""
        return np.concatenate([self.get_cat_ids(i) for i in range(len(self))])

    @property
    def CLASSES(self) -> tuple | None:
        """Names of the classes, if known."""
        return self.metainfo.get('classes')
