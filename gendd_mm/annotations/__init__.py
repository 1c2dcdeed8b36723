"""What people write down about images: labels, and the files that list them."""

from .files import (
    AnnotationError,
    annotation_files,
    check_annotation_file,
    check_annotations,
    datasets_in,
)
from .labels import ABSENT, MISSING, check_labels, class_index, label_fault, remedy
from .printable import printable

__all__ = [
    'ABSENT',
    'MISSING',
    'AnnotationError',
    'annotation_files',
    'check_annotation_file',
    'check_annotations',
    'check_labels',
    'class_index',
    'datasets_in',
    'label_fault',
    'printable',
    'remedy',
]
