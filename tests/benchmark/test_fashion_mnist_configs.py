"""configs/fashion_mnist: sizes, data, equal budgets, and that all run."""

import numpy as np
import pytest
import synthetic_fashion_mnist
import torch
from mmengine.config import Config
from mmengine.registry import DATASETS, MODELS, DefaultScope
from mmpretrain.structures import DataSample
from small_models import CONFIGS
from torch.utils.flop_counter import FlopCounterMode

from gendd_mm.benchmark import Method, Recipe
from gendd_mm.engine.options import read_config

FOLDER = CONFIGS / 'fashion_mnist'
PAIR = CONFIGS / '_base_' / 'models' / 'fashion_mnist_pair.py'
RECIPE = Recipe.read(str(FOLDER / 'benchmark.yml'))
# The methods of each setting, and a name for each.
SETTINGS = {name: list(setting.methods.values()) for name, setting in RECIPE.settings.items()}
STUDENTS = {
    f'{setting}-{name}': (setting, method)
    for setting, entry in RECIPE.settings.items()
    for name, method in entry.methods.items()
}
# A long tail has the models of the supervised setting.
DIFFERENT = {name: pair for name, pair in STUDENTS.items() if pair[0] != 'long_tailed'}


def read(method: Method) -> Config:
    return read_config(method.config, method.choices)


@pytest.fixture(autouse=True)
def scope():
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        yield


@pytest.fixture(scope='module')
def teacher_ckpt(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp('teacher') / 'teacher.pth'
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(Config.fromfile(PAIR).teacher.to_dict())
    model.init_weights()
    torch.save(dict(state_dict=model.state_dict()), path)
    return str(path)


@pytest.fixture(scope='module')
def images(tmp_path_factory) -> str:
    return synthetic_fashion_mnist.write(tmp_path_factory.mktemp('data') / 'fashion_mnist')


def multiply_adds(backbone: dict) -> int:
    model = MODELS.build(backbone)
    model.eval()
    with FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, 1, 28, 28))
    return counter.get_total_flops() // 2


def test_the_students_are_about_a_50th_and_a_tenth_of_the_teacher():
    pair = Config.fromfile(PAIR)
    teacher = multiply_adds(pair.teacher.backbone.to_dict())
    large = student_of(read(SETTINGS['supervised_large'][0])).backbone
    ratios = [
        teacher / multiply_adds(backbone.to_dict()) for backbone in (pair.student_backbone, large)
    ]
    assert ratios == [pytest.approx(50, rel=0.15), pytest.approx(10, rel=0.15)]


@pytest.mark.parametrize('setting', SETTINGS)
def test_the_methods_of_a_setting_have_one_budget(setting):
    assert len(SETTINGS[setting]) >= 7
    first, *others = [read(method) for method in SETTINGS[setting]]
    for cfg in others:
        for part in (
            'train_dataloader',
            'test_dataloader',
            'train_cfg',
            'param_scheduler',
            'optim_wrapper',
            'randomness',
            'data_preprocessor',
            'test_evaluator',
        ):
            assert cfg[part] == first[part], (cfg.filename, part)
        assert student_of(cfg).backbone == student_of(first).backbone


def student_of(cfg: Config) -> dict:
    return cfg.model.get('architecture', cfg.model)


def test_the_settings_have_one_schedule():
    cfgs = [read(methods[0]) for methods in SETTINGS.values()]
    for part in ('train_cfg', 'param_scheduler', 'optim_wrapper'):
        assert all(cfg[part] == cfgs[0][part] for cfg in cfgs), part
    assert len({cfg.train_dataloader.batch_size for cfg in cfgs}) == 1


@pytest.mark.parametrize('name', STUDENTS)
def test_its_teacher_is_what_the_teachers_config_leaves(name):
    setting, method = STUDENTS[name]
    teacher = read(RECIPE.settings[setting].teacher)
    epochs = teacher.train_cfg.max_epochs
    model = read(method).model
    for part in (model, student_of(Config(dict(model=model))).head):
        ckpt = part.get('teacher_ckpt')
        assert ckpt in (None, f'{teacher.work_dir}/epoch_{epochs}.pth')


@pytest.mark.parametrize('name', DIFFERENT)
def test_it_learns_from_a_batch_and_predicts(name, teacher_ckpt):
    setting, method = DIFFERENT[name]
    cfg = read(method)
    for part in (cfg.model, student_of(cfg).head):
        if 'teacher_ckpt' in part:
            part.teacher_ckpt = teacher_ckpt
    model = MODELS.build(dict(cfg.model, data_preprocessor=cfg.data_preprocessor))
    model.init_weights()
    unlabeled = setting == 'unlabeled'
    samples = [DataSample() for _ in range(4)]
    if not unlabeled:
        for label, sample in enumerate(samples):
            sample.set_gt_label(label)
    images = torch.randn(4, 1, 28, 28)
    model.train()
    losses = model(images, samples, mode='loss')
    total = sum(loss for name, loss in losses.items() if 'loss' in name)
    total.backward()
    student = getattr(model, 'student', model)
    gradient = student.backbone.conv1.weight.grad
    # Modulations start at zero, so that GenDD's first step passes none on.
    assert gradient is not None
    assert gradient.isfinite().all()
    assert total.isfinite()
    model.eval()
    for sample in model(images, samples, mode='predict'):
        assert sample.pred_score.shape == (10,)
        assert sample.pred_score.isfinite().all()
        assert not (unlabeled and 'probe_score' in sample)


def built_set(name: str, images: str, part: str = 'train'):
    cfg = Config.fromfile(CONFIGS / '_base_' / 'datasets' / f'{name}.py')
    text = cfg.pretty_text.replace(cfg.data_root, images)
    cfg = Config.fromstring(text, '.py')
    return DATASETS.build(cfg[f'{part}_dataloader'].dataset)


def test_the_data_sets_are_what_they_say(images):
    subset = built_set('fashion_mnist_supervised', images)
    assert np.bincount(subset.get_gt_labels()).tolist() == [1200] * 10
    tail = built_set('fashion_mnist_long_tailed', images)
    counts = np.bincount(tail.dataset.get_gt_labels())
    assert counts.tolist() == [1200, 719, 431, 258, 154, 92, 55, 33, 20, 12]
    assert set(tail.dataset._indices) <= set(subset._indices)
    shifted = built_set('fashion_mnist_unlabeled', images)
    assert len(shifted) == 12000
    assert 'gt_label' not in shifted[0]['data_samples']
    # As many steps an epoch, within one.
    sizes = [len(each) for each in (subset, tail, shifted)]
    assert max(sizes) - min(sizes) < 2 * 64
    test = built_set('fashion_mnist', images, 'test')
    assert len(test) == 100  # and not the training images
    assert test[0]['inputs'].shape == subset[0]['inputs'].shape == (1, 28, 28)
