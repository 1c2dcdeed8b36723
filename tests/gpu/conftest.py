"""The same laws on the CPU, where they are rehearsed, and on a GPU: ``pytest -m gpu``."""

from contextlib import contextmanager

import pytest
import torch

gpu = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA device'),
]


@pytest.fixture(params=['cpu', pytest.param('cuda', marks=gpu)])
def device(request) -> torch.device:
    """Where the law is tried: float32 products without TF32, one seed."""
    device = torch.device(request.param)
    if device.type == 'cuda':
        device = torch.device('cuda', torch.cuda.current_device())
        torch.cuda.manual_seed_all(0)
    precision = torch.get_float32_matmul_precision()
    tf32 = torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision('highest')
    torch.backends.cudnn.allow_tf32 = False
    yield device
    torch.set_float32_matmul_precision(precision)
    torch.backends.cudnn.allow_tf32 = tf32


@pytest.fixture
def no_waiting(device):
    """A context in which waiting for the GPU is an error."""

    @contextmanager
    def context():
        if device.type == 'cpu':
            yield
            return
        torch.cuda.set_sync_debug_mode('error')
        try:
            yield
        finally:
            torch.cuda.set_sync_debug_mode('default')

    return context
