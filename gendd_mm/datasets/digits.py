"""Handwritten digits, the default data: they need no download."""

import numpy as np
from mmpretrain.datasets import BaseDataset

from gendd_mm.registry import DATASETS

NUM_TRAIN = 1200
SPLITS = ('train', 'test')


@DATASETS.register_module()
class DigitsDataset(BaseDataset):
    """scikit-learn's bundled handwritten digits (UCI optdigits, test part).

    1,797 real images of 8x8 with 10 classes, part of the scikit-learn wheel. The split
    is fixed and stratified: 1,200 for training, 597 for testing.

    An image is uint8, shape (8, 8, 3) with three equal channels, under ``img``; it
    needs no loading transform.

    Args:
        split: ``'train'`` or ``'test'``.
        kwargs: ``pipeline``, ``indices``, ``test_mode`` and the other arguments of
            :class:`mmpretrain.datasets.BaseDataset`.

    Raises:
        ValueError: If ``split`` is unknown.
        ImportError: If scikit-learn is not installed.
    """

    METAINFO = {'classes': tuple('0123456789')}

    def __init__(self, split: str = 'train', **kwargs) -> None:
        if split not in SPLITS:
            raise ValueError(f'split={split!r} is unknown; choose from {SPLITS}.')
        self.split = split
        super().__init__(ann_file='', **kwargs)

    def load_data_list(self) -> list[dict]:
        """The images and labels of the split."""
        try:
            from sklearn.datasets import load_digits
            from sklearn.model_selection import train_test_split
        except ImportError as error:
            raise ImportError(
                'DigitsDataset reads the digits inside scikit-learn; pip install scikit-learn.'
            ) from error
        digits = load_digits()
        chosen = train_test_split(
            np.arange(len(digits.target)),
            train_size=NUM_TRAIN,
            stratify=digits.target,
            random_state=0,
        )[SPLITS.index(self.split)]
        # Grey levels 0 to 16 become 0 to 255, on three channels.
        images = np.round(digits.images * 255 / 16).astype(np.uint8)
        images = np.repeat(images[..., None], 3, axis=-1)
        return [dict(img=images[i], gt_label=int(digits.target[i])) for i in np.sort(chosen)]
