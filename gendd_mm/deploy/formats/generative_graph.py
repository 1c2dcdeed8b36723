"""The generative path as a graph: images and noise to scores of each draw."""

from typing import Any

import torch
from mmengine.config import Config
from torch import Tensor
from torch.export import Dim

from gendd_mm.generative import AncestralSampler, GenerativeHead, MeanResidualHead

from ..generative_model import generative_model
from .graphs import run_onnx, save_onnx
from .trained_student import StudentGraph, TrainedStudent

__all__ = ['GenerativeGraph', 'graph_model', 'write_generative_graph']

NUM_DRAWS = 4


class GenerativeGraph(StudentGraph):
    """From images and noise to scores as one module, by the generative path.

    The noise is an input, so that a graph has no generator and gives the same scores
    everywhere. It is of (K, B, L, T), standard normal, for K draws and L tokens of T numbers.

    Args:
        model: A ``GenDD`` in eval mode with a deterministic sampler.
        with_preprocessing, preprocessor: As for :class:`StudentGraph`.
    """

    def forward(self, images: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        """Scores (B, C) of the mean feature, and those of each draw, (B, K, C)."""
        model, distiller = self.model, self.model.distiller
        with distiller.student_recorders:
            model.student(self.prepared(images), mode='tensor')
        draws = distiller.draws(noise=noise)
        scores = model.teacher.classify(draws.mean(0)).softmax(-1)
        each = model.teacher.classify(draws.flatten(0, 1)).softmax(-1)
        return scores, each.unflatten(0, draws.shape[:2]).transpose(0, 1)

    @property
    def noise_shape(self) -> tuple[int, int]:
        """Tokens L, and their numbers T."""
        tokenizer = _drawing_head(self.model).tokenizer
        return tokenizer.num_tokens, tokenizer.token_dim


def graph_model(cfg: Config, checkpoint: str) -> Any:
    """A ``GenDD`` as :func:`generative_model` gives it, of which a graph can be written.

    Raises:
        FileNotFoundError: If there is no such checkpoint.
        ValueError: If the run has no generative path that classifies, or its sampler draws
            noise at every step.
    """
    model = generative_model(cfg, checkpoint)
    head = _drawing_head(model)
    if not isinstance(head, GenerativeHead):
        raise ValueError(
            f'--generative: {type(head).__name__} has no distribution to draw from; '
            'leave --generative out.'
        )
    if isinstance(head.sampler, AncestralSampler):
        raise ValueError(
            '--generative: the ancestral sampler draws noise at every step, and a graph takes it '
            'once; choose a deterministic one by --cfg-options '
            'model.distiller.distill_losses.loss_gendd.head.sampling.type=dpmpp_2m and '
            '...head.sampling.num_steps=3, or leave --generative out.'
        )
    return model


def write_generative_graph(
    model: Any, student: TrainedStudent, path: str, with_preprocessing: bool = False
) -> tuple[float, tuple[int, int]]:
    """Write the generative path of a run as ONNX.

    Args:
        model: What :func:`graph_model` gives.
        student: The exported student, whose images it is compared on.
        path: File to write.
        with_preprocessing: As for the student's graph; the preprocessing is that of the student.

    Returns:
        The largest difference of a score to that of the model for the student's images as its
        network takes them, with the same noise: four draws of a batch, and one of one image;
        and the sizes L and T of the noise.
    """
    graph = GenerativeGraph(model, with_preprocessing, student.model.data_preprocessor).eval()
    expected = GenerativeGraph(model, False).eval()
    images = student.levels if with_preprocessing else student.images
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(NUM_DRAWS, len(images), *graph.noise_shape, generator=generator)
    batch = Dim('batch')
    save_onnx(
        graph,
        dict(images=images, noise=noise),
        ['scores', 'draw_scores'],
        ({0: batch}, {0: Dim('draws'), 1: batch}),
        path,
    )
    differences = []
    for draws, count in ((NUM_DRAWS, len(images)), (1, 1)):
        given = noise[:draws, :count]
        found = run_onnx(path, dict(images=images[:count], noise=given))
        for each, wanted in zip(found, expected(student.images[:count], given), strict=True):
            differences.append((each - wanted).abs().max().item())
    return max(differences), graph.noise_shape


def _drawing_head(model: Any) -> Any:
    """The head that draws: that of the residual, if the mean is learned directly."""
    head = model.distiller.gendd_loss.head
    return head.residual if isinstance(head, MeanResidualHead) else head
