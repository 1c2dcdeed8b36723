"""Images under a fixed shift, without labels."""

import copy
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from mmengine.dataset import BaseDataset, Compose, force_full_init

from gendd_mm.registry import DATASETS, TRANSFORMS

SHIFTS = ('quarter_turn', 'half_turn', 'collage', 'inverted')


class Box(NamedTuple):
    """Pixels ``[top:bottom, left:right]``."""

    top: int
    bottom: int
    left: int
    right: int


def cutmix_box(height: int, width: int, random: np.random.RandomState) -> Box:
    """The box that CutMix (arXiv 1905.04899, Sec. 3.1) pastes.

    Its area is 1 - m of the image with m uniform (Beta(1, 1)), and its centre is
    uniform. It is clipped to the image.

    Args:
        height: Height of the image.
        width: Width of the image.
        random: Random number generator.
    """
    side = np.sqrt(1 - random.rand())
    ends = []
    for size in (height, width):
        center, half = random.randint(size), int(size * side) // 2
        ends += [max(center - half, 0), min(center + half, size)]
    return Box(*ends)


@DATASETS.register_module()
class ShiftedUnlabeled:
    """The images of another dataset, changed into a form new to its models.

    A stand-in for a second source of unlabeled images. The seed gives each image one
    fixed change:

    - ``quarter_turn``: turned anticlockwise by 90 degrees;
    - ``half_turn``: turned by 180 degrees;
    - ``collage``: with a CutMix box of another image of the dataset;
    - ``inverted``: 255 minus its pixels.

    Each change gets a quarter of the dataset, up to one image. Labels are dropped.

    Args:
        dataset: The dataset, or its config. It has no pipeline of its own and gives
            square greyscale or colour images, uint8, in ``img``.
        pipeline: Transforms after the shift.
        seed: Chooses the shift, the partner and the box of each image. Defaults to 0.
        lazy_init: Whether to wait with reading the dataset. Defaults to False.
    """

    def __init__(
        self,
        dataset: BaseDataset | dict,
        pipeline: Sequence[dict | Callable] = (),
        seed: int = 0,
        lazy_init: bool = False,
    ) -> None:
        if isinstance(dataset, dict):
            dataset = DATASETS.build(dataset)
        self.dataset = dataset
        self.pipeline = Compose(
            [TRANSFORMS.build(step) if isinstance(step, dict) else step for step in pipeline]
        )
        self.seed = seed
        self._fully_initialized = False
        if not lazy_init:
            self.full_init()

    @property
    def metainfo(self) -> dict:
        """A copy of the dataset's meta information."""
        return copy.deepcopy(self.dataset.metainfo)

    def full_init(self) -> None:
        """Initialise the dataset and give each image its shift."""
        if self._fully_initialized:
            return
        self.dataset.full_init()
        # RandomState: its stream is the same in every version of numpy.
        random = np.random.RandomState(self.seed)
        count = len(self.dataset)
        self._shifts = random.permutation(np.arange(count) % len(SHIFTS))
        self._partners = random.permutation(count)
        self._box_seeds = random.randint(2**31, size=count)
        self._fully_initialized = True

    @force_full_init
    def __len__(self) -> int:
        return len(self.dataset)

    @force_full_init
    def __getitem__(self, idx: int) -> dict:
        return self.pipeline(self.get_data_info(idx))

    @force_full_init
    def get_data_info(self, idx: int) -> dict:
        """The shifted image in ``img``, and the name of the shift in ``shift``."""
        image = self.dataset.get_data_info(idx)['img']
        shift = SHIFTS[self._shifts[idx]]
        return dict(
            img=self._shifted(image, shift, idx),
            shift=shift,
            sample_idx=idx,
            img_shape=image.shape[:2],
            ori_shape=image.shape[:2],
        )

    def get_gt_labels(self) -> np.ndarray:
        """Raise an error: there are no labels.

        Raises:
            KeyError: Always, as in mmpretrain's unlabeled datasets.
        """
        raise KeyError('gt_label')

    def get_cat_ids(self, idx: int) -> list[int]:
        """An empty list: there are no classes."""
        return []

    def _shifted(self, image: np.ndarray, shift: str, idx: int) -> np.ndarray:
        if shift == 'quarter_turn':
            return np.ascontiguousarray(np.rot90(image))
        if shift == 'half_turn':
            return np.ascontiguousarray(np.rot90(image, 2))
        if shift == 'inverted':
            return 255 - image
        partner = self.dataset.get_data_info(int(self._partners[idx]))['img']
        height, width = image.shape[:2]
        box = cutmix_box(height, width, np.random.RandomState(self._box_seeds[idx]))
        rows, columns = slice(box.top, box.bottom), slice(box.left, box.right)
        image = image.copy()
        image[rows, columns] = partner[rows, columns]
        return image
