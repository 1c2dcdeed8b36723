"""Reading, renaming and writing a checkpoint; the command lines."""

import runpy
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmpretrain import get_model
from mmpretrain.registry import MODELS
from random_weights import randomize

from gendd_mm.converters import CRD, convert_checkpoint, convert_weights
from gendd_mm.converters.convert import rename

TOOLS = Path(__file__).resolve().parents[2] / 'tools' / 'model_converters'
RESNET8 = CRD['resnet8']


@pytest.fixture
def ours():
    """What a conversion is to give, of three classes."""
    weights = MODELS.build(RESNET8.classifier(3)).state_dict()
    randomize(weights)
    return weights


@pytest.fixture
def theirs(ours):
    return {
        key.removeprefix('backbone.').removeprefix('head.'): value for key, value in ours.items()
    }


def assert_equal(weights, others):
    assert weights.keys() == others.keys()
    assert all(weights[key].equal(others[key]) for key in weights)


def save(path, content) -> str:
    torch.save(content, path)
    return str(path)


@pytest.mark.parametrize(
    'wrap',
    [
        lambda weights: weights,
        lambda weights: dict(state_dict=weights, epoch=3),
        lambda weights: dict(module=weights),
        lambda weights: dict(
            epoch=240,
            model=weights,
            accuracy=torch.tensor(72.3),
            optimizer=dict(state={}, param_groups=[dict(lr=0.05)]),
        ),
        lambda weights: {f'module.{key}': value for key, value in weights.items()},
    ],
)
def test_weights_are_found_and_written(ours, theirs, wrap, tmp_path):
    source = save(tmp_path / 'ckpt_epoch_240.pth', wrap(theirs))
    target = tmp_path / 'new' / 'resnet8.pth'
    assert convert_checkpoint(source, str(target), RESNET8) == 3
    written = torch.load(target, weights_only=True)
    assert_equal(written['state_dict'], ours)
    # As anyone reads it.
    config = Config(dict(model=RESNET8.classifier(3)))
    model = get_model(config, pretrained=str(target))
    assert_equal(model.state_dict(), ours)


def test_counters_of_old_versions_of_torch_may_be_missing(ours, theirs):
    old = {key: value for key, value in theirs.items() if 'num_batches_tracked' not in key}
    assert len(old) < len(theirs)
    assert_equal(convert_weights(old, RESNET8), ours)


def test_errors_name_the_file_and_nothing_is_written(theirs, tmp_path):
    target = tmp_path / 'resnet8.pth'
    del theirs['bn1.bias']
    theirs['layer1.0.conv3.weight'] = torch.zeros(1)
    source = save(tmp_path / 'ckpt.pth', theirs)
    with pytest.raises(ValueError, match='does not fit') as error:
        convert_checkpoint(source, str(target), RESNET8)
    for part in ('ckpt.pth', "'depth': 8", 'bn1.bias', 'layer1.0.conv3'):
        assert part in str(error.value)
    with pytest.raises(FileNotFoundError, match='none.pth'):
        convert_checkpoint('none.pth', str(target), RESNET8)
    with pytest.raises(ValueError, match='state_dict or model or module'):
        convert_checkpoint(save(tmp_path / 'ckpt.pth', dict(epoch=3)), str(target), RESNET8)
    assert not target.exists()


def test_unknown_keys_are_counted_and_some_are_named():
    weights = {f'extra{i}': torch.zeros(1) for i in range(30)}
    with pytest.raises(ValueError, match=r'30 of 30 .*extra9.\]') as error:
        rename(weights, RESNET8.rules)
    assert 'extra10' not in str(error.value)


def run(monkeypatch, script, *args):
    monkeypatch.setattr(sys, 'argv', [script, *map(str, args)])
    runpy.run_path(str(TOOLS / script), run_name='__main__')


def test_a_tool_converts(ours, theirs, tmp_path, monkeypatch, capsys):
    source = tmp_path / 'ckpt_epoch_240.pth'
    # The benchmark's files are as old as torch 0.4: no zip files yet.
    torch.save(dict(model=theirs), source, _use_new_zipfile_serialization=False)
    target = tmp_path / 'resnet8.pth'
    run(monkeypatch, 'crd_to_gendd_mm.py', 'resnet8', source, target)
    assert_equal(torch.load(target, weights_only=True)['state_dict'], ours)
    assert f'wrote {target}: resnet8, 3 classes' in capsys.readouterr().out


@pytest.mark.parametrize(
    ('script', 'architecture'),
    [
        ('beitv2_to_mmpretrain.py', 'large'),
        ('torchvision_to_mmpretrain.py', 'resnext101_32x4d'),
        ('crd_to_gendd_mm.py', 'wrn_40_2'),
    ],
)
def test_help_lists_the_architectures(script, architecture, monkeypatch, capsys):
    with pytest.raises(SystemExit) as end:
        run(monkeypatch, script, '--help')
    assert end.value.code == 0
    assert architecture in capsys.readouterr().out
