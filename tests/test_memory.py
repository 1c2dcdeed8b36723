"""A long run keeps its memory and its open files."""

import gc
import os
from pathlib import Path

import numpy as np
import pytest
import small_models
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from gendd_mm.engine.stop_signals import STOP_SIGNALS

ITERATIONS, VALIDATIONS = 5000, 100


@HOOKS.register_module(force=True)
class ResourcesHook(Hook):
    """Note resident memory, in bytes, and open files after every validation."""

    noted: list = []

    def after_val_epoch(self, runner, metrics=None) -> None:
        gc.collect()
        resident = int(Path('/proc/self/statm').read_text().split()[1])
        files = len(os.listdir('/proc/self/fd'))
        self.noted.append((resident * os.sysconf('SC_PAGE_SIZE'), files))


@pytest.mark.slow
@pytest.mark.skipif(not Path('/proc/self/statm').exists(), reason='reads /proc')
def test_memory_and_open_files_stay(tmp_path):
    teacher = small_models.digits_teacher(tmp_path / 'teacher.pth')
    cfg = small_models.shrunk('gendd_digits.py', tmp_path / 'run', teacher)
    cfg.train_cfg = dict(
        by_epoch=False, max_iters=ITERATIONS, val_interval=ITERATIONS // VALIDATIONS
    )
    cfg.train_dataloader.sampler = dict(type='InfiniteSampler')
    cfg.train_dataloader.num_workers = 1
    cfg.train_dataloader.persistent_workers = True
    cfg.default_hooks.checkpoint.update(by_epoch=False, interval=ITERATIONS // 20, max_keep_ckpts=2)
    cfg.log_processor = dict(by_epoch=False)
    cfg.param_scheduler = []
    cfg.custom_hooks += [dict(type='EMAHook'), dict(type='ResourcesHook')]
    ResourcesHook.noted.clear()
    try:
        small_models.trained(cfg)
    finally:
        STOP_SIGNALS.restore()
    resident, files = np.array(ResourcesHook.noted).T
    assert len(resident) == VALIDATIONS
    # Warm: allocator, caches of kernels, the window of the log's histories.
    warm = resident[VALIDATIONS // 4 :] / 2**20
    growth = np.polyfit(np.arange(len(warm)), warm, 1)[0] * len(warm)
    print(f'{warm[0]:.0f} to {warm[-1]:.0f} MiB, trend {growth:+.1f} MiB; {files[-1]} files')
    assert growth < 8
    assert files[-1] == files[VALIDATIONS // 4]
