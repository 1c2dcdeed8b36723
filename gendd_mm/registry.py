"""Registries of gendd_mm, scope ``gendd_mm``.

Their parents are mmengine's root registries, not mmrazor's: inside
``_scope_='mmpretrain'``, ``gendd_mm.X`` would not be found in a child of mmrazor. So
types of MMRazor carry a prefix in our configs: ``mmrazor.ModuleOutputs``. Augmentations
of a batch are MMPretrain's idea, and so is the parent of theirs.
"""

from mmengine.registry import DATA_SAMPLERS as MMENGINE_DATA_SAMPLERS
from mmengine.registry import DATASETS as MMENGINE_DATASETS
from mmengine.registry import HOOKS as MMENGINE_HOOKS
from mmengine.registry import METRICS as MMENGINE_METRICS
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS as MMENGINE_OPTIM_WRAPPER_CONSTRUCTORS
from mmengine.registry import PARAM_SCHEDULERS as MMENGINE_PARAM_SCHEDULERS
from mmengine.registry import TASK_UTILS as MMENGINE_TASK_UTILS
from mmengine.registry import TRANSFORMS as MMENGINE_TRANSFORMS
from mmengine.registry import Registry
from mmpretrain.registry import BATCH_AUGMENTS as MMPRETRAIN_BATCH_AUGMENTS

__all__ = [
    'BATCH_AUGMENTS',
    'DATASETS',
    'DATA_SAMPLERS',
    'HOOKS',
    'METRICS',
    'MODELS',
    'OPTIM_WRAPPER_CONSTRUCTORS',
    'PARAM_SCHEDULERS',
    'TASK_UTILS',
    'TRANSFORMS',
    'type_name',
]


def type_name(kind: object) -> str:
    """The name of a type that a config gives as ``'Name'``, ``'scope.Name'`` or a class."""
    return str(getattr(kind, '__name__', kind)).rpartition('.')[2]


# Heads, losses, tokenizers, denoisers, distillers, algorithms, backbones.
MODELS = Registry('model', parent=MMENGINE_MODELS, scope='gendd_mm', locations=['gendd_mm.models'])

# Diffusion processes and samplers.
TASK_UTILS = Registry(
    'task util', parent=MMENGINE_TASK_UTILS, scope='gendd_mm', locations=['gendd_mm.models']
)

DATASETS = Registry(
    'dataset', parent=MMENGINE_DATASETS, scope='gendd_mm', locations=['gendd_mm.datasets']
)

DATA_SAMPLERS = Registry(
    'data sampler', parent=MMENGINE_DATA_SAMPLERS, scope='gendd_mm', locations=['gendd_mm.datasets']
)

TRANSFORMS = Registry(
    'transform', parent=MMENGINE_TRANSFORMS, scope='gendd_mm', locations=['gendd_mm.datasets']
)

METRICS = Registry(
    'metric', parent=MMENGINE_METRICS, scope='gendd_mm', locations=['gendd_mm.evaluation']
)

HOOKS = Registry('hook', parent=MMENGINE_HOOKS, scope='gendd_mm', locations=['gendd_mm.engine'])

OPTIM_WRAPPER_CONSTRUCTORS = Registry(
    'optimizer wrapper constructor',
    parent=MMENGINE_OPTIM_WRAPPER_CONSTRUCTORS,
    scope='gendd_mm',
    locations=['gendd_mm.engine'],
)

PARAM_SCHEDULERS = Registry(
    'parameter scheduler',
    parent=MMENGINE_PARAM_SCHEDULERS,
    scope='gendd_mm',
    locations=['gendd_mm.engine'],
)

BATCH_AUGMENTS = Registry(
    'batch augment',
    parent=MMPRETRAIN_BATCH_AUGMENTS,
    scope='gendd_mm',
    locations=['gendd_mm.models'],
)
