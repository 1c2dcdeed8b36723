"""Export the student as a plain mmpretrain model."""

import copy
import os.path as osp
from typing import NamedTuple

import torch
from mmengine.config import Config
from mmengine.fileio import list_from_file
from mmengine.utils import mkdir_or_exist
from mmpretrain.datasets import CIFAR10
from mmpretrain.registry import DATASETS as MMPRETRAIN_DATASETS
from mmpretrain.registry import MODELS as MMPRETRAIN_MODELS

from gendd_mm.checkpoint import read_checkpoint
from gendd_mm.deploy.features import test_dataset
from gendd_mm.deploy.fitted_probe import TARGETS, fitted_probe
from gendd_mm.deploy.named_types import named_types
from gendd_mm.deploy.needed_packages import needed_packages
from gendd_mm.deploy.start_weights import without_origin
from gendd_mm.deploy.student_weights import retrained_probe, student_weights
from gendd_mm.models.algorithms.build_teacher import expanded
from gendd_mm.registry import type_name

PROBES = ('trained', *TARGETS)
# Heads of ours that are a LinearClsHead once training is over.
PLAIN_HEADS = ('LinearProbeHead', 'TeacherClassifierHead', 'UnlabeledClsHead')


class ExportedStudent(NamedTuple):
    """The files that were written, and the packages that load them."""

    config: str
    weights: str
    # Besides mmpretrain; empty for most students.
    needs: list[str]


def export_student(
    cfg: Config, checkpoint: str, out_dir: str, probe: str = 'trained'
) -> ExportedStudent:
    """Write the student of a distillation as config and weights.

    The result is an ``ImageClassifier`` whose head is the probe as a
    ``LinearClsHead``, without teacher and generative head. It loads in
    mmpretrain alone, unless its backbone comes from another package: then the
    config names the package and, if it is gendd_mm, imports it. The student is
    loaded strictly once before anything is written.

    Args:
        cfg: Config of the run. Its ``model.architecture`` is the student.
        checkpoint: Checkpoint of the run.
        out_dir: Folder to write ``student.py`` and ``student.pth`` to.
        probe: Which classifier the student gets: the one that was
            ``'trained'`` with it; one fitted to convergence on the frozen
            student and the run's training images, either to the ``'teacher'``
            (no labels needed) or to the ``'labels'``; docs/benchmark.md
            compares them. Or one that was trained anew by the config of
            :func:`probe_config`: the path of that run's checkpoint. Defaults
            to ``'trained'``.

    Returns:
        Paths of the config and of the weights, and the packages needed.

    Raises:
        FileNotFoundError: If there is no such checkpoint, or ``probe`` is
            neither known nor a file.
        ValueError: If there is no student, the probe was not trained, has no
            images or labels to be fitted to or is of another student, or the
            weights do not fit.
    """
    if probe not in PROBES and not osp.isfile(probe):
        raise FileNotFoundError(
            f'probe={probe!r} is not a file; give the checkpoint of a probe that was trained '
            f'anew (gendd-probe-config), or choose from {PROBES}.'
        )
    cfg = Config(named_types(cfg.to_dict()))
    model = plain_model(cfg, probe)
    dataset = _plain_dataset(cfg)
    weights = student_weights(checkpoint)
    if probe != 'trained':
        if 'head.fc.weight' not in weights:
            raise ValueError(
                f'probe={probe!r} replaces the linear layer head.fc, which '
                f"{model['head']['type']} does not have; use probe='trained'."
            )
        if probe in TARGETS:
            layer = fitted_probe(cfg, checkpoint, probe).state_dict(prefix='head.fc.')
        else:
            layer = retrained_probe(probe, weights)
        weights |= {name: value.to(weights[name]) for name, value in layer.items()}
    built = MMPRETRAIN_MODELS.build(copy.deepcopy(model))
    try:
        built.load_state_dict(weights, strict=True)
    except RuntimeError as error:
        raise ValueError(
            f'checkpoint {checkpoint!r} does not fit the student of the config: {error}; give '
            'the config and the checkpoint of the same run.'
        ) from error

    needs = needed_packages([model, dataset])
    mkdir_or_exist(out_dir)
    config_path = osp.join(out_dir, 'student.py')
    weights_path = osp.join(out_dir, 'student.pth')
    with open(config_path, 'w', encoding='utf-8') as file:
        file.write(config_text(model, dataset, needs))
    classes = class_names(cfg, checkpoint)
    meta = dict(dataset_meta=dict(classes=classes)) if classes else {}
    torch.save(dict(meta=meta, state_dict=weights), weights_path)
    return ExportedStudent(config_path, weights_path, needs)


def config_text(model: dict, dataset: dict | None, needs: list[str]) -> str:
    """The exported config file; its docstring names the packages that load it."""
    settings = dict(
        default_scope='mmpretrain',
        model=model,
    )
    if dataset is not None:
        # mmpretrain's inferencer reads here how to prepare an image.
        settings['test_dataloader'] = dict(dataset=dataset)
    where = 'mmpretrain alone'
    if needs:
        where = f'mmpretrain with {", ".join(needs)} installed'
    if 'gendd_mm' in needs:
        settings['custom_imports'] = dict(imports=['gendd_mm'], allow_failed_imports=False)
    return (
        f'"""The student of a distillation. It loads in {where}."""\n{Config(settings).pretty_text}'
    )


def plain_model(cfg: Config, probe: str | None) -> dict:
    """The student's config, by mmpretrain's own types; without its head if probe is None."""
    if 'architecture' not in cfg.model:
        raise ValueError(
            f'model.type={cfg.model.get("type")!r} has no architecture, so there is no student to '
            'export; give the config of a distillation.'
        )
    student = named_types(cfg.model.architecture.to_dict())
    if probe is None:
        student = dict(expanded(student))
        student.pop('head', None)
    else:
        _make_head_plain(student, probe)
    # As the runner builds the algorithm, which takes that of its student last.
    preprocessor = (
        cfg.model.get('data_preprocessor')
        or cfg.get('data_preprocessor')
        or student.get('data_preprocessor')
        or {}
    )
    student['data_preprocessor'] = {
        key: value for key, value in dict(preprocessor).items() if key != 'batch_augments'
    }
    if gives_rgb(cfg):
        # The exported student is for image files, which are read as BGR.
        swap = student['data_preprocessor'].get('to_rgb', False)
        student['data_preprocessor']['to_rgb'] = not swap
    student.pop('train_cfg', None)  # a setting of the run, not of its result
    return _without_scope(without_origin(student))


def _make_head_plain(student: dict, probe: str) -> None:
    if 'head' not in student:
        raise ValueError(
            'model.architecture states no head, so it cannot be turned into a plain student; '
            'write backbone, neck and head out in the config, also with cfg_path.'
        )
    head = student['head']
    if type_name(head['type']) == 'NoHead':
        raise ValueError(
            'the student of this run learns features alone (NoHead), so it has no classifier to '
            'export; export the backbone (--backbone).'
        )
    if not head.pop('trainable', True) and probe == 'trained':
        raise ValueError(
            'the probe of this run was not trained (trainable=False), so the student has no '
            "classifier; fit one to the teacher with probe='teacher' (--probe teacher), "
            'or export the backbone alone (--backbone).'
        )
    if head['type'].rpartition('.')[2] in PLAIN_HEADS:
        head['type'] = 'LinearClsHead'
        head.pop('standardize', None)


def _plain_dataset(cfg: Config) -> dict:
    """The test transforms, by mmpretrain's own types, without data."""
    dataset = test_dataset(cfg)
    if 'pipeline' not in dataset:
        raise ValueError(
            'test_dataloader.dataset states no pipeline, so the exported student would not know '
            'how to prepare an image; set it, or test_pipeline, in the config.'
        )
    pipeline = [transform.to_dict() for transform in dataset['pipeline']]
    if gives_rgb(cfg):
        pipeline.insert(0, dict(type='LoadImageFromFile'))
    # get_model() looks the type up, so it must be one of mmpretrain's.
    return dict(type='CustomDataset', pipeline=_without_scope(pipeline))


def gives_rgb(cfg: Config) -> bool:
    """Whether the test set gives RGB arrays, as mmpretrain's CIFAR does."""
    dataset = test_dataset(cfg)
    kind = MMPRETRAIN_DATASETS.get(dataset['type']) if 'type' in dataset else None
    return isinstance(kind, type) and issubclass(kind, CIFAR10)


def _without_scope(node):
    """A config without the prefix ``mmpretrain.`` of its types."""
    if isinstance(node, list):
        return [_without_scope(child) for child in node]
    if not isinstance(node, dict):
        return node
    node = {key: _without_scope(value) for key, value in node.items()}
    if isinstance(node.get('type'), str):
        node['type'] = node['type'].removeprefix('mmpretrain.')
    return node


def class_names(cfg: Config, checkpoint: str) -> list[str] | None:
    """Class names: those that the run knew, or else those that its test set states."""
    known = (read_checkpoint(checkpoint).get('meta') or {}).get('dataset_meta') or {}
    classes = known.get('classes') or known.get('CLASSES')
    if not classes:
        dataset = test_dataset(cfg)
        # mmpretrain's registry also finds types of other scopes.
        kind = MMPRETRAIN_DATASETS.get(dataset['type'])
        metainfo = {**(getattr(kind, 'METAINFO', None) or {}), **(dataset.get('metainfo') or {})}
        classes = metainfo.get('classes') or dataset.get('classes')
    if isinstance(classes, str):  # a file with a name in each line
        classes = list_from_file(classes) if osp.isfile(classes) else None
    return list(classes) if classes else None
