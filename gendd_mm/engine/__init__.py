from .atomic_backend import AtomicBackend
from .hooks import LabelCheckHook, StepSeedHook, WarmStartHook
from .schedulers import CosineAnnealingBeta2

__all__ = [
    'AtomicBackend',
    'CosineAnnealingBeta2',
    'LabelCheckHook',
    'StepSeedHook',
    'WarmStartHook',
]
