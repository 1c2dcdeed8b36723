from .finite_hook import FiniteHook
from .label_check_hook import LabelCheckHook
from .run_conditions_hook import RunConditionsHook
from .step_seed_hook import StepSeedHook
from .warm_start_hook import WarmStartHook

__all__ = ['FiniteHook', 'LabelCheckHook', 'RunConditionsHook', 'StepSeedHook', 'WarmStartHook']
