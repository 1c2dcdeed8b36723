"""From a folder to the datasets of a run."""

import os
import os.path as osp
from typing import Any, NamedTuple

from mmengine.utils import scandir

__all__ = ['Data', 'find_data']

# What mmpretrain's CustomDataset reads, in any case.
IMAGES = ('.jpg', '.jpeg', '.png', '.ppm', '.bmp', '.pgm', '.tif')


class Data(NamedTuple):
    """Datasets, each without a pipeline.

    Attributes:
        train: Config of the training set.
        val: Config of the validation set, with labels. None if there is none.
        labelled: Whether the training set has labels that are to be used.
        found: What was found, in words.
        classes: Names of the classes, in the order of their labels; of the validation
            set where the training set has none.
    """

    train: dict
    val: dict | None
    labelled: bool
    found: str
    classes: tuple[str, ...]


def find_data(folder: str, labels: bool | None = None) -> Data:
    """What is in a folder.

    Understood are ``train`` and ``val`` (or ``test``), each with a folder per class; a
    folder per class alone; images without folders; tar shards.

    Args:
        folder: The folder.
        labels: Whether the labels of training images are used. None uses them where there
            are some.

    Raises:
        ValueError: If there are no images, labels are asked for and there are none, or
            the classes of training and validation differ.
    """
    if not osp.isdir(folder):
        raise ValueError(f'--data {folder} is not a folder; give that of the images.')
    train = osp.join(folder, 'train')
    val = next(
        (path for name in ('val', 'test') if osp.isdir(path := osp.join(folder, name))), None
    )
    root = train if osp.isdir(train) else folder
    classes = _classes_in(root)
    dataset: dict[str, Any]
    if any(name.endswith('.tar') for name in os.listdir(root)):
        found, classes = 'tar shards, without labels', ()
        dataset = dict(type='gendd_mm.UnlabeledShards', data_root=root, shards='*.tar')
    else:
        if classes:
            found = f'{len(classes)} folders of classes, the first {classes[0]!r}'
        elif _has_image(root):
            found = 'images without labels'
        else:
            raise ValueError(
                f'{root} holds no images, folders of classes or tar shards; images end with '
                f'{", ".join(IMAGES)}.'
            )
        with_label = bool(classes) and labels is not False
        dataset = dict(type='CustomDataset', data_root=root, with_label=with_label)
    if labels and not classes:
        raise ValueError(
            f'--labels, but {root} holds {found}. Sort the images into a folder per class, or '
            'leave it out.'
        )
    labelled = bool(classes) if labels is None else labels
    held_out = None
    if val is not None:
        held_out_classes = _classes_in(val)
        if labelled and held_out_classes != classes:
            differing = sorted({*classes} ^ {*held_out_classes})
            raise ValueError(
                f'{root} and {val} have other folders of classes, the first that differ are '
                f'{differing[:3]}; their labels would not be the same. Make them equal.'
            )
        held_out = dict(type='CustomDataset', data_root=val, with_label=True)
        found += f'; {osp.basename(val)} for validation'
        classes = classes or held_out_classes
    return Data(dataset, held_out, labelled, found, classes)


def _classes_in(root: str) -> tuple[str, ...]:
    """The folders that mmpretrain takes for classes; empty if none holds an image.

    Raises:
        ValueError: If only some hold images: an empty one would shift the labels.
    """
    names = sorted(entry.name for entry in os.scandir(root) if entry.is_dir())
    empty = [name for name in names if not _has_image(osp.join(root, name))]
    if len(empty) == len(names):
        return ()
    if empty:
        raise ValueError(f'{root}: the folder {empty[0]!r} holds no image; remove it, or fill it.')
    return tuple(names)


def _has_image(folder: str) -> bool:
    return (
        next(iter(scandir(folder, IMAGES, recursive=True, case_sensitive=False)), None) is not None
    )
