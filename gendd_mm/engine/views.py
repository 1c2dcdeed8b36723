"""A run on views of its images that can be had again, and from a store of features.

A config asks for views by ``views = dict(num_views=8, seed=0)``, or trains from a store,
which states them, by ``model.teacher = dict(type='gendd_mm.StoredTeacher', store=...)``.
What follows from that for dataset, sampler and mixing is written into the config here.
"""

from collections.abc import Mapping
from typing import Any

from mmengine.config import Config

from gendd_mm.registry import type_name
from gendd_mm.teacher_store import Description, StoreError, TeacherStore, read_description

__all__ = ['expand_views', 'use_store']

STORED = 'StoredTeacher'
VIEWS = 'AugmentedViews'


def use_store(cfg: Config, store: str) -> None:
    """Let a store stand in for the teacher of a config, in place.

    Heads that borrow the teacher's classifier get that of the store.

    Raises:
        StoreError: If there is no such store, or the config trains without a teacher.
    """
    if 'teacher' not in (cfg.get('model') or {}):
        raise StoreError(
            f'--teacher-store {store}: {cfg.filename} trains without a teacher; leave it out.'
        )
    read_description(store)
    cfg.model.teacher = dict(type=f'gendd_mm.{STORED}', store=store)


def expand_views(cfg: Config) -> None:
    """Write dataset, sampler and mixing of a run on views into its config, in place.

    A config without views and store, or with them written out, is left as it is.

    Raises:
        StoreError: If the store does not fit the config.
        ValueError: If ``views`` is not ``dict(num_views=..., seed=...)``.
    """
    asked = _asked(cfg.pop('views', None))
    teacher = (cfg.get('model') or {}).get('teacher') or {}
    store = None
    if type_name(teacher.get('type')) == STORED:
        store = TeacherStore(teacher['store'])
        _check_recorders(cfg.model, store)
        _borrow_classifier(cfg.model, store)
        asked = _as_stored(store, asked)
    if asked is None or cfg.get('train_dataloader') is None:
        return
    _wrap(cfg, 'train', asked, store)
    if store is None or 'val' not in store.description.parts:
        return
    # A teacher without a classifier: its features of these images are compared.
    for name in ('val', 'test'):
        if cfg.get(f'{name}_dataloader') is not None:
            # The test images are often those of validation, and stored once.
            part = name if name in store.description.parts else 'val'
            _wrap(cfg, name, dict(num_views=1, seed=0, part=part), store)


def _asked(views: Any) -> dict | None:
    if views is None:
        return None
    known = {'num_views', 'seed'}
    if (
        not isinstance(views, Mapping)
        or 'num_views' not in views
        or views.keys() - known
        or not all(type(value) is int and value >= 0 for value in views.values())
        or views['num_views'] < 1
    ):
        raise ValueError(
            f'views={views} must be dict(num_views=..., seed=...), whole numbers, of views at '
            'least 1.'
        )
    return dict(num_views=views['num_views'], seed=views.get('seed', 0))


def _as_stored(store: TeacherStore, asked: dict | None) -> dict:
    """The views of a store, or fewer of them."""
    part = store.description.parts['train']
    asked = dict(num_views=part.num_views, seed=part.seed) if asked is None else asked
    if asked['num_views'] > part.num_views or asked['seed'] != part.seed:
        raise StoreError(
            f'views={asked}, but store={store.path!r} has {part.num_views} of seed={part.seed}; '
            'leave views out, or add some by gendd-store-teacher with --views '
            f'{asked["num_views"]}.'
        )
    return asked


def _wrap(cfg: Config, name: str, views: dict, store: TeacherStore | None) -> None:
    loader = cfg[f'{name}_dataloader']
    dataset = loader.dataset
    if type_name(dataset.get('type')) != VIEWS:
        mixing = _take_mixing(cfg) if name == 'train' else None
        settings = dict(views, type=f'gendd_mm.{VIEWS}', dataset=dataset.to_dict())
        if mixing is not None:
            settings.update(mixing=mixing, num_classes=_num_classes(cfg))
        loader.dataset = settings
    if store is not None:
        loader.dataset.store = store.path
    if loader.dataset.num_views > 1:
        _draw_views(loader)


def _draw_views(loader: Any) -> None:
    if loader.get('sampler') is None:
        raise StoreError(
            'train_dataloader.sampler is missing, and an epoch could not choose its views; set '
            "it, such as dict(type='DefaultSampler', shuffle=True)."
        )
    if type_name(loader.sampler.get('type')) != 'ViewSampler':
        loader.sampler = dict(type='gendd_mm.ViewSampler', sampler=loader.sampler.to_dict())


def _take_mixing(cfg: Config) -> dict | None:
    """The augmentations of a batch, which are the dataset's from now on."""
    model = cfg.model
    for owner in (model.get('architecture'), model):
        settings: Any = owner.get('train_cfg') if isinstance(owner, Mapping) else None
        if settings and settings.get('augments'):
            augments, probs = settings.pop('augments'), settings.pop('probs', None)
            return dict(augments=_plain(augments), probs=_plain(probs))
    preprocessors: list[Any] = [
        owner.get('data_preprocessor')
        for owner in (model.get('architecture'), model)
        if isinstance(owner, Mapping)
    ]
    for own in [*preprocessors, cfg.get('data_preprocessor')]:
        if own and own.get('batch_augments'):
            return dict(_plain(own.pop('batch_augments')))
    return None


def _plain(settings: Any) -> Any:
    return settings.to_dict() if hasattr(settings, 'to_dict') else settings


def _num_classes(cfg: Config) -> int | None:
    model = cfg.model
    for owner in (model.get('architecture'), model):
        head = (owner or {}).get('head') or {}
        if isinstance(head, Mapping) and head.get('num_classes') is not None:
            return head['num_classes']
    return None


def _borrow_classifier(model: Any, store: TeacherStore) -> None:
    """The teacher's weights are the store's, wherever the config names their file."""
    model.pop('teacher_ckpt', None)
    head: Any = (model.get('architecture') or {}).get('head')
    if head and head.get('teacher_ckpt') is not None:
        head.update(classifier_of(store.description, store.classifier_file))


def classifier_of(description: Description, file: str) -> dict[str, Any]:
    """Where a head that borrows the teacher's classifier finds it."""
    return dict(teacher_ckpt=file, teacher_classifier=description.classifier or 'head.fc')


def _check_recorders(model: Any, store: TeacherStore) -> None:
    """Refuse a recorder of what is not in the store."""
    name = store.description.classifier
    recorders = (model.get('distiller') or {}).get('teacher_recorders') or {}
    for key, recorder in recorders.items():
        source = recorder.get('source')
        if name is None or source in (name, f'{name}.weight', f'{name}.bias'):
            continue
        raise StoreError(
            f'teacher_recorders.{key}.source={source!r} is not in store={store.path!r}, which '
            f'keeps what enters the classifier {name!r} alone. Record that (mmrazor.ModuleInputs '
            f'of {name!r} in a mmrazor.SingleTeacherDistill), or take the teacher itself.'
        )
