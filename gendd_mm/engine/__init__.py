from .atomic_backend import AtomicBackend
from .grouped_parameters import GroupedOptimWrapperConstructor
from .hooks import (
    BroadcastBuffersHook,
    CheckpointFitHook,
    FiniteHook,
    LabelCheckHook,
    PreemptionHook,
    RunConditionsHook,
    StepSeedHook,
    WarmStartHook,
)
from .schedulers import CosineAnnealingBeta2

__all__ = [
    'AtomicBackend',
    'BroadcastBuffersHook',
    'CheckpointFitHook',
    'CosineAnnealingBeta2',
    'FiniteHook',
    'GroupedOptimWrapperConstructor',
    'LabelCheckHook',
    'PreemptionHook',
    'RunConditionsHook',
    'StepSeedHook',
    'WarmStartHook',
]
