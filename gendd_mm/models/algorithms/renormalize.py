"""The same images in another model's normalisation."""

from typing import NamedTuple

import torch
from torch import Tensor, nn


class Renormalize(nn.Module):
    """Turn inputs normalised for one model into those of another.

    ``x' = (flip(x) * std + mean - mean') / std'``, per channel, where the flip undoes a
    different channel order. Mixup and CutMix commute with it.

    Args:
        source: Data preprocessor that made the inputs.
        target: Data preprocessor of the model that will see them. None, one that states
            no mean, or one with the same settings makes this the identity: a model
            config without its own preprocessor takes the inputs of the run.

    Attributes:
        identity: Whether nothing changes.
        is_given: Whether the other model states a normalisation of its own.

    Raises:
        ValueError: If a preprocessor does anything to an image but normalise it
            by its ``mean`` and ``std`` and swap its channels.
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, source: nn.Module, target: nn.Module | None) -> None:
        super().__init__()
        self.flip = False
        scale, shift = torch.ones(1, 1, 1), torch.zeros(1, 1, 1)
        theirs = None if target is None else _measured(target)
        self.is_given = theirs is not None and theirs.is_stated
        if theirs is not None and theirs.is_stated:
            ours = _measured(source)
            self.flip = ours.swaps_channels != theirs.swaps_channels
            mean, std = ours.mean, ours.std
            if self.flip:
                mean, std = mean.flip(0), std.flip(0)
            scale = std / theirs.std
            shift = (mean - theirs.mean) / theirs.std
        self.identity = not self.flip and bool(torch.all(scale == 1) and torch.all(shift == 0))
        self.register_buffer('scale', scale, persistent=False)
        self.register_buffer('shift', shift, persistent=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """Renormalise images, shape (B, C, H, W)."""
        if self.identity:
            return inputs
        if self.flip and inputs.size(1) == 3:
            inputs = inputs.flip(1)
        return torch.addcmul(self.shift, inputs, self.scale)


def normalization_text(preprocessor: nn.Module) -> str:
    """Mean, standard deviation and order of the channels of a preprocessor, as text."""
    found = _measured(preprocessor)
    mean, std = (value.flatten().tolist() for value in (found.mean, found.std))
    return f'mean={mean} std={std} swaps_channels={found.swaps_channels}'


class _Normalization(NamedTuple):
    """What a preprocessor does to an image; mean and std of shape (C, 1, 1)."""

    is_stated: bool
    swaps_channels: bool
    mean: Tensor
    std: Tensor


def _measured(preprocessor: nn.Module) -> _Normalization:
    """Read the mean and std of a preprocessor and check them on one pixel.

    Whether it swaps the channels is measured: mmpretrain's and mmengine's preprocessors
    keep that setting under different names, partly private.
    """
    mean, std = (getattr(preprocessor, name, None) for name in ('mean', 'std'))
    is_stated = mean is not None and std is not None
    if mean is None or std is None:
        mean, std = torch.zeros(1, 1, 1), torch.ones(1, 1, 1)
    # Statistics of one channel are those of every channel.
    channels = len(mean) if len(mean) > 1 else 3
    image = torch.arange(channels, dtype=torch.uint8).view(1, channels, 1, 1)
    kind = type(preprocessor).__name__
    try:
        seen = preprocessor(dict(inputs=image), False)['inputs']
        # Padding, if any, is to the right and below.
        levels = seen[..., :1, :1].to(mean) * std + mean
    except Exception as error:  # whatever an unknown preprocessor may raise
        raise ValueError(
            f'data preprocessor {kind} does not take a batch of images: {error!r}. Use '
            'ClsDataPreprocessor for the run and for the teacher.'
        ) from error
    for swaps_channels, expected in ((False, image), (True, image.flip(1))):
        if levels.shape == image.shape and torch.allclose(levels, expected.to(levels), atol=1e-3):
            return _Normalization(is_stated, swaps_channels, mean.clone(), std.clone())
    raise ValueError(
        f'data preprocessor {kind} does not give (image - mean) / std with its own mean and std, '
        f'so its inputs cannot be turned into those of another model: {image.flatten().tolist()} '
        f'became {seen.flatten().tolist()}. Use ClsDataPreprocessor for the run and for the '
        'teacher.'
    )
