"""Load an image from a file, and say which file it is when that fails."""

import os

import mmcv
import numpy as np
import torch
from mmcv.transforms import LoadImageFromFile
from mmengine import fileio
from mmengine.logging import MMLogger
from PIL import UnidentifiedImageError
from torch.utils.data import get_worker_info

from gendd_mm.annotations import printable
from gendd_mm.registry import TRANSFORMS

from .image_check import MAX_PIXELS, is_cut_off, size_fault

# Workers of a process that count apart; with more of them, two may share a place.
MAX_WORKERS = 1024


class BrokenImageError(OSError):
    """An image cannot be read; the message names the file and the remedy.

    Attributes:
        fault: The reason alone; None in another process than the one that read.
    """

    fault: str | None = None

    def __init__(self, text: str) -> None:
        # torch builds it anew from a worker's whole traceback.
        super().__init__(text.rpartition(f'{type(self).__name__}: ')[2].strip())


@TRANSFORMS.register_module()
class LoadImage(LoadImageFromFile):
    """``LoadImageFromFile`` that stops at a broken image by name, or skips it.

    A good image is the same to the bit. Broken is what cannot be read or decoded, a JPEG
    that is cut off, whose missing part OpenCV 4 fills with grey, and an image of too
    many pixels, which is not decoded.

    Args:
        skip_broken: True skips broken images: the dataset draws another sample, and a
            line of the log names the file and counts those skipped so far by all workers
            of this process (:attr:`num_skipped`). Not for evaluation, where no image may
            stand in for another. Defaults to False.
        max_pixels: Most pixels of an image, by its header. Defaults to 89,478,485,
            Pillow's limit.
        to_float32: See :class:`mmcv.transforms.LoadImageFromFile`.
        color_type: See the same.
        imdecode_backend: See the same.
        backend_args: See the same.

    Raises:
        BrokenImageError: If an image is broken and ``skip_broken`` is False.
    """

    def __init__(
        self,
        skip_broken: bool = False,
        max_pixels: int = MAX_PIXELS,
        to_float32: bool = False,
        color_type: str = 'color',
        imdecode_backend: str = 'cv2',
        backend_args: dict | None = None,
    ) -> None:
        super().__init__(to_float32, color_type, imdecode_backend, backend_args=backend_args)
        self.skip_broken = skip_broken
        self.max_pixels = max_pixels
        # In shared memory, as workers are other processes; each has a place of its own.
        self._skipped = torch.zeros(1 + MAX_WORKERS, dtype=torch.int64)
        if skip_broken:
            self._skipped.share_memory_()

    @property
    def num_skipped(self) -> int:
        """How many images this process and its workers have skipped."""
        return int(self._skipped.sum())

    def transform(self, results: dict) -> dict | None:
        """Add ``img``, ``img_shape`` and ``ori_shape`` of the file ``img_path``.

        Returns:
            None if the image is broken and skipped.
        """
        path = results['img_path']
        try:
            data = fileio.get(path, backend_args=self.backend_args)
            fault = _fault(data, self.max_pixels)
            if fault is None:
                image = mmcv.imfrombytes(data, self.color_type, backend=self.imdecode_backend)
                fault = 'not an image' if image is None else None
        except UnidentifiedImageError:  # its message has the address of a buffer
            fault = 'not an image'
        except Exception as error:  # decoders raise anything
            fault = f'{type(error).__name__}: {error}'
        if fault is not None:
            self._broken(printable(path), printable(' '.join(fault.split())))
            return None
        if self.to_float32:
            image = image.astype(np.float32)
        results.update(img=image, img_shape=image.shape[:2], ori_shape=image.shape[:2])
        return results

    def _broken(self, path: str, fault: str) -> None:
        if not self.skip_broken:
            error = BrokenImageError(
                f'{path} is a broken image ({fault}). Replace it or take it out of the '
                'dataset; gendd-check lists all that are broken. Or skip them '
                'while training: skip_broken=True in gendd_mm.LoadImage, the first transform '
                'of train_dataloader.dataset.pipeline.'
            )
            error.fault = fault
            raise error
        worker = get_worker_info()
        self._skipped[0 if worker is None else 1 + worker.id % MAX_WORKERS] += 1
        rank = os.environ.get('RANK', '0')
        # An error to the log, as other ranks than the first show no warnings.
        MMLogger.get_current_instance().error(
            f'{path} is a broken image ({fault}): skipped, the dataset draws another sample. '
            f'Skipped so far by rank {rank}: {self.num_skipped}.'
        )


def _fault(data: bytes, max_pixels: int) -> str | None:
    """What can be seen without decoding a good image."""
    if not data:
        return 'an empty file'
    # The size first: a file that seems to be cut off is decoded.
    return size_fault(data, max_pixels) or ('cut off' if is_cut_off(data) else None)
