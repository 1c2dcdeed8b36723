"""The paper's runs by SGD: the teacher of ImageNet-LT, and KL on CC3M."""

import pytest
import stand_in_runs
import torch
from mmengine.config import Config
from paper_recipes import Recipe
from published_configs import read
from test_recipes import check_images, cosine, ramp

STEPS = stand_in_runs.STEPS_PER_EPOCH
TEACHER = 'imagenet_lt/resnext101-32x4d_8xb32_imagenet-lt.py'
KL = 'cc3m/kl_resnet50_mobilenet-v1_8xb64-100e_cc3m.py'


def check_sgd(run: stand_in_runs.Run, decay: float) -> None:
    assert isinstance(run.optimizer, torch.optim.SGD)
    assert set(run.decays.values()) == {decay}
    assert {group['momentum'] for group in run.optimizer.param_groups} == {0.9}
    assert not any(group['nesterov'] for group in run.optimizer.param_groups)


@pytest.mark.filterwarnings('ignore:Detected call of')  # nothing is trained
def test_the_teacher_of_imagenet_lt(tmp_path):
    cfg = read(TEACHER)
    recipe = Recipe(TEACHER, 'resnext101_32x4d', '', (2048, 0), batch=256)
    check_images(recipe, cfg, (0.08, 1.0), cfg.model.data_preprocessor)
    run = stand_in_runs.build(cfg, tmp_path, 2048)
    check_sgd(run, 5e-4)
    assert cfg.train_cfg.max_epochs == 100
    lrs, _ = run.follow(100)
    # Once an epoch; the first has no rate, as near as MMEngine allows.
    warmup = [0.1 * epoch / 10 for epoch in range(10)]
    expected = [lr for lr in (*warmup, *cosine(0.1, 0, 90)) for _ in range(STEPS)]
    assert lrs == pytest.approx(expected, abs=1e-8)
    assert settings_of_best(cfg) == ('gen/top1', 'greater', 1)


def settings_of_best(cfg: Config) -> tuple:
    hook = cfg.default_hooks.checkpoint
    return hook.save_best, hook.rule, cfg.train_cfg.val_interval


def test_the_students_of_imagenet_lt_have_its_best_epoch():
    cfg = read(TEACHER)
    student = read('imagenet_lt/gendd_resnext101-32x4d_resnet50_8xb32_imagenet-lt.py')
    assert cfg.model.backbone == student.model.teacher.backbone
    assert not cfg.model.backbone.zero_init_residual
    assert cfg.model.head == student.model.teacher.head
    assert student.model.teacher_ckpt == ('work_dirs/resnext101-32x4d_8xb32_imagenet-lt/best_*.pth')


@pytest.mark.filterwarnings('ignore:Detected call of')
def test_kl_on_cc3m(tmp_path):
    cfg = read(KL)
    recipe = Recipe(KL, 'resnet50', 'TIMMBackbone', (2048, 1024), labels=False)
    check_images(recipe, cfg, recipe.crop, cfg.model.architecture.data_preprocessor)
    assert cfg.train_dataloader.sampler.length == 5500 * 512
    assert cfg.model.architecture.head.num_classes == 1000
    run = stand_in_runs.build(cfg, tmp_path)
    (kl,) = run.model.distiller.distill_losses.values()
    assert (kl.tau, kl.loss_weight, kl.reduction) == (1, 1, 'batchmean')
    reads = run.model.distiller.loss_forward_mappings['loss_kl']
    assert (reads['preds_S']['from_student'], reads['preds_T']['from_student']) == (True, False)
    check_sgd(run, 1e-4)
    assert cfg.train_cfg.max_epochs == 100
    lrs, _ = run.follow(100)
    assert lrs[: 10 * STEPS] == pytest.approx(ramp(0.2, 10 * STEPS))
    assert lrs[10 * STEPS :] == pytest.approx(cosine(0.2, 1e-6, 90 * STEPS))
