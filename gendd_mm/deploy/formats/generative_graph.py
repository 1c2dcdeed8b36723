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

__all__ = ['GenerativeGraph', 'write_generative_graph']

NUM_DRAWS = 4


class GenerativeGraph(StudentGraph):
    """From images and noise to scores as one module, by the generative path.

    The noise is an input, so that a graph has no generator and gives the same scores
    everywhere. It is of (K, B, L, T), standard normal, for K draws and L tokens of T numbers.

    Args:
        model: A ``GenDD`` in eval mode with a deterministic sampler.
        with_preprocessing: As for :class:`StudentGraph`.
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
    def head(self) -> Any:
        """The head that draws: that of the residual, if the mean is learned directly."""
        head = self.model.distiller.gendd_loss.head
        return head.residual if isinstance(head, MeanResidualHead) else head

    @property
    def noise_shape(self) -> tuple[int, int]:
        """Tokens L, and their numbers T."""
        tokenizer = self.head.tokenizer
        return tokenizer.num_tokens, tokenizer.token_dim


def write_generative_graph(
    cfg: Config,
    checkpoint: str,
    student: TrainedStudent,
    path: str,
    with_preprocessing: bool = False,
) -> tuple[float, tuple[int, int]]:
    """Write the generative path of a run as ONNX.

    Args:
        cfg: Config of the run.
        checkpoint: Checkpoint of the run.
        student: The exported student, whose images it is compared on.
        path: File to write.
        with_preprocessing: As for the student's graph.

    Returns:
        The largest difference of a score to that of the run, with the same noise, for a batch
        and for one image; and the sizes L and T of the noise.

    Raises:
        ValueError: If the run has no generative path that classifies, or its sampler draws
            noise at every step.
    """
    graph = GenerativeGraph(generative_model(cfg, checkpoint), with_preprocessing).eval()
    head = graph.head
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
    for count in (len(images), 1):
        given = dict(images=images[:count], noise=noise[: count + 1, :count])
        for found, expected in zip(run_onnx(path, given), graph(**given), strict=True):
            differences.append((found - expected).abs().max().item())
    return max(differences), graph.noise_shape
