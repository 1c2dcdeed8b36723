"""Programs of torch.export teach: what enters their last linear layer is found."""

import pytest
import small_models
import torch
from mmengine.registry import MODELS
from torch import nn

from gendd_mm.models import ModuleClassifier
from gendd_mm.models.algorithms.classifier_search import find_classifier


class Network(nn.Module):
    """Scores by a linear layer, or, scaled, by none."""

    def __init__(self, bias: bool = True, scale: float | None = None) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
        self.norm = nn.BatchNorm2d(8)
        self.hidden = nn.Linear(8, 16)
        self.fc = nn.Linear(16, 3, bias)
        self.scale = scale

    def forward(self, images):
        scores = self.fc(self.hidden(self.norm(self.conv(images)).mean((2, 3))).relu())
        return scores if self.scale is None else self.scale * scores


def exported(network: nn.Module, dynamic: bool = True):
    batch = ({0: torch.export.Dim('batch')},) if dynamic else None
    return torch.export.export(network.eval(), (torch.randn(2, 3, 32, 32),), dynamic_shapes=batch)


@pytest.mark.parametrize('bias', [True, False])
def test_what_enters_the_last_layer_gives_the_scores(bias):
    torch.manual_seed(0)
    network = Network(bias)
    model = ModuleClassifier(exported(network)).eval()
    assert find_classifier(model) == 'network.classifier'
    classifier = model.network.classifier
    entered = []
    classifier.register_forward_pre_hook(lambda module, args: entered.append(args[0]))
    images = torch.randn(5, 3, 32, 32)
    expected = network(images)
    torch.testing.assert_close(model(images), expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(classifier(entered[-1]), expected, atol=1e-5, rtol=0)
    assert entered[-1].shape == (5, 16)


def test_it_teaches():
    settings = small_models.gendd(teacher=ModuleClassifier(exported(Network())))
    settings['distiller']['distill_losses']['loss_gendd']['head']['target_dim'] = 16
    model = MODELS.build(dict(settings, teacher_ckpt=None))
    data = small_models.batch()
    data['inputs'] = torch.rand(6, 3, 32, 32)
    assert small_models.losses_of(model, data)['distill.loss_gendd'].isfinite()


def test_what_does_not_fit_is_named():
    with pytest.raises(ValueError, match='a batch of 2 alone; export it with dynamic_shapes'):
        ModuleClassifier(exported(Network(), dynamic=False))
    with pytest.raises(ValueError, match='no single linear layer.*aten.mul'):
        ModuleClassifier(exported(Network(scale=2.0)))


@pytest.mark.filterwarnings('ignore:.*torch.jit')
def test_torchscript_is_refused_with_the_remedy():
    traced = torch.jit.trace(Network().eval(), torch.randn(2, 3, 32, 32))
    with pytest.raises(ValueError, match='TorchScript.*export it by torch.export'):
        ModuleClassifier(traced)
