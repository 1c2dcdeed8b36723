from .inferencer import GenDDInferencer
from .spread import Spread, spread
from .uncertainty_quality import calibration_error, risk_coverage_area

__all__ = [
    'GenDDInferencer',
    'Spread',
    'calibration_error',
    'risk_coverage_area',
    'spread',
]
