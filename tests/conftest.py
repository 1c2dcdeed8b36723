"""What the tests share: one thread, a seed, and a look from other projects."""

import random

import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope

import gendd_mm  # noqa: F401

# Tiny tensors: a second thread costs more than it gives, and would take the
# core of a test that starts two processes.
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def seed():
    """Seed every test alike, so that any order gives the same."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture
def float64():
    """Make float64 the default, for laws that hold to the last digits."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


@pytest.fixture(params=['mmengine', 'mmpretrain'])
def build(request):
    """Build ``gendd_mm.X`` from a root registry, under another's scope."""
    with DefaultScope.overwrite_default_scope(request.param):
        yield lambda registry, **config: registry.build(config)
