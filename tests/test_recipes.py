"""The paper's experiments: every number of the recipes, in the built run."""

import inspect
import math

import pytest
import stand_in_runs
import torch
from mmengine.config import Config
from mmpretrain.registry import MODELS, TRANSFORMS
from paper_recipes import RAND_AUGMENT, RECIPES, Recipe
from published_configs import PUBLISHED, read_stage1
from small_models import CONFIGS
from stand_in_runs import Run

from gendd_mm.converters import BEITV2, CRD, TORCHVISION

STEPS = stand_in_runs.STEPS_PER_EPOCH
NETWORKS = {**TORCHVISION, **BEITV2, **CRD}
# Mean and deviation of the images.
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CIFAR = (0.5071, 0.4867, 0.4408), (0.2675, 0.2565, 0.2761)


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
            found, expected = settings(model.backbone), settings(NETWORKS[name].backbone)
            # Of training alone: how blocks start is a test of its own.
            assert found | dict(zero_init_residual=0) == expected | dict(zero_init_residual=0)
        else:
            assert model.backbone.type.rpartition('.')[2] == name
        assert model.head.in_channels == size
        assert model.head.num_classes == (100 if recipe.gpus == 1 else 1000)


def built(loader: dict) -> dict:
    """The transforms of a loader, as built, by name; their order is its own."""
    return {
        transform.type: TRANSFORMS.build(dict(transform, _scope_='mmpretrain'))
        for transform in loader.dataset.pipeline
    }


def check_images(recipe: Recipe, cfg: Config, crop: tuple | None, preprocessor: dict) -> None:
    """Every size, interpolation, augmentation and magnitude, as built."""
    assert cfg.train_dataloader.batch_size * recipe.gpus == recipe.batch
    assert cfg.auto_scale_lr.base_batch_size == recipe.batch
    assert cfg.train_dataloader.sampler.get('shuffle', 'length' in cfg.train_dataloader.sampler)
    assert not cfg.val_dataloader.sampler.shuffle
    assert not cfg.test_dataloader.sampler.shuffle
    train = built(cfg.train_dataloader)
    tests = [built(cfg.val_dataloader), built(cfg.test_dataloader)]
    load = ['LoadImageFromFile'] if crop else []
    augments = ['ColorJitter', 'RandAugment'] if recipe.mixing else []
    cut = 'RandomResizedCrop' if crop else 'RandomCrop'
    assert [*train] == [
        *(['gendd_mm.LoadImage'] if crop else []),
        cut,
        'RandomFlip',
        *augments,
        'PackInputs',
    ]
    assert (train['RandomFlip'].prob, train['RandomFlip'].direction) == (0.5, 'horizontal')
    check_normalisation(preprocessor, IMAGENET if crop else CIFAR)
    # ImageNet is loaded as BGR, CIFAR as RGB.
    assert preprocessor['to_rgb'] == bool(crop)
    if crop is None:
        assert (train['RandomCrop'].crop_size, train['RandomCrop'].padding) == ((32, 32), 4)
        assert all([*test] == ['PackInputs'] for test in tests)
        return
    for test in tests:
        assert [*test] == [*load, 'ResizeEdge', 'CenterCrop', 'PackInputs']
        assert (test['ResizeEdge'].scale, test['ResizeEdge'].edge) == (256, 'short')
        assert test['CenterCrop'].crop_size == (224, 224)
    # Pillow's is what torchvision does: it averages over what it leaves out.
    for resize in (train[cut], *(test['ResizeEdge'] for test in tests)):
        assert (resize.interpolation, resize.backend) == ('bilinear', 'pillow')
    assert train[cut].scale == (224, 224)
    assert train[cut].crop_ratio_range == crop
    assert train[cut].aspect_ratio_range == (3 / 4, 4 / 3)
    if augments:
        jitter = train['ColorJitter']
        for factor in (jitter.brightness, jitter.contrast, jitter.saturation):
            assert factor == pytest.approx((0.6, 1.4))
        assert jitter.hue is None
        check_rand_augment(train['RandAugment'])


def check_normalisation(preprocessor: dict, expected: tuple) -> None:
    found = torch.tensor([preprocessor['mean'], preprocessor['std']])
    torch.testing.assert_close(found, 255 * torch.tensor(expected), rtol=0, atol=1e-3)


def check_rand_augment(augment) -> None:
    assert augment.num_policies == 2
    assert [type(op).__name__ for op in augment] == [name for name, *_ in RAND_AUGMENT]
    for op, (_, direction, limits, negated) in zip(augment, RAND_AUGMENT):
        assert (op.prob, op.random_negative_prob) == (0.5, negated)
        assert getattr(op, 'direction', None) == direction
        if limits is None:
            assert op.magnitude_range is None
            continue
        assert op.magnitude_range == pytest.approx(limits)
        assert (op.magnitude_level, op.magnitude_std, op.total_level) == (7, 0.5, 10)
        if hasattr(op, 'pad_val'):  # BGR
            assert (op.pad_val, op.interpolation) == ((104, 116, 124), 'bilinear')


def check_mixing(recipe: Recipe, augments) -> None:
    """Mixup, CutMix and smoothing, each batch by one of the two."""
    if not recipe.mixing:
        assert augments is None
        return
    if recipe.smoothing:
        (smoothed,) = augments.augments
        assert smoothed.smoothing == recipe.smoothing
        augments = smoothed.mix
    assert tuple((type(each).__name__, each.alpha) for each in augments.augments) == recipe.mixing
    assert augments.probs is None


def test_the_images(recipe, cfg):
    preprocessor = cfg.model.architecture.get('data_preprocessor') or cfg.data_preprocessor
    check_images(recipe, cfg, recipe.crop, preprocessor)
    assert preprocessor.num_classes == cfg.model.architecture.head.num_classes
    if 'data_preprocessor' in cfg.model.teacher:  # a mean and deviation of its own
        check_normalisation(cfg.model.teacher.data_preprocessor, IMAGENET)
        assert cfg.model.teacher.data_preprocessor.to_rgb
    if not recipe.labels:  # CC3M
        assert 'shards' in cfg.train_dataloader.dataset
        assert cfg.train_dataloader.sampler.length == 5500 * recipe.batch


def test_the_blocks_start_as_the_authors(recipe, cfg):
    """Every gamma is 1, torchvision's start: MMPretrain's last one is 0."""
    backbone = MODELS.build(dict(cfg.model.architecture.backbone, _scope_='mmpretrain'))
    backbone.init_weights()
    gammas = {
        name: module.weight
        for name, module in backbone.named_modules()
        if isinstance(module, torch.nn.BatchNorm2d)
    }
    assert gammas
    for name, gamma in gammas.items():
        assert gamma.eq(1).all(), name


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
    check_mixing(recipe, model.data_preprocessor.batch_augments)
    probe = model.student.head.loss_module
    assert (type(probe).__name__, probe.loss_weight) == ('CrossEntropyLoss', 1)
    assert loss.loss_weight == 1


def cosine(high: float, low: float, steps: int) -> list[float]:
    return [low + (high - low) * (1 + math.cos(math.pi * s / steps)) / 2 for s in range(steps)]


def ramp(high: float, steps: int) -> list[float]:
    return [high * (1e-3 + (1 - 1e-3) * s / (steps - 1)) for s in range(steps)]


@pytest.mark.filterwarnings('ignore:Detected call of')  # nothing is trained
def test_the_optimiser(recipe, cfg, run):
    """Rates and betas of the first and the last iteration, and between."""
    assert cfg.train_cfg.max_epochs == recipe.epochs
    assert isinstance(run.optimizer, torch.optim.AdamW)
    decays = run.decays
    assert decays.keys() == trained(run.model)
    for name, decay in decays.items():
        part = '.'.join(name.split('.')[: 1 + name.startswith('distiller.')])
        expected = {
            'architecture': recipe.decay,
            'distiller.distill_losses': recipe.head_decay,
            'distiller.connectors': 0,
        }
        assert decay == expected[part], name
    assert any(name.startswith('distiller.connectors.condition') for name in decays)

    lrs, betas = run.follow(recipe.epochs)
    warmup, last = recipe.warmup * STEPS, recipe.epochs * STEPS - 1
    assert lrs[:warmup] == pytest.approx(ramp(recipe.lr, warmup))
    assert lrs[warmup] == pytest.approx(recipe.lr)
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
        expected = cosine(recipe.lr, recipe.min_lr, last + 1 - warmup)
        assert lrs[warmup:] == pytest.approx(expected)
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
    # Same data but for larger crops; the same mixing and smoothing.
    preprocessor = first.model.get('data_preprocessor') or first.data_preprocessor
    check_images(recipe, first, recipe.crop and (0.08, 1.0), preprocessor)
    # It has the defaults of tools/train.py besides.
    assert dict(first.test_dataloader, **cfg.test_dataloader) == first.test_dataloader

    best = first.default_hooks.checkpoint.get('save_best')
    assert best == ('accuracy/top1' if recipe.stage1_best else None)
    if best:
        assert first.train_cfg.val_interval == 1
        assert first.default_hooks.checkpoint.rule == 'greater'

    run = stand_in_runs.build(first, tmp_path, recipe.sizes[1])
    check_mixing(recipe, run.model.data_preprocessor.batch_augments)
    assert first.train_cfg.max_epochs == epochs
    assert isinstance(run.optimizer, torch.optim.AdamW)
    decays = run.decays
    assert decays.keys() == trained(run.model)
    assert set(decays.values()) == {recipe.decay}
    assert not any('classifier' in name for name in decays)
    lrs, betas = run.follow(epochs)
    # No warm-up of the rate.
    assert lrs == pytest.approx(cosine(lr, 1e-6 if recipe.crop else 0, epochs * STEPS))
    assert set(betas) == {(0.9, 0.999)}
