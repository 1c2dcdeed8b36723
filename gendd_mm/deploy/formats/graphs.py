"""Formats that keep the graph from images to scores: ONNX, torch.export, TorchScript."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch
from mmpretrain.models.utils import ShiftWindowMSA
from torch import Tensor
from torch.export import Dim

from .trained_student import StudentGraph

__all__ = [
    'onnx_scores',
    'program_scores',
    'script_scores',
    'write_onnx',
    'write_program',
    'write_script',
]


def write_onnx(graph: StudentGraph, images: Tensor, path: str) -> None:
    """Write a graph as ONNX, its batch dynamic; input ``images``, output ``scores``."""
    with _quiet(), _any_number_of_windows():
        program: Any = torch.onnx.export(
            graph,
            (images,),
            input_names=['images'],
            output_names=['scores'],
            dynamic_shapes=({0: Dim('batch')},),
            dynamo=True,
            external_data=False,
            verbose=False,
        )
        program.save(path)


def onnx_scores(path: str, images: Tensor) -> Tensor:
    """Scores of images by onnxruntime, on the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=['CPUExecutionProvider'])
    (scores,) = session.run(['scores'], {'images': images.numpy()})
    return torch.from_numpy(scores)


def write_program(graph: StudentGraph, images: Tensor, path: str) -> None:
    """Write a graph by ``torch.export``, its batch dynamic."""
    with _quiet(), _any_number_of_windows():
        program = torch.export.export(graph, (images,), dynamic_shapes=({0: Dim('batch')},))
        torch.export.save(program, path)


def program_scores(path: str, images: Tensor) -> Tensor:
    """Scores of images by a program that was written just now."""
    with _quiet():
        return torch.export.load(path).module()(images)


def write_script(graph: StudentGraph, images: Tensor, path: str) -> None:
    """Write a graph as TorchScript, traced."""
    with _quiet(), _any_number_of_windows():
        torch.jit.trace(graph, images, check_trace=False).save(path)


def script_scores(path: str, images: Tensor) -> Tensor:
    """Scores of images by TorchScript."""
    with _quiet():
        return torch.jit.load(path, map_location='cpu')(images)


@contextmanager
def _any_number_of_windows() -> Iterator[None]:
    """Let Swin's networks of mmpretrain be traced for batches of any size.

    Theirs finds the number of images by a division of floats, which a graph keeps as the
    number that was traced: it then refuses other batches, or mixes up their windows.
    """

    def window_reverse(windows: Tensor, height: int, width: int, size: int) -> Tensor:
        channels = windows.size(-1)
        grid = windows.view(-1, height // size, width // size, size, size, channels)
        return grid.transpose(2, 3).reshape(-1, height, width, channels)

    with mock.patch.object(ShiftWindowMSA, 'window_reverse', staticmethod(window_reverse)):
        yield


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the tracers' own warnings: on deprecation, and on sizes that are fixed."""
    with warnings.catch_warnings(), torch.no_grad():
        for category in (DeprecationWarning, FutureWarning, torch.jit.TracerWarning):
            warnings.simplefilter('ignore', category)
        warnings.filterwarnings('ignore', message='.*torch.jit.*')
        warnings.filterwarnings('ignore', message='.*dynamic_axes.*|.*onnxscript.*')
        yield
