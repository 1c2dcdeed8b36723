"""Samples of images whose pixels are stored: packed as their pipeline does, without running it."""

from typing import Any

from mmpretrain.datasets import PackInputs
from mmpretrain.structures import DataSample

from gendd_mm.teacher_store import StoreError

__all__ = ['SamplePacker']


class SamplePacker:
    """Pack the annotation of an image by the last transform of its pipeline.

    The transforms before it make the pixels, which are stored. They must leave labels as
    they are: :meth:`check` compares.

    Args:
        dataset: With a pipeline that ends with ``PackInputs``, its own or that of the
            dataset in it.

    Raises:
        StoreError: If there is no such pipeline.
    """

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset
        self.pack = _packing(dataset)

    def __call__(self, image: int) -> DataSample:
        """The sample of an image, without what only augmentation states."""
        annotation = dict(self.dataset.get_data_info(image))
        annotation.pop(self.pack.input_key, None)
        return self.pack(annotation)['data_samples']

    def check(self, image: int, sample: DataSample) -> None:
        """Compare with the sample that the whole pipeline packs.

        Raises:
            StoreError: If labels or other fields differ.
        """
        own = self(image)
        differing = sorted(
            name
            for name in {*own.keys(), *sample.keys()}
            if name not in own or name not in sample or not _equal(own.get(name), sample.get(name))
        )
        if differing:
            raise StoreError(
                f'image {image}: the transforms of the pipeline change {differing} of its sample, '
                'which a store of pixels does not run again; build the store without --pixels.'
            )


def _packing(dataset: Any) -> PackInputs:
    inner = dataset
    while inner is not None:
        transforms = getattr(getattr(inner, 'pipeline', None), 'transforms', None)
        if transforms:
            if type(transforms[-1]) is PackInputs:
                return transforms[-1]
            break
        inner = getattr(inner, 'dataset', None)
    raise StoreError(
        f'{type(dataset).__name__}: pixels can be stored where one pipeline ends with '
        'mmpretrain.PackInputs, and here none does; leave out --pixels.'
    )


def _equal(first: Any, second: Any) -> bool:
    equal = first == second
    return bool(equal.all() if hasattr(equal, 'all') else equal)
