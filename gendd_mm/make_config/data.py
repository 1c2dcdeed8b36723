"""From a folder or a list to the datasets of a run."""

import os
import os.path as osp
import re
from typing import Any, NamedTuple

from mmengine.utils import scandir

from gendd_mm.annotations import check_annotation_file

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


def find_data(data: str, labels: bool | None = None, val: str | None = None) -> Data:
    """What images are for training, and for validation.

    Understood are ``train`` and ``val`` (or ``test``) in a folder, each with a folder per
    class; a folder per class alone; images without folders; tar shards; and the path of a
    list, with a path below the list's own folder and perhaps the number of a class on each
    line.

    Args:
        data: The folder or the list.
        labels: Whether the labels of training images are used. None uses them where there
            are some.
        val: Folder of classes, or list with labels, for validation. None takes ``val`` or
            ``test`` of the folder.

    Raises:
        ValueError: If there are no images, labels are asked for and there are none, or
            the classes of training and validation differ.
    """
    if not osp.exists(data):
        raise ValueError(f'--data {data} does not exist; give a folder of images, or a list.')
    train = osp.join(data, 'train')
    root = train if osp.isdir(train) else data
    dataset, classes, found = _images_of(root)
    if labels and not classes:
        raise ValueError(
            f'--labels, but {root} holds {found}. Sort the images into a folder per class, '
            'write the number of a class behind each path of the list, or leave it out.'
        )
    labelled = bool(classes) if labels is None else labels
    if 'with_label' in dataset and 'ann_file' not in dataset:
        dataset['with_label'] = labelled  # a line of a list is what it is
    held_out = None
    inside = (osp.join(data, name) for name in ('val', 'test'))
    val = val or next((path for path in inside if osp.isdir(path)), None)
    if val is not None:
        if not osp.exists(val):
            raise ValueError(f'--val-data {val} does not exist; give a folder, or a list.')
        held_out, held_out_classes, _ = _images_of(val)
        if not held_out_classes:
            raise ValueError(
                f'{val} has no labels to validate with; sort its images into a folder per class, '
                'or write the number of a class behind each path of a list.'
            )
        if labelled and held_out_classes != classes:
            differing = sorted({*classes} ^ {*held_out_classes})
            raise ValueError(
                f'{root} and {val} have other classes, the first that differ are '
                f'{differing[:3]}; their labels would not be the same. Make them equal.'
            )
        found += f'; {osp.basename(val)} for validation'
        classes = classes or held_out_classes
    return Data(dataset, held_out, labelled, found, classes)


def _images_of(root: str) -> tuple[dict[str, Any], tuple[str, ...], str]:
    """The dataset of a folder or a list, its classes if it has labels, and what it is."""
    if osp.isfile(root):
        return _listed(root)
    if any(name.endswith('.tar') for name in os.listdir(root)):
        shards = dict(type='gendd_mm.UnlabeledShards', data_root=root, shards='*.tar')
        return shards, (), 'tar shards, without labels'
    classes = _classes_in(root)
    if classes:
        found = f'{len(classes)} folders of classes, the first {classes[0]!r}'
    elif _has_image(root):
        found = 'images without labels'
    else:
        raise ValueError(
            f'{root} holds no images, folders of classes or tar shards; images end with '
            f'{", ".join(IMAGES)}.'
        )
    dataset = dict(type='CustomDataset', data_root=root, with_label=bool(classes))
    return dataset, classes, found


def _listed(path: str) -> tuple[dict[str, Any], tuple[str, ...], str]:
    """As :func:`_images_of`; a class is called by its number, up to the highest."""
    with open(path, 'rb') as file:
        with_label = re.search(rb'\S +-?[0-9]+\s*$', file.readline()) is not None
    check_annotation_file(path, with_label)
    with open(path, encoding='utf-8') as file:
        lines = [line.strip() for line in file]
    folder, name = osp.split(path)
    folder = folder or '.'
    image = lines[0].rpartition(' ')[0] if with_label else lines[0]
    if not osp.isfile(osp.join(folder, image)):
        raise ValueError(
            f'{path} lists {image!r}, which is not in {folder}; paths are below the folder of the '
            'list.'
        )
    classes: tuple[str, ...] = ()
    if with_label:
        labels = [int(line.rpartition(' ')[2]) for line in lines]
        last = max(labels)
        if min(labels) < 0 or last >= len(labels):
            raise ValueError(
                f'{path} has labels of {min(labels)} to {last} for {len(labels)} images; number '
                'the classes from 0 without a gap.'
            )
        classes = tuple(map(str, range(last + 1)))
    dataset = dict(type='CustomDataset', data_root=folder, ann_file=name, with_label=with_label)
    kind = f'with labels of {len(classes)} classes' if classes else 'without labels'
    return dataset, classes, f'a list of images {kind}'


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
