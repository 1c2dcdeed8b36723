"""WarmStartHook: all of another run's module, once."""

import logging
from types import SimpleNamespace

import pytest
import small_models
import torch

from gendd_mm.engine.hooks import WarmStartHook


def runner_of(model, iteration: int = 0) -> SimpleNamespace:
    return SimpleNamespace(iter=iteration, model=model, logger=logging.getLogger('test'))


@pytest.fixture
def stage1(tmp_path):
    """A classifier with random weights, its checkpoint, and its network."""
    model = small_models.MODELS.build(small_models.student())
    for tensor in model.state_dict().values():
        if tensor.is_floating_point():
            tensor.normal_()
    path = tmp_path / 'stage1.pth'
    torch.save(dict(state_dict=model.state_dict()), path)
    return str(path), model.backbone.state_dict()


def test_the_student_starts_from_it(stage1):
    path, expected = stage1
    model = small_models.built()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    WarmStartHook(path).before_train(runner_of(model))
    after = model.state_dict()
    assert expected
    for key, value in after.items():
        name = key.removeprefix('architecture.backbone.')
        # Weights and statistics of the backbone, and nothing else.
        assert value.equal(expected[name] if name != key else before[key]), key


def test_a_resumed_run_keeps_what_it_has_learned(tmp_path):
    model = small_models.built()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    # It does not even look for the file.
    hook = WarmStartHook(str(tmp_path / 'gone.pth'))
    hook.before_train(runner_of(model, iteration=1))
    assert all(v.equal(before[k]) for k, v in model.state_dict().items())
    with pytest.raises(FileNotFoundError, match='gone.pth'):
        hook.before_train(runner_of(model))


@pytest.mark.parametrize(
    ('spoil', 'message'),
    [
        (lambda state: state.pop('backbone.conv.bias'), r"missing keys \['conv.bias'\]"),
        (
            lambda state: state.update({'backbone.more': torch.zeros(1)}),
            r"unexpected keys \['more'\]",
        ),
        (
            lambda state: state.update({'backbone.conv.bias': torch.zeros(9)}),
            r'conv.bias \(9,\) instead of \(4,\)',
        ),
        (
            lambda state: state.clear() or state.update(a=torch.zeros(1)),
            r'missing keys \[.*conv.weight',
        ),
    ],
)
def test_what_does_not_fit_is_an_error(stage1, spoil, message):
    path, _ = stage1
    checkpoint = torch.load(path)
    spoil(checkpoint['state_dict'])
    torch.save(checkpoint, path)
    with pytest.raises(ValueError, match=message):
        WarmStartHook(path).before_train(runner_of(small_models.built()))


def test_another_part_of_a_wrapped_model(stage1):
    path, expected = stage1
    model = small_models.MODELS.build(small_models.student())
    wrapped = torch.nn.parallel.DataParallel(model)
    WarmStartHook(path, target='backbone').before_train(runner_of(wrapped))
    for key, value in model.backbone.state_dict().items():
        assert value.equal(expected[key])
