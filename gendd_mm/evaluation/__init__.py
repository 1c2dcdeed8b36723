from .probe_accuracy import ProbeAccuracy
from .shot_accuracy import ShotAccuracy

__all__ = ['ProbeAccuracy', 'ShotAccuracy']
