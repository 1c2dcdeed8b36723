"""From folders of images and the names of a pair to a trained student, without an edit."""

import json
import math
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
import torch
from small_models import ROOT

from gendd_mm.datasets import DigitsDataset

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def digits(tmp_path_factory) -> Path:
    """The first digits as a user has images: a folder per class, for training and testing."""
    folder = tmp_path_factory.mktemp('digits')
    for part, split, count in (('train', 'train', 48), ('val', 'test', 32)):
        for index, sample in enumerate(DigitsDataset(split=split).load_data_list()[:count]):
            path = folder / part / str(sample['gt_label']) / f'{index}.png'
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), sample['img'])
    return folder


def metrics(folder: Path, teacher: str, weights: dict, student: str, digits: Path) -> dict:
    """Write a config, train by it for two epochs, and return the last numbers of all names."""
    torch.save(weights, folder / 'teacher.pth')
    pair = ['--teacher', teacher, '--teacher-ckpt', 'teacher.pth', '--student', student]
    data = ['--data', str(digits), '--image-size', '32', '--epochs', '2', '--batch-size', '16']
    for command in (
        ['tools/make_config.py', 'pair.py', *pair, *data],
        ['tools/train.py', 'pair.py'],
    ):
        command = [sys.executable, str(ROOT / command[0]), *command[1:]]
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
        assert done.returncode == 0, done.stderr
    assert (folder / 'work_dirs' / 'pair' / 'epoch_2.pth').exists()
    (scalars,) = folder.glob('work_dirs/pair/*/vis_data/scalars.json')
    found: dict = {}
    for line in scalars.read_text().splitlines():
        found.update(json.loads(line))
    assert all(math.isfinite(value) for value in found.values())
    return found


def test_a_pair_of_torchvision(digits, tmp_path):
    models = pytest.importorskip('torchvision.models')
    torch.manual_seed(0)
    weights = models.resnet18(num_classes=10).state_dict()
    student = 'torchvision:mobilenet_v3_small'
    found = metrics(tmp_path, 'torchvision:resnet18', weights, student, digits)
    assert {'distill.loss_gendd', 'gen/top1', 'probe/top1'} <= found.keys()


def test_a_pair_of_timm_whose_teacher_has_no_classifier(digits, tmp_path):
    timm = pytest.importorskip('timm')
    name = 'vit_tiny_patch16_224'
    torch.manual_seed(0)
    weights = timm.create_model(name, num_classes=0).state_dict()
    found = metrics(tmp_path, f'timm:{name}', weights, 'timm:resnet10t', digits)
    names = ['gen/cosine', 'student/knn', 'student/linear', 'teacher/knn', 'teacher/linear']
    assert {'distill.loss_gendd', *names} <= found.keys()
    assert 'gen/top1' not in found
