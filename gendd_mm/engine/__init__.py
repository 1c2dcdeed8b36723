from .hooks import LabelCheckHook, StepSeedHook
from .schedulers import CosineAnnealingBeta2

__all__ = ['CosineAnnealingBeta2', 'LabelCheckHook', 'StepSeedHook']
