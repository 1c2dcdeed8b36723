"""What an image costs at test time."""

import torch
from mmpretrain.structures import DataSample
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


@torch.no_grad()
def multiply_adds(model: nn.Module, images: torch.Tensor) -> float:
    """Multiply-adds per image of a whole prediction, all draws and steps.

    Convolutions and matrix products count, as torch's counter sees them.

    Args:
        model: A classifier or a distillation; it is left in eval mode.
        images: Preprocessed images, shape (B, C, H, W).
    """
    model.eval()
    with FlopCounterMode(display=False) as counter:
        model(images, [DataSample() for _ in images], mode='predict')
    return counter.get_total_flops() / 2 / len(images)
