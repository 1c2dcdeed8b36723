"""The main job by its tools: train, test, stop, resume, export, classify."""

import json
import os
import re
import runpy
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parent.parent
GENDD = 'configs/gendd_digits.py'
ENV = dict(os.environ, OMP_NUM_THREADS='1', CUDA_VISIBLE_DEVICES='', PYTHON=sys.executable)


def run(*command) -> str:
    """Run a tool in the checkout; its output, or its failure."""
    done = subprocess.run(
        list(map(str, command)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        env=ENV,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def run_here(tool: str, *arguments) -> None:
    """The same in this process, which has imported everything."""
    argv = [tool, *map(str, arguments)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, 'argv', argv)
        patch.chdir(ROOT)
        # The tool sets it where no launcher has.
        patch.setenv('LOCAL_RANK', '0')
        runpy.run_path(tool, run_name='__main__')


def options(teacher: Path, *more: str) -> list:
    """A short run on part of the images, the same for every command."""
    return [
        '--cfg-options',
        f'model.teacher_ckpt={teacher}',
        'train_cfg.max_epochs=2',
        'train_dataloader.dataset.indices=320',
        'val_dataloader.dataset.indices=50',
        'model.test_num_draws=1',
        *more,
    ]


@pytest.fixture(scope='module')
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp('digits')


@pytest.fixture(scope='module')
def teacher(folder) -> Path:
    run_here(
        'tools/train.py',
        'configs/digits/teacher_digits.py',
        '--work-dir',
        folder / 'teacher',
        '--cfg-options',
        'train_cfg.max_epochs=1',
    )
    return folder / 'teacher' / 'epoch_1.pth'


@pytest.fixture(scope='module')
def checkpoint(folder, teacher) -> Path:
    """What two processes trained."""
    run(
        'bash',
        'tools/dist_train.sh',
        GENDD,
        2,
        '--work-dir',
        folder / 'gendd',
        '--no-validate',
        *options(teacher),
    )
    return folder / 'gendd' / 'epoch_2.pth'


@pytest.fixture(scope='module')
def metrics(folder, teacher, checkpoint) -> dict:
    """What two processes measured, on all test images."""
    out = folder / 'metrics.json'
    run(
        'bash',
        'tools/dist_test.sh',
        GENDD,
        checkpoint,
        2,
        '--work-dir',
        folder / 'test',
        '--out',
        out,
        '--out-item',
        'metrics',
        *options(teacher),
    )
    return json.loads(out.read_text())


def test_both_paths_are_measured(metrics):
    assert metrics.keys() >= {'gen/top1', 'probe/top1'}
    # Ten classes, and hardly any training.
    assert all(0 <= metrics[path] <= 100 for path in metrics)


def test_the_checkpoint_holds_no_teacher(checkpoint):
    # Also the protection of weights_only, which is on.
    state = torch.load(checkpoint, weights_only=True)
    assert {key.split('.')[0] for key in state['state_dict']} == {'architecture', 'distiller'}
    assert state['meta']['iter'] == 20  # 2 epochs of 320 images by 2 x 16


def test_the_exported_student_is_the_probe(folder, checkpoint, metrics):
    out = folder / 'exported'
    run_here('tools/export_student.py', GENDD, checkpoint, out)
    result = folder / 'top1.json'
    # None in sys.modules makes an import fail.
    code = (
        'import json, runpy, sys\n'
        'sys.modules["gendd_mm"] = sys.modules["mmrazor"] = None\n'
        'exported, result = sys.argv[1:]\n'
        'import torch\n'
        'from mmpretrain import get_model\n'
        'state = torch.load(f"{exported}/student.pth",'
        ' weights_only=True)\n'
        'model = get_model(f"{exported}/student.py")\n'
        'model.load_state_dict(state["state_dict"], strict=True)\n'
        'sys.argv[0] = "classify_digits.py"\n'
        'runpy.run_path("tools/classify_digits.py",'
        ' run_name="__main__")\n'
    )
    run(sys.executable, '-c', code, out, result)
    # The test set is whole in both: val_dataloader alone was cut.
    assert json.loads(result.read_text())['top1'] == pytest.approx(metrics['probe/top1'], abs=1e-4)


def test_killed_and_resumed_is_as_never_killed(folder, teacher):
    """SIGKILL in the middle of an epoch; the same command goes on."""

    def command(name: str, *more) -> list:
        return list(
            map(
                str,
                [
                    'tools/train.py',
                    GENDD,
                    '--work-dir',
                    folder / name,
                    *more,
                    *options(
                        teacher,
                        'default_hooks.logger.interval=1',
                        'default_hooks.checkpoint.interval=1',
                        'train_cfg.val_interval=1',
                    ),
                ],
            )
        )

    def start(name: str, **settings) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, *command(name)],
            stderr=subprocess.STDOUT,
            env=ENV,
            cwd=ROOT,
            **settings,
        )

    killed = folder / 'killed'
    lines = []
    with start('whole', stdout=subprocess.DEVNULL) as whole:
        with start('killed', stdout=subprocess.PIPE, text=True) as first:
            for line in first.stdout:
                lines.append(line)
                if re.search(r'Epoch\(train\)\s+\[2\]\[ *5/', line):
                    os.kill(first.pid, signal.SIGKILL)
                    break
        assert first.returncode == -signal.SIGKILL, ''.join(lines)
        assert not (killed / 'epoch_2.pth').exists()
        saved = (killed / 'epoch_1.pth').stat().st_mtime_ns
        run_here(*command('killed', '--resume'))
        assert whole.wait(timeout=300) == 0
    # It went on from there, and did not begin anew.
    assert (killed / 'epoch_1.pth').stat().st_mtime_ns == saved
    one, other = (
        torch.load(folder / name / 'epoch_2.pth', weights_only=True) for name in ('whole', 'killed')
    )
    assert one['state_dict'].keys() == other['state_dict'].keys()
    for key, value in one['state_dict'].items():
        assert value.equal(other['state_dict'][key]), key
    for group, same in zip(one['optimizer']['param_groups'], other['optimizer']['param_groups']):
        assert group['betas'] == same['betas']
        assert group['lr'] == same['lr']
