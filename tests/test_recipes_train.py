"""Every recipe trains and is evaluated: its networks, small images.

One of each family by default, on two processes; all of them are slow.
"""

import json
import socket

import pytest
import small_recipes
import torch
from mmengine.config import Config
from published_configs import EXPERIMENTS, Experiment

FOLDERS = ('imagenet/', 'cc3m/', 'imagenet_lt/', 'cifar100/')
# The flagship has tests of its own.
RECIPES = [each for each in EXPERIMENTS if each.name.startswith(FOLDERS)]
STAGE_1 = [
    Experiment(each.name, stage1=True)
    for each in RECIPES
    if '/gendd' in each.name and not each.name.startswith(('cc3m', 'imagenet_lt'))
]
FAMILIES = [
    Experiment('imagenet/gendd_resnet34_resnet18_8xb64_in1k.py'),
    Experiment('cc3m/gendd_resnet34_resnet18_8xb64-100e_cc3m.py'),
    Experiment('imagenet_lt/gendd_resnext101-32x4d_resnet18_8xb32_imagenet-lt.py'),
    Experiment('cifar100/gendd_resnet32x4_resnet8x4_1xb64_cifar100.py', stage1=True),
]


def check(cfg: Config, result: dict) -> None:
    """Two steps moved what they should, and what is reported is there."""
    assert result['iterations'] == small_recipes.STEPS
    moved = {name.split('.')[0] for name in result['moved']}
    metrics = set(result['metrics'])
    assert all(0 <= value <= 100 for value in result['metrics'].values())
    if 'GenDD' in cfg.model.type:
        assert moved == {'architecture', 'distiller'}
        labels = cfg.model.architecture.head.get('trainable', True)
        moves = 'architecture.head.fc.weight' in result['moved']
        assert moves == ('probe/top1' in metrics) == labels
        assert 'gen/top1' in metrics
    elif 'Distill' in cfg.model.type:
        generates = 'loss_mgd' in cfg.model.distiller.distill_losses
        assert moved == {'architecture'} | ({'distiller'} if generates else set())
        assert 'accuracy/top1' in metrics
    else:
        assert moved == {'backbone', 'head'} or (
            # The sizes agree, so that nothing projects.
            moved == {'backbone'} and 'teacher_dim' in cfg.model.head
        )
        assert metrics & {'accuracy/top1', 'gen/top1'}
    if 'ShotAccuracy' in cfg.val_evaluator.type:
        assert 'gen/few' in metrics
    assert any('backbone' in name for name in result['moved'])


@pytest.mark.parametrize('experiment', FAMILIES, ids=str)
def test_it_trains_on_two_processes(experiment, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    cfg = small_recipes.read(experiment, tmp_path, batch_size=1)
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    # Forked: the imports are there already.
    torch.multiprocessing.start_processes(
        small_recipes.run_as, (cfg, port), nprocs=2, start_method='fork'
    )
    check(cfg, json.loads((tmp_path / 'work' / 'result.json').read_text()))


@pytest.mark.slow
@pytest.mark.parametrize('experiment', RECIPES + STAGE_1, ids=str)
def test_it_trains(experiment, tmp_path):
    cfg = small_recipes.read(experiment, tmp_path)
    check(cfg, small_recipes.run(cfg))
