"""What the tests share: one thread, a seed, and a look from other projects."""

import random
import sys
from collections import OrderedDict

import pytest
import torch

import gendd_mm  # noqa: F401  which imports what of the stack is installed

# Tiny tensors: a second thread costs more than it gives, and would take the
# core of a test that starts two processes.
torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope='module')
def forget_earlier_runs():
    """Close and forget the loggers of earlier runs, and forget their scopes.

    MMEngine's ``init_weights`` writes into the file of the latest logger, and its
    registries start at the latest scope.
    """
    if 'mmengine' not in sys.modules:
        return  # torch alone, where tests/gpu runs
    from mmengine.logging import MMLogger
    from mmengine.registry import DefaultScope

    for logger in MMLogger._instance_dict.values():
        for handler in logger.handlers:
            handler.close()
    MMLogger._instance_dict.clear()
    DefaultScope._instance_dict.clear()


@pytest.fixture(autouse=True)
def seed():
    """Seed every test alike, so that any order gives the same."""
    random.seed(0)
    if 'numpy' in sys.modules:
        sys.modules['numpy'].random.seed(0)
    torch.manual_seed(0)


@pytest.fixture
def float64():
    """Make float64 the default, for laws that hold to the last digits."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


@pytest.fixture(params=[None, 'mmpretrain'])
def build(request, monkeypatch):
    """Build ``gendd_mm.X`` from a root registry, as other projects do.

    Without a default scope, and under that of MMPretrain.
    """
    from mmengine.registry import DefaultScope

    # What an earlier test may have left behind is out of sight.
    monkeypatch.setattr(DefaultScope, '_instance_dict', OrderedDict())
    with DefaultScope.overwrite_default_scope(request.param):
        yield lambda registry, **config: registry.build(config)
