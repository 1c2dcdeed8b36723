from .atomic_backend import AtomicBackend
from .hooks import LabelCheckHook, PreemptionHook, StepSeedHook, WarmStartHook
from .schedulers import CosineAnnealingBeta2

__all__ = [
    'AtomicBackend',
    'CosineAnnealingBeta2',
    'LabelCheckHook',
    'PreemptionHook',
    'StepSeedHook',
    'WarmStartHook',
]
