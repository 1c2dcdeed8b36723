"""Runs of MMEngine's runner on a device: precision, layout, kernels, waits, resuming.

They need the OpenMMLab stack and scikit-learn's digits.
"""

import functools
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import pytest
import torch
from torch import Tensor

for package in ('mmengine', 'mmcv', 'mmpretrain', 'mmrazor', 'sklearn'):
    pytest.importorskip(package)

import small_models  # noqa: E402
from mmengine.config import Config  # noqa: E402
from mmengine.hooks import Hook  # noqa: E402
from mmengine.runner import Runner  # noqa: E402

from gendd_mm.benchmark.evaluation import evaluate  # noqa: E402

CPU = torch.device('cpu')
EPOCHS, STEPS = 2, 3
START = 'start.pth'
AMP = 'mmengine.optim.optimizer.amp_optimizer_wrapper'


@contextmanager
def mmengine_on(device: torch.device):
    """Let MMEngine run there; it would take a GPU if there is one, and no scaler without."""
    scaler = functools.partial(torch.amp.GradScaler, device.type)
    with (
        small_models.quickly(),
        mock.patch('mmengine.device.utils.DEVICE', device.type),
        mock.patch(f'{AMP}.is_cuda_available', return_value=True),
        mock.patch(f'{AMP}.GradScaler', scaler),
    ):
        yield


def config(folder: Path, work_dir: Path, **model) -> Config:
    """A run whose draws are those of the CPU, without random crops."""
    cfg = small_models.shrunk('gendd_digits.py', work_dir, str(folder / 'teacher.pth'))
    cfg.model.distiller.distill_losses.loss_gendd.feature_mixup = None
    small_models.head_of(cfg).update(type='SlicedHead', target_scale='auto')
    cfg.merge_from_dict({f'model.{key}': value for key, value in model.items()})
    cfg.train_dataloader.update(
        dataset=dict(pipeline=[dict(type='PackInputs')], indices=8 * STEPS),
        pin_memory=torch.cuda.is_available(),
    )
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    cfg.train_cfg = dict(by_epoch=True, max_epochs=EPOCHS)
    cfg.default_hooks.checkpoint.interval = 1
    # Without warm-up, so that a few steps move the parameters; with a large eps, so that
    # a gradient of another scale is another step.
    del cfg.param_scheduler[0]
    cfg.optim_wrapper.optimizer.eps = 1e-2
    # channels_last would draw the same weights in another order.
    if (folder / START).exists():
        cfg.load_from = str(folder / START)
    return cfg


def trained(cfg: Config, device: torch.device) -> Runner:
    with mmengine_on(device):
        runner = Runner.from_cfg(cfg)
        runner.train()
    assert next(runner.model.parameters()).device.type == device.type
    assert runner.model.teacher.classifier.weight.device.type == device.type
    return runner


def weights(model: torch.nn.Module) -> Tensor:
    """All that is trained, as one vector on the CPU."""
    return torch.cat(
        [p.detach().double().flatten().cpu() for p in model.parameters() if p.requires_grad]
    )


@pytest.fixture(scope='module')
def folder(tmp_path_factory) -> Path:
    """A teacher, and the weights that every run starts from."""
    folder = tmp_path_factory.mktemp('runner')
    small_models.digits_teacher(folder / 'teacher.pth')
    with mmengine_on(CPU):
        runner = Runner.from_cfg(config(folder, folder / 'start'))
    runner.model.init_weights()
    torch.save(dict(state_dict=runner.model.state_dict()), folder / START)
    return folder


@pytest.fixture(scope='module')
def reference(folder) -> tuple[Tensor, Tensor]:
    """Weights before and after a run on the CPU in float32, its rows in one chunk."""
    cfg = config(folder, folder / 'reference')
    with mmengine_on(CPU):
        start = Runner.from_cfg(cfg)
        start.load_or_resume()
    cfg.experiment_name += 'b'
    return weights(start.model), weights(trained(cfg, CPU).model)


def distance(runner: Runner, reference: tuple[Tensor, Tensor]) -> float:
    """From the end of the reference, in units of the way that it went."""
    start, end = reference
    return float((weights(runner.model) - end).norm() / (end - start).norm())


@pytest.mark.parametrize(
    'model',
    [
        {},
        {'distiller.distill_losses.loss_gendd.head.row_chunk': 24},
        {'channels_last': True},
        pytest.param({'compile': True}, marks=pytest.mark.slow),
    ],
    ids=['plain', 'row_chunk', 'channels_last', 'compile'],
)
def test_a_run_is_that_of_the_cpu(device, folder, reference, model, tmp_path):
    if 'compile' in model and device.type == 'cpu':
        model = {'compile': dict(backend='aot_eager')}  # without a compiler of C++
    runner = trained(config(folder, tmp_path, **model), device)
    assert distance(runner, reference) < 1e-2


@pytest.mark.parametrize('dtype', ['float16', 'bfloat16'])
def test_mixed_precision_is_close_to_float32(device, folder, reference, dtype, tmp_path):
    if (device.type, dtype) == ('cpu', 'float16'):
        pytest.skip('MMEngine has no float16 on a CPU')
    cfg = config(folder, tmp_path, teacher_dtype=dtype)
    cfg.optim_wrapper.update(type='AmpOptimWrapper', dtype=dtype, loss_scale=1024.0)
    runner = trained(cfg, device)
    assert runner.optim_wrapper.loss_scaler.is_enabled()
    assert {p.dtype for p in runner.model.parameters()} == {torch.float32}
    assert 1e-6 < distance(runner, reference) < 0.1


class GuardHook(Hook):
    """Run methods of a training inside a context, once its first steps have loaded kernels.

    Args:
        context: Gives the context.
        names: Methods of the model or of the optimizer wrapper.
    """

    def __init__(self, context, names: tuple[str, ...]) -> None:
        self.context = context
        self.names = names
        self.calls: Counter[str] = Counter()

    def before_train(self, runner) -> None:
        for name in self.names:
            owner = runner.model if name == 'forward' else runner.optim_wrapper
            setattr(owner, name, self.guarded(runner, name, getattr(owner, name)))

    def guarded(self, runner, name: str, method):
        @functools.wraps(method)
        def call(*args, **kwargs):
            if runner.iter < STEPS:
                return method(*args, **kwargs)
            self.calls[name] += 1
            with self.context():
                return method(*args, **kwargs)

        return call


@pytest.mark.parametrize(
    ('kind', 'names'),
    [
        ('OptimWrapper', ('forward', 'backward', 'step', 'zero_grad')),
        # Its scaler reads whether a gradient overflowed.
        ('AmpOptimWrapper', ('forward', 'backward', 'zero_grad')),
    ],
)
def test_a_steady_step_never_waits(device, folder, no_waiting, kind, names, tmp_path):
    cfg = config(folder, tmp_path)
    small_models.head_of(cfg).type = 'gendd_mm.GenerativeHead'  # draws on the device
    cfg.optim_wrapper.type = kind
    hook = GuardHook(no_waiting, names)
    with mmengine_on(device):
        runner = Runner.from_cfg(cfg)
        runner.register_hook(hook)
        runner.train()
    assert hook.calls == dict.fromkeys(names, STEPS * (EPOCHS - 1))


@pytest.mark.slow
def test_every_measurement_of_the_benchmark_is_made_there(device, folder, tmp_path):
    cfg = config(folder, tmp_path)
    trained(cfg, device)
    refit = Config.fromfile(small_models.CONFIGS / '_base_' / 'datasets' / 'digits.py')
    refit.train_dataloader.dataset.indices = 50
    cfg.launcher = 'none'
    with mmengine_on(device):
        measured = evaluate(cfg, str(tmp_path / f'epoch_{EPOCHS}.pth'), refit)
    assert {'generated', 'folded', 'one_step', 'teacher', 'both'} <= measured['probes'].keys()
    assert all(0 <= top1 <= 100 for top1 in measured['probes'].values())
    assert len(measured['noise_levels']) > 1
    assert measured['gen_top1'] is not None
    assert measured['shipped_top1'] == pytest.approx(measured['probe_top1'], abs=5.1)


@pytest.mark.parametrize('forget', [None, 'optimizer'])
def test_a_resumed_run_is_the_unbroken_one(device, folder, forget, tmp_path):
    cfg = config(folder, tmp_path)
    dtype = 'float16' if device.type == 'cuda' else 'bfloat16'
    cfg.optim_wrapper.update(type='AmpOptimWrapper', dtype=dtype, loss_scale='dynamic')
    # The draws of the test's head follow from the number of calls; these from the step.
    small_models.head_of(cfg).type = 'gendd_mm.GenerativeHead'
    unbroken = trained(cfg.copy(), device)
    path = tmp_path / 'epoch_1.pth'
    saved = torch.load(path, map_location='cpu', weights_only=True)
    assert saved['optimizer']['loss_scaler']['scale'] > 1
    cfg.work_dir = str(tmp_path / 'resumed')
    cfg.experiment_name += 'r'
    cfg.load_from, cfg.resume = str(path), True
    if forget:
        saved['optimizer']['state'] = {}
        torch.save(saved, path)
    resumed = trained(cfg, device)
    assert resumed.iter == unbroken.iter == EPOCHS * STEPS
    end = weights(unbroken.model)
    away = float((weights(resumed.model) - end).norm() / end.norm())
    # The kernels of a GPU may add in another order.
    assert (away < 1e-5) == (forget is None)
