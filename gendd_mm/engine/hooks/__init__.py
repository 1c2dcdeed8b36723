from .label_check_hook import LabelCheckHook
from .preemption_hook import PreemptionHook
from .step_seed_hook import StepSeedHook
from .warm_start_hook import WarmStartHook

__all__ = ['LabelCheckHook', 'PreemptionHook', 'StepSeedHook', 'WarmStartHook']
