"""paper_exact: a recipe with the authors' choices, in the built run."""

import pytest
import stand_in_runs
from mmengine.config import Config
from paper_recipes import RECIPES
from published_configs import chosen, read, read_stage1
from small_models import CONFIGS
from test_recipes import cosine

STEPS = stand_in_runs.STEPS_PER_EPOCH
FAMILIES = [
    'imagenet/gendd_resnet34_resnet18_8xb64_in1k',
    'gendd_r50_in1k',
    'cc3m/gendd_resnet50_mobilenet-v1_8xb64-100e_cc3m',
    'imagenet_lt/gendd_resnext101-32x4d_resnet18_8xb32_imagenet-lt',
    'vgg13_resnet20',
    'resnet50_mobilenet-v2',
]


def read_exact(config: str) -> Config:
    with chosen(CONFIG=config.removesuffix('.py')):
        return Config.fromfile(CONFIGS / '_base_' / 'paper_exact.py')


@pytest.fixture(scope='module', params=FAMILIES)
def recipe(request):
    return RECIPES[request.param]


@pytest.fixture(scope='module')
def cfg(recipe) -> Config:
    return read_exact(recipe.config)


@pytest.mark.filterwarnings('ignore:Detected call of')  # nothing is trained
def test_the_built_run_has_the_authors_choices(recipe, cfg, tmp_path):
    run = stand_in_runs.build(cfg, tmp_path)
    sampler = run.model.distiller.gendd_loss.head.sampler
    steps = sampler.timesteps(run.model.distiller.gendd_loss.head.process)
    assert (len(steps), max(steps)) == (recipe.sampling_steps, 999)
    decays = run.decays
    for name, decay in decays.items():
        is_head = name.startswith('distiller.distill_losses')
        assert decay == (recipe.head_decay if is_head else recipe.decay), name

    lrs, betas = run.follow(recipe.epochs)
    epochs = lrs[::STEPS]
    assert lrs == [lr for lr in epochs for _ in range(STEPS)]
    warmup = [recipe.lr * (epoch + 1) / recipe.warmup for epoch in range(recipe.warmup)]
    assert epochs[: recipe.warmup] == pytest.approx(warmup)
    if recipe.min_lr is None:
        steps = [sum(epoch >= step for step in (150, 180, 210)) for epoch in range(recipe.epochs)]
        expected = [recipe.lr * 0.1**step for step in steps][recipe.warmup :]
    else:
        expected = cosine(recipe.lr, recipe.min_lr, recipe.epochs - recipe.warmup)
    assert epochs[recipe.warmup :] == pytest.approx(expected)
    assert betas[1] != betas[0], 'beta2 still rises at every iteration'


def test_every_epoch_is_evaluated_and_the_best_kept(cfg):
    assert cfg.train_cfg.val_interval == 1
    hook = cfg.default_hooks.checkpoint
    assert (hook.save_best, hook.rule) == ('gen/top1', 'greater')
    # The start of a metric's name, so that the hook finds it.
    assert cfg.val_evaluator.type in ('gendd_mm.ProbeAccuracy', 'gendd_mm.ShotAccuracy')


@pytest.mark.filterwarnings('ignore:Detected call of')
def test_stage_1_changes_its_rate_once_an_epoch_too(recipe, cfg, tmp_path):
    assert ('stage1' in cfg) == (recipe.stage1 is not None)
    if recipe.stage1 is None:
        return
    epochs, lr = recipe.stage1
    first = read_stage1(cfg)
    lrs, _ = stand_in_runs.build(first, tmp_path, recipe.sizes[1]).follow(epochs)
    expected = cosine(lr, 1e-6 if recipe.crop else 0, epochs)
    assert lrs == pytest.approx([rate for rate in expected for _ in range(STEPS)])


def test_all_else_is_the_recipes(recipe, cfg):
    plain = read(recipe.config)
    kept = set(plain) - {
        'param_scheduler',
        'optim_wrapper',
        'model',
        'train_cfg',
        'default_hooks',
        'stage1',
    }
    assert {name for name in kept if cfg[name] != plain[name]} == set()
    cfg = Config(cfg.to_dict())
    sampling = cfg.model.distiller.distill_losses.loss_gendd.head.sampling
    sampling.start_t = 950
    assert cfg.model == plain.model
    assert cfg.optim_wrapper.optimizer == plain.optim_wrapper.optimizer
    assert cfg.train_cfg.max_epochs == plain.train_cfg.max_epochs


def test_runs_of_two_configs_have_folders_of_their_own():
    folders = {read_exact(RECIPES[name].config).work_dir for name in FAMILIES}
    assert len(folders) == len(FAMILIES)


def test_a_config_without_choices_to_undo_is_refused():
    with pytest.raises(ValueError, match='CONFIG=imagenet/kd_8xb64_in1k is not one of GenDD'):
        read_exact('imagenet/kd_8xb64_in1k.py')
