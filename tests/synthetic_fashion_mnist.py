"""Files of Fashion-MNIST's layout: noise around a pattern of each class."""

import struct
from pathlib import Path

import numpy as np


def write(folder: Path, train: int = 12000, test: int = 100) -> str:
    """Write the four idx files; classes in turns. Returns the folder."""
    folder.mkdir(parents=True)
    random = np.random.RandomState(0)
    patterns = random.randint(0, 128, (10, 28, 28), np.uint8)
    for part, count in (('train', train), ('t10k', test)):
        labels = (np.arange(count) % 10).astype(np.uint8)
        noise = random.randint(0, 128, (count, 28, 28), np.uint8)
        _write(folder / f'{part}-images-idx3-ubyte', patterns[labels] + noise)
        _write(folder / f'{part}-labels-idx1-ubyte', labels)
    return str(folder)


def _write(path: Path, array: np.ndarray) -> None:
    # 8 means unsigned bytes; then the number of dimensions, and each of them.
    header = struct.pack(f'>BBBB{array.ndim}I', 0, 0, 8, array.ndim, *array.shape)
    path.write_bytes(header + array.tobytes())
