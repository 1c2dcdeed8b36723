"""What a ``type`` in a config names, and whether it takes the settings beside it."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from importlib import import_module
from typing import Any, NamedTuple, NoReturn

import torch
from mmengine.registry import Registry

from .errors import ConfigError, nearest, refuse
from .errors import refuse_key as _refuse_key
from .ranges import check_normalization, check_range, check_stages
from .signatures import MISSING, arguments_of
from .values import check_scalar, check_type, is_number, is_quoted_number

# Packages that build their parts in their own scope, whatever the default scope is.
SCOPES = ('gendd_mm', 'mmpretrain', 'mmrazor')
# Where a dict says its type, unless it names a config of a model.
TYPED = frozenset(
    [
        'backbone',
        'neck',
        'head',
        'loss',
        'dataset',
        'sampler',
        'optimizer',
        'distiller',
        'contraction',
        'feature_mixup',
        'tokenizer',
        'denoiser',
        'process',
        'sampling',
        'centers',
        'projection',
    ]
)
# A `type` that is no name of a registry: the parts of these are built by others.
FOREIGN_PARTS = ('Albumentations', 'Albu')
OWN_TYPES = ('timesteps', 'clip_grad', 'targets')
# Settings that do not reach the class of that type: others read them first.
READ_BEFORE = dict(
    type=Any,
    _scope_=str,
    convert_to_iter_based=bool,  # of a scheduler, by the runner
    priority=int | str,  # of a hook, by the runner
    requires_grad=bool,  # of a norm layer, by mmcv
    magnitude_key=str,  # of a policy, by RandAugment
    pretrained=str | bool,  # of an encoder, by the models of several modes; or of timm's
)
# Packages whose type hints are exact.
EXACT_PACKAGES = ('gendd_mm', 'mmengine', 'torch')
# Hints of upstream that say less than the class takes.
EXACT_HINTS = dict(loss_scale=float | str | dict, init_cfg=dict | list | None)
# Constructors of ours that need neither files nor other parts of the run.
BUILT_TO_CHECK = (
    'gendd_mm.generative',
    'gendd_mm.models.generative',
    'gendd_mm.models.logit_standardization',
    'gendd_mm.models.smoothed_labels',
)


class Place(NamedTuple):
    """Where in a config something is.

    Attributes:
        registries: Root registries whose names can stand here, the likeliest first.
        scope: The default scope.
        owner: Package that builds the parts here.
        given: Arguments that the run fills in, which no config names.
        builds: Whether a part that encloses this one is built to check both.
    """

    registries: tuple[Registry, ...]
    scope: str
    owner: str = ''
    given: tuple[str, ...] = ()
    builds: bool = True


def check_components(node: Any, path: str, place: Place) -> None:
    """Check every dict with a ``type`` under a path of a config.

    Raises:
        ConfigError: If a type is unknown, or does not take a setting or its value.
    """
    if isinstance(node, (list, tuple)):
        for index, each in enumerate(node):
            check_components(each, f'{path}.{index}', place)
    if not isinstance(node, Mapping):
        return
    name = path.rpartition('.')[2]
    builds = False
    if isinstance(node.get('_scope_'), str):
        place = place._replace(scope=node['_scope_'])
    if 'type' in node and not {*path.split('.')[-2:]} & {*OWN_TYPES}:
        built, registry = resolve(node['type'], f'{path}.type', place)
        check_settings(built, node, path, place)
        owner = _owner_of(built)
        builds = place.builds and built.__module__.startswith(BUILT_TO_CHECK)
        place = place._replace(owner=owner, given=(), builds=place.builds and not builds)
        if getattr(built, '__name__', '') in FOREIGN_PARTS:
            return
    elif name in TYPED and node and 'cfg_path' not in node:
        raise ConfigError(
            f'{path} has no type; write it beside {sorted(map(str, node))}, or set it to None.'
        )
    for key, value in node.items():
        if not isinstance(key, str):
            continue
        check_range(f'{path}.{key}', value)
        if key == 'backend':
            check_type(f'{path}.{key}', value, str if name == 'backend_args' else str | None)
        check_components(value, f'{path}.{key}', place)
    if name.endswith('data_preprocessor'):
        check_normalization(node, path)
    if builds:  # after its parts, whose errors name them
        _build_to_check(node, path, registry)


def _owner_of(built: Callable) -> str:
    """The package in whose scope a class builds its parts: its own, or that of its base."""
    packages = [
        getattr(base, '__module__', '').partition('.')[0]
        for base in getattr(built, '__mro__', (built,))
    ]
    return next((package for package in packages if package in SCOPES), packages[0])


def resolve(kind: Any, path: str, place: Place) -> tuple[Callable, Registry]:
    """The class or function that a type names, and the registry that has it.

    Raises:
        ConfigError: With the nearest name, if there is no such type.
    """
    if callable(kind):
        return kind, place.registries[0]
    if not isinstance(kind, str):
        refuse(path, kind, 'must be the name of a type', 'write a text, such as type="ResNet"')
    # MMRazor completes the names of recorders.
    names = [kind, *[f'{kind}Recorder'] * ('_recorders.' in path)]
    scopes = dict.fromkeys([place.scope, *[place.owner] * (place.owner in SCOPES)])
    for root in place.registries:
        for scope in scopes:
            registry = _of_scope(root, scope)
            for name in names:
                with suppress(RuntimeError):  # of what looks like a path of an object
                    if (found := registry.get(name)) is not None:
                        return found, registry
    _refuse_type(kind, path, place)


def _of_scope(root: Registry, scope: str) -> Registry:
    """The registry of a package, or its root where the package has none."""
    with suppress(ImportError):
        import_module(f'{scope}.registry')
    return root.children.get(scope, root)


def _refuse_type(kind: str, path: str, place: Place) -> NoReturn:
    known = []
    for root in place.registries:
        own = _of_scope(root, place.scope)
        known += [*own.module_dict, *root.module_dict]
        for scope, child in root.children.items():
            known += [f'{scope}.{each}' for each in child.module_dict]
    # A wrong scope first, then a wrong name.
    same_name = [each for each in known if each.rpartition('.')[2] == kind.rpartition('.')[2]]
    near = same_name[0] if same_name else nearest(kind, known)
    remedy = f'did you mean {near!r}' if near else 'check its name, and custom_imports'
    names = ' or '.join(dict.fromkeys(root.name for root in place.registries[:2]))
    refuse(path, kind, f'is no {names} that is registered (default scope {place.scope})', remedy)


def check_settings(built: Callable, node: Mapping, path: str, place: Place) -> None:
    """Check the settings of one component by the signature of its class.

    Raises:
        ConfigError: If it takes none of that name, or not that type of value.
    """
    known, is_open = arguments_of(built)
    if 'num_stages' in known:
        check_stages({'num_stages': known['num_stages'].default, **node}, path)
    package = built.__module__.partition('.')[0]
    for key, value in node.items():
        if key in known:
            hint = EXACT_HINTS.get(key, known[key].hint)
            if package in EXACT_PACKAGES:
                check_type(f'{path}.{key}', value, hint)
            # Other hints are not exact, above all about what is built from a dict.
            elif isinstance(value, (bool, Mapping)) or is_quoted_number(value):
                _check_like_default(f'{path}.{key}', value, known[key].default)
            elif not isinstance(value, (list, tuple)):
                check_scalar(f'{path}.{key}', value, hint)
        elif key in READ_BEFORE:
            check_type(f'{path}.{key}', value, READ_BEFORE[key])
        elif not is_open:
            settings = known.keys() - set(place.given)
            _refuse_key(f'{path}.{key}', built.__name__, settings)
        elif (near := nearest(key, known, cutoff=0.85)) not in (None, key):
            raise ConfigError(
                f'{path}.{key} is not a setting of {built.__name__}; did you mean {near}?'
            )


def _check_like_default(path: str, value: Any, default: Any) -> None:
    """A switch or a dict stands for no number; without hints, the default says so."""
    wrong = is_number(default) or (isinstance(default, bool) and isinstance(value, Mapping))
    if wrong:
        refuse(path, value, f'must be of the kind of its default, {default!r}', 'change it')


def require(node: Mapping, path: str, *names: str) -> None:
    """Refuse a dict that lacks a setting which nothing else fills in."""
    for name in names:
        if name not in node:
            raise ConfigError(f'{path}.{name} is missing; set it.')


def missing_settings(built: Callable, node: Mapping, given: tuple[str, ...]) -> list[str]:
    """Arguments without default that are neither in the config nor filled in."""
    known, _ = arguments_of(built)
    return [
        name
        for name, argument in known.items()
        if argument.default is MISSING and name not in node and name not in given
    ]


def _build_to_check(node: Mapping, path: str, registry: Registry) -> None:
    """Let the constructors check their ranges; on no device, so that it costs nothing."""
    try:
        with torch.device('meta'):
            registry.build(_with_open_sizes(node))
    except (ValueError, TypeError, KeyError) as error:
        raise ConfigError(f'{_place_of(error, node, path)}{error}') from error


def _with_open_sizes(node: Mapping) -> dict:
    """A loss whose head leaves its sizes to be measured gets some that fit."""
    head = node.get('head')
    if not isinstance(head, Mapping):
        return dict(node)
    token_dim = (head.get('tokenizer') or {}).get('token_dim', 64)
    return dict(node, head=dict(dict(condition_dim=64, target_dim=token_dim), **head))


def _place_of(error: Exception, node: Mapping, path: str) -> str:
    """The path to put before a message that begins with ``name=``."""
    named = re.match(r'(\w+)=', str(error))
    found = [] if named is None else list(_paths_of(named[1], node, path))
    return f'{found[0]}.' if len(found) == 1 else f'{path}: '


def _paths_of(name: str, node: Any, path: str) -> Iterator[str]:
    if isinstance(node, Mapping):
        if name in node:
            yield path
        for key, value in node.items():
            yield from _paths_of(name, value, f'{path}.{key}')
