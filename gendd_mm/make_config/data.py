"""From a folder to the datasets of a run."""

import os
import os.path as osp
from typing import Any, NamedTuple

from mmengine.utils import scandir

__all__ = ['Data', 'find_data']

IMAGES = ('.jpg', '.jpeg', '.png', '.ppm', '.bmp', '.webp', '.JPEG', '.JPG', '.PNG')


class Data(NamedTuple):
    """Datasets, each without a pipeline.

    Attributes:
        train: Config of the training set.
        val: Config of the validation set, with labels. None if there is none.
        labelled: Whether the training set has labels that are to be used.
        found: What was found, in words.
    """

    train: dict
    val: dict | None
    labelled: bool
    found: str


def find_data(folder: str, labels: bool | None = None) -> Data:
    """What is in a folder.

    Understood are ``train`` and ``val`` (or ``test``), each with a folder per class; a
    folder per class alone; images without folders; tar shards.

    Args:
        folder: The folder.
        labels: Whether the labels of training images are used. None uses them where there
            are some.

    Raises:
        ValueError: If there are no images, or labels are asked for and there are none.
    """
    if not osp.isdir(folder):
        raise ValueError(f'--data {folder} is not a folder; give that of the images.')
    train = osp.join(folder, 'train')
    val = next(
        (path for name in ('val', 'test') if osp.isdir(path := osp.join(folder, name))), None
    )
    root = train if osp.isdir(train) else folder
    names = sorted(os.listdir(root))
    dataset: dict[str, Any]
    if any(name.endswith('.tar') for name in names):
        found, has_labels = 'tar shards, without labels', False
        dataset = dict(type='gendd_mm.UnlabeledShards', data_root=root, shards='*.tar')
    else:
        paths = {name: osp.join(root, name) for name in names}
        classes = [name for name in names if osp.isdir(paths[name]) and _has_image(paths[name])]
        has_labels = bool(classes)
        if has_labels:
            found = f'{len(classes)} folders of classes, the first {classes[0]!r}'
        elif _has_image(root):
            found = 'images without labels'
        else:
            raise ValueError(
                f'{root} holds no images, folders of classes or tar shards; images end with '
                f'{", ".join(sorted({i.lower() for i in IMAGES}))}.'
            )
        use = has_labels if labels is None else labels
        dataset = dict(type='CustomDataset', data_root=root, with_label=use and has_labels)
    if labels and not has_labels:
        raise ValueError(
            f'--labels, but {root} holds {found}. Sort the images into a folder per class, or '
            'leave it out.'
        )
    held_out = None
    if val is not None:
        held_out = dict(type='CustomDataset', data_root=val, with_label=True)
        found += f'; {osp.basename(val)} for validation'
    return Data(dataset, held_out, has_labels if labels is None else labels, found)


def _has_image(folder: str) -> bool:
    return next(iter(scandir(folder, IMAGES, recursive=True)), None) is not None
