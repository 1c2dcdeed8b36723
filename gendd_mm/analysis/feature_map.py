"""Features of the teacher, as generated, and of the student, side by side by t-SNE."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from torch import Tensor, nn

from gendd_mm.deploy.features import test_dataset
from gendd_mm.engine.model import trained_model
from gendd_mm.models import GenDD

from .picture import check_picture, save_picture

__all__ = ['FeatureMap', 'draw_feature_map', 'feature_map']


class FeatureMap(NamedTuple):
    """Features of N images: the first two (N, D), the third (N, S), the labels (N,)."""

    teacher: Tensor
    # One draw for each image, given the student's feature.
    generated: Tensor
    # The condition of the head, which ships.
    student: Tensor
    labels: Tensor


@torch.no_grad()
def feature_map(cfg: Config, checkpoint: str, num_images: int = 1000) -> FeatureMap:
    """The features of test images of a GenDD run.

    Args:
        cfg: Config of the run.
        checkpoint: Checkpoint of the run; the teacher's is where the config says.
        num_images: Images, evenly over the test set, at least 1.

    Raises:
        FileNotFoundError: If there is no such checkpoint.
        ValueError: If the run is no GenDD, its images have no labels, or the checkpoint does
            not fit.
    """
    if not cfg.get('test_dataloader'):
        raise ValueError(f'{cfg.filename} has no test_dataloader; set one, to have images to draw.')
    model: Any = trained_model(cfg, checkpoint)
    if not isinstance(model, GenDD):
        raise ValueError(
            f'{cfg.filename} trains a {type(model).__name__}, which generates nothing; give a '
            'config of GenDD.'
        )
    found: list[tuple[Tensor, Tensor, Tensor]] = []
    labels: list[Tensor] = []
    generator = torch.Generator().manual_seed(0)
    for batch in _batches(cfg, num_images):
        data = model.data_preprocessor(batch, False)
        samples = data['data_samples']
        if any('gt_label' not in sample for sample in samples):
            raise ValueError('the test images have no labels to colour them by.')
        labels += [sample.gt_label.flatten()[:1] for sample in samples]
        distiller = model.distiller
        with distiller.student_recorders, distiller.teacher_recorders:
            model.student(data['inputs'], mode='tensor')
            model.teacher.extract_feat(data['inputs'], samples)
        found.append((distiller.target(), distiller.draws(1, generator)[0], distiller.condition()))
    teacher, generated, student = (torch.cat(each).float() for each in zip(*found, strict=True))
    return FeatureMap(teacher, generated, student.flatten(1), torch.cat(labels))


def _batches(cfg: Config, num_images: int) -> Any:
    loader: Any = dict(cfg.test_dataloader, num_workers=0, persistent_workers=False)
    loader['dataset'] = dict(test_dataset(cfg), lazy_init=False)
    loader.pop('prefetch_factor', None)
    built = Runner.build_dataloader(loader)
    dataset: Any = built.dataset
    places = np.unique(np.linspace(0, len(dataset) - 1, num_images).astype(int))
    dataset.get_subset_(places.tolist())
    return Runner.build_dataloader(dict(loader, dataset=dataset))


def draw_feature_map(
    features: FeatureMap, path: str | Path, perplexity: float = 30.0, seed: int = 0
) -> None:
    """Draw the three, coloured by class. Needs scikit-learn and matplotlib.

    Teacher and draws share one embedding, so that a draw that fits lies among the teacher's
    features of its class. The student's have a space of their own.

    Args:
        features: What :func:`feature_map` gives.
        path: Picture to write; its ending says the format.
        perplexity: Of t-SNE: about how many neighbours count; below the number of images.
        seed: Of t-SNE.

    Raises:
        ValueError: If there are too few images for the perplexity, or the picture's ending is
            unknown.
    """
    check_picture(path)
    from matplotlib.figure import Figure
    from sklearn.manifold import TSNE

    count = len(features.labels)
    if perplexity >= count:
        raise ValueError(
            f'perplexity={perplexity} must be below the number of images, {count}; take more '
            'images or a smaller perplexity.'
        )

    def embedded(values: Tensor) -> np.ndarray:
        normed = nn.functional.layer_norm(values, values.shape[1:])
        return TSNE(perplexity=perplexity, init='pca', random_state=seed).fit_transform(
            normed.numpy()
        )

    both = embedded(torch.cat([features.teacher, features.generated]))
    panels = {
        "teacher's features": both[:count],
        "generated, given the student's": both[count:],
        "student's features": embedded(features.student),
    }
    figure = Figure(figsize=(13.5, 4.5), layout='constrained')
    for axes, (title, points) in zip(figure.subplots(1, 3), panels.items(), strict=True):
        axes.scatter(*points.T, c=features.labels.numpy(), cmap='tab20', s=6)
        axes.set(title=title, xticks=[], yticks=[])
    for axes in figure.axes[:2]:  # one space
        axes.set(
            xlim=(both[:, 0].min() - 2, both[:, 0].max() + 2),
            ylim=(both[:, 1].min() - 2, both[:, 1].max() + 2),
        )
    save_picture(figure, path)
