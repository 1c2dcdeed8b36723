"""Folders of small images, as users have them."""

from pathlib import Path

import cv2
import numpy as np

CLASSES = ('cat', 'dog', 'owl')


def image(path: Path) -> None:
    """Write an image of noise, and the folders that it lies in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(len(str(path)))
    cv2.imwrite(str(path), rng.integers(0, 256, (40, 36, 3), dtype=np.uint8))


def split(folder: Path, images: int) -> None:
    """Write ``train`` and ``val``, each with so many images in a folder per class."""
    for part in ('train', 'val'):
        for name in CLASSES:
            for index in range(images):
                image(folder / part / name / f'{index}.png')
