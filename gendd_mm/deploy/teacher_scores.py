"""The class scores of the teacher of a distillation."""

import torch
from mmengine.model import BaseModel
from torch import Tensor

from gendd_mm.models import GenDD


@torch.no_grad()
def teacher_logits(model: BaseModel, inputs: Tensor) -> Tensor:
    """Class scores before softmax, shape (B, C).

    Args:
        model: A distillation, GenDD or any of MMRazor's with one teacher. The
            teacher is in eval mode.
        inputs: Preprocessed images, shape (B, 3, H, W).
    """
    teacher = model.teacher
    if isinstance(model, GenDD):
        return teacher.classify(teacher.extract_feat(inputs)[-1])
    return teacher(inputs, mode='tensor')
