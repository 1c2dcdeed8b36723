"""A run is resumed as what it was, and is the same on all ranks."""

import copy
import os
import subprocess
import sys

import pytest
import small_models
import torch
from mmengine.config import Config

from gendd_mm.checkpoint import fingerprint
from gendd_mm.engine.hooks import RunConditionsHook
from gendd_mm.engine.hooks.run_conditions_hook import check_ranks_agree
from gendd_mm.engine.run_conditions import effective_settings


@pytest.fixture(scope='module')
def begun(tmp_path_factory):
    """The config of a run of three epochs, which has kept them all."""
    folder = tmp_path_factory.mktemp('begun')
    teacher = small_models.digits_teacher(folder / 'teacher.pth')
    cfg = small_models.shrunk('gendd_digits.py', folder / 'run', teacher)
    cfg.default_hooks.checkpoint.update(interval=1, max_keep_ckpts=-1)
    small_models.trained(copy.deepcopy(cfg))
    return cfg


@pytest.fixture
def cfg(begun, tmp_path):
    """The same run, to be resumed after its first epoch in a folder of its own."""
    cfg = copy.deepcopy(begun)
    cfg.experiment_name += 'b'
    cfg.work_dir = str(tmp_path)
    cfg.resume, cfg.load_from = True, f'{begun.work_dir}/epoch_1.pth'
    return cfg


def other_teacher(cfg, folder) -> None:
    state = torch.load(cfg.model.teacher_ckpt, weights_only=True)
    state['state_dict']['head.fc.bias'][0] += 1e-3
    cfg.model.teacher_ckpt = str(folder / 'other.pth')
    torch.save(state, cfg.model.teacher_ckpt)


def moved_teacher(cfg, folder) -> None:
    os.link(cfg.model.teacher_ckpt, folder / 'moved.pth')
    cfg.model.teacher_ckpt = str(folder / 'moved.pth')


def other_loss(cfg, folder) -> None:
    cfg.model.distiller.distill_losses.loss_gendd.contraction.strength = 0.123


def other_rate(cfg, folder) -> None:
    cfg.optim_wrapper.optimizer.lr = 0.123


def other_schedule(cfg, folder) -> None:
    cfg.param_scheduler[-1].end = 2


@pytest.mark.parametrize(
    ('change', 'named'),
    [
        pytest.param(
            other_teacher,
            r'\[teacher\] the weights',
            marks=pytest.mark.fault('Resuming', 'with another teacher', 'refused'),
        ),
        pytest.param(
            other_loss,
            r'contraction.strength: .* -> 0.123 \(another student',
            marks=pytest.mark.fault('Resuming', 'with another model or loss', 'refused'),
        ),
        pytest.param(
            other_rate,
            r'optim_wrapper.optimizer.lr: .* -> 0.123 \(the optimizer is resumed',
            marks=pytest.mark.fault(
                'Resuming',
                'with other settings of the optimizer or of a schedule',
                'refused: the state in the checkpoint would win in silence',
            ),
        ),
        pytest.param(other_schedule, r'param_scheduler.*end: 3 -> 2'),
    ],
)
def test_another_run_is_refused_before_it_is_loaded(cfg, tmp_path, change, named):
    change(cfg, tmp_path)
    with pytest.raises(ValueError, match=named):
        small_models.trained(cfg)
    assert not list(tmp_path.glob('epoch_*.pth'))


def test_the_user_may_accept_the_change(cfg, tmp_path):
    other_loss(cfg, tmp_path)
    cfg.allow_changed = ['model']
    assert small_models.trained(cfg).iter == 9


def test_where_files_are_does_not_matter(cfg, tmp_path):
    moved_teacher(cfg, tmp_path)
    cfg.train_dataloader.update(num_workers=0, pin_memory=False)
    cfg.model.test_num_draws = 7
    cfg.train_cfg.val_interval = 2
    assert small_models.trained(cfg).iter == 9


@pytest.fixture
def warnings_of(monkeypatch):
    """The warnings of resuming."""

    def resume(cfg) -> list[str]:
        runner = small_models.runner_of(cfg)
        found = []
        monkeypatch.setattr(runner.logger, 'warning', lambda text, *args: found.append(text))
        with small_models.quickly():
            runner.train()
        return found

    return resume


def test_the_same_conditions_bring_no_warning(cfg, warnings_of):
    assert not [text for text in warnings_of(cfg) if 'condition' in text]


@pytest.mark.fault(
    'Resuming', 'with other data, seed, length or versions', 'a warning with both values'
)
def test_what_leaves_a_run_sound_is_a_warning(cfg, warnings_of):
    cfg.train_dataloader.dataset.indices = 16
    cfg.train_cfg.max_epochs = 2
    cfg.randomness.seed = 5
    found = '\n'.join(warnings_of(cfg))
    for text in ('dataset.indices: 24 -> 16', 'max_epochs: 3 -> 2', 'samples 24 -> 16'):
        assert text in found
    assert 'seed' in found


def test_a_checkpoint_without_conditions_says_so(cfg, tmp_path, warnings_of):
    checkpoint = torch.load(cfg.load_from, weights_only=True)
    del checkpoint['meta']['run_conditions']
    cfg.load_from = str(tmp_path / 'old.pth')
    torch.save(checkpoint, cfg.load_from)
    assert any('does not state the conditions' in text for text in warnings_of(cfg))


def test_an_unknown_permission_is_refused():
    with pytest.raises(ValueError, match="allow_changed='techer' is unknown"):
        RunConditionsHook(allow_changed=('techer',))


def test_a_fingerprint_is_of_names_types_shapes_and_values():
    state = dict(a=torch.zeros(2, 3), b=torch.tensor(1))
    others = [
        dict(a=torch.zeros(3, 2), b=torch.tensor(1)),
        dict(a=torch.zeros(2, 3), c=torch.tensor(1)),
        dict(a=torch.zeros(2, 3, dtype=torch.bfloat16), b=torch.tensor(1)),
        dict(a=torch.full((2, 3), -0.0), b=torch.tensor(1)),
        dict(a=torch.zeros(2, 3)),
    ]
    assert fingerprint(state) == fingerprint(dict(reversed(state.items())))
    # The layout in memory is no part of the value.
    assert fingerprint(state) == fingerprint(dict(state, a=torch.zeros(3, 2).T))
    assert len({fingerprint(other) for other in [state, *others]}) == 6


def test_settings_without_effect_are_left_out(begun):
    found = effective_settings(begun)
    assert not [
        name for name in found if name.endswith(('num_workers', 'teacher_ckpt', 'data_root'))
    ]
    assert found['train_cfg.max_epochs'] == '3'


def test_a_constructor_counts_unless_training_adds_it():
    def settings(constructor: str) -> Config:
        return Config(dict(optim_wrapper=dict(constructor=constructor)))

    assert effective_settings(settings('gendd_mm.GroupedOptimWrapperConstructor')) == {}
    own = effective_settings(settings('LearningRateDecayOptimWrapperConstructor'))
    assert own.keys() == {'optim_wrapper.constructor'}


# Several ranks.
def test_one_rank_agrees_with_itself():
    check_ranks_agree(dict(batch_size=4, weights='abc'))


CONDITIONS = [
    dict(iteration=6, batch_size=8, config=dict(lr='0.1', depth='1'), weights='0' * 64),
    dict(iteration=3, batch_size=8, config=dict(lr='0.2', depth='1'), weights='1' * 64),
]


def test_what_differs_is_listed_by_rank(monkeypatch):
    monkeypatch.setattr(
        'gendd_mm.engine.hooks.run_conditions_hook.all_gather_object', lambda own: CONDITIONS
    )
    for own in CONDITIONS:
        with pytest.raises(ValueError, match='the ranks of this run differ') as error:
            check_ranks_agree(own)
        text = str(error.value)
        assert 'iteration [6, 3]' in text
        assert "lr ['0.1', '0.2']" in text
        assert "weights ['000000000000', '111111111111']" in text
        assert 'batch_size' not in text
        assert 'depth' not in text


# MMEngine puts the rank, of the environment, into the text.
DIFFERENT = """
_base_ = 'base.py'
if '{{$RANK:0}}' == '1':
    train_dataloader = dict(batch_size=4)
"""


@pytest.mark.fault(
    'Ranks',
    'batch size, data, config, checkpoint or weights differ between ranks',
    'refused before the first step, with the values by rank',
)
def test_another_batch_size_on_one_rank_is_refused(begun, tmp_path):
    cfg = copy.deepcopy(begun)
    cfg.work_dir = str(tmp_path / 'run')
    cfg.dump(tmp_path / 'base.py')
    path = tmp_path / 'different.py'
    path.write_text(DIFFERENT)
    tests = os.path.dirname(small_models.__file__)
    done = subprocess.run(
        ['bash', 'tools/dist_train.sh', str(path), '2'],
        capture_output=True,
        text=True,
        timeout=300,
        env=dict(
            os.environ,
            OMP_NUM_THREADS='1',
            CUDA_VISIBLE_DEVICES='',
            PYTHON=sys.executable,
            PYTHONPATH=tests,
        ),
        cwd=small_models.ROOT,
    )
    assert done.returncode != 0
    assert 'the ranks of this run differ' in done.stderr
    assert 'batch_size [8, 4]' in done.stderr
    assert not list((tmp_path / 'run').glob('*.pth'))


def test_ranks_compare_their_weights_and_their_iteration(begun, tmp_path, monkeypatch):
    """Of work dirs that each machine has for itself, say."""
    compared = []
    monkeypatch.setattr(
        'gendd_mm.engine.hooks.run_conditions_hook.check_ranks_agree', compared.append
    )
    for number, name in enumerate(('epoch_1.pth', 'epoch_2.pth')):
        cfg = copy.deepcopy(begun)
        cfg.experiment_name += f'c{number}'
        cfg.work_dir = str(tmp_path)
        cfg.resume, cfg.load_from = True, f'{begun.work_dir}/{name}'
        small_models.trained(cfg)
    one, other = compared
    assert {key for key in one if one[key] != other[key]} == {'iteration', 'weights'}
    assert (one['iteration'], other['iteration']) == (3, 6)
