"""Read all the data of a config, to find what would stop a long run."""

import copy
import reprlib
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from mmengine.config import Config
from mmengine.hub import get_config
from mmengine.registry import init_default_scope
from rich.progress import track
from torch.utils.data import DataLoader, Dataset, Subset

from gendd_mm.annotations import (
    ABSENT,
    MISSING,
    AnnotationError,
    annotation_files,
    check_annotation_file,
    class_index,
    datasets_in,
    label_fault,
    remedy,
)
from gendd_mm.registry import DATASETS, type_name

from .load_image import BrokenImageError

SPLITS = ('train', 'val', 'test')
# Samples that a worker process reports at once.
BATCH_SIZE = 64
# Labels from here on are not counted: a list of counts would fill the memory.
MAX_COUNTED = 10**6
# Heads of students that have no loss of labels.
UNLABELED_HEADS = ('SimKDHead', 'TeacherClassifierHead', 'UnlabeledClsHead')


@dataclass
class Report:
    """What was found in the dataset of one or more splits.

    Attributes:
        splits: Which of ``SPLITS`` use the dataset.
        kind: Its type.
        num_samples: Its length.
        num_read: How many were read: fewer than that with a limit.
        unreadable: Errors, by file.
        left_out: Samples that the dataset itself leaves out, with the reasons.
        class_counts: How many of the images read are of each class, from class 0 to the
            last one known; None without labels.
        wrong_labels: What is wrong with labels that a run would refuse, by file.
        fault: Why the dataset could not be built, or None.
    """

    splits: list[str]
    kind: str
    num_samples: int
    num_read: int = 0
    unreadable: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    class_counts: list[int] | None = None
    wrong_labels: dict[str, str] = field(default_factory=dict)
    fault: str | None = None

    @property
    def is_good(self) -> bool:
        """Whether a run can read the whole dataset."""
        return not (self.fault or self.unreadable or self.wrong_labels)


def check_config(
    cfg: Config, splits: tuple[str, ...] = SPLITS, num_workers: int = 4, limit: int | None = None
) -> list[Report]:
    """Read the datasets of a config, each once.

    Args:
        cfg: A config of a run, with ``custom_imports`` done.
        splits: Which of its dataloaders are read.
        num_workers: Processes that read; 0 reads in this one. Defaults to 4.
        limit: Most samples to read of each dataset, evenly spread. None reads all.
            Defaults to None.
    """
    init_default_scope(cfg.get('default_scope', 'mmengine'))
    num_classes = model_classes(cfg.get('model'))
    reads_labels = model_reads_labels(cfg.get('model'))
    reports: list[tuple[dict, Report]] = []
    for split in splits:
        loader = cfg.get(f'{split}_dataloader')
        if loader is None:
            continue
        # The test set is often the validation set: it is read once.
        for known, report in reports:
            if known == loader.dataset:
                report.splits.append(split)
                break
        else:
            report = check_dataset(
                loader.dataset,
                split,
                num_classes,
                num_workers,
                limit,
                reads_labels or split != 'train',
            )
            reports.append((loader.dataset, report))
    return [report for _, report in reports]


def check_dataset(
    cfg: dict,
    split: str,
    num_classes: int | None,
    num_workers: int,
    limit: int | None,
    reads_labels: bool = True,
) -> Report:
    """Read one dataset.

    Args:
        cfg: Config of the dataset.
        split: Its name in the report.
        num_classes: Classes of the model. None leaves the range of labels unchecked.
        num_workers: See :func:`check_config`.
        limit: See :func:`check_config`.
        reads_labels: Whether wrong labels count; otherwise they may be placeholders.
            Defaults to True.
    """
    cfg = _loading_only(cfg)
    try:
        for part in datasets_in(cfg):
            for file in annotation_files(part):
                check_annotation_file(*file)
        dataset = DATASETS.build(cfg)
        report = Report([split], type(dataset).__name__, len(dataset))
    except Exception as error:  # whatever a dataset makes of a damaged file
        what = '' if isinstance(error, AnnotationError) else f'{type(error).__name__}: '
        return Report([split], type_name(cfg['type']), 0, fault=f'{what}{error}')
    report.left_out = _left_out(dataset)
    samples: Dataset = _Samples(dataset, num_classes)
    if limit is not None and limit < len(dataset):
        spread = np.linspace(0, len(dataset) - 1, limit).astype(int)
        samples = Subset(samples, spread.tolist())
    loader = DataLoader(samples, BATCH_SIZE, num_workers=num_workers, collate_fn=list)
    found: list[int] = []
    missing: dict[str, str] = {}
    num_missing = 0
    for batch in track(loader, description=f'{split}: {report.kind}'):
        for sample in batch:
            report.num_read += 1
            if sample.error is not None:
                report.unreadable[sample.place] = sample.error
            if sample.class_index is not None:
                found.append(sample.class_index)
            if sample.label_fault is not None:
                wrong = missing if sample.is_missing else report.wrong_labels
                wrong[sample.place] = sample.label_fault
                num_missing += sample.is_missing
    # Whether a set without any label will do depends on what reads it.
    if num_missing < report.num_read or (num_classes is not None and split == 'train'):
        report.wrong_labels.update(missing)
    if not reads_labels:
        report.wrong_labels.clear()
    # Below zero they are placeholders; of a huge one, no list of counts has room.
    counted = [label for label in found if 0 <= label < MAX_COUNTED]
    if counted:
        report.class_counts = np.bincount(counted, minlength=num_classes or 0).tolist()
    return report


def model_classes(model: dict | None) -> int | None:
    """The number of classes in the head of a model's config, or of its student's.

    None if the config does not state it.
    """
    return (_student_of(model or {}).get('head') or {}).get('num_classes')


def model_reads_labels(model: dict | None) -> bool:
    """Whether the training of a model's config reads labels; as far as it tells, yes.

    The counterpart of what ``LabelCheckHook`` asks the model.
    """
    model = model or {}
    student = _student_of(model)
    head = student.get('head') or {}
    mappings = (model.get('distiller') or {}).get('loss_forward_mappings')
    return (
        mappings is None
        or (head.get('trainable', True) and type_name(head.get('type')) not in UNLABELED_HEADS)
        or any('label' in name for mapping in mappings.values() for name in mapping)
        or bool((student.get('train_cfg') or {}).get('augments'))
    )


def _student_of(model: dict) -> dict:
    student = model.get('architecture', model)
    return get_config(student['cfg_path']).model if 'cfg_path' in student else student


def _left_out(dataset) -> dict[str, str]:
    """What a dataset leaves out, or the datasets inside a wrapper."""
    found = dict(getattr(dataset, 'skipped', {}))
    inner = getattr(dataset, 'datasets', [getattr(dataset, 'dataset', None)])
    for part in inner:
        if part is not None:
            found.update(_left_out(part))
    return found


def _loading_only(cfg: dict) -> dict:
    """The config of a dataset that only loads its images.

    No error is hidden: no other sample replaces a broken one, and the missing part of a
    JPEG is not filled with grey.
    """
    cfg = copy.deepcopy(cfg)
    if 'pipeline' in cfg:
        cfg['max_refetch'] = 0
        cfg['pipeline'] = [step for transform in cfg['pipeline'] for step in _strictly(transform)]
    for name in ('dataset', 'datasets'):
        if isinstance(cfg.get(name), dict):
            cfg[name] = _loading_only(cfg[name])
        elif name in cfg:
            cfg[name] = [_loading_only(part) for part in cfg[name]]
    return cfg


def _strictly(transform: dict) -> list[dict]:
    """A loading transform, after the same by Pillow; nothing for the others."""
    name = type_name(transform['type'])
    if not name.startswith('Load'):
        return []
    if name not in ('LoadImage', 'LoadImageFromFile'):
        return [transform]
    keys = ('max_pixels', 'color_type', 'backend_args')
    strict = {key: transform[key] for key in keys if key in transform}
    strict.update(type='gendd_mm.LoadImage', imdecode_backend='pillow')
    if name == 'LoadImage':
        transform = {**transform, 'skip_broken': False}
    # Pillow refuses a JPEG that is cut off; OpenCV does not.
    return [strict, transform]


class _Sample(NamedTuple):
    """What a worker process reports of a sample; a fault of its label or its image or None."""

    place: str
    class_index: int | None
    is_missing: bool
    label_fault: str | None
    error: str | None


class _Samples(Dataset):
    """Reads samples, each for a :class:`_Sample`."""

    def __init__(self, dataset, num_classes: int | None) -> None:
        self.dataset = dataset
        self.num_classes = num_classes

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, idx: int) -> _Sample:
        info = self.dataset.get_data_info(int(idx))
        place = str(info.get('img_path', f'sample {idx}'))
        label, rule = info.get('gt_label', ABSENT), None
        if 'gt_label' in info or 'gt_score' not in info:
            rule = label_fault(label, self.num_classes)
        fault = rule and f'label {reprlib.repr(label)} at sample {idx}: {rule}. {remedy(rule)}'
        return _Sample(place, class_index(label), rule == MISSING, fault, self._error(int(idx)))

    def _error(self, idx: int) -> str | None:
        try:
            self.dataset[idx]
        except BrokenImageError as error:
            return error.fault
        except Exception as error:  # a broken file can make a decoder raise anything
            return f'{type(error).__name__}: {error}'
        return None
