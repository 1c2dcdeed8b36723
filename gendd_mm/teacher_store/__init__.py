"""Features of a teacher on the disk: what a store states of itself, its shards, reading."""

from .description import (
    CLASSIFIER,
    DTYPES,
    FILE,
    PIXELS,
    Description,
    Part,
    Shard,
    StoreError,
    read_description,
)
from .reader import TeacherStore
from .shards import as_stored, read_shard, shard_bytes

__all__ = [
    'CLASSIFIER',
    'DTYPES',
    'FILE',
    'PIXELS',
    'Description',
    'Part',
    'Shard',
    'StoreError',
    'TeacherStore',
    'as_stored',
    'read_description',
    'read_shard',
    'shard_bytes',
]
