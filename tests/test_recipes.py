"""The paper's experiments: every number of the recipes, in the built run."""

import inspect
import math

import pytest
import stand_in_runs
import torch
from mmengine.config import Config
from mmpretrain.registry import MODELS
from paper_recipes import RECIPES, Recipe
from published_configs import PUBLISHED, read_stage1
from small_models import CONFIGS
from stand_in_runs import Run

from gendd_mm.converters import BEITV2, CRD, TORCHVISION

STEPS = stand_in_runs.STEPS_PER_EPOCH
NETWORKS = {**TORCHVISION, **BEITV2, **CRD}


@pytest.fixture(scope='module', params=RECIPES, ids=lambda name: name.split('/')[-1])
def recipe(request) -> Recipe:
    return RECIPES[request.param]


@pytest.fixture(scope='module')
def cfg(recipe) -> Config:
    return Config.fromfile(CONFIGS / recipe.config)


@pytest.fixture(scope='module')
def run(cfg, tmp_path_factory) -> Run:
    return stand_in_runs.build(cfg, tmp_path_factory.mktemp('run'))


def test_every_config_of_gendd_is_in_the_table():
    folders = ('imagenet/', 'cc3m/', 'imagenet_lt/', 'cifar100/')
    found = {
        name for name in PUBLISHED if name.startswith(tuple(f'{each}gendd_' for each in folders))
    }
    assert found | {'gendd_r50_in1k.py'} == {recipe.config for recipe in RECIPES.values()}


def settings(backbone: dict) -> dict:
    """What a backbone is built with, its defaults included."""
    arguments = inspect.signature(MODELS.get(backbone['type'])).parameters
    return {**{name: argument.default for name, argument in arguments.items()}, **backbone}


def test_the_pair(recipe, cfg):
    """The networks of the converters, which are held against their origins."""
    for name, size, model in (
        (recipe.teacher, recipe.sizes[0], cfg.model.teacher),
        (recipe.student, recipe.sizes[1], cfg.model.architecture),
    ):
        if name in NETWORKS:
            assert NETWORKS[name].feature_dim == size
            assert settings(model.backbone) == settings(NETWORKS[name].backbone)
        else:
            assert model.backbone.type.rpartition('.')[2] == name
        assert model.head.in_channels == size
        assert model.head.num_classes == (100 if recipe.gpus == 1 else 1000)


def test_the_images(recipe, cfg):
    assert cfg.train_dataloader.batch_size * recipe.gpus == recipe.batch
    assert cfg.auto_scale_lr.base_batch_size == recipe.batch
    train = {t['type']: t for t in cfg.train_dataloader.dataset.pipeline}
    test = {t['type']: t for t in cfg.test_dataloader.dataset.pipeline}
    assert train['RandomFlip'].prob == 0.5
    if recipe.crop is None:
        assert (train['RandomCrop'].crop_size, train['RandomCrop'].padding) == (32, 4)
    else:
        assert train['RandomResizedCrop'].scale == 224
        assert train['RandomResizedCrop'].crop_ratio_range == recipe.crop
        assert test['ResizeEdge'].scale == 256
        assert test['CenterCrop'].crop_size == 224
    assert ('RandAugment' in train) == bool(recipe.augments)
    assert ('ColorJitter' in train) == bool(recipe.augments)
    if recipe.augments:
        augment, jitter = train['RandAugment'], train['ColorJitter']
        assert (augment.magnitude_level, augment.num_policies, augment.magnitude_std) == (7, 2, 0.5)
        assert (jitter.brightness, jitter.contrast, jitter.saturation) == (0.4,) * 3
    if not recipe.labels:  # CC3M
        assert 'shards' in cfg.train_dataloader.dataset
        assert cfg.train_dataloader.sampler.length == 5500 * recipe.batch


def trained(model: torch.nn.Module) -> set:
    return {name for name, p in model.named_parameters() if p.requires_grad}


def test_the_model(recipe, run):
    model = run.model
    loss = model.distiller.gendd_loss
    head = loss.head
    if recipe.labels:
        assert loss.contraction.strength == recipe.strength
        assert loss.contraction.teacher_label_weight == 0
    else:
        assert loss.contraction is None
    reads_labels = 'labels' in model.distiller.loss_forward_mappings[model.distiller.gendd_name]
    assert reads_labels == (recipe.strength > 0)
    assert model.has_probe == recipe.labels
    assert loss.feature_mixup.beta == recipe.feature_mixup
    assert (head.target_dim, head.condition_dim) == recipe.sizes
    assert head.tokenizer.token_dim == 64
    assert len(head.denoiser.blocks) == 3
    assert head.denoiser.input.out_features == 1024
    assert head.repeats == recipe.repeats
    assert head.condition_drop == 0.2
    assert head.process.num_timesteps == 1000
    assert type(head.sampler).__name__ == 'AncestralSampler'
    assert head.sampler.guidance_scale == 2
    steps = head.sampler.timesteps(head.process)
    assert (len(steps), max(steps)) == (recipe.sampling_steps, 950)
    assert (model.val_num_draws, model.test_num_draws) == (1, 5)
    augments = model.data_preprocessor.batch_augments
    assert (
        tuple((type(a).__name__, a.alpha) for a in getattr(augments, 'augments', ()))
        == recipe.augments
    )
    probe = model.student.head.loss_module
    assert getattr(probe, 'label_smooth_val', 0) == recipe.smoothing


@pytest.mark.filterwarnings('ignore:Detected call of')  # nothing is trained
def test_the_optimiser(recipe, cfg, run):
    """Rates and betas of the first and the last iteration, and between."""
    assert cfg.train_cfg.max_epochs == recipe.epochs
    assert isinstance(run.optimizer, torch.optim.AdamW)
    decays = run.decays
    assert decays.keys() == trained(run.model)
    for name, decay in decays.items():
        of_student = name.startswith('architecture.')
        assert decay == (recipe.decay if of_student else 0), name

    lrs, betas = run.follow(recipe.epochs)
    warmup, last = recipe.warmup * STEPS, recipe.epochs * STEPS - 1
    assert lrs[0] == pytest.approx(recipe.lr * 1e-3)
    assert lrs[warmup // 2] == pytest.approx(recipe.lr / 2, rel=0.06)
    assert lrs[warmup] == pytest.approx(recipe.lr, rel=2e-3)
    assert max(lrs) == pytest.approx(recipe.lr, rel=2e-3)
    if recipe.min_lr is None:
        for epoch, share in (
            (149, 1),
            (150, 0.1),
            (179, 0.1),
            (180, 0.01),
            (209, 0.01),
            (210, 0.001),
            (239, 0.001),
        ):
            assert lrs[epoch * STEPS] == pytest.approx(recipe.lr * share)
    else:
        middle = (warmup + last + 1) // 2
        assert lrs[middle] == pytest.approx(recipe.lr / 2, rel=0.02)
        # One step before the end of the cosine.
        assert recipe.min_lr <= lrs[-1] < recipe.min_lr + recipe.lr * 3e-4
    assert {beta1 for beta1, _ in betas} == {0.9}
    rise = 0.999 - recipe.beta2
    for s in (0, last // 3, last // 2, last):
        share = (1 + math.cos(math.pi * s / last)) / 2
        assert betas[s][1] == pytest.approx(0.999 - rise * share)


@pytest.mark.filterwarnings('ignore:Detected call of')
def test_stage_1(recipe, cfg, tmp_path):
    if recipe.stage1 is None:
        assert 'stage1' not in cfg
        return
    epochs, lr = recipe.stage1
    first = read_stage1(cfg)
    assert first.model.backbone == cfg.model.architecture.backbone
    head = first.model.head
    assert head.type == 'gendd_mm.ReusedClassifierHead'
    assert (head.teacher_dim, head.in_channels) == recipe.sizes
    assert head.num_classes == cfg.model.architecture.head.num_classes
    assert head.loss.type == 'CrossEntropyLoss'
    assert head.teacher_ckpt == cfg.model.teacher_ckpt
    # Same data but for larger crops; nothing is mixed.
    train = {t['type']: t for t in first.train_dataloader.dataset.pipeline}
    if recipe.crop is not None:
        assert train['RandomResizedCrop'].crop_ratio_range == (0.08, 1.0)
    assert not {'RandAugment', 'ColorJitter'} & train.keys()
    assert 'train_cfg' not in first.model
    assert first.train_dataloader.batch_size * recipe.gpus == recipe.batch
    assert first.auto_scale_lr.base_batch_size == recipe.batch
    # It has the defaults of tools/train.py besides.
    assert dict(first.test_dataloader, **cfg.test_dataloader) == first.test_dataloader

    run = stand_in_runs.build(first, tmp_path, recipe.sizes[1])
    assert first.train_cfg.max_epochs == epochs
    assert isinstance(run.optimizer, torch.optim.AdamW)
    decays = run.decays
    assert decays.keys() == trained(run.model)
    assert set(decays.values()) == {recipe.decay}
    assert not any('classifier' in name for name in decays)
    lrs, betas = run.follow(epochs)
    assert lrs[0] == lr  # no warm-up of the rate
    assert lrs[epochs * STEPS // 2] == pytest.approx(lr / 2, rel=1e-3)
    assert 1e-6 <= lrs[-1] < lr * 3e-3
    assert set(betas) == {(0.9, 0.999)}
