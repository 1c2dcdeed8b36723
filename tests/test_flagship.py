"""The flagship config: its numbers, and that its pair trains.

The default tests put a BEiT of one narrow layer in the teacher's place, with the
flagship's feature size; the slow one builds BEiTv2-L.
"""

import math
from pathlib import Path

import mmpretrain.models  # noqa: F401
import pytest
import small_models
import synthetic_imagenet
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from mmpretrain.registry import MODELS
from torch import nn

from gendd_mm.engine import stages

ROOT = Path(__file__).resolve().parent.parent
CONFIG = str(ROOT / 'configs' / 'gendd_r50_in1k.py')
SMALL_BEIT = dict(
    embed_dims=1024, num_layers=1, num_heads=16, feedforward_channels=64)
STEPS_PER_EPOCH = synthetic_imagenet.NUM_IMAGES // 2
EPOCHS = 600


def read_small(root: Path, size: int, arch) -> Config:
    """The flagship on a few small images, with a random teacher."""
    cfg = Config.fromfile(CONFIG)
    synthetic_imagenet.write(root / 'imagenet')
    synthetic_imagenet.shrink(cfg, root / 'imagenet', size)
    cfg.model.teacher.backbone.update(img_size=size, arch=arch)
    teacher = MODELS.build(cfg.model.teacher.to_dict())
    cfg.model.teacher_ckpt = synthetic_imagenet.save_random(
        teacher, root / 'teacher.pth')
    cfg.work_dir = str(root / 'work')
    return cfg


@pytest.fixture(scope='module')
def small_runner(tmp_path_factory):
    """Everything but the teacher as the config says."""
    torch.manual_seed(0)
    cfg = read_small(tmp_path_factory.mktemp('flagship'), 32, SMALL_BEIT)
    cfg.visualizer = None
    runner = Runner.from_cfg(cfg)
    # What Runner.train does before its first step.
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    runner.param_schedulers = runner.build_param_scheduler(
        runner.param_schedulers)
    return runner


def test_model_has_the_numbers_of_the_recipe(small_runner):
    model = small_runner.model
    loss = model.distiller.gendd_loss
    head = loss.head
    assert loss.contraction.strength == 0.9
    assert loss.contraction.teacher_label_weight == 0
    assert loss.feature_mixup.beta == 0
    assert (head.condition_dim, head.target_dim) == (2048, 1024)
    assert head.tokenizer.token_dim == 64
    assert head.tokenizer.num_tokens == 16
    assert head.repeats == 10
    assert head.condition_drop == 0.2
    assert len(head.denoiser.blocks) == 3
    assert head.denoiser.input.out_features == 1024
    assert head.process.num_steps == 1000
    assert head.sampler.guidance_scale == 2
    assert len(head.sampler.steps(head.process)) == 64
    assert (model.val_num_draws, model.test_num_draws) == (1, 5)
    assert model.student.backbone.depth == 50
    assert model.student.head.loss_module.label_smooth_val == 0.1


def test_images_are_mixed_as_the_recipe_says(small_runner):
    augments = small_runner.model.data_preprocessor.batch_augments.augments
    assert [(type(a).__name__, a.alpha) for a in augments] == [('Mixup', 0.2),
                                                               ('CutMix', 1.0)]


def test_teacher_sees_the_normalisation_it_has(small_runner):
    # Both are ImageNet's: nothing is computed.
    assert small_runner.model.teacher.renormalize.identity


def test_full_size_settings_of_the_data():
    cfg = Config.fromfile(CONFIG)
    train = {t['type']: t for t in cfg.train_dataloader.dataset.pipeline}
    test = {t['type']: t for t in cfg.test_dataloader.dataset.pipeline}
    # 8 GPUs x 64.
    assert cfg.train_dataloader.batch_size * 8 == 512
    assert cfg.auto_scale_lr.base_batch_size == 512
    assert train['RandomResizedCrop']['scale'] == 224
    assert tuple(train['RandomResizedCrop']['crop_ratio_range']) == (0.6, 1.0)
    augment = train['RandAugment']
    assert (augment['magnitude_level'], augment['num_policies'],
            augment['magnitude_std']) == (7, 2, 0.5)
    jitter = train['ColorJitter']
    assert (jitter['brightness'], jitter['contrast'],
            jitter['saturation']) == (0.4, 0.4, 0.4)
    assert train['RandomFlip']['prob'] == 0.5
    assert test['ResizeEdge']['scale'] == 256
    assert test['CenterCrop']['crop_size'] == 224
    assert cfg.train_cfg.max_epochs == EPOCHS
    assert cfg.model.teacher.backbone.arch == 'large'


def test_only_the_head_is_without_weight_decay(small_runner):
    names = {
        id(parameter): name
        for name, parameter in small_runner.model.named_parameters()
    }
    optimizer = small_runner.optim_wrapper.optimizer
    assert isinstance(optimizer, torch.optim.AdamW)
    decays = {
        names[id(parameter)]: group['weight_decay']
        for group in optimizer.param_groups
        for parameter in group['params']
    }
    trainable = {
        name
        for name, parameter in small_runner.model.named_parameters()
        if parameter.requires_grad
    }
    assert set(decays) == trainable
    for name, decay in decays.items():
        assert decay == (0 if name.startswith('distiller.') else 1e-2), name


@pytest.mark.filterwarnings('ignore:Detected call of')  # nothing is trained
def test_lr_and_beta2_at_the_milestones(small_runner):
    schedulers = small_runner.param_schedulers
    groups = small_runner.optim_wrapper.optimizer.param_groups
    steps = EPOCHS * STEPS_PER_EPOCH
    lrs, betas = [], []
    for _ in range(steps):
        # What a step of training uses.
        lrs.append({group['lr'] for group in groups})
        betas.append({tuple(group['betas']) for group in groups})
        for scheduler in schedulers:
            scheduler.step()
    # One learning rate and one beta2 for all groups.
    assert {len(values) for values in lrs + betas} == {1}
    lrs = [values.pop() for values in lrs]
    betas = [values.pop() for values in betas]
    warmup = 20 * STEPS_PER_EPOCH
    assert lrs[0] == pytest.approx(2e-6)
    assert lrs[warmup] == pytest.approx(2e-3, rel=1e-4)
    assert max(lrs) == pytest.approx(2e-3, rel=1e-4)
    middle = (warmup + steps) // 2
    assert lrs[middle] == pytest.approx((2e-3 + 1e-6) / 2, rel=1e-2)
    assert lrs[-1] == pytest.approx(1e-6, rel=5e-2)
    assert {beta1 for beta1, _ in betas} == {0.9}
    assert betas[0][1] == pytest.approx(0.96)
    for s in (steps // 2, steps // 3):
        share = (1 + math.cos(math.pi * s / (steps - 1))) / 2
        assert betas[s][1] == pytest.approx(0.999 - 0.039 * share)
    assert betas[-1][1] == pytest.approx(0.999)


def test_recorded_feature_is_what_enters_the_classifier(small_runner):
    teacher = small_runner.model.teacher
    entered = []
    hook = teacher.classifier.register_forward_pre_hook(
        lambda module, args: entered.append(args[0]))
    images = torch.randn(2, 3, 32, 32)
    with small_runner.model.distiller.teacher_recorders, torch.no_grad():
        teacher.model(images, mode='tensor')
    hook.remove()
    recorded = small_runner.model.distiller.get_record(
        'target', from_student=False, data_idx=-1)
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
    assert set(runner.metrics) == {
        'gen/top1', 'gen/top5', 'probe/top1', 'probe/top5'
    }


def test_pair_trains_with_a_small_teacher(tmp_path):
    check_training(read_small(tmp_path, 32, SMALL_BEIT), tmp_path / 'work')


@pytest.mark.slow
def test_pair_trains_with_beitv2_large(tmp_path):
    cfg = read_small(tmp_path, 64, 'large')
    check_training(cfg, tmp_path / 'work')
    teacher = MODELS.build(cfg.model.teacher.to_dict())
    assert sum(p.numel() for p in teacher.parameters()) > 300e6
    assert isinstance(teacher.head.fc, nn.Linear)


# Stage 1.
def test_stage_1_has_the_settings_of_the_recipe():
    second = Config.fromfile(CONFIG)
    first = Config.fromfile(second.stage1.config)
    assert first.model.backbone == second.model.architecture.backbone
    head = first.model.head
    assert head.teacher_ckpt == second.model.teacher_ckpt
    assert (head.in_channels, head.teacher_dim) == (2048, 1024)
    assert head.loss.type == 'CrossEntropyLoss'
    optimizer = first.optim_wrapper.optimizer
    assert (optimizer.type, optimizer.lr, optimizer.betas) == ('AdamW', 2e-3,
                                                               (0.9, 0.999))
    assert (optimizer.weight_decay ==
            second.optim_wrapper.optimizer.weight_decay == 1e-2)
    assert first.train_cfg.max_epochs == 20
    # No warm-up of the learning rate.
    cosine, = first.param_scheduler
    assert (cosine.type, cosine.begin, cosine.end,
            cosine.eta_min) == ('CosineAnnealingLR', 0, 20, 1e-6)
    assert first.train_dataloader.batch_size == 64
    train = {t['type']: t for t in first.train_dataloader.dataset.pipeline}
    assert train['RandomResizedCrop'].crop_ratio_range == (0.08, 1.0)
    assert train.keys() == {
        'LoadImageFromFile', 'RandomResizedCrop', 'RandomFlip', 'PackInputs'
    }
    assert 'train_cfg' not in first.model
    assert first.test_dataloader == second.test_dataloader


def test_stage_2_starts_from_the_backbone_of_stage_1(tmp_path):
    second = read_small(tmp_path, 32, SMALL_BEIT)
    first = Config.fromfile(second.stage1.config)
    first.model.head.teacher_ckpt = second.model.teacher_ckpt
    synthetic_imagenet.shrink(first, tmp_path / 'imagenet', 32)
    head = second.model.distiller.distill_losses.loss_gendd.head
    head.update(repeats=1)
    # Nothing learned: its parameters are those it started from.
    second.optim_wrapper.optimizer.lr = 0.
    for cfg in (first, second):
        cfg.train_cfg.max_epochs = 1
        cfg.default_hooks.checkpoint.save_optimizer = False
    second.stage1.config = 'first.py'
    with small_models.quickly():
        first.dump(str(tmp_path / 'first.py'))
        second.dump(str(tmp_path / 'second.py'))
        stages.train(
            small_models.train_arguments(
                tmp_path / 'second.py', no_validate=True))
    warm, student = (
        torch.load(tmp_path / 'work' / name, weights_only=True)['state_dict']
        for name in ('stage1/epoch_1.pth', 'epoch_1.pth'))
    names = dict(MODELS.build(first.model.backbone).named_parameters())
    assert names
    for name in names:
        assert warm[f'backbone.{name}'].equal(
            student[f'architecture.backbone.{name}']), name
