from .broadcast_buffers_hook import BroadcastBuffersHook
from .checkpoint_fit_hook import CheckpointFitHook
from .finite_hook import FiniteHook
from .label_check_hook import LabelCheckHook
from .preemption_hook import PreemptionHook
from .run_conditions_hook import RunConditionsHook
from .step_seed_hook import StepSeedHook
from .warm_start_hook import WarmStartHook

__all__ = [
    'BroadcastBuffersHook',
    'CheckpointFitHook',
    'FiniteHook',
    'LabelCheckHook',
    'PreemptionHook',
    'RunConditionsHook',
    'StepSeedHook',
    'WarmStartHook',
]
