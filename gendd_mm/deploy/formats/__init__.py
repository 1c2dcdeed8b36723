"""The student in other formats, each compared with the student before it is there."""

import os
import os.path as osp
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any, NamedTuple

import torch
from mmengine.config import Config
from torch import Tensor

from ..export import ExportedStudent
from . import graphs, weights
from .generative_graph import graph_model, write_generative_graph
from .trained_student import StudentGraph, TrainedStudent, read_student

__all__ = [
    'FORMATS',
    'GENERATIVE',
    'GRAPHS',
    'TOLERANCE',
    'TrainedStudent',
    'Written',
    'check_formats',
    'graph_model',
    'write_formats',
    'write_generative',
]

# Largest difference of a score, between 0 and 1, to that of the student.
TOLERANCE = 1e-5
# By format: the file, the packages that write and check it.
FILES: dict[str, tuple[str, tuple[str, ...]]] = dict(
    mmpretrain=('student.pth', ()),
    onnx=('student.onnx', ('onnx', 'onnxscript', 'onnxruntime')),
    torchscript=('student.torchscript.pt', ()),
    torch_export=('student.pt2', ()),
    timm=('timm.safetensors', ('timm', 'safetensors')),
    torchvision=('torchvision.pth', ('torchvision',)),
    safetensors=('student.safetensors', ('safetensors',)),
)
FORMATS = tuple(FILES)
# Those that may hold the preprocessing.
GRAPHS = ('onnx', 'torchscript', 'torch_export')
# What a model card calls the generative path in ONNX.
GENERATIVE = 'generative path, onnx'


class Written(NamedTuple):
    """A file, how it is loaded, and how far its scores are from those of the student."""

    name: str
    path: str
    loading: str
    difference: float


def write_formats(
    cfg: Config,
    exported: ExportedStudent,
    formats: Sequence[str],
    with_preprocessing: bool = False,
) -> tuple[TrainedStudent, list[Written]]:
    """Write an exported student in other formats, beside its files.

    A file gets its name when its scores have been compared with those of the student: on
    images of the run's test set, as a batch and one alone.

    Args:
        cfg: Config of the run.
        exported: What :func:`gendd_mm.deploy.export_student` has written.
        formats: Of ``FORMATS``.
        with_preprocessing: Whether graphs take RGB (or grey) levels of 0 to 255, already
            resized and cropped, and normalise them.

    Returns:
        The student with the images that were compared on, and what was written.

    Raises:
        ValueError: If a format is unknown, a package for it is missing, it does not fit the
            student, or its scores are others.
    """
    check_formats(formats)
    student = read_student(cfg, exported)
    return student, [_written(student, name, with_preprocessing) for name in formats]


def check_formats(formats: Sequence[str]) -> None:
    """Refuse unknown formats, and those whose packages are not installed.

    Raises:
        ValueError: If there is one.
    """
    for name in formats:
        if name not in FILES:
            raise ValueError(f'--format {name} is unknown; choose from {", ".join(FORMATS)}.')
        missing = [package for package in FILES[name][1] if find_spec(package) is None]
        if missing:
            raise ValueError(
                f'--format {name} needs {", ".join(missing)}; '
                f'pip install {" ".join(missing)}, or leave the format out.'
            )


@torch.no_grad()
def write_generative(
    model: Any, student: TrainedStudent, with_preprocessing: bool = False
) -> Written:
    """Write the generative path of a run as ``generative.onnx``, beside an exported student.

    Its inputs are ``images`` and ``noise``, its outputs ``scores`` and ``draw_scores``
    (docs/export.md). It gets its name when its scores have been compared with those of the run.

    Args:
        model: What :func:`gendd_mm.deploy.graph_model` gives of the run.
        student: What :func:`write_formats` gave.
        with_preprocessing: As there.

    Raises:
        ValueError: If a package for ONNX is missing, or the scores are others.
    """
    check_formats(['onnx'])

    def write(path: str) -> tuple[str, float]:
        difference, (tokens, size) = write_generative_graph(
            model, student, path, with_preprocessing
        )
        loading = (
            f"onnxruntime.InferenceSession('generative.onnx')  # noise (K, B, {tokens}, {size})"
        )
        return loading, difference

    return _complete(student, GENERATIVE, 'generative.onnx', write)


@torch.no_grad()
def _written(student: TrainedStudent, name: str, with_preprocessing: bool) -> Written:
    file = FILES[name][0]
    if name == 'mmpretrain':
        loading = "mmpretrain.get_model('student.py', pretrained='student.pth')"
        return Written(name, student.exported.weights, loading, 0.0)
    return _complete(
        student,
        name,
        file,
        lambda path: _write(student, name, path, file, with_preprocessing),
    )


def _complete(
    student: TrainedStudent, name: str, file: str, write: Callable[[str], tuple[str, float]]
) -> Written:
    """Let a file be written beside the student, and give it its name if its scores agree."""
    path = osp.join(osp.dirname(student.exported.weights), file)
    stem, extension = osp.splitext(path)
    partial = f'{stem}.part{extension}'
    try:
        loading, difference = write(partial)
        # Not `>`: NaN is no agreement.
        if not difference <= TOLERANCE:
            raise ValueError(
                f'{name}: scores of {student.source} differ from those of the checkpoint by '
                f'{difference:.2g}, more than {TOLERANCE}; {file} was not written. Choose '
                'another format, and report the network.'
            )
        os.replace(partial, path)
    finally:
        if osp.exists(partial):
            os.remove(partial)
    return Written(name, path, loading, difference)


def _write(
    student: TrainedStudent, name: str, path: str, file: str, with_preprocessing: bool
) -> tuple[str, float]:
    """Write a format; how it is loaded, and the largest difference of a score."""
    if name in GRAPHS:
        return _write_graph(student, name, path, file, with_preprocessing)
    if name == 'safetensors':
        weights.write_safetensors(student, path)
        loading = f"model.load_state_dict(safetensors.torch.load_file('{file}'))"
        return loading, _difference(weights.safetensors_scores(student, path), student.scores)
    settings, own = weights.own_keys(student, name)
    read = weights.saved(own, path)
    found = weights.own_scores(settings, read, student.images)
    return weights.own_loading(settings, file), _difference(found, student.scores)


def _write_graph(
    student: TrainedStudent, name: str, path: str, file: str, with_preprocessing: bool
) -> tuple[str, float]:
    write, run, loading = dict(
        onnx=(graphs.write_onnx, graphs.onnx_scores, 'onnxruntime.InferenceSession({!r})'),
        torchscript=(graphs.write_script, graphs.script_scores, 'torch.jit.load({!r})'),
        torch_export=(
            graphs.write_program,
            graphs.program_scores,
            'torch.export.load({!r}).module()',
        ),
    )[name]
    images = student.levels if with_preprocessing else student.images
    write(StudentGraph(student.model, with_preprocessing).eval(), images, path)
    # The batch is dynamic: all together, and one alone.
    differences = [
        _difference(run(path, images[:count]), student.scores[:count]) for count in (len(images), 1)
    ]
    return loading.format(file), max(differences)


def _difference(found: Tensor, expected: Tensor) -> float:
    return (found - expected).abs().max().item()
