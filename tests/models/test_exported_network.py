"""Programs of torch.export and TorchScript teach; a last linear layer is found."""

import copy

import pytest
import small_models
import torch
from exported_networks import Network, encoder, exported, saved
from mmengine.registry import MODELS
from torch import nn

from gendd_mm.models import ModuleBackbone, ModuleClassifier, exported_program
from gendd_mm.models.algorithms.classifier_search import find_classifier

pytestmark = pytest.mark.filterwarnings('ignore:.*torch.jit')


@pytest.mark.parametrize('bias', [True, False])
def test_what_enters_the_last_layer_gives_the_scores(bias):
    torch.manual_seed(0)
    network = Network(bias)
    model = ModuleClassifier(exported(network)).eval()
    name = find_classifier(model)
    classifier = model.get_submodule(name)
    assert classifier.weight.equal(network.fc.weight)
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


def test_the_size_it_was_exported_for_is_known(tmp_path):
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 10 * 10, 4))
    program = exported(network, size=10)
    for built in (program, exported_program(saved(program, tmp_path / 'teacher.pt2'))):
        assert find_classifier(ModuleClassifier(built)) == 'network.classifier'


def test_what_does_not_fit_is_named():
    with pytest.raises(ValueError, match='a batch of 2 alone; export it with dynamic_shapes'):
        ModuleClassifier(exported(Network(), dynamic=False))
    with pytest.raises(ValueError, match='no single linear layer.*by teacher_classifier=None'):
        find_classifier(ModuleClassifier(exported(Network(scale=2.0))))


KINDS = {
    'exported': exported,
    'traced': lambda network: torch.jit.trace(network, torch.randn(2, 3, 32, 32)),
    'scripted': torch.jit.script,
    'frozen': lambda network: torch.jit.freeze(torch.jit.script(network)),
}


@pytest.mark.parametrize('kind', KINDS)
def test_its_output_teaches_without_a_classifier(kind):
    network = encoder()
    teacher = ModuleClassifier(KINDS[kind](network))
    settings = small_models.gendd(supervised=False, teacher=teacher, teacher_classifier=None)
    settings['architecture']['head'] = None
    model = MODELS.build(settings)
    with torch.no_grad():  # the last layers start at zero and let nothing pass
        for parameter in model.distiller.parameters():
            parameter.add_(0.1)
    data = dict(small_models.batch(5, labels=False), inputs=torch.rand(5, 3, 32, 32) * 255)
    data = model.data_preprocessor(data, True)
    losses = model(data['inputs'], data['data_samples'], mode='loss')
    losses['distill.loss_gendd'].backward()
    target = model.distiller.get_record('target', from_student=False)
    expected = network(model.teacher.renormalize(data['inputs']))
    torch.testing.assert_close(target, expected)
    assert not target.requires_grad
    assert model.student.backbone.conv.weight.grad.abs().sum() > 0


@pytest.mark.parametrize('kind', ['traced', 'scripted'])
def test_torchscript_is_copied_and_moves_with_its_model(kind):
    network = encoder()
    model = ModuleClassifier(KINDS[kind](network))
    copied = copy.deepcopy(model).requires_grad_(False).eval().to(torch.float64)
    images = torch.randn(2, 3, 32, 32)
    expected = network(images)
    assert model(images).equal(expected)
    torch.testing.assert_close(copied(images.double()), expected.double(), atol=1e-5, rtol=0)


def test_torchscript_has_no_classifier_and_the_remedy_is_named():
    network = nn.Sequential(encoder(), nn.Linear(8, 3)).eval()
    for scripted in (KINDS['traced'](network), KINDS['scripted'](network)):
        settings = small_models.gendd(teacher=ModuleClassifier(scripted))
        with pytest.raises(ValueError, match='no single linear.*by teacher_classifier=None'):
            MODELS.build(settings)
        with pytest.raises(ValueError, match='no single linear layer'):
            ModuleBackbone(scripted)
