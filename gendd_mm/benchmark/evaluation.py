"""All measurements of a trained run."""

import copy
import os.path as osp
import uuid
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from gendd_mm.deploy import export_student
from gendd_mm.deploy.features import extract, test_dataset, unaugmented
from gendd_mm.engine.launch import build_runner
from gendd_mm.evaluation.linear_fit import fit_linear
from gendd_mm.generative.cost import multiply_adds
from gendd_mm.models import GenDD, ReusedClassifierHead

from .noise_levels import has_generative_head, noise_levels
from .probes import probe_study

# Names of the two paths in records and in metrics.
GEN, PROBE = 'gen', 'probe'
# A head computes some parts once for a whole batch: its size matters.
COST_BATCH = 64


def evaluate(cfg: Config, checkpoint: str, refit: Config) -> dict:
    """Test every use of a checkpoint.

    Args:
        cfg: Prepared config of the run.
        checkpoint: Its last checkpoint.
        refit: Config whose training images, unaugmented and with their labels, a probe
            is fitted to.

    Returns:
        Percent, each None where there is no such path: ``gen_top1`` through the
        teacher's classifier, ``probe_top1`` by the student's own as it was trained,
        ``refit_top1`` by one fitted to convergence on the frozen features,
        ``shipped_top1`` of the exported student. ``probes`` of a distillation:
        :func:`gendd_mm.benchmark.probes.probe_study`, on its own training images.
        ``groups`` by number of training images, if the evaluator has them. ``gmacs`` of
        the method's own output and ``student_gmacs`` of the student's, per image of a
        batch of 64. ``noise_levels`` of a generative head:
        :func:`gendd_mm.benchmark.noise_levels.noise_levels`.
    """
    runner = _tester(cfg, checkpoint)
    metrics = _by_path(runner.model, _test(runner))
    student = getattr(runner.model, 'student', runner.model)
    preprocessor = runner.model.data_preprocessor
    test_set = cfg.test_dataloader.dataset.to_dict()
    pipeline = test_dataset(cfg)['pipeline']
    train_set = unaugmented(refit.train_dataloader.dataset.to_dict(), pipeline)
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope')):
        test = extract(student, preprocessor, test_set)
        train = extract(student, preprocessor, train_set)
        probes = {}
        if hasattr(runner.model, 'teacher'):
            own = unaugmented(cfg.train_dataloader.dataset.to_dict(), pipeline)
            probes = probe_study(runner.model, own, test_set)
    images = _images(runner)
    result: dict[str, Any] = dict(
        gen_top1=metrics.pop(f'{GEN}/top1', None),
        probe_top1=metrics.pop(f'{PROBE}/top1', None),
        refit_top1=_refit_top1(train, test, student.head.num_classes),
        gmacs=_gmacs(runner.model, images),
        student_gmacs=_gmacs(student, images),
        groups=metrics,
        probes=probes,
    )
    if has_generative_head(runner.model):
        # Last, as it trains the batch norm.
        result['noise_levels'] = noise_levels(runner.model, cfg.train_dataloader)
    result['shipped_top1'] = _shipped(cfg, checkpoint, result['probe_top1'])
    return result


def _tester(cfg: Config, checkpoint: str) -> Runner:
    cfg = copy.deepcopy(cfg)
    cfg.experiment_name = uuid.uuid4().hex
    cfg.load_from, cfg.resume = checkpoint, False
    return build_runner(cfg)


def _test(runner: Runner) -> dict[str, float]:
    """Metrics; those of a model's own output begin with ``gen``."""
    # mmpretrain's Accuracy knows one output.
    metrics = {name.replace('accuracy/', f'{GEN}/'): value for name, value in runner.test().items()}
    if f'{GEN}/top1' not in metrics:
        raise ValueError(
            f'the evaluator reports {sorted(metrics)}; the benchmark reads gen/top1 or '
            'accuracy/top1: use gendd_mm.ProbeAccuracy, gendd_mm.ShotAccuracy or '
            "mmpretrain's Accuracy as test_evaluator."
        )
    return metrics


def _by_path(model: nn.Module, metrics: dict[str, float]) -> dict[str, float]:
    """Name metrics after the classifier that gave the score.

    Without a generative path, a model's own output is that of the student's classifier.
    """
    student = getattr(model, 'student', model)
    if isinstance(model, GenDD) or isinstance(student.head, ReusedClassifierHead):
        return metrics
    return {f'{PROBE}/{name.partition("/")[2]}': value for name, value in metrics.items()}


def _refit_top1(
    train: tuple[Tensor, Tensor], test: tuple[Tensor, Tensor], num_classes: int
) -> float:
    """Top-1 in percent on ``test`` of a layer fitted to ``train``."""
    layer = fit_linear(*train, num_classes)
    features, labels = test
    predicted = layer(features.double()).argmax(1)
    return 100 * (predicted == labels).double().mean().item()


def _shipped(cfg: Config, checkpoint: str, probe_top1: float | None) -> float | None:
    """Top-1 of the exported student, tested as a model of its own."""
    if 'architecture' not in cfg.model:
        return probe_top1  # already a plain classifier
    if not cfg.model.architecture.head.get('trainable', True):
        return None
    out_dir = osp.join(osp.dirname(checkpoint), 'exported')
    exported = export_student(cfg, checkpoint, out_dir)
    student_cfg = copy.deepcopy(cfg)
    # Removed first: an assignment would merge into the algorithm's.
    student_cfg._cfg_dict.pop('model')
    student_cfg.model = Config.fromfile(exported.config).model
    return _test(_tester(student_cfg, exported.weights))[f'{GEN}/top1']


@torch.no_grad()
def _gmacs(model: nn.Module, images: Tensor) -> float:
    """Billion multiply-adds an image, of a whole prediction with all its draws."""
    model.eval()
    samples = [DataSample() for _ in images]
    return multiply_adds(lambda: model(images, samples, mode='predict')) / len(images) / 1e9


def _images(runner: Runner) -> Tensor:
    batch = next(iter(runner.test_dataloader))
    return runner.model.data_preprocessor(batch, False)['inputs'][:COST_BATCH]
