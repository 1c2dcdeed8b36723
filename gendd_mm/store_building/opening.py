"""Begin a store for a config, or go on with one that fits it."""

import os
import os.path as osp
import shutil
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, DefaultScope
from safetensors.torch import save

from gendd_mm.checkpoint import fingerprint
from gendd_mm.datasets import AugmentedViews
from gendd_mm.datasets.store_fit import image_list_hash, probe_file, probe_views
from gendd_mm.engine.atomic_backend import AtomicBackend
from gendd_mm.engine.model import build_model
from gendd_mm.engine.views import expand_views
from gendd_mm.models import GenDD
from gendd_mm.models.algorithms.build_teacher import build_teacher
from gendd_mm.models.algorithms.classifier_search import find_classifier
from gendd_mm.models.algorithms.frozen_teacher import FrozenTeacher
from gendd_mm.models.algorithms.renormalize import Renormalize, normalization_text
from gendd_mm.registry import type_name
from gendd_mm.teacher_store import (
    CLASSIFIER,
    DTYPES,
    FILE,
    Description,
    Part,
    StoreError,
    read_description,
)

from .builder import LOCKS, StoreBuilder, locked
from .pixels import with_pixels

# Whose augmentations and arithmetic are in the features.
_PACKAGES = ('torch', 'numpy', 'opencv-python', 'pillow', 'mmcv', 'mmcv-lite', 'mmpretrain')


def open_builder(
    cfg: Config,
    store: str,
    num_views: int | None = None,
    seed: int | None = None,
    dtype: str | None = None,
    rows_per_shard: int | None = None,
    batch_size: int | None = None,
    num_workers: int | None = None,
    device: str = 'cpu',
    pixels: bool | None = None,
) -> StoreBuilder:
    """What builds the store of a config's teacher on its training images.

    For a teacher without a classifier the images of validation and test are stored too,
    in one view, as its features of them are compared.

    Args:
        cfg: A config of a distillation, read but without views written out.
        store: Folder: of a new store, or of one that fits.
        num_views: Views of each image. None takes those of ``cfg.views`` or of the store;
            more than the store has are added to it.
        seed: From which views follow. None takes that of ``cfg.views`` or of the store, or
            0.
        dtype: Of the features: ``'float32'``, ``'float16'`` or ``'bfloat16'``. None takes
            that of the store, or float16.
        rows_per_shard: Images of a shard. None takes that of the store, or 16,384.
        batch_size: Images that the teacher sees at once. None takes that of training.
        num_workers: Processes that load images. None takes those of training.
        device: Where the teacher runs.
        pixels: Whether to store the views of the training images too, so that training
            runs no augmentation. None does as the store does, or not.

    Raises:
        StoreError: If the store is of something else, cannot be written, or does not fit on
            its disk.
    """
    store = osp.abspath(osp.expanduser(store))
    old = read_description(store) if osp.exists(osp.join(store, FILE)) else None
    if type_name((cfg.get('model') or {}).get('teacher', {}).get('type')) == 'StoredTeacher':
        raise StoreError(f'{cfg.filename} trains from a store; give the config of its teacher.')
    if 'teacher' not in (cfg.get('model') or {}):
        raise StoreError(f'{cfg.filename} trains without a teacher, so there is nothing to store.')
    cfg.views = _views(cfg, old, num_views, seed)
    expand_views(cfg)
    loader = cfg.train_dataloader
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope')):
        preprocessor, teacher = _models(cfg, device)
        datasets = _datasets(cfg, with_evaluation=teacher.classifier is None)
        probes = {name: probe_views(views) for name, views in datasets.items()}
        new = _describe(
            datasets,
            preprocessor,
            teacher,
            next(iter(probes['train'].values())),
            dtype or (old.dtype if old else 'float16'),
            rows_per_shard or (old.rows_per_shard if old else 16384),
        )
        if pixels is None:
            pixels = old is not None and old.parts['train'].pixels is not None
        if pixels:
            new = with_pixels(new, datasets['train'], probes['train'])
    _make_folder(store)
    with locked(store, 'store', wait=True):
        description = _begun(store, new, teacher, probes)
    builder = StoreBuilder(
        store,
        description,
        datasets,
        preprocessor,
        teacher,
        batch_size or loader.get('batch_size') or 64,
        loader.get('num_workers', 0) if num_workers is None else num_workers,
    )
    _check_room(builder)
    return builder


def _views(
    cfg: Config, old: Description | None, num_views: int | None, seed: int | None
) -> dict[str, int]:
    asked = dict(cfg.get('views') or {})
    part = None if old is None else old.parts.get('train')
    num_views = num_views or asked.get('num_views') or (part.num_views if part else None)
    if num_views is None:
        raise StoreError(
            'the number of views is not stated; set --views: as many as epochs loses nothing, '
            'docs/store.md says what fewer cost.'
        )
    if part is not None:  # fewer than there are would not be another store
        num_views = max(num_views, part.num_views)
    if seed is None:
        seed = asked.get('seed', part.seed if part else 0)
    return dict(num_views=num_views, seed=seed)


def _models(cfg: Config, device: str) -> tuple[BaseModel, FrozenTeacher]:
    """The preprocessor of the run and the teacher, on a device."""
    model: Any = build_model(cfg)
    if isinstance(model, GenDD):
        teacher = model.teacher
    else:
        # MMRazor's own teacher, but with all of its weights or none.
        network = build_teacher(cfg.model.teacher.to_dict(), cfg.model.get('teacher_ckpt'))
        same = Renormalize(model.data_preprocessor, None)
        teacher = FrozenTeacher(network, same, find_classifier(network))
    teacher.apply_to_tensors(lambda tensor: tensor.to(device))
    return model.data_preprocessor.to(device), teacher


def _datasets(cfg: Config, with_evaluation: bool) -> dict[str, AugmentedViews]:
    datasets = dict(train=DATASETS.build(cfg.train_dataloader.dataset.to_dict()))
    if with_evaluation:
        known: list = []
        for part in ('val', 'test'):
            loader = cfg.get(f'{part}_dataloader')
            if loader is not None and loader.dataset not in known:
                known.append(loader.dataset)
                datasets[part] = AugmentedViews(loader.dataset.to_dict(), num_views=1, part=part)
    return datasets


def _describe(
    datasets: dict[str, AugmentedViews],
    preprocessor: Any,
    teacher: FrozenTeacher,
    image: torch.Tensor,
    dtype: str,
    rows_per_shard: int,
) -> Description:
    if dtype not in DTYPES:
        raise StoreError(f'dtype={dtype!r} is unknown; choose from {list(DTYPES)}.')
    if rows_per_shard < 1:
        raise StoreError(f'rows_per_shard={rows_per_shard} must be at least 1.')
    inputs = preprocessor(dict(inputs=torch.stack([image, image])), False)['inputs']
    features = {name: value.size(1) for name, value in teacher.features(inputs).items()}
    parts = {
        name: Part(
            num_images=len(views),
            num_views=views.num_views,
            seed=views.seed,
            images=image_list_hash(views),
            pipeline=views.pipeline or [],
            mixing=views.mixing_text,
        )
        for name, views in datasets.items()
    }
    return Description(
        teacher=fingerprint(teacher.model.state_dict()),
        teacher_type=type(teacher.model).__name__,
        precision=str(teacher.dtype or torch.float32).removeprefix('torch.'),
        normalization=None if teacher.renormalize.is_given else normalization_text(preprocessor),
        classifier=teacher.classifier_name,
        features=features,
        dtype=dtype,
        rows_per_shard=rows_per_shard,
        parts=parts,
        versions=_versions(),
    )


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _make_folder(store: str) -> None:
    try:
        os.makedirs(osp.join(store, LOCKS), exist_ok=True)
        others = [
            name
            for name in os.listdir(store)
            if name not in (LOCKS, CLASSIFIER, FILE) and not name.startswith('probes_')
        ]
    except OSError as error:
        raise StoreError(
            f'store={store!r} cannot be written to ({error.strerror}); choose another folder, or '
            'correct its permissions.'
        ) from error
    if others and not osp.exists(osp.join(store, FILE)):
        raise StoreError(
            f'store={store!r} is not empty ({others[0]}) and no store; choose a new folder.'
        )


def _begun(
    store: str, new: Description, teacher: FrozenTeacher, probes: dict[str, dict]
) -> Description:
    """The description of a store that is begun now, or was before and fits."""
    put = AtomicBackend().put
    if osp.exists(osp.join(store, FILE)):
        old = read_description(store)
        _check_same(store, old, new)
        if new.parts['train'].num_views <= old.parts['train'].num_views:
            return old
        new = replace(new, versions=old.versions)
    else:
        if teacher.classifier_name is not None:
            state = teacher.classifier.state_dict(prefix=f'{teacher.classifier_name}.')
            weights = {key: value.cpu() for key, value in state.items()}
            put(save(weights), osp.join(store, CLASSIFIER))
        for name, views in probes.items():
            put(save(views), probe_file(store, name))
    put(new.as_json().encode(), osp.join(store, FILE))
    return new


def _check_same(store: str, old: Description, new: Description) -> None:
    """Refuse to mix the features of two teachers, pipelines or lists of images."""
    differing = [
        f'{name}: {getattr(old, name)!r} there, {getattr(new, name)!r} here'
        for name in ('teacher', 'precision', 'normalization', 'classifier', 'features', 'dtype')
        if getattr(old, name) != getattr(new, name)
    ]
    if old.rows_per_shard != new.rows_per_shard:
        differing.append(f'rows_per_shard: {old.rows_per_shard} there')
    if old.parts.keys() != new.parts.keys():
        differing.append(f'parts: {sorted(old.parts)} there, {sorted(new.parts)} here')
    for name in old.parts.keys() & new.parts.keys():
        for key in ('num_images', 'images', 'seed', 'pipeline', 'mixing', 'pixels'):
            there, here = getattr(old.parts[name], key), getattr(new.parts[name], key)
            if there != here:
                differing.append(f'{name}.{key}: {there!r} there, {here!r} here')
    if differing:
        raise StoreError(
            f'store={store!r} is of something else: {"; ".join(differing)}. Restore that, or '
            'build another store in a new folder.'
        )


def _check_room(builder: StoreBuilder) -> None:
    needed, free = builder.bytes_left(), shutil.disk_usage(builder.store).free
    if needed > free:
        raise StoreError(
            f'store={builder.store!r} needs {needed / 1e9:.1f} GB more, but {free / 1e9:.1f} GB '
            'are free on its disk; choose another disk, fewer views or a smaller dtype.'
        )
