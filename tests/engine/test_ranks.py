"""All ranks go on from the checkpoint that rank 0 chooses, or none does."""

import socket
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.dist import get_rank
from small_models import CONFIGS
from two_ranks import on_two_ranks
from whole_checkpoints import save_whole

from gendd_mm.engine import stages
from gendd_mm.engine.hooks import BroadcastBuffersHook, PreemptionHook, RunConditionsHook
from gendd_mm.engine.options import RunOptions
from gendd_mm.engine.ranks import on_rank_0
from gendd_mm.engine.resume import resume_from

# The same path on both, and a folder of its own for each, as on two machines.
LOCAL = '/proc/self/cwd/run'


@pytest.fixture
def folders(tmp_path) -> list[Path]:
    """Two machines, whose work dirs hold the epochs 1 and 2."""
    machines = [tmp_path / 'a', tmp_path / 'b']
    for machine in machines:
        for epoch in (1, 2):
            save_whole(machine / 'run' / f'epoch_{epoch}.pth', epoch)
    return machines


def resumed(work_dir: str, asked: str | None = 'auto'):
    cfg = Config(dict(work_dir=work_dir))
    resume_from(cfg, asked)
    return cfg.resume, cfg.get('load_from')


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def test_every_rank_takes_the_choice_of_rank_0(folders):
    # Rank 1 alone would go on from epoch 1.
    cut_short(folders[1] / 'run' / 'epoch_2.pth')
    chosen = (True, str(folders[0] / 'run' / 'epoch_2.pth'))
    assert on_two_ranks(resumed, 'run', folders=folders) == [chosen] * 2
    # Rank 0 goes back to epoch 1, and rank 1 with it.
    cut_short(folders[0] / 'run' / 'epoch_2.pth')
    chosen = (True, f'{LOCAL}/epoch_1.pth')
    assert on_two_ranks(resumed, LOCAL, folders=folders) == [chosen] * 2


def test_a_damaged_checkpoint_that_the_config_names_is_refused(folders):
    path = folders[0] / 'run' / 'epoch_2.pth'
    cfg = Config(dict(work_dir='run', resume=True, load_from=str(path)))
    resume_from(cfg, None)
    assert (cfg.resume, cfg.load_from) == (True, str(path))
    cut_short(path)
    with pytest.raises(ValueError, match='epoch_2.pth'):
        resume_from(cfg, None)
    with pytest.raises(FileNotFoundError, match='does not exist'):
        resume_from(cfg, str(path.parent))  # a folder, not a checkpoint in parts


def test_a_run_begins_on_every_rank_if_rank_0_has_no_checkpoint(folders):
    (folders[0] / 'run').rename(folders[0] / 'away')
    assert on_two_ranks(resumed, 'run', folders=folders) == [(False, None)] * 2


@pytest.mark.fault(
    'Ranks',
    'the checkpoint of rank 0 is missing or damaged on another machine',
    'refused on all ranks; rank, machine and file are named',
)
@pytest.mark.parametrize(
    ('spoil', 'said'), [(Path.unlink, 'does not exist'), (cut_short, 'is damaged')]
)
@pytest.mark.parametrize('asked', ['auto', f'{LOCAL}/epoch_2.pth'])
def test_a_checkpoint_that_one_rank_lacks_is_refused_by_all(folders, spoil, said, asked):
    spoil(folders[1] / 'run' / 'epoch_2.pth')
    one, other = on_two_ranks(resumed, LOCAL, asked, folders=folders)
    assert one == other
    for text in (f'rank 1 on {socket.gethostname()}: ', f'{LOCAL}/epoch_2.pth', said, 'share'):
        assert text in one


@pytest.mark.fault(
    'Ranks', 'an error on rank 0 before training', 'all ranks end with it; none waits for it'
)
def test_what_fails_on_rank_0_fails_on_all(folders):
    for epoch in (1, 2):
        cut_short(folders[0] / 'run' / f'epoch_{epoch}.pth')
    for found in on_two_ranks(resumed, 'run', folders=folders):
        assert 'ValueError' in found
        assert 'run has lost its checkpoints' in found
    missing = on_two_ranks(resumed, 'run', 'gone.pth', folders=folders)
    assert all("'gone.pth' does not exist" in found for found in missing)


def test_only_rank_0_acts():
    assert on_two_ranks(on_rank_0, get_rank) == [0, 0]
    assert on_rank_0(get_rank) == 0


def two_stages(work_dir: str) -> list:
    """The work dirs of the stages that run, and what stage 2 starts from."""
    ran = []

    def leave_a_checkpoint(cfg) -> None:
        hooks = [hook.checkpoint for hook in cfg.custom_hooks if 'WarmStart' in hook.type]
        ran.append((Path(cfg.work_dir).name, hooks))
        if get_rank() == 0:
            last = cfg.train_cfg.max_epochs
            save_whole(Path(cfg.work_dir) / f'epoch_{last}.pth', last)

    stages.run_training = leave_a_checkpoint  # in a process of its own
    stages.train_stages(
        str(CONFIGS / 'digits' / 'gendd_digits_two_stages.py'),
        RunOptions(work_dir=work_dir, resume='auto', validate=False),
    )
    return ran


def test_rank_0_says_whether_stage_1_is_finished(tmp_path):
    folders = [tmp_path / 'a', tmp_path / 'b']
    final = str(tmp_path / 'a' / 'run' / 'stage1' / 'epoch_5.pth')
    for folder in folders:
        folder.mkdir()
    # Rank 1 finds nothing of its own before and after.
    both = [('stage1', []), ('run', [final])]
    assert on_two_ranks(two_stages, 'run', folders=folders) == [both] * 2
    # Killed before stage 2 had saved anything.
    for path in (tmp_path / 'a' / 'run').glob('*.*'):
        path.unlink()
    (tmp_path / 'a' / 'run' / 'last_checkpoint').unlink()
    assert on_two_ranks(two_stages, 'run', folders=folders) == [both[1:]] * 2


# A rank that does not come.
def at_the_first_step(late: str) -> str:
    """Meet before the first step, unless this is rank 1 and that is dead or hanging."""
    hook = RunConditionsHook()
    hook._conditions = dict(batch_size=4)
    cfg = Config(dict(env_cfg=dict(dist_cfg=dict(timeout=60 if late == 'dead' else 1.0))))
    runner = SimpleNamespace(cfg=cfg, model=torch.nn.Linear(1, 1), iter=0)
    torch.nn.init.zeros_(runner.model.weight)
    torch.nn.init.zeros_(runner.model.bias)
    if get_rank() == 1 and late == 'dead':
        raise ValueError('my data are gone')
    if get_rank() == 1 and late == 'hanging':
        time.sleep(3)
        return 'late'
    started = time.monotonic()
    try:
        hook.before_train(runner)
    finally:
        # A dead rank is noticed long before the time is over.
        assert time.monotonic() - started < 30
    return 'trains'


@pytest.mark.fault(
    'Ranks',
    'a rank dies or hangs before the first step',
    'the others end: at once, or after `env_cfg.dist_cfg.timeout` with its number',
)
@pytest.mark.parametrize('late', ['dead', 'hanging'])
def test_a_rank_that_does_not_come_to_the_first_step_is_named(late):
    waiting, _ = on_two_ranks(at_the_first_step, late)
    assert waiting.startswith('RuntimeError: not all ranks have come to the first step')
    if late == 'hanging':
        assert 'first step: Ranks 1 failed to pass' in waiting
    assert 'env_cfg.dist_cfg.timeout' in waiting
    assert '\n' not in waiting


def test_ranks_that_come_go_on():
    assert on_two_ranks(at_the_first_step, 'nobody') == ['trains'] * 2


def vote() -> str:
    """Vote twice on whether to stop; rank 1 does not."""
    hook = PreemptionHook()
    cfg = Config(dict(env_cfg=dict(dist_cfg=dict(timeout=1.0))))
    hook.before_train(SimpleNamespace(cfg=cfg, iter=0, train_loop=None, val_loop=None))
    if get_rank() == 1:
        time.sleep(4)
        return 'late'
    started = time.monotonic()
    try:
        hook._asked(wait=True)
    finally:
        assert time.monotonic() - started < 3
    return 'stops'


def test_votes_wait_as_long_as_everything_else():
    waiting, _ = on_two_ranks(vote)
    assert waiting.startswith('RuntimeError')


def validated_with() -> torch.Tensor:
    """The running mean with which a rank validates, where each has trained its own."""
    norm = torch.nn.BatchNorm1d(2)
    norm.running_mean.fill_(get_rank() + 1)
    BroadcastBuffersHook().before_val(SimpleNamespace(model=norm))
    return norm.running_mean


def test_all_ranks_validate_with_the_buffers_of_rank_0():
    for mean in on_two_ranks(validated_with):
        assert mean.tolist() == [1, 1]
