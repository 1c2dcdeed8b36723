"""The gradient that reaches the student, by the noise in the token."""

import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import Tensor

from gendd_mm.generative import UniformTimesteps
from gendd_mm.generative.timesteps import Timesteps
from gendd_mm.models import GenDD, GenerativeHead

# Noise fractions from 0, clean, to 1 are cut into this many equal parts.
LEVELS = 10
BATCHES = 4
# Draws of steps, noise and dropped conditions for each batch and level.
DRAWS = 4


def has_generative_head(model: BaseModel) -> bool:
    """Whether a model has noise levels to measure."""
    return isinstance(model, GenDD) and isinstance(model.distiller.gendd_loss.head, GenerativeHead)


def noise_levels(model: GenDD, train_dataloader: Config) -> list[dict]:
    """Measure what each part of the noise scale teaches the student.

    The gradient is that of one image's loss by its condition, the normalised student
    feature: batch norm and augmentation as in training, all parameters as they are. Its
    mean over the draws is what teaches; the rest of its square is noise that the steps
    of training must average away.

    Args:
        model: A trained GenDD with a generative head; left in training mode.
        train_dataloader: Config of the dataloader of its run.

    Returns:
        For each part, and last for the run's own distribution of steps (``low`` and
        ``high`` None): ``low``, ``high`` in [0, 1]; ``loss``; ``gradient``, the root
        mean square of its norm; ``signal``, that of its mean over draws, estimated
        without bias, 0 where that is below 0; ``signal_share``, the square of their
        ratio, in [0, 1].
    """
    head = model.distiller.gendd_loss.head
    pairs = _pairs(model, train_dataloader)
    generator = torch.Generator(pairs[0][0].device).manual_seed(0)
    rows: list[dict] = []
    for i in range(LEVELS):
        low, high = i / LEVELS, (i + 1) / LEVELS
        measured = measure(head, pairs, generator, UniformTimesteps(low, high))
        rows.append(dict(low=low, high=high, **measured))
    rows.append(dict(low=None, high=None, **measure(head, pairs, generator)))
    return rows


def _pairs(model: GenDD, train_dataloader: Config) -> list[tuple]:
    """Conditions and targets of some batches, as training makes them."""
    given: list[dict] = []
    hook = model.distiller.gendd_loss.register_forward_pre_hook(
        lambda module, args, kwargs: given.append(kwargs), with_kwargs=True
    )
    model.train()
    torch.manual_seed(0)
    loader = Runner.build_dataloader(train_dataloader, seed=0)
    with torch.no_grad():
        for _, data in zip(range(BATCHES), loader, strict=False):
            data = model.data_preprocessor(data, True)
            model.loss(data['inputs'], data['data_samples'])
        hook.remove()
        return [model.distiller.gendd_loss.prepare(**one) for one in given]


def measure(
    head: GenerativeHead,
    pairs: list[tuple],
    generator: torch.Generator | None = None,
    timesteps: Timesteps | None = None,
) -> dict[str, float]:
    """A row of :func:`noise_levels` for given conditions and targets.

    Args:
        head: Gives the mean loss of a batch.
        pairs: Conditions, shape (B, S), and targets, (B, D), of each batch.
        generator: Source of the draws.
        timesteps: Distribution of the timesteps. None takes the head's own.
    """
    losses, squares, products = [], [], []
    for condition, target in pairs:
        condition = condition.detach().requires_grad_()
        gradients: list[Tensor] = []
        for _ in range(DRAWS):
            loss = head.loss(condition, target, generator, timesteps)
            (gradient,) = torch.autograd.grad(loss, condition)
            losses.append(loss.item())
            # The loss is the mean over the images.
            gradients.append(gradient.double() * len(condition))
        each = torch.stack(gradients)
        square = each.square().sum(-1).mean(0)
        squares.append(square)
        # Products of different draws: those in |sum|^2 without the squares.
        whole = each.sum(0).square().sum(-1)
        products.append((whole - DRAWS * square) / (DRAWS * (DRAWS - 1)))
    mean_square = torch.cat(squares).mean().item()
    signal = max(0.0, torch.cat(products).mean().item())
    return dict(
        loss=sum(losses) / len(losses),
        gradient=mean_square**0.5,
        signal=signal**0.5,
        signal_share=min(1.0, signal / mean_square) if mean_square else 0.0,
    )
