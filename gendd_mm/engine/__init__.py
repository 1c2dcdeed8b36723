from .atomic_backend import AtomicBackend
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
    'LabelCheckHook',
    'PreemptionHook',
    'RunConditionsHook',
    'StepSeedHook',
    'WarmStartHook',
]
