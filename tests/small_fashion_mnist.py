"""Runs of the Fashion-MNIST benchmark on a few synthetic images."""

from pathlib import Path

import synthetic_fashion_mnist
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from small_models import CONFIGS

from gendd_mm.benchmark import Recipe, Run, prepare_runs

RECIPE = Recipe.read(str(CONFIGS / 'fashion_mnist' / 'benchmark.yml'))
RECOMMENDED = Recipe.read(str(CONFIGS / 'fashion_mnist' / 'recommended.yml'))


def run_config(folder: Path, setting: str, method: str, recipe: Recipe = RECIPE) -> Config:
    """The config of a run, some thirty images of each class; random teacher."""
    data = synthetic_fashion_mnist.write(folder / 'data', train=300, test=100)
    (run,) = prepare_runs(recipe, [Run(setting, method, 0)])
    teacher = run.teacher.cfg.model
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        torch.manual_seed(0)
        torch.save(dict(state_dict=MODELS.build(teacher).state_dict()), folder / 'teacher.pth')
    cfg = run.runner_config(str(folder / 'teacher.pth'))
    text = cfg.pretty_text.replace(cfg.data_root, data)
    text = text.replace('most=1200', 'most=30')
    return cfg.fromstring(text, '.py')


def build(cfg: Config):
    """The model of a run, random but for the teacher."""
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        torch.manual_seed(0)
        return MODELS.build(dict(cfg.model, data_preprocessor=cfg.data_preprocessor))
