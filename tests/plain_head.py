"""The head and its loss in plain torch, small: nothing of OpenMMLab is needed."""

from functools import partial

import torch
from reference_head import randomize
from torch import Tensor, nn

from gendd_mm.generative import (
    DistributionContraction,
    FeatureMeanCenters,
    FeatureMixup,
    GenDDLoss,
    GenerativeHead,
    SplitTokenizer,
    TokenDenoiser,
)
from gendd_mm.generative.training_noise import TrainingNoise

CLASSES = 5


def plain_head(width: int = 16, **settings) -> GenerativeHead:
    """Three tokens of 4; every parameter drawn, as nothing is zero then."""
    head = GenerativeHead(
        6,
        12,
        partial(SplitTokenizer, token_dim=4),
        partial(TokenDenoiser, width=width, depth=2),
        **{'repeats': 4, **settings},
    )
    return randomize(head)


class Trained(nn.Module):
    """A student of one layer under the whole objective, with running statistics."""

    def __init__(self, feature_mixup: bool = True, **settings) -> None:
        super().__init__()
        self.student = nn.Sequential(nn.Linear(7, 6), nn.LayerNorm(6))
        self.gendd = GenDDLoss(
            plain_head(target_scale='auto', **settings),
            DistributionContraction(centers=FeatureMeanCenters(CLASSES, 12)),
            FeatureMixup() if feature_mixup else None,
        )

    def forward(self, images: Tensor, target: Tensor, labels: Tensor, centers: Tensor) -> Tensor:
        """The loss of a batch."""
        return self.gendd(self.student(images), target, labels, centers)


def batch(device: torch.device, size: int = 8, seed: int = 1) -> tuple[Tensor, ...]:
    """Images, targets, labels and class centres, the same on every device."""
    generator = torch.Generator().manual_seed(seed)
    images, target = (torch.randn(size, dim, generator=generator) for dim in (7, 12))
    labels = torch.randint(CLASSES, (size,), generator=generator)
    centers = torch.randn(CLASSES, 12, generator=generator)
    return tuple(tensor.to(device) for tensor in (images, target, labels, centers))


def draw_on_cpu(head: GenerativeHead, part: slice = slice(None), images: int | None = None) -> None:
    """Let a head draw the same numbers on every device.

    Args:
        head: Its ``training_noise`` is replaced.
        part: The images, of all those that are drawn for, that this process has.
        images: How many are drawn for; None means as many as the batch has.
    """
    draw, steps = head.training_noise, iter(range(1000))

    def drawn(batch_size: int, device: torch.device, generator=None) -> TrainingNoise:
        generator = torch.Generator().manual_seed(next(steps))
        count = images or batch_size
        uniform, noise, keep = draw(count, torch.device('cpu'), generator)

        def mine(timesteps: Tensor) -> Tensor:
            return timesteps.unflatten(0, (count, -1))[part].flatten(0, 1).to(device)

        return TrainingNoise(mine(uniform), mine(noise.transpose(0, 1)).transpose(0, 1), mine(keep))

    head.training_noise = drawn
