from .contraction import DistributionContraction
from .feature_mixup import FeatureMixup
from .gendd_loss import GenDDLoss

__all__ = ['DistributionContraction', 'FeatureMixup', 'GenDDLoss']
