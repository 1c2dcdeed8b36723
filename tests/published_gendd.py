"""GenDD with the names that the authors' checkpoints have, written out plainly.

From the formulas of arXiv 2507.14503 and the list of names; nothing of
``gendd_mm`` is imported.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def sinusoids(t: Tensor) -> Tensor:
    frequencies = torch.exp(-torch.log(torch.tensor(10000.0)) * torch.arange(128) / 128)
    angles = t.float()[:, None] * frequencies
    return torch.cat([angles.cos(), angles.sin()], dim=1)


class Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.in_ln = nn.LayerNorm(width, eps=1e-6)
        self.mlp = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 3 * width))

    def forward(self, h: Tensor, e: Tensor) -> Tensor:
        shift, scale, gate = self.adaLN_modulation(e).chunk(3, dim=1)
        return h + gate * self.mlp(self.in_ln(h) * (1 + scale) + shift)


class FinalLayer(nn.Module):
    def __init__(self, width: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, outputs)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 2 * width))

    def forward(self, h: Tensor, e: Tensor) -> Tensor:
        shift, scale = self.adaLN_modulation(e).chunk(2, dim=1)
        return self.linear(F.layer_norm(h, h.shape[1:], eps=1e-6) * (1 + scale) + shift)


class TimeEmbed(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(256, width), nn.SiLU(), nn.Linear(width, width))


class Network(nn.Module):
    """The denoiser; it takes what ``ReferenceDenoiser`` takes."""

    def __init__(self, token_dim, condition_dim, num_tokens, width, depth, embedding) -> None:
        super().__init__()
        self.time_embed = TimeEmbed(width)
        self.cond_embed = nn.Linear(condition_dim, width)
        if embedding:
            self.pos_embed = nn.Embedding(num_tokens, width)
        else:
            self.pos_embed = nn.Parameter(torch.zeros(1, num_tokens, width))
        self.input_proj = nn.Linear(token_dim, width)
        self.res_blocks = nn.ModuleList(Block(width) for _ in range(depth))
        self.final_layer = FinalLayer(width, 2 * token_dim)

    def forward(self, x: Tensor, t: Tensor, z: Tensor, position: Tensor) -> Tensor:
        table = getattr(self.pos_embed, 'weight', self.pos_embed)
        table = table.reshape(-1, table.shape[-1])
        e = self.time_embed.mlp(sinusoids(t)) + self.cond_embed(z) + table[position]
        h = self.input_proj(x)
        for block in self.res_blocks:
            h = block(h, e)
        return self.final_layer(h, e)


class DiffLoss(nn.Module):
    def __init__(self, *sizes) -> None:
        super().__init__()
        self.net = Network(*sizes)


class PublishedGenDD(nn.Module):
    """A whole run: student, teacher's last layer, stage 1's projection, head."""

    def __init__(
        self,
        student: nn.Module,
        classifier: nn.Linear,
        student_dim: int,
        token_dim: int,
        width: int,
        depth: int,
        embedding: bool,
    ) -> None:
        super().__init__()
        target_dim = classifier.in_features
        num_tokens = target_dim // token_dim
        self.model = student
        self.classifier = classifier
        self.proj = nn.Linear(student_dim, target_dim)
        self.cls_projector = nn.Sequential(nn.LayerNorm(student_dim))
        self.diffloss = DiffLoss(token_dim, student_dim, num_tokens, width, depth, embedding)

    def checkpoint(self) -> dict:
        weights = {f'module.{key}': value for key, value in self.state_dict().items()}
        return dict(epoch=99, state_dict=weights)
