from .class_centers import ClassifierCenters, FeatureMeanCenters
from .contraction import DistributionContraction
from .feature_mixup import FeatureMixup
from .gendd_loss import GenDDLoss
from .logit_standardization import LogitStandardizationLoss

__all__ = [
    'ClassifierCenters',
    'DistributionContraction',
    'FeatureMeanCenters',
    'FeatureMixup',
    'GenDDLoss',
    'LogitStandardizationLoss',
]
