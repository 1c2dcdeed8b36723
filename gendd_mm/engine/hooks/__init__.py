from .label_check_hook import LabelCheckHook
from .step_seed_hook import StepSeedHook

__all__ = ['LabelCheckHook', 'StepSeedHook']
