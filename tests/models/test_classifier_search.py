"""The linear layer that gives the scores is found, whatever lies around it."""

import pytest
import small_models
import torch
from mmengine.registry import MODELS
from torch import nn

from gendd_mm.models.algorithms.classifier_search import dry_run, find_classifier


class Network(nn.Module):
    """A convolution, a hidden layer, two classifiers, and scores made of them."""

    def __init__(self, scores) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 6, 3)
        self.hidden = nn.Linear(6, 5)
        self.first, self.second = nn.Linear(5, 4), nn.Linear(5, 4)
        self.scores = scores

    def forward(self, images):
        feature = self.hidden(self.conv(images).mean((2, 3))).relu()
        return self.scores(self.first(feature), self.second(feature))


def test_the_layer_that_gives_the_scores_is_found():
    assert find_classifier(Network(lambda first, second: first)) == 'first'
    assert find_classifier(Network(lambda first, second: second), 'second') == 'second'


def test_a_layer_of_the_same_size_that_does_not_is_refused():
    with pytest.raises(ValueError, match="'second' does not give the scores.*set .*='first'"):
        find_classifier(Network(lambda first, second: first), 'second')


@pytest.mark.parametrize(
    ('scores', 'message'),
    [
        (lambda first, second: (first + second) / 2, 'no single linear layer .*averaged'),
        (lambda first, second: 10 * first, 'no single linear layer'),
        (lambda first, second: [first, second], 'a list of 2 .*several classifiers'),
        (lambda first, second: first[..., None], r'shape \(2, 4, 1\) instead'),
        (lambda first, second: None, 'a NoneType'),
    ],
)
def test_scores_of_no_single_layer_are_refused(scores, message):
    with pytest.raises(ValueError, match=message):
        find_classifier(Network(scores))


def test_a_network_that_does_not_run_is_said():
    with pytest.raises(ValueError, match=r'does not run on images.*\(32, 32\): .*mat1 and mat2'):
        find_classifier(nn.Sequential(nn.Flatten(), nn.Linear(7, 3)))


def test_a_size_that_a_module_states_comes_first():
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 48 * 40, 3))
    model[0].img_size = [48, 40]
    assert find_classifier(model) == '1'


def test_a_size_that_is_none_is_passed_over():
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 3))
    model[0].img_size = -1
    assert find_classifier(model) == '1'


def test_the_default_device_does_not_matter():
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 3))
    with torch.device('meta'):
        assert find_classifier(model) == '1'


def test_a_property_that_raises_states_no_size():
    class Odd(nn.Flatten):
        @property
        def img_size(self):
            raise RuntimeError('not yet')

    assert find_classifier(nn.Sequential(Odd(), nn.Linear(3 * 28 * 28, 3))) == '1'


def test_a_dry_run_leaves_no_trace():
    model = nn.Sequential(nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2), nn.Dropout(0.5)).train()
    model[1].eval()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    numbers = torch.get_rng_state()
    dry_run(model, lambda model, images: model(images) + torch.randn(()))
    assert torch.get_rng_state().equal(numbers)
    assert [module.training for module in model] == [True, False, True]
    assert all(value.equal(before[key]) for key, value in model.state_dict().items())


@pytest.mark.parametrize(
    'head',
    [
        dict(type='mmpretrain.StackedLinearClsHead', mid_channels=[6]),
        dict(type='mmpretrain.VisionTransformerClsHead', hidden_dim=6),
    ],
)
def test_hidden_layers_of_a_head_are_a_part_of_the_feature(head):
    teacher = small_models.teacher()
    teacher['head'].update(head)
    tokenizer = dict(type='SplitTokenizer', token_dim=3)
    model = small_models.built(
        teacher=MODELS.build(teacher), head=dict(target_dim=6, tokenizer=tokenizer)
    )
    data = small_models.batch()
    target = model.teacher.extract_feat(data['inputs'])[-1]
    assert target.shape == (6, 6)
    scores = model.teacher.model(data['inputs'], mode='tensor')
    torch.testing.assert_close(model.teacher.classify(target), scores)
    losses = small_models.losses_of(model, data)
    assert losses['distill.loss_gendd'].isfinite()
