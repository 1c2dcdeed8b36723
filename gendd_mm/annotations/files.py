"""Annotation files: a line, or an entry, that cannot be read is named."""

import json
import os
import reprlib
from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.registry import DATASETS, DefaultScope
from mmpretrain.datasets import CustomDataset

from .printable import printable

# Most lines that an error lists.
MAX_LINES = 5
BOM = b'\xef\xbb\xbf'

_short = reprlib.Repr()
_short.maxstring = _short.maxother = 80


class AnnotationError(ValueError):
    """An annotation file cannot be read; the message names file, line and remedy."""


def check_annotations(cfg: Config, splits: tuple[str, ...]) -> None:
    """Check the annotation files of a config, before a model or a dataset is built.

    Those that :class:`mmpretrain.datasets.CustomDataset` and its kin read, and JSON of
    OpenMMLab's format. A file that is not there is left to the dataset.

    Args:
        cfg: A config of a run.
        splits: Which of its dataloaders are looked at: ``'train'``, ``'val'``,
            ``'test'``.

    Raises:
        AnnotationError: If a line or an entry cannot be read.
    """
    checked = set()
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope') or 'mmengine'):
        for split in splits:
            loader = cfg.get(f'{split}_dataloader') or {}
            for dataset in datasets_in(loader.get('dataset')):
                for file in annotation_files(dataset):
                    if file not in checked:
                        checked.add(file)
                        check_annotation_file(*file)


def annotation_files(cfg: Mapping) -> Iterator[tuple[str, bool, tuple[str, ...]]]:
    """The annotation file of a dataset's config, if it has one that we can check.

    Yields:
        The arguments of :func:`check_annotation_file`.
    """
    with DATASETS.switch_scope_and_registry(cfg.get('_scope_')) as registry:
        kind = cfg['type'] if isinstance(cfg['type'], type) else registry.get(cfg['type'])
    reader = getattr(kind, 'load_data_list', None)
    if reader not in (CustomDataset.load_data_list, BaseDataset.load_data_list):
        return
    try:
        # Built without its samples: it knows its own paths best.
        dataset = DATASETS.build({**cfg, 'lazy_init': True, 'pipeline': []})
    except TypeError:  # a class of a user, with other arguments
        return
    path = dataset.ann_file
    # Without one, or on other storage, the dataset itself says what it finds.
    if os.path.isfile(path) and (path.endswith('.json') or hasattr(dataset, 'with_label')):
        yield path, getattr(dataset, 'with_label', True), tuple(dataset.data_prefix)


def check_annotation_file(
    path: str, with_label: bool = True, path_keys: tuple[str, ...] = ('img_path',)
) -> None:
    """Check that every line or entry of an annotation file can be read.

    Args:
        path: JSON by its ending, else lines of ``PATH LABEL`` or ``PATH``.
        with_label: Whether the lines give labels. Defaults to True.
        path_keys: What each entry of JSON has a path for, as in ``data_prefix``. Defaults
            to ``('img_path', )``.

    Raises:
        AnnotationError: If not.
    """
    with open(path, 'rb') as file:
        data = file.read()
    if path.endswith('.json'):
        _check_json(path, data, path_keys)
        return
    faults = _line_faults(data, with_label)
    number, what, remedy = next(faults, (0, '', ''))
    if not number:
        return
    more = [str(other) for other, _, _ in faults]
    text = f'{path}, line {number}: {what}; {remedy}.'
    if more:
        listed = ', '.join(more[:MAX_LINES]) + (', ...' if len(more) > MAX_LINES else '')
        text += f' {len(more)} more lines cannot be read: {listed}.'
    raise AnnotationError(printable(text))


def _line_faults(data: bytes, with_label: bool) -> Iterator[tuple[int, str, str]]:
    """Number, fault and remedy of each line that MMPretrain would fail at, or misread."""
    expected = 'PATH LABEL' if with_label else 'PATH'
    nul = data.find(b'\0')
    if nul >= 0:
        number = len(data[:nul].splitlines()) or 1
        yield number, 'it has zero bytes', 'this is no text in UTF-8: check ann_file'
        return
    if not data.strip():
        yield 1, 'the file is empty', f'write lines of "{expected}"'
        return
    if data.startswith(BOM):
        yield (
            1,
            'it begins with a byte order mark, which would be a part of the path',
            'save the file as UTF-8 without one',
        )
        data = data.removeprefix(BOM)
    for number, raw in enumerate(data.splitlines(), 1):
        try:
            line = raw.decode('utf-8')
        except UnicodeDecodeError as error:
            what = f'byte {error.start + 1}, 0x{raw[error.start]:02x}, is not UTF-8'
            yield number, what, 'convert the file, as by: iconv -f latin1 -t utf-8'
            continue
        fault = _line_fault(line, with_label)
        if fault:
            yield number, fault, f'write "{expected}"'


def _line_fault(line: str, with_label: bool) -> str | None:
    if not line.strip():
        return 'it is blank'
    if not with_label:
        return None
    _, space, label = line.strip().rpartition(' ')
    if '\t' in label:
        return f'{_short.repr(line)} has a tab where a space must be'
    if not space:
        return f'{_short.repr(line)} has no label'
    try:
        # As MMPretrain reads it. Python refuses to read thousands of digits.
        number = int(label)
    except ValueError:
        return f'the label {_short.repr(label)} is no integer'
    return None if number.bit_length() < 64 else f'the label {_short.repr(label)} exceeds int64'


def _check_json(path: str, data: bytes, path_keys: tuple[str, ...]) -> None:
    try:
        # As MMEngine does, which takes no byte order mark.
        content: Any = json.loads(data.decode('utf-8'))
    except json.JSONDecodeError as error:
        raise AnnotationError(
            printable(f'{path}, line {error.lineno}: not JSON ({error.msg}); correct the file.')
        ) from error
    except (UnicodeDecodeError, RecursionError, ValueError) as error:
        line = data[: getattr(error, 'start', 0)].count(b'\n') + 1
        raise AnnotationError(
            printable(f'{path}, line {line}: not JSON in UTF-8 ({error}); correct the file.')
        ) from error
    entries = content.get('data_list') if isinstance(content, dict) else None
    if not (isinstance(entries, list) and entries and isinstance(content.get('metainfo'), dict)):
        raise AnnotationError(
            printable(
                f'{path} must be a dict with "metainfo", a dict, and "data_list", a list of a '
                'dict for each image; write it so.'
            )
        )
    for index, entry in enumerate(entries):
        wanted = [key for key in path_keys if not _has_path(entry, key)]
        if wanted:
            raise AnnotationError(
                printable(
                    f'{path}: entry {index} of data_list is {_short.repr(entry)}; write a dict '
                    f'with a text as {wanted[0]!r}.'
                )
            )


def _has_path(entry: Any, key: str) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get(key), str)


def datasets_in(cfg: Any) -> Iterator[Mapping]:
    """The configs of datasets in a config: it, and what it wraps."""
    if isinstance(cfg, Mapping) and 'type' in cfg:
        yield cfg
        for name in ('dataset', 'datasets'):
            inner = cfg.get(name) or ()
            for part in [inner] if isinstance(inner, Mapping) else inner:
                yield from datasets_in(part)
