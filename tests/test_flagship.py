"""The flagship config: its pair trains, in both stages.

Its numbers are in test_recipes.py. The default tests put a BEiT of one narrow
layer in the teacher's place, with the flagship's feature size; the slow one
builds BEiTv2-L.
"""

from pathlib import Path

import mmpretrain.models  # noqa: F401
import pytest
import small_models
import synthetic_imagenet
import torch
from mmengine.config import Config
from mmpretrain.registry import MODELS
from torch import nn

from gendd_mm.engine import stages
from gendd_mm.engine.options import RunOptions

ROOT = Path(__file__).resolve().parent.parent
CONFIG = str(ROOT / 'configs' / 'gendd_r50_in1k.py')
SMALL_BEIT = dict(embed_dims=1024, num_layers=1, num_heads=16, feedforward_channels=64)


def read_small(root: Path, size: int, arch) -> Config:
    """The flagship on a few small images, with a random teacher."""
    cfg = Config.fromfile(CONFIG)
    synthetic_imagenet.write(root / 'imagenet')
    synthetic_imagenet.shrink(cfg, root / 'imagenet', size)
    cfg.model.teacher.backbone.update(img_size=size, arch=arch)
    teacher = MODELS.build(cfg.model.teacher.to_dict())
    cfg.model.teacher_ckpt = synthetic_imagenet.save_random(teacher, root / 'teacher.pth')
    cfg.work_dir = str(root / 'work')
    return cfg


@pytest.fixture(scope='module')
def small_runner(tmp_path_factory):
    """Everything but the teacher as the config says."""
    torch.manual_seed(0)
    cfg = read_small(tmp_path_factory.mktemp('flagship'), 32, SMALL_BEIT)
    cfg.visualizer = None
    return small_models.runner_of(cfg)


def test_teacher_sees_the_normalisation_it_has(small_runner):
    # Both are ImageNet's: nothing is computed.
    assert small_runner.model.teacher.renormalize.identity


def test_recorded_feature_is_what_enters_the_classifier(small_runner):
    teacher = small_runner.model.teacher
    entered = []
    hook = teacher.classifier.register_forward_pre_hook(
        lambda module, args: entered.append(args[0])
    )
    images = torch.randn(2, 3, 32, 32)
    with small_runner.model.distiller.teacher_recorders, torch.no_grad():
        teacher.model(images, mode='tensor')
    hook.remove()
    recorded = small_runner.model.distiller.get_record('target', from_student=False, data_idx=0)
    assert recorded.shape == (2, 1024)
    torch.testing.assert_close(recorded, entered[0], rtol=0, atol=0)


def check_training(cfg: Config, work_dir: Path) -> None:
    """Two steps move the student, its probe and the head; both paths run."""
    head = cfg.model.distiller.distill_losses.loss_gendd.head
    head.update(repeats=1)
    head.sampling.update(num_steps=2)
    runner = synthetic_imagenet.train_and_evaluate(cfg, work_dir)
    moved = {
        name
        for name, parameter in runner.model.named_parameters()
        if not torch.equal(parameter, runner.first[name])
    }
    assert any(name.startswith('architecture.backbone.') for name in moved)
    assert 'architecture.head.fc.weight' in moved
    assert any(name.startswith('distiller.') for name in moved)
    assert set(runner.metrics) == {'gen/top1', 'gen/top5', 'probe/top1', 'probe/top5'}


def test_pair_trains_with_a_small_teacher(tmp_path):
    check_training(read_small(tmp_path, 32, SMALL_BEIT), tmp_path / 'work')


@pytest.mark.slow
def test_pair_trains_with_beitv2_large(tmp_path):
    cfg = read_small(tmp_path, 64, 'large')
    check_training(cfg, tmp_path / 'work')
    teacher = MODELS.build(cfg.model.teacher.to_dict())
    assert sum(p.numel() for p in teacher.parameters()) > 300e6
    assert isinstance(teacher.head.fc, nn.Linear)


# Both stages.
def test_stage_2_starts_from_the_backbone_of_stage_1(tmp_path):
    second = read_small(tmp_path, 32, SMALL_BEIT)
    # As users have it: open, so that pair and checkpoint are those of stage 2.
    first = Config.fromfile(second.stage1.config)
    synthetic_imagenet.shrink(first, tmp_path / 'imagenet', 32)
    head = second.model.distiller.distill_losses.loss_gendd.head
    head.update(repeats=1)
    # Nothing learned: its parameters are those it started from.
    second.optim_wrapper.optimizer.lr = 0.0
    for cfg in (first, second):
        cfg.train_cfg.max_epochs = 1
        cfg.default_hooks.checkpoint.save_optimizer = False
    second.stage1.config = 'first.py'
    with small_models.quickly():
        first.dump(str(tmp_path / 'first.py'))
        second.dump(str(tmp_path / 'second.py'))
        stages.train_stages(str(tmp_path / 'second.py'), RunOptions(validate=False))
    warm, student = (
        torch.load(tmp_path / 'work' / name, weights_only=True)['state_dict']
        for name in ('stage1/epoch_1.pth', 'epoch_1.pth')
    )
    backbone = second.model.architecture.backbone.to_dict()
    names = dict(MODELS.build(backbone).named_parameters())
    assert names
    for name in names:
        assert warm[f'backbone.{name}'].equal(student[f'architecture.backbone.{name}']), name
