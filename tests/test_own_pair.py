"""The commands of docs/own_pair.md, as they stand there, in a folder with small images."""

import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from image_folders import image
from mmengine.hub import get_config
from mmpretrain.registry import MODELS
from small_models import ROOT

from gendd_mm.engine.options import read_run
from gendd_mm.engine.stop_signals import STOP_SIGNALS

PAGE = (ROOT / 'docs' / 'own_pair.md').read_text()
CASES = re.findall(r'```bash\n(.*?)```', PAGE, re.S)
BASES = ['gendd_recommended', 'gendd_recommended', 'gendd_features']
NAMES = ['labels', 'no_labels', 'features']


def commands(case: str) -> list[list[str]]:
    """The commands of a block, each from its script on."""
    return [shlex.split(line)[1:] for line in case.replace('\\\n', ' ').splitlines()]


@pytest.fixture(scope='module')
def folder(tmp_path_factory) -> Path:
    """Images and random weights under the names that the page has for them."""
    models = pytest.importorskip('torchvision.models')
    timm = pytest.importorskip('timm')
    folder = tmp_path_factory.mktemp('own_pair')
    for part in ('train', 'val'):
        for name in ('daisy', 'rose'):
            for index in range(2):
                image(folder / 'data' / 'flowers' / part / name / f'{index}.png')
    for index in range(3):
        image(folder / 'data' / 'photos' / f'{index}.png')
    weights = folder / 'checkpoints'
    weights.mkdir()
    torch.manual_seed(0)
    torch.save(models.resnet50(num_classes=2).state_dict(), weights / 'resnet50.pth')
    resnet34 = get_config('mmpretrain::resnet/resnet34_8xb32_in1k.py').model
    torch.save(MODELS.build(resnet34).state_dict(), weights / 'resnet34.pth')
    # As its authors publish it: of 518 pixels, with the token of masked patches.
    dinov2 = timm.create_model('vit_small_patch14_dinov2').state_dict()
    dinov2['mask_token'] = torch.zeros(1, 384)
    torch.save(dinov2, weights / 'dinov2_vits14_pretrain.pth')
    return folder


def test_there_are_three_cases():
    assert len(CASES) == len(BASES)


@pytest.mark.parametrize(('case', 'base'), list(zip(CASES, BASES, strict=True)), ids=NAMES)
def test_the_command_writes_a_config_that_passes(case, base, folder, monkeypatch, tmp_path):
    (script, out, *options), train, export = commands(case)
    assert train == ['tools/train.py', out]
    assert export[:3] == [
        'tools/export_student.py',
        out,
        f'work_dirs/{Path(out).stem}/epoch_100.pth',
    ]
    monkeypatch.chdir(folder)
    written = tmp_path / 'pair.py'
    monkeypatch.setattr(sys, 'argv', [script, str(written), *options])
    runpy.run_path(str(ROOT / script), run_name='__main__')
    assert f'/models/{base}.py' in written.read_text()
    assert read_run(str(written)).train_cfg.max_epochs == 100


@pytest.mark.slow
@pytest.mark.parametrize('case', CASES, ids=NAMES)
def test_the_commands_train_and_export(case, folder):
    for script, *arguments in commands(case.replace('100', '2')):
        command = [sys.executable, str(ROOT / script), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
        assert done.returncode == 0, done.stderr
    exported = folder / arguments[2]
    assert any(exported.glob('*.pth'))
    if '--backbone' in arguments:
        assert (exported / 'timm.safetensors').exists()


@pytest.mark.slow
def test_the_call_returns_a_student(folder, monkeypatch):
    (call,) = re.findall(r'```python\n(.*?)```', PAGE, re.S)
    monkeypatch.chdir(folder)
    namespace: dict = {}
    try:
        exec(call.replace('100', '2').replace('work_dirs/dino', 'called'), namespace)
    finally:
        STOP_SIGNALS.restore()
    (feature,) = namespace['student'](torch.randn(2, 3, 224, 224))
    assert feature.shape == (2, 512)
