"""What a pair and a run cost and look like."""

from .feature_map import FeatureMap, draw_feature_map, feature_map
from .pair_report import inspect_pair
from .picture import check_picture
from .run_curves import draw_curves, read_curves
from .step_cost import StepCost, random_model, step_cost

__all__ = [
    'FeatureMap',
    'StepCost',
    'check_picture',
    'draw_curves',
    'draw_feature_map',
    'feature_map',
    'inspect_pair',
    'random_model',
    'read_curves',
    'step_cost',
]
