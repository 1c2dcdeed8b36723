"""The sections of a config that MMEngine's runner reads, one after the other."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import mmengine.registry as roots
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import Runner, ValLoop
from mmengine.runner.loops import EpochBasedTrainLoop, IterBasedTrainLoop, TestLoop
from mmengine.utils.dl_utils import set_multi_processing
from mmpretrain.registry import BATCH_AUGMENTS
from torch.nn.utils import clip_grad_norm_, clip_grad_value_
from torch.utils.data import DataLoader

from .components import (
    Place,
    check_components,
    check_settings,
    missing_settings,
    require,
    resolve,
)
from .errors import ConfigError, nearest, refuse, refuse_key
from .ranges import check_range
from .recording import check_recording
from .signatures import arguments_of
from .values import check_finite, check_type, is_number, leaves

DATA = (roots.DATASETS, roots.TRANSFORMS, roots.DATA_SAMPLERS, roots.FUNCTIONS)
# The registries whose names can stand in a section, the likeliest first.
SECTIONS = {
    'model': (
        roots.MODELS,
        roots.TASK_UTILS,
        BATCH_AUGMENTS,
        roots.WEIGHT_INITIALIZERS,
        *DATA,
    ),
    'data_preprocessor': (roots.MODELS, BATCH_AUGMENTS),
    **{f'{split}_dataloader': DATA for split in ('train', 'val', 'test')},
    **{f'{split}_cfg': (roots.LOOPS,) for split in ('train', 'val', 'test')},
    **{f'{split}_evaluator': (roots.METRICS, roots.EVALUATOR, *DATA) for split in ('val', 'test')},
    'optim_wrapper': (roots.OPTIM_WRAPPERS, roots.OPTIMIZERS),
    'param_scheduler': (roots.PARAM_SCHEDULERS,),
    'default_hooks': (roots.HOOKS, roots.TRANSFORMS, roots.MODELS),
    'custom_hooks': (roots.HOOKS, roots.TRANSFORMS, roots.MODELS),
    'visualizer': (roots.VISUALIZERS, roots.VISBACKENDS),
    'log_processor': (roots.LOG_PROCESSORS,),
    'model_wrapper_cfg': (roots.MODEL_WRAPPERS,),
}
# Arguments that the runner fills in.
GIVEN = dict(
    train_cfg=('runner', 'dataloader'),
    val_cfg=('runner', 'dataloader', 'evaluator'),
    test_cfg=('runner', 'dataloader', 'evaluator'),
    param_scheduler=('optimizer', 'param_name'),
    optim_wrapper=('optimizer', 'params'),
)
# Keys of a config that no argument of the runner is named by.
OTHERS = (
    'stage1',
    'views',
    'runner_type',
    'model_wrapper_cfg',
    'find_unused_parameters',
    'custom_imports',
)
DATALOADER = ('dataset', 'sampler', 'batch_sampler', 'collate_fn', 'num_batch_per_epoch')
PARAMWISE = [
    'custom_keys',
    'bias_lr_mult',
    'bias_decay_mult',
    'norm_decay_mult',
    'dwconv_decay_mult',
    'flat_decay_mult',
    'dcn_offset_lr_mult',
    'bypass_duplicate',
    'layer_decay_rate',
    'num_layers',
]


def check_config(cfg: Config) -> None:
    """Check the settings of a run before anything is built from them.

    Types, names and, where a name has one, ranges; what a class checks itself is left
    to it, except for the parts of the method, which are built once without memory.

    Args:
        cfg: The config, with the options of the run merged.

    Raises:
        ConfigError: About the first setting that cannot be meant so, in one line: its
            dotted path, its value, the rule and the remedy.
    """
    config = cfg.to_dict()
    check_finite(config)
    known = arguments_of(Runner).known
    _check_names(config, known)
    for name in known.keys() & config.keys():
        check_type(name, config[name], known[name].hint)
    scope = config.get('default_scope') or 'mmengine'
    lr = ((config.get('optim_wrapper') or {}).get('optimizer') or {}).get('lr')
    with DefaultScope.overwrite_default_scope(scope):
        for name, registries in SECTIONS.items():
            if config.get(name) is not None:
                place = Place(registries, scope, given=GIVEN.get(name, ()))
                _check_section(name, config[name], place, lr)
    _check_surroundings(config)
    check_recording(config.get('model'))


def _check_names(config: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    """Any name may be a variable of the config, but not one that is nearly a setting's."""
    settings = {*known, *OTHERS}
    for name in config.keys() - settings:
        near = nearest(name, settings, cutoff=0.85)
        if near is not None and near not in config:
            raise ConfigError(f'{name} is read by nothing; did you mean {near}?')


def _check_section(name: str, section: Any, place: Place, lr: Any) -> None:
    if name.endswith('_dataloader'):
        _check_dataloader(name, section)
    elif name.endswith('_cfg') and name != 'model_wrapper_cfg':
        section = _typed_loop(name, section)
        _check_complete(name, section, place)
    elif name == 'optim_wrapper':
        section = _checked_optim_wrapper(section, place)
    elif name == 'param_scheduler':
        section = section if isinstance(section, Sequence) else [section]
        _check_schedulers(section, place, lr)
    elif name == 'data_preprocessor' and isinstance(section, Mapping):
        section = dict(dict(type='mmpretrain.ClsDataPreprocessor'), **section)
    elif name == 'model':
        require(section, name, 'type')
    elif name == 'default_hooks':
        section = {key: hook for key, hook in section.items() if hook is not None}
    if name.endswith(('_hooks', '_evaluator')) or name == 'param_scheduler':
        _check_types_given(name, section)
    check_components(section, name, place)


def _check_types_given(name: str, section: Any) -> None:
    items = section.items() if name == 'default_hooks' else enumerate(section)
    if name.endswith('_evaluator') and isinstance(section, Mapping):
        items = [(None, section)]
    for key, each in items:
        path = name if key is None else f'{name}.{key}'
        if not isinstance(each, Mapping) or 'type' not in each:
            refuse(path, each, 'must be a dict with a type', 'write dict(type=..., ...)')


def _check_dataloader(name: str, loader: Mapping) -> None:
    known = arguments_of(DataLoader).known
    require(loader, name, 'dataset', *['sampler'] * ('batch_sampler' not in loader))
    if not isinstance(loader.get('batch_sampler'), Mapping):
        require(loader, name, 'batch_size')
    for key, value in loader.items():
        if key in DATALOADER:
            if not isinstance(value, (Mapping, type(None))) and not callable(value):
                refuse(f'{name}.{key}', value, 'must be a dict', 'write dict(type=..., ...)')
        elif key not in known:
            refuse_key(f'{name}.{key}', 'a dataloader', {*known, *DATALOADER})
        elif not isinstance(value, Mapping):
            check_type(f'{name}.{key}', value, int if key == 'batch_size' else known[key].hint)
    for key in ('dataset', 'sampler'):
        if loader.get(key) is None and not ('batch_sampler' in loader and key == 'sampler'):
            refuse(f'{name}.{key}', None, 'must be a dict', 'write dict(type=..., ...)')


def _typed_loop(name: str, loop: Mapping) -> dict:
    """A loop with the type that the runner would choose."""
    if 'type' in loop:
        return dict(loop)
    if name != 'train_cfg':
        return dict(loop, type=ValLoop if name == 'val_cfg' else TestLoop)
    settings = dict(loop)
    by_epoch = settings.pop('by_epoch', None)
    if not isinstance(by_epoch, bool):
        refuse(f'{name}.by_epoch', by_epoch, 'must be True or False', 'True counts epochs')
    return dict(settings, type=EpochBasedTrainLoop if by_epoch else IterBasedTrainLoop)


def _check_complete(path: str, node: Mapping, place: Place) -> None:
    built, _ = resolve(node['type'], f'{path}.type', place)
    require(node, path, *missing_settings(built, node, place.given))


def _checked_optim_wrapper(wrapper: Mapping, place: Place) -> dict:
    """The wrapper without what its constructor reads, which is checked here."""
    settings = dict(wrapper)
    constructor = settings.pop('constructor', None)
    paramwise = settings.pop('paramwise_cfg', None)
    path = 'optim_wrapper'
    if paramwise is not None:
        if not isinstance(paramwise, Mapping):
            refuse(f'{path}.paramwise_cfg', paramwise, 'must be a dict', 'write dict(...)')
        for key in paramwise:
            if key not in PARAMWISE and (constructor is None or nearest(key, PARAMWISE, 0.8)):
                refuse_key(f'{path}.paramwise_cfg.{key}', 'paramwise_cfg', PARAMWISE)
        for key, value in leaves(paramwise, f'{path}.paramwise_cfg'):
            check_range(key, value)
    if 'optimizer' not in settings:
        if constructor is None:
            raise ConfigError(f'{path}.optimizer is missing; set it, as dict(type=..., lr=...).')
        return {}  # several wrappers, by name
    optimizer = settings['optimizer']
    if not isinstance(optimizer, Mapping):
        refuse(f'{path}.optimizer', optimizer, 'must be a dict', 'write dict(type=..., lr=...)')
    require(optimizer, f'{path}.optimizer', 'type', 'lr')
    _check_clipping(settings.get('clip_grad'))
    return dict(dict(type='mmengine.OptimWrapper'), **settings)


def _check_clipping(clip: Any) -> None:
    path = 'optim_wrapper.clip_grad'
    if clip is None:
        return
    if not isinstance(clip, Mapping):
        refuse(path, clip, 'must be a dict', 'write dict(max_norm=...)')
    kind = clip.get('type', 'norm')
    functions: dict[str, Callable] = dict(norm=clip_grad_norm_, value=clip_grad_value_)
    if kind not in functions:
        refuse(f'{path}.type', kind, 'must be norm or value', 'choose one')
    function = inspect.unwrap(functions[kind])
    check_settings(function, clip, path, Place((), '', given=('parameters',)))
    require(clip, path, *missing_settings(function, clip, ('parameters',)))


def _check_schedulers(schedulers: Sequence, place: Place, lr: Any) -> None:
    for index, each in enumerate(schedulers):
        if not isinstance(each, Mapping) or 'type' not in each:
            continue
        path = f'param_scheduler.{index}'
        _check_complete(path, each, place)
        begin, end = each.get('begin', 0), each.get('end', float('inf'))
        check_type(f'{path}.begin', begin, int)
        if 'end' in each:
            check_type(f'{path}.end', end, int)
        lowest = each.get('eta_min')
        if (
            is_number(lowest)
            and is_number(lr)
            and lowest > lr > 0
            and str(each['type']).endswith('LR')
        ):
            refuse(f'{path}.eta_min', lowest, f'must not be above lr={lr}', 'change one of them')
        if not begin < end:
            refuse(f'{path}.end', end, f'must be above begin={begin}', 'change one of them')


def _check_surroundings(config: Mapping) -> None:
    """Seeds, processes and the scaling of the learning rate."""
    for path, function, given in (
        ('randomness', Runner.set_randomness, ('self',)),
        ('env_cfg.mp_cfg', set_multi_processing, ('distributed',)),
    ):
        node: Any = config
        for key in path.split('.'):
            node = (node or {}).get(key)
        if isinstance(node, Mapping):
            check_settings(function, node, path, Place((), '', given=given))
            check_components(node, path, Place((), ''))
    if config.get('randomness'):
        require(config['randomness'], 'randomness', 'seed')
        check_type('randomness.seed', config['randomness']['seed'], int | None)
    for path, keys in (
        ('env_cfg', ('cudnn_benchmark', 'mp_cfg', 'dist_cfg', 'resource_limit')),
        ('auto_scale_lr', ('enable', 'base_batch_size')),
    ):
        section = config.get(path) or {}
        for key in section:
            if key not in keys:
                refuse_key(f'{path}.{key}', path, keys)
        check_components(section, path, Place((), ''))
    timeout = ((config.get('env_cfg') or {}).get('dist_cfg') or {}).get('timeout', 1)
    if timeout is not None and not (is_number(timeout) and timeout > 0):
        rule = 'must be a number of seconds above 0'
        refuse('env_cfg.dist_cfg.timeout', timeout, rule, 'leave it out for the default of torch')
    for path, hint in (('env_cfg.cudnn_benchmark', bool), ('auto_scale_lr.base_batch_size', int)):
        section, key = path.split('.')
        if key in (config.get(section) or {}):
            check_type(path, config[section][key], hint)
