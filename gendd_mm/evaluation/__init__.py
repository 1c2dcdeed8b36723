from .feature_quality import FeatureQuality
from .probe_accuracy import ProbeAccuracy
from .shot_accuracy import ShotAccuracy

__all__ = ['FeatureQuality', 'ProbeAccuracy', 'ShotAccuracy']
