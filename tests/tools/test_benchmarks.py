"""The benchmark of the head: what it measures with, and what it prints."""

import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn

from gendd_mm.benchmark.cost import multiply_adds

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tools' / 'benchmarks'))

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
        return (torch.randn(2) * condition).sum() + (
            3 * torch.randn(()) * model.weight + model.bias
        ).sum()

    of_condition, of_parameters = measure.gradient_variances(loss, condition, model, 2000)
    assert of_condition.item() == pytest.approx(2, rel=0.1)
    assert of_parameters.item() == pytest.approx(9, rel=0.1)


def test_peak_memory_is_that_of_the_run_alone():
    # The test process itself is larger than the 200 MB.
    make = partial(partial, torch.ones, 50_000_000)
    assert measure.peak_bytes(make, CPU) == pytest.approx(200e6, rel=0.1)


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
