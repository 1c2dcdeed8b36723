from .label_check_hook import LabelCheckHook
from .step_seed_hook import StepSeedHook
from .warm_start_hook import WarmStartHook

__all__ = ['LabelCheckHook', 'StepSeedHook', 'WarmStartHook']
