"""Find the linear layer that gives a network's scores, by running it once."""

from collections.abc import Iterator
from contextlib import nullcontext, suppress
from typing import Any

import torch
from mmengine.model import BaseModel
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from gendd_mm.models.stored_teacher import StoredTeacher

__all__ = ['dry_run', 'find_classifier', 'scores_of']

# Sizes of an image that a network may be made for, the cheapest first.
_SIZES = (32, 224, 28, 64, 128, 256, 384)


def scores_of(
    model: nn.Module, images: Tensor, data_samples: list[DataSample] | None = None
) -> Any:
    """Run a classifier to its scores, before any softmax; samples are for a stored teacher."""
    if isinstance(model, BaseModel):
        return model(images, data_samples, mode='tensor')
    return model(images)


def find_classifier(model: nn.Module, stated: str | None = None) -> str:
    """The name of the linear layer whose output is the scores of a classifier.

    Whatever the head does before it, norms, hidden layers, activations, pooling, is then
    a part of the feature.

    Args:
        model: The network; ``model(images)``, or ``mode='tensor'`` of MMEngine's models,
            gives scores of shape (B, C).
        stated: The name that a config states, to compare with. None or ``'auto'`` states
            none.

    Raises:
        ValueError: If no single linear layer gives the scores, if it is another one than
            ``stated``, or if the network does not run on images.
    """
    stated = None if stated == 'auto' else stated
    named = {module: name for name, module in model.named_modules()}
    linears = [module for module in named if isinstance(module, nn.Linear)]
    if stated is not None and stated not in (named[module] for module in linears):
        last = [named[module] for module in linears[-3:]]
        raise ValueError(
            f'teacher_classifier={stated!r} is not a linear layer of the teacher; its last ones '
            f'are {last}. Leave it out: the one that gives the scores is found.'
        )
    outputs: dict[nn.Module, Tensor] = {}
    hooks = [
        module.register_forward_hook(lambda m, inputs, output: outputs.update({m: output}))
        for module in linears
    ]
    try:
        scores = dry_run(model, scores_of)
    finally:
        for hook in hooks:
            hook.remove()
    kind = type(model).__name__
    if not isinstance(scores, Tensor) or scores.dim() != 2:
        raise ValueError(
            f'the teacher ({kind}) gives {_described(scores)} instead of one tensor of scores '
            '(B, C), such as a network with several classifiers; GenDD needs a single linear '
            'layer that gives the scores. Give the teacher a head with one.'
        )
    found = [
        named[module]
        for module, output in outputs.items()
        if output is scores or (output.shape == scores.shape and output.equal(scores))
    ]
    if not found:
        last = [named[module] for module in outputs][-3:]
        raise ValueError(
            f'no single linear layer of the teacher ({kind}) gives its scores; the last that ran '
            f'are {last or "none"}. It has no classifier, or a convolution as one, or its scores '
            'are averaged or scaled after it. Give the teacher a head with one linear layer at '
            'its end, or teach its features alone by teacher_classifier=None.'
        )
    if stated is not None and stated not in found:
        raise ValueError(
            f'teacher_classifier={stated!r} does not give the scores of the teacher ({kind}), but '
            f'{found[-1]!r} does; set teacher_classifier={found[-1]!r}, or leave it out.'
        )
    return stated or found[-1]


@torch.no_grad()
def dry_run(model: nn.Module, run: Any) -> Any:
    """What a network in eval mode gives for two images of noise, of a size that fits it.

    Neither its mode nor torch's random numbers change.

    Args:
        model: The network.
        run: Function of the network and images, shape (2, channels, size, size).

    Raises:
        ValueError: If it runs on no size.
    """
    modes = {module: module.training for module in model.modules()}
    model.eval()
    failures: dict[tuple, Exception] = {}
    try:
        stored = model.dry_run() if isinstance(model, StoredTeacher) else nullcontext()
        with torch.random.fork_rng(devices=[]), stored:
            for images in _images_for(model):
                try:
                    result = run(model, images)
                except Exception as error:  # whatever a network says of a size
                    failures[tuple(images.shape[-2:])] = error
                    continue
                return result
    finally:
        for module, mode in modes.items():
            module.training = mode
    size, failure = next(iter(failures.items()))
    raise ValueError(
        f'{type(model).__name__} does not run on images, tried in sizes {list(failures)}; for '
        f'{size}: {type(failure).__name__}: {failure}.'
    ) from failure


def _images_for(model: nn.Module) -> Iterator[Tensor]:
    first = next((m for m in model.modules() if isinstance(m, nn.Conv2d)), None)
    channels = 3 if first is None else first.in_channels
    parameter = next(model.parameters(), torch.zeros(()))
    # On the CPU whatever the default device is, and from there to the network.
    generator = torch.Generator('cpu').manual_seed(0)
    for size in dict.fromkeys([*_stated_sizes(model), *((size, size) for size in _SIZES)]):
        images = torch.randn(2, channels, *size, generator=generator, device='cpu')
        yield images.to(parameter)


def _stated_sizes(model: nn.Module) -> Iterator[tuple[int, int]]:
    """Heights and widths as mmpretrain's, timm's and HuggingFace's transformers name them."""
    for module in model.modules():
        for owner in (module, getattr(module, 'config', None)):
            for name in ('img_size', 'image_size'):
                value = None
                with suppress(Exception):  # a property may raise anything
                    value = getattr(owner, name, None)
                pair = tuple(value) if isinstance(value, (list, tuple)) else (value, value)
                if len(pair) == 2 and all(type(side) is int and side > 0 for side in pair):
                    yield pair


def _described(scores: Any) -> str:
    if isinstance(scores, Tensor):
        return f'a tensor of shape {tuple(scores.shape)}'
    size = f' of {len(scores)}' if isinstance(scores, (list, tuple, dict)) else ''
    return f'a {type(scores).__name__}{size}'
