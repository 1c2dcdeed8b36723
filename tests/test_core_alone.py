"""``gendd_mm.generative`` works with torch alone; the rest says what it lacks."""

import doctest
import importlib
import pkgutil
import subprocess
import sys

import pytest

from gendd_mm import generative

STACK = ('mmengine', 'mmcv', 'mmpretrain', 'mmrazor', 'numpy')

# As if nothing but torch were installed.
WITHOUT_STACK = f"""
import sys
for name in {STACK}:
    sys.modules[name] = None
"""


def run(code: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', WITHOUT_STACK + code], capture_output=True, text=True
    )


def test_the_core_trains_and_samples_without_the_stack():
    result = run("""
from functools import partial
import torch
import gendd_mm
from gendd_mm.generative import *
small = partial(TokenDenoiser, width=16, depth=1)
loss = GenDDLoss(
    GenerativeHead(6, 64, denoiser=small, target_scale='auto'),
    DistributionContraction(centers=FeatureMeanCenters(10, 64)),
    FeatureMixup())
condition = torch.randn(4, 6, requires_grad=True)
optimizer = torch.optim.SGD(loss.parameters(), lr=0.1)
for _ in range(3):  # the output layer starts at zero
    loss(condition, torch.randn(4, 64), torch.arange(4), torch.randn(10, 64)).backward()
    optimizer.step()
assert condition.grad.abs().sum() > 0
assert loss.head.sample(condition, 2).shape == (2, 4, 64)
print(gendd_mm.__version__, sorted(n for n in sys.modules if n.startswith('gendd_mm.models')))
""")
    assert result.returncode == 0, result.stderr
    assert result.stdout.endswith('[]\n')


@pytest.mark.parametrize(
    'touch',
    [
        'import gendd_mm.models',
        'from gendd_mm.models import GenDD',
        'import gendd_mm.engine.options',
        'from gendd_mm import checkpoint',
        'import gendd_mm; gendd_mm.registry',
    ],
)
def test_the_rest_names_the_extra_that_brings_the_stack(touch):
    result = run(touch)
    assert result.returncode == 1
    message = result.stderr.splitlines()[-1]
    assert message.startswith('ModuleNotFoundError: gendd_mm.')
    for word in (
        'mmengine, mmcv, mmpretrain, mmrazor',
        "pip install -e '.[mm]'",
        'gendd_mm.generative',
    ):
        assert word in message


def test_torch_alone_imports_in_silence():
    done = subprocess.run(
        [sys.executable, '-c', WITHOUT_STACK.replace(", 'numpy'", '') + 'import gendd_mm'],
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == ('', '')


def test_a_name_that_is_nowhere_is_an_attribute_error_with_the_stack():
    with pytest.raises(AttributeError):
        importlib.import_module('gendd_mm').nothing  # noqa: B018


@pytest.mark.parametrize(
    'module',
    [
        'gendd_mm.generative',
        *(info.name for info in pkgutil.walk_packages(generative.__path__, 'gendd_mm.generative.')),
    ],
)
def test_examples_run(module):
    results = doctest.testmod(importlib.import_module(module))
    assert results.failed == 0
