"""Networks of other libraries teach as they are."""

from types import SimpleNamespace

import pytest
import small_models
import torch
from mmengine.config import Config
from mmengine.registry import MODELS
from torch import nn

from gendd_mm.config_check import check_config
from gendd_mm.models import ModuleClassifier


class WithLogits(nn.Module):
    """Scores inside an object, as HuggingFace's networks give them."""

    def __init__(self, classes: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
        self.classifier = nn.Linear(8, classes)

    def forward(self, images):
        return SimpleNamespace(logits=self.classifier(self.conv(images).mean((2, 3))))


def open_gendd(teacher: dict, teacher_ckpt: str, **head) -> dict:
    model = small_models.gendd(head=head, teacher=teacher, teacher_ckpt=teacher_ckpt)
    del model['distiller']['distill_losses']['loss_gendd']['head']['target_dim']
    return model


def test_a_network_of_torchvision_teaches_with_its_own_weights(tmp_path):
    models = pytest.importorskip('torchvision.models')
    torch.manual_seed(0)
    network = models.resnet18(weights=None, num_classes=3).eval()
    path = str(tmp_path / 'resnet18.pth')
    torch.save(network.state_dict(), path)
    teacher = dict(
        type='gendd_mm.ModuleClassifier',
        network=dict(type='torchvision.models.resnet18', weights=None, num_classes=3),
        data_preprocessor=dict(mean=[1.0, 2.0, 3.0], std=[4.0, 5.0, 6.0]),
    )
    tokenizer = dict(type='SplitTokenizer', token_dim=64)
    settings = open_gendd(teacher, path, tokenizer=tokenizer)
    check_config(Config(dict(model=settings, default_scope='mmpretrain')))
    model = MODELS.build(settings)
    model.init_weights()
    assert model.teacher.classifier_name == 'network.fc'
    images = torch.rand(2, 3, 32, 32) * 255
    mean, std = (torch.tensor(v)[:, None, None] for v in ([1.0, 2, 3], [4.0, 5, 6]))
    (feature,) = model.teacher.extract_feat(images)
    expected = network((images - mean) / std)
    torch.testing.assert_close(model.teacher.classify(feature), expected, atol=1e-4, rtol=1e-4)
    losses = small_models.losses_of(model, small_models.batch())
    assert losses['distill.loss_gendd'].isfinite()


def test_scores_inside_an_object_are_found(tmp_path):
    network = WithLogits()
    path = str(tmp_path / 'own.pth')
    torch.save(network.state_dict(), path)
    teacher = dict(
        type='gendd_mm.ModuleClassifier',
        network=dict(type=WithLogits, classes=3),
    )
    model = MODELS.build(open_gendd(teacher, path))
    assert model.teacher.classifier_name == 'network.classifier'
    images = torch.randn(2, 3, 8, 8)
    sample = model.teacher.model(images, mode='predict')[1]
    expected = network(images).logits[1].softmax(-1)
    torch.testing.assert_close(sample.pred_score, expected)
    assert sample.pred_label == expected.argmax()


def test_what_is_no_network_is_refused():
    with pytest.raises(ValueError, match='network=3 is a int, no torch.nn.Module'):
        ModuleClassifier(3)


def test_it_is_not_trained():
    model = ModuleClassifier(WithLogits())
    with pytest.raises(ValueError, match="mode='loss'.*alone"):
        model(torch.randn(2, 3, 8, 8), mode='loss')
