"""Nothing of a step of the algorithms waits for the device."""

import pytest
import small_models
import torch
from far_device import FAR, FarDevice, sent_far
from mmengine.registry import MODELS
from mmpretrain.structures import DataSample
from mmrazor.models.task_modules.recorder import ParameterRecorder
from torch import nn


def batch(size: int = 6) -> tuple:
    """What a data preprocessor has put on the device."""
    labels = torch.randint(small_models.NUM_CLASSES, (size, 1), device=FAR)
    samples = [DataSample().set_gt_label(label) for label in labels]
    return torch.randn(size, 3, 8, 8, device=FAR), samples


def sent(model: nn.Module) -> nn.Module:
    """Move the algorithm, and let MMRazor look up the teacher's parameters again.

    On a GPU they move in place; without values they are new ones.
    """
    sent_far(model)
    for recorder in model.distiller.teacher_recorders.recorders.values():
        if isinstance(recorder, ParameterRecorder):
            recorder.data_buffer.clear()
            recorder.prepare_from_model(model.teacher.model)
    return model


def step(model: nn.Module) -> dict:
    """Losses, gradients and the optimizer of a batch."""
    optimizer = torch.optim.AdamW(
        [parameter for parameter in model.parameters() if parameter.requires_grad], lr=0.1
    )
    losses = model(*batch(), mode='loss')
    sum(losses.values()).backward()
    optimizer.step()
    return losses


@pytest.mark.parametrize('row_chunk', [None, 7])
@pytest.mark.parametrize('supervised', [True, False])
def test_a_step_of_gendd_never_waits(supervised, row_chunk):
    model = small_models.built(
        supervised, head=dict(row_chunk=row_chunk, target_scale='auto'), channels_last=True
    ).train()
    with FarDevice():
        losses = step(sent(model))
    assert 'distill.loss_gendd' in losses
    assert model.student.backbone.conv.weight.grad.device == FAR


@pytest.mark.parametrize('teacher_weight', [0.5, 1.0])
def test_a_step_of_linear_probing_never_waits(teacher_weight):
    model = MODELS.build(
        dict(
            type='gendd_mm.LinearProbing',
            architecture=small_models.classifier(
                small_models.STUDENT_DIM, 'mmpretrain.LinearClsHead'
            ),
            teacher=small_models.built_teacher(),
            teacher_weight=teacher_weight,
        )
    ).train()
    with FarDevice():
        losses = step(sent_far(model))
    assert 'loss_teacher' in losses
    assert model.student.head.fc.weight.grad.device == FAR


def test_a_standardized_probe_never_waits():
    settings = small_models.student()
    settings['head']['standardize'] = True
    model = small_models.built(architecture=settings).train()
    with FarDevice():
        assert 'student.loss' in step(sent(model))
