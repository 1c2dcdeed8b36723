"""The same images in another model's normalisation."""

import torch
from torch import Tensor, nn


class Renormalize(nn.Module):
    """Turn inputs normalised for one model into those of another.

    ``x' = (flip(x) * std + mean - mean') / std'``, per channel, where the flip
    undoes a different channel order. Mixup and CutMix commute with it.

    Args:
        source: Data preprocessor that made the inputs.
        target: Data preprocessor of the model that will see them. None, one
            that states no mean, or one with the same settings makes this the
            identity: a model config without its own preprocessor takes the
            inputs of the run it is in.
    """

    def __init__(self, source: nn.Module, target: nn.Module | None) -> None:
        super().__init__()
        if not getattr(target, '_enable_normalize', False):
            target = source
        self.flip = _swaps_channels(source) != _swaps_channels(target)
        mean, std = _statistics(source)
        if self.flip:
            mean, std = mean.flip(0), std.flip(0)
        target_mean, target_std = _statistics(target)
        scale = std / target_std
        shift = (mean - target_mean) / target_std
        self.identity = not self.flip and bool(torch.all(scale == 1) and torch.all(shift == 0))
        self.register_buffer('scale', scale, persistent=False)
        self.register_buffer('shift', shift, persistent=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """Renormalise images, shape (B, C, H, W)."""
        if self.identity:
            return inputs
        if self.flip:
            inputs = inputs.flip(1)
        return torch.addcmul(self.shift, inputs, self.scale)


def _swaps_channels(preprocessor: nn.Module) -> bool:
    """Whether it swaps the channel order of the loaded image."""
    # mmpretrain's classification preprocessor, then mmengine's for images.
    return bool(
        getattr(preprocessor, 'to_rgb', getattr(preprocessor, '_channel_conversion', False))
    )


def _statistics(preprocessor: nn.Module) -> tuple:
    """Mean and standard deviation, shape (C, 1, 1)."""
    if getattr(preprocessor, '_enable_normalize', False):
        return preprocessor.mean.clone(), preprocessor.std.clone()
    return torch.zeros(1, 1, 1), torch.ones(1, 1, 1)
