from .probe_accuracy import ProbeAccuracy

__all__ = ['ProbeAccuracy']
