"""Read all the data of a config, to find what would stop a long run."""

import copy
from dataclasses import dataclass, field

import numpy as np
from mmengine.config import Config
from mmengine.hub import get_config
from mmengine.registry import init_default_scope
from rich.progress import track
from torch.utils.data import DataLoader, Dataset, Subset

from gendd_mm.registry import DATASETS

SPLITS = ('train', 'val', 'test')
# Samples that a worker process reports at once.
BATCH_SIZE = 64


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
        out_of_range: Labels outside the model's classes, by file.
    """

    splits: list[str]
    kind: str
    num_samples: int
    num_read: int = 0
    unreadable: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    class_counts: list[int] | None = None
    out_of_range: dict[str, list[int]] = field(default_factory=dict)

    @property
    def is_good(self) -> bool:
        """Whether a run can read the whole dataset."""
        return not (self.unreadable or self.out_of_range)


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
            report = check_dataset(loader.dataset, split, num_classes, num_workers, limit)
            reports.append((loader.dataset, report))
    return [report for _, report in reports]


def check_dataset(
    cfg: dict, split: str, num_classes: int | None, num_workers: int, limit: int | None
) -> Report:
    """Read one dataset.

    Args:
        cfg: Config of the dataset.
        split: Its name in the report.
        num_classes: Classes of the model. None leaves labels unchecked.
        num_workers: See :func:`check_config`.
        limit: See :func:`check_config`.
    """
    dataset = DATASETS.build(_loading_only(cfg))
    report = Report([split], type(dataset).__name__, len(dataset))
    report.left_out = _left_out(dataset)
    samples: Dataset = _Samples(dataset)
    if limit is not None and limit < len(dataset):
        spread = np.linspace(0, len(dataset) - 1, limit).astype(int)
        samples = Subset(samples, spread.tolist())
    loader = DataLoader(samples, BATCH_SIZE, num_workers=num_workers, collate_fn=list)
    found = []
    for batch in track(loader, description=f'{split}: {report.kind}'):
        for place, labels, error in batch:
            report.num_read += 1
            found += labels
            if error is not None:
                report.unreadable[place] = error
            if num_classes is not None and not all(0 <= label < num_classes for label in labels):
                report.out_of_range[place] = labels
    # All are below zero: placeholders of a dataset without labels.
    if not any(label >= 0 for label in found):
        report.out_of_range.clear()
        return report
    report.class_counts = np.bincount(
        [label for label in found if label >= 0], minlength=num_classes or 0
    ).tolist()
    return report


def model_classes(model: dict | None) -> int | None:
    """The number of classes in the head of a model's config, or of its student's.

    None if the config does not state it.
    """
    student = (model or {}).get('architecture', model or {})
    if 'cfg_path' in student:
        student = get_config(student['cfg_path']).model
    return (student.get('head') or {}).get('num_classes')


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
    kind = transform['type']
    name = str(getattr(kind, '__name__', kind)).rpartition('.')[2]
    if not name.startswith('Load'):
        return []
    if name != 'LoadImageFromFile':
        return [transform]
    # Pillow refuses a JPEG that is cut off; OpenCV does not.
    return [{**transform, 'imdecode_backend': 'pillow'}, transform]


class _Samples(Dataset):
    """Reads samples. Each gives its place, its labels, and its error or None."""

    def __init__(self, dataset) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, idx: int) -> tuple[str, list[int], str | None]:
        info = self.dataset.get_data_info(int(idx))
        place = info.get('img_path', f'sample {idx}')
        labels = np.atleast_1d(info.get('gt_label', [])).astype(int).tolist()
        try:
            self.dataset[int(idx)]
        except Exception as error:  # a broken file can make a decoder raise anything
            return place, labels, f'{type(error).__name__}: {error}'
        return place, labels, None
