"""The head for images without labels: scores, gradient, no loss."""

import small_models
import torch
from mmengine.registry import MODELS
from mmpretrain.models import LinearClsHead

from gendd_mm.models import UnlabeledClsHead


def test_kl_alone_trains_backbone_and_classifier_without_labels():
    """By MMRazor's algorithm and loss; also the weights have the names."""
    mapping = {
        f'preds_{letter}': dict(recorder='logits', from_student=student)
        for letter, student in (('S', True), ('T', False))
    }
    recorder = dict(logits=dict(type='mmrazor.ModuleOutputs', source='head.fc'))
    kind = 'gendd_mm.UnlabeledClsHead'
    model = MODELS.build(
        dict(
            type='mmrazor.SingleTeacherDistill',
            architecture=small_models.classifier(4, kind),
            teacher=small_models.classifier(8, kind),
            distiller=dict(
                type='mmrazor.ConfigurableDistiller',
                student_recorders=recorder,
                teacher_recorders=recorder,
                distill_losses=dict(loss_kl=dict(type='mmrazor.KLDivergence')),
                loss_forward_mappings=dict(loss_kl=mapping),
            ),
        )
    )
    data = small_models.batch(labels=False)
    losses = small_models.losses_of(model, data)
    assert set(losses) == {'distill.loss_kl'}
    losses['distill.loss_kl'].backward()
    for name, parameter in model.named_parameters():
        moved = parameter.grad is not None and parameter.grad.abs().sum() > 0
        assert moved == (not name.startswith('teacher.')), name


def test_it_is_a_linear_classifier_otherwise():
    ours, plain = UnlabeledClsHead(3, 4), LinearClsHead(3, 4)
    ours.load_state_dict(plain.state_dict(), strict=True)
    feature = torch.randn(2, 4)
    assert ours((feature,)).equal(plain((feature,)))
    scores = [s.pred_score for s in ours.predict((feature,))]
    assert torch.stack(scores).sum(1).allclose(torch.ones(2))
