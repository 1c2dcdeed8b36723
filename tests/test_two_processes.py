"""Several processes against one: the same batch gives the same parameters."""

import os
import subprocess
import sys

import pytest
import small_models
import torch
from mmengine.config import Config

STEPS = 3
BATCH = 8


@pytest.fixture
def cfg(tmp_path) -> Config:
    """A run without batch statistics or random augmentation of images.

    Mixup of images or features would pair other images; the head's draws are
    the same for an image by ``SlicedHead``.
    """
    teacher = small_models.digits_teacher(tmp_path / 'teacher.pth')
    cfg = small_models.shrunk('gendd_digits.py', tmp_path, teacher)
    cfg.custom_imports.imports.append('small_models')
    cfg.model.architecture.backbone.norm_cfg = dict(type='GN', num_groups=2)
    cfg.model.distiller.distill_losses.loss_gendd.feature_mixup = None
    # In several chunks on either side: 8 images are 128 rows, 4 are 64.
    # The scale of the targets is that of all images.
    small_models.head_of(cfg).update(type='SlicedHead', row_chunk=24, target_scale='auto')
    cfg.train_dataloader.dataset.pipeline = [dict(type='PackInputs')]
    cfg.train_dataloader.dataset.indices = BATCH * STEPS
    cfg.train_dataloader.sampler.shuffle = False
    cfg.train_cfg.max_epochs = 1
    # Without warm-up, so that a few steps move the parameters; with a large
    # eps, so that a gradient of another scale is another step.
    del cfg.param_scheduler[0]
    cfg.optim_wrapper.optimizer.eps = 1e-2
    cfg.train_dataloader.batch_size = BATCH
    return cfg


def trained_together(cfg: Config, processes: int, on_gpus: bool) -> dict:
    cfg.work_dir += '/together'
    cfg.train_dataloader.batch_size = BATCH // processes
    path = f'{cfg.work_dir}.py'
    cfg.dump(path)
    tests = os.path.dirname(small_models.__file__)
    env = dict(
        os.environ,
        OMP_NUM_THREADS='1',
        PYTHON=sys.executable,
        PYTHONPATH=os.pathsep.join([tests, *filter(None, [os.environ.get('PYTHONPATH')])]),
    )
    if not on_gpus:
        env['CUDA_VISIBLE_DEVICES'] = ''
    done = subprocess.run(
        ['bash', 'tools/dist_train.sh', path, str(processes)],
        capture_output=True,
        text=True,
        timeout=300,
        env=env,
        cwd=small_models.ROOT,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return torch.load(f'{cfg.work_dir}/epoch_1.pth', weights_only=True)


@pytest.mark.parametrize(
    'on_gpus',
    [
        pytest.param(False, id='cpu'),
        pytest.param(
            True,
            id='cuda',
            marks=[
                pytest.mark.gpu,
                pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA device'),
            ],
        ),
    ],
)
def test_processes_train_as_one(cfg, on_gpus):
    """Two over gloo on the CPU; over NCCL as many as there are GPUs and divide the batch."""
    processes = 2
    if on_gpus:
        processes = max(n for n in (1, 2, 4, 8) if n <= torch.cuda.device_count())
    runner = small_models.runner_of(cfg.copy())
    runner.call_hook('before_run')  # seeds the first weights
    runner.model.init_weights()
    start = {k: v.clone() for k, v in runner.model.state_dict().items()}
    runner.train()
    alone = runner.model.state_dict()
    shared = trained_together(cfg.copy(), processes, on_gpus)
    assert runner.iter == shared['meta']['iter'] == STEPS
    assert alone.keys() == shared['state_dict'].keys()
    for part in ('target_scale.moments', 'standardizer.mean'):
        assert any(key.endswith(part) for key in alone)
    moved = set()
    # Convolutions of a GPU may multiply in TF32, and choose by the batch how.
    tolerance = 1e-3 if on_gpus else 1e-5
    for key, value in alone.items():
        torch.testing.assert_close(
            shared['state_dict'][key], value.cpu(), atol=tolerance, rtol=0, msg=key
        )
        if (value - start[key].to(value)).abs().max() > 1e-3:
            moved.add(key.split('.')[0])
    assert moved == {'architecture', 'distiller'}
