"""Small networks for images, as programs of torch.export and as TorchScript."""

import zipfile
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.export import Dim, ExportedProgram


class Network(nn.Module):
    """Scores by a linear layer, or, scaled, by none; with lists, constants and sizes."""

    def __init__(self, bias: bool = True, scale: float | None = None) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
        self.norm = nn.BatchNorm2d(8)
        # The name that the last layer gets elsewhere.
        self.classifier = nn.Sequential(nn.Linear(8, 16), nn.ReLU(inplace=True))
        self.fc = nn.Linear(16, 3, bias)
        self.scale = scale
        self.register_buffer('gain', torch.rand(8), persistent=False)

    def forward(self, images):
        one, two = self.norm(self.conv(images)).relu_().chunk(2, 1)
        maps = torch.cat([two, one.tanh()], 1)
        rows = maps.reshape(images.size(0), 8, -1).to(torch.float32)
        largest, _ = rows.max(2)
        offset = torch.arange(8, device=images.device) * torch.tensor([0.1])
        scores = self.fc(self.classifier(largest * self.gain + offset))
        return scores if self.scale is None else self.scale * scores


def exported(network: nn.Module, dynamic: bool = True, size: int = 32) -> ExportedProgram:
    batch = ({0: Dim('batch')},) if dynamic else None
    images = torch.randn(2, 3, size, size)
    return torch.export.export(network.eval(), (images,), dynamic_shapes=batch)


def saved(program: ExportedProgram, file: Path) -> str:
    """Write a program; a torch that does not write the format of today skips the test."""
    torch.export.save(program, file)
    with zipfile.ZipFile(file) as archive:
        if not any(name.endswith('/model_weights_config.json') for name in archive.namelist()):
            pytest.skip(f'torch {torch.__version__} writes an older format')
    return str(file)


def encoder() -> nn.Module:
    """A network that gives features (B, 8)."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    ).eval()
