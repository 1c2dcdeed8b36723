"""Images without labels in tar shards, as img2dataset writes CC3M."""

from collections import Counter
from collections.abc import Sequence

from mmengine.logging import print_log
from mmpretrain.datasets import BaseDataset

from gendd_mm.registry import DATASETS

from .image_check import MAX_PIXELS, VERIFY
from .shard_index import index_shards
from .shard_patterns import find_shards
from .tar_backend import member_uri


@DATASETS.register_module()
class UnlabeledShards(BaseDataset):
    """The images of webdataset tar shards, without labels.

    It is a map-style dataset, so MMEngine's samplers, resuming and any number of
    processes work as with folders. ``LoadImageFromFile`` reads an image from its place
    in the shard.

    Each shard is indexed once, which decodes its images; the index is kept in a JSON
    file. It leaves broken samples out before any sampling: samples without an image,
    samples whose image does not decode, is too large or is a link, and those beyond the
    end of a shard that is cut off. One line of the log counts them; the index files and
    ``skipped`` list them with the reasons. :func:`~gendd_mm.datasets.shard_index.scan_shard`
    says which image of a sample is read.

    Args:
        shards: Pattern of the tar files, or a list of files or patterns: ``'*.tar'``,
            ``'{00000..00331}.tar'``. A file that has just that name goes first.
        data_root: Folder that ``shards`` is relative to. Defaults to ''.
        verify: How images are checked. ``'decode'`` finds every broken image,
            ``'header'`` only files that are no image, None nothing. Defaults to
            ``'decode'``.
        index_dir: Folder of the index files. None puts them beside the shards. Defaults
            to None.
        index_threads: Threads that index, in each process. Defaults to 4.
        max_pixels: Most pixels of an image, by its header; larger ones are left out
            before they are decoded. Defaults to 89,478,485, Pillow's limit.
        kwargs: ``pipeline``, ``indices``, ``lazy_init`` and the other arguments of
            :class:`mmpretrain.datasets.BaseDataset`.

    Raises:
        ValueError: If ``verify`` is unknown, a shard is compressed or no image is good.
        FileNotFoundError: If no file matches a pattern.
    """

    def __init__(
        self,
        shards: str | Sequence[str],
        data_root: str = '',
        verify: str | None = 'decode',
        index_dir: str | None = None,
        index_threads: int = 4,
        max_pixels: int = MAX_PIXELS,
        **kwargs,
    ) -> None:
        if verify not in VERIFY:
            raise ValueError(f'verify={verify!r} is unknown; choose from {VERIFY}.')
        self.shards = [shards] if isinstance(shards, str) else list(shards)
        self.verify = verify
        self.index_dir = index_dir
        self.index_threads = index_threads
        self.max_pixels = max_pixels
        # 'SHARD: KEY' -> reason.
        self.skipped: dict[str, str] = {}
        super().__init__(ann_file='', data_root=data_root, **kwargs)

    def load_data_list(self) -> list[dict]:
        """The addresses of the good images, in the order of the shards."""
        shards, others = find_shards(self.shards, self.data_root or '')
        self.skipped.update(dict.fromkeys(others, 'not a file'))
        print_log(
            f'Reading the index of {len(shards)} shards; those without one '
            f'are indexed now (verify={self.verify!r}).',
            logger='current',
        )
        data_list = []
        for shard, index in zip(
            shards,
            index_shards(shards, self.verify, self.index_dir, self.index_threads, self.max_pixels),
            strict=True,
        ):
            data_list += [dict(img_path=member_uri(shard, *image)) for image in index.images]
            self.skipped.update(
                {f'{shard}: {key}': reason for key, reason in index.skipped.items()}
            )
        reasons = Counter(reason.partition(':')[0] for reason in self.skipped.values())
        summary = ', '.join(f'{n} {why}' for why, n in reasons.most_common())
        counted = (
            f'{len(data_list)} good images in {len(shards)} shards, '
            f'{len(self.skipped)} left out ({summary or "none"})'
        )
        if not data_list:
            raise ValueError(
                f'{counted}; expected tar files whose samples have an image each. Check '
                f'shards={self.shards}.'
            )
        print_log(f'{counted}.', logger='current')
        return data_list
