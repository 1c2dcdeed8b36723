"""Whether the views of a dataset can be stored as pixels, beside the features of a teacher."""

from dataclasses import replace

import torch

from gendd_mm.datasets import AugmentedViews
from gendd_mm.datasets.store_fit import check_packing
from gendd_mm.teacher_store import Description, StoreError

__all__ = ['with_pixels']


def with_pixels(
    description: Description, views: AugmentedViews, probes: dict[str, torch.Tensor]
) -> Description:
    """A description of a store of the views' pixels too.

    Raises:
        StoreError: If the views are mixed, of several sizes, no levels of 8 bits, or their
            labels follow from the augmentation.
    """
    if views.mixing is not None:
        raise StoreError(
            '--pixels: the views are mixed, and the label of a mixed image follows from its '
            'mixing, which is not stored; leave out --pixels.'
        )
    kinds = {(tuple(image.shape), image.dtype) for image in probes.values()}
    (shape, dtype), *others = sorted(kinds, key=str)
    if others or dtype is not torch.uint8:
        raise StoreError(
            f'--pixels: views must be of one size and in levels of 8 bits, but here are '
            f'{sorted(map(str, kinds))}; leave out --pixels, or let the pipeline crop or resize '
            'all to one size.'
        )
    check_packing(views)
    train = replace(description.parts['train'], pixels=list(shape))
    return replace(description, parts={**description.parts, 'train': train})
