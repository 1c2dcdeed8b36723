from .augmented_views import AugmentedViews
from .digits import DigitsDataset
from .fixed_length_sampler import FixedLengthSampler
from .load_image import LoadImage
from .long_tailed import LongTailed
from .shifted_unlabeled import ShiftedUnlabeled
from .tar_backend import TarBackend
from .unlabeled_shards import UnlabeledShards
from .view_sampler import ViewSampler

__all__ = [
    'AugmentedViews',
    'DigitsDataset',
    'FixedLengthSampler',
    'LoadImage',
    'LongTailed',
    'ShiftedUnlabeled',
    'TarBackend',
    'UnlabeledShards',
    'ViewSampler',
]
