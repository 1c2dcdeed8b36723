"""Which view of an image an epoch shows."""

from collections.abc import Iterator
from typing import Any

from mmengine.dataset import InfiniteSampler
from mmengine.dist import get_dist_info
from torch.utils.data import Sampler

from gendd_mm.registry import DATA_SAMPLERS, type_name


@DATA_SAMPLERS.register_module()
class ViewSampler(Sampler):
    """Draw as another sampler, and let epoch e take view e mod K of :class:`AugmentedViews`.

    With an endless sampler, the pass through the images counts in place of the epoch.

    Args:
        dataset: An :class:`AugmentedViews`.
        sampler: Config of the sampler that draws the images.
        seed: Its seed; the runner fills it in. Defaults to None.

    Raises:
        ValueError: If ``dataset`` has no views, or the sampler shows an image several times
            in an epoch.
    """

    def __init__(self, dataset: Any, sampler: dict, seed: int | None = None) -> None:
        if not hasattr(dataset, 'num_views'):
            raise ValueError(
                f'ViewSampler draws views, but {type(dataset).__name__} has none; wrap the '
                'dataset in gendd_mm.AugmentedViews.'
            )
        if type_name(sampler['type']) == 'RepeatAugSampler':
            raise ValueError(
                'RepeatAugSampler shows an image several times in an epoch, each time in the '
                'same view; take DefaultSampler with AugmentedViews.'
            )
        self.dataset = dataset
        self.sampler = DATA_SAMPLERS.build(sampler, default_args=dict(dataset=dataset, seed=seed))
        self.epoch = 0

    @property
    def is_endless(self) -> bool:
        """Whether its sampler draws pass after pass."""
        return isinstance(self.sampler, InfiniteSampler)

    def restarted(self) -> 'ViewSampler':
        """A sampler that draws the same from the beginning."""
        settings: Any = self.sampler
        fresh = object.__new__(type(self))
        fresh.dataset, fresh.epoch = self.dataset, self.epoch
        fresh.sampler = type(settings)(settings.dataset, settings.shuffle, settings.seed)
        return fresh

    def __iter__(self) -> Iterator[int]:
        """Indices of views of :class:`AugmentedViews`, for this process."""
        size, views = len(self.dataset), self.dataset.num_views
        rank, world_size = get_dist_info()
        for count, image in enumerate(self.sampler):
            epoch = (count * world_size + rank) // size if self.is_endless else self.epoch
            yield epoch % views * size + image

    def __len__(self) -> int:
        return len(self.sampler)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch; MMEngine's ``DistSamplerSeedHook`` calls it."""
        self.epoch = epoch
        if hasattr(self.sampler, 'set_epoch'):
            self.sampler.set_epoch(epoch)
