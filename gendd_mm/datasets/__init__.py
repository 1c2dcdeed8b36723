from .digits import DigitsDataset
from .long_tailed import LongTailed
from .tar_backend import TarBackend
from .unlabeled_shards import UnlabeledShards

__all__ = ['DigitsDataset', 'LongTailed', 'TarBackend', 'UnlabeledShards']
