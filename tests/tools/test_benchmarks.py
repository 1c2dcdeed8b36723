"""The benchmark of the head: what it measures with, and what it prints."""

import argparse
import json
import runpy
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from torch import nn

from gendd_mm.generative.cost import multiply_adds

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tools' / 'benchmarks'))

import head  # noqa: E402
import head_runs  # noqa: E402
import measure  # noqa: E402

CPU = torch.device('cpu')
JUDGED = {
    'train_exact_small',
    'train_exact_large',
    'memory_large',
    'train_antithetic_small',
    'train_antithetic_large',
    'sample_exact_5',
    'sample_exact_1',
    'sample_default',
    'gmacs_default',
    'gemm_share',
}


def test_multiply_adds_are_those_of_the_products():
    layer, inputs = nn.Linear(3, 5), torch.randn(7, 3)
    assert multiply_adds(lambda: layer(inputs)) == 7 * 3 * 5
    product = measure.MatrixProduct()
    assert multiply_adds(product) == product.multiply_adds


def test_runs_take_turns_after_a_round_of_warming_up():
    calls = []
    times = measure.seconds({name: lambda name=name: calls.append(name) for name in 'ab'}, 3, CPU)
    assert calls == 4 * ['a', 'b']
    assert times.keys() == {'a', 'b'}
    assert min(times.values()) >= 0


def test_gradient_variance_is_that_of_the_draws(float64):
    condition, model = torch.zeros(2, requires_grad=True), nn.Linear(1, 1)

    def loss() -> torch.Tensor:
        # The gradient by the condition is standard normal, by the weight 3
        # times that, by the bias constant.
        return (torch.randn(2, device=CPU) * condition).sum() + (
            3 * torch.randn((), device=CPU) * model.weight + model.bias
        ).sum()

    with torch.device('meta'):  # the default device, as a GPU is in the benchmark
        of_condition, of_parameters = measure.gradient_variances(loss, condition, model, 2000)
    assert of_condition.item() == pytest.approx(2, rel=0.1)
    assert of_parameters.item() == pytest.approx(9, rel=0.1)


def test_peak_memory_is_that_of_the_run_alone():
    # The test process itself is larger than the 200 MB.
    make = partial(partial, torch.ones, 50_000_000)
    assert measure.peak_bytes(make, CPU) == pytest.approx(200e6, rel=0.1)


@pytest.mark.parametrize(
    'command',
    [
        ['benchmarks/head.py'],
        ['benchmarks/sampling.py', 'config.py', 'checkpoint.pth'],
        ['benchmark.py', 'recipe.yml'],
        ['gpu_check.py'],
    ],
    ids=' '.join,
)
def test_a_device_that_is_not_there_is_one_clear_error(command, monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    monkeypatch.setattr(sys, 'argv', [*command, '--device', 'cuda'])
    monkeypatch.syspath_prepend(ROOT / 'tools')
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(ROOT / 'tools' / command[0]), run_name='__main__')
    assert ended.value.code == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert 'error: argument --device: cuda is not there' in error
    assert 'choose cpu' in error


@pytest.mark.parametrize('name', ['tpu', 'meta', 'cuda:1000'])
def test_other_devices_are_refused(name):
    with pytest.raises(argparse.ArgumentTypeError, match='choose cpu'):
        measure.usable_device(name)


def test_the_benchmark_of_the_head_needs_torch_alone():
    code = (
        "import runpy, sys\nfor name in ('mmengine', 'mmcv', 'mmpretrain', 'mmrazor', 'rich'):\n"
        "    sys.modules[name] = None\nsys.path.insert(0, 'tools/benchmarks')\n"
        "sys.argv = ['head.py', '--help']\nrunpy.run_path('tools/benchmarks/head.py',"
        " run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, '-c', code], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    )
    assert '--device' in done.stdout


def test_the_recommended_head_saves_time_and_noise_together(monkeypatch):
    case = head_runs.Case(2, 8, 64)
    found = head.efficiency(case, 1, CPU, steps=1, draws=4)
    assert found.keys() == {'recommended_speed', 'efficiency_recommended'}
    # Noise alone: with the same times, the quotient of the variances is left.
    monkeypatch.setattr(head, 'seconds', lambda runs, *_: dict.fromkeys(runs, 1.0))
    of_settings = {}
    monkeypatch.setattr(
        head,
        'gradient_variances',
        lambda loss, condition, model, draws: torch.tensor(
            [of_settings.setdefault(model.repeats, 6.0 if model.repeats == 10 else 2.0), 0.0]
        ),
    )
    found = head.efficiency(case, 1, CPU, steps=1)
    assert found == dict(recommended_speed=1.0, efficiency_recommended=3.0)
    config = Config.fromfile(ROOT / 'configs/_base_/models/gendd_recommended.py')
    preset = config.model.distiller.distill_losses.loss_gendd.head.residual
    assert of_settings.keys() == {10, preset.repeats}
    assert preset.denoiser.modulation == 'shared'
    assert preset.noise_sampling == head_runs.RECOMMENDED['noise_sampling']


def test_what_is_measured_on_a_gpu_alone_runs():
    case = head_runs.Case(2, 8, 64)
    with torch.compiler.set_stance('force_eager'):
        numbers = head.on_gpu(case, (7, 1000), 1, CPU)
    assert numbers.keys() == {
        'train_bfloat16',
        'train_compiled',
        'train_bfloat16_compiled',
        'row_chunk_7',
        'row_chunk_1000',
    }
    assert all(value > 0 for value in numbers.values())


@pytest.mark.slow
def test_quick_prints_every_number_of_the_report():
    done = subprocess.run(
        [sys.executable, 'tools/benchmarks/head.py', '--quick', '--json'],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    numbers = json.loads(done.stdout)
    assert numbers.keys() >= JUDGED
    assert all(value > 0 for value in numbers.values())
