"""Formats that keep the graph from images to scores: ONNX, torch.export, TorchScript."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch
from mmpretrain.models.utils import ShiftWindowMSA
from torch import Tensor, nn
from torch.export import Dim

from .trained_student import StudentGraph

__all__ = [
    'any_number_of_windows',
    'onnx_scores',
    'program_scores',
    'quiet',
    'run_onnx',
    'save_onnx',
    'script_scores',
    'write_onnx',
    'write_program',
    'write_script',
]


def write_onnx(graph: StudentGraph, images: Tensor, path: str) -> None:
    """Write a graph as ONNX, its batch dynamic; input ``images``, output ``scores``."""
    save_onnx(graph, dict(images=images), ['scores'], ({0: Dim('batch')},), path)


def onnx_scores(path: str, images: Tensor) -> Tensor:
    """Scores of images by onnxruntime, on the CPU."""
    (scores,) = run_onnx(path, dict(images=images))
    return scores


def save_onnx(
    graph: nn.Module,
    inputs: dict[str, Tensor],
    outputs: list[str],
    dynamic_shapes: tuple[dict[int, Any], ...],
    path: str,
) -> None:
    """Write a module as ONNX, with names and dynamic axes of its inputs."""
    with quiet(), any_number_of_windows():
        program: Any = torch.onnx.export(
            graph,
            tuple(inputs.values()),
            input_names=list(inputs),
            output_names=outputs,
            dynamic_shapes=dynamic_shapes,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
        program.save(path)


def run_onnx(path: str, inputs: dict[str, Tensor]) -> list[Tensor]:
    """All outputs of a file by onnxruntime, on the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=['CPUExecutionProvider'])
    found = session.run(None, {name: value.numpy() for name, value in inputs.items()})
    return [torch.from_numpy(output) for output in found]


def write_program(graph: StudentGraph, images: Tensor, path: str) -> None:
    """Write a graph by ``torch.export``, its batch dynamic."""
    with quiet(), any_number_of_windows():
        program = torch.export.export(graph, (images,), dynamic_shapes=({0: Dim('batch')},))
        torch.export.save(program, path)


def program_scores(path: str, images: Tensor) -> Tensor:
    """Scores of images by a program that was written just now."""
    with quiet():
        return torch.export.load(path).module()(images)


def write_script(graph: StudentGraph, images: Tensor, path: str) -> None:
    """Write a graph as TorchScript, traced."""
    with quiet(), any_number_of_windows():
        torch.jit.trace(graph, images, check_trace=False).save(path)


def script_scores(path: str, images: Tensor) -> Tensor:
    """Scores of images by TorchScript."""
    with quiet():
        return torch.jit.load(path, map_location='cpu')(images)


@contextmanager
def any_number_of_windows() -> Iterator[None]:
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
def quiet() -> Iterator[None]:
    """Without the tracers' own warnings: on deprecation, and on sizes that are fixed."""
    with warnings.catch_warnings(), torch.no_grad():
        for category in (DeprecationWarning, FutureWarning, torch.jit.TracerWarning):
            warnings.simplefilter('ignore', category)
        warnings.filterwarnings('ignore', message='.*torch.jit.*')
        warnings.filterwarnings('ignore', message='.*dynamic_axes.*|.*onnxscript.*')
        warnings.filterwarnings('ignore', message='.*The axis name.*')
        yield
