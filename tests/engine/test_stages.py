"""Two stages by one command: what each is given, and which run."""

import weakref
from pathlib import Path

import pytest
import small_models
import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from small_models import CONFIGS
from whole_checkpoints import save_whole

from gendd_mm.engine import launch, options, stages
from gendd_mm.engine.options import RunOptions
from gendd_mm.engine.work_dir import claimed

CONFIG = str(CONFIGS / 'digits' / 'gendd_digits_two_stages.py')


def read_both(config=CONFIG, **settings) -> tuple:
    run_options = RunOptions(**settings)
    second = options.merge_train(options.read_config(str(config)), run_options)
    return stages.read_stage1(second, run_options), second


def train(**settings) -> None:
    stages.train_stages(CONFIG, RunOptions(**settings))


# What stage 1 is given.
def test_both_stages_get_the_seed_and_the_options(tmp_path, monkeypatch):
    monkeypatch.setattr(options, 'get_device', lambda: 'cuda')
    first, second = read_both(
        amp=True, validate=False, work_dir=str(tmp_path), cfg_options={'randomness.seed': 7}
    )
    for cfg in (first, second):
        assert cfg.randomness.seed == 7
        assert cfg.optim_wrapper.type == 'AmpOptimWrapper'
        assert cfg.val_cfg is None
        assert cfg.launcher == 'none'
        assert cfg.resume is False
    assert (first.work_dir, second.work_dir) == (str(tmp_path / 'stage1'), str(tmp_path))


def test_options_of_stage1_have_its_prefix(tmp_path):
    first, second = read_both(
        cfg_options={
            'train_cfg.max_epochs': 7,
            'stage1.train_cfg.max_epochs': 3,
            'stage1.param_scheduler.0.end': 3,
            'stage1.randomness.seed': 5,
        }
    )
    assert (first.train_cfg.max_epochs, second.train_cfg.max_epochs) == (3, 7)
    assert first.param_scheduler[0].end == 3
    assert first.param_scheduler[0].type == 'CosineAnnealingLR'
    assert (first.randomness.seed, second.randomness.seed) == (5, 0)


def write(folder: Path, text: str, name: str = 'two.py') -> Path:
    (folder / name).write_text(text)
    return folder / name


def test_its_config_is_relative_to_the_one_that_names_it(tmp_path):
    write(tmp_path, "_base_ = ['toy_base.py']\n", 'one.py')
    write(tmp_path, "model = dict(type='mmpretrain.ImageClassifier')\nseen = True\n", 'toy_base.py')
    two = write(tmp_path, "_base_ = ['one.py']\nstage1 = dict(config='one.py')\n")
    first, second = read_both(two)
    assert first.seen
    # A dumped config, which is elsewhere, still finds it.
    assert second.stage1.config == str(tmp_path / 'one.py')


OPEN = """
_base_ = ['base.py']
model = dict(
    _delete_=True,
    type='ImageClassifier',
    head=dict(type='gendd_mm.{head}', num_classes=10),
)
"""


def two_stages_of(head: str, folder: Path) -> Path:
    """GenDD on the digits with a stage 1 that says nothing of the pair."""
    base = str(CONFIGS / 'digits' / 'warmup_digits.py')
    write(folder, f'_base_ = [{base!r}]\n', 'base.py')
    write(folder, OPEN.format(head=head), 'open.py')
    base = str(CONFIGS / 'gendd_digits.py')
    return write(folder, f"_base_ = [{base!r}]\nstage1 = dict(config='open.py')\n")


@pytest.mark.parametrize('own', [None, 'first.pth'])
def test_what_stage_1_leaves_open_of_the_pair_is_that_of_stage_2(tmp_path, own):
    given = {'model.teacher_ckpt': 'second.pth'}
    if own:
        given['stage1.model.head.teacher_ckpt'] = own
    two = two_stages_of('ReusedClassifierHead', tmp_path)
    first, second = read_both(two, cfg_options=given)
    assert first.model.backbone == second.model.architecture.backbone
    head = first.model.head
    assert head.in_channels == second.model.architecture.head.in_channels
    assert head.teacher_dim == second.model.teacher.head.in_channels
    assert head.teacher_ckpt == (own or 'second.pth')


def test_a_stage_1_without_the_teachers_classifier_gets_nothing_of_the_pair(tmp_path):
    first, _ = read_both(two_stages_of('LinearProbeHead', tmp_path))
    assert first.model.keys() == {'type', 'head'}
    assert first.model.head.keys() == {'type', 'num_classes'}


@pytest.mark.parametrize(
    ('text', 'error', 'message'),
    [
        ('stage1 = dict(config="gone.py")', FileNotFoundError, 'gone.py'),
        ('stage1 = dict(train_cfg=dict())', ValueError, 'names no config'),
        ('stage1 = dict(config="two.py")', ValueError, 'two stages at most'),
    ],
)
def test_a_wrong_stage1_is_named(tmp_path, text, error, message):
    two = write(tmp_path, f'{text}\n')
    with pytest.raises(error, match=message):
        read_both(two)


# Which stages run.
@pytest.fixture
def ran(monkeypatch) -> list:
    """Configs that would be trained; each leaves its final checkpoint."""
    configs = []

    def leave_a_checkpoint(cfg) -> None:
        configs.append(cfg)
        save(cfg.work_dir, cfg.train_cfg.max_epochs)

    monkeypatch.setattr(stages, 'run_training', leave_a_checkpoint)
    return configs


def save(work_dir, epoch: int) -> str:
    path = Path(work_dir) / f'epoch_{epoch}.pth'
    save_whole(path, epoch)
    return str(path)


def warm_starts(cfg) -> list:
    return [hook.checkpoint for hook in cfg.custom_hooks if hook.type.endswith('WarmStartHook')]


def test_stage_2_follows_stage_1(ran, tmp_path):
    train(work_dir=str(tmp_path), resume='auto')
    assert [cfg.work_dir for cfg in ran] == [str(tmp_path / 'stage1'), str(tmp_path)]
    assert [cfg.resume for cfg in ran] == [False, False]
    assert ran[0].experiment_name == 'warmup_digits_stage1'
    assert warm_starts(ran[1]) == [str(tmp_path / 'stage1' / 'epoch_5.pth')]


@pytest.mark.parametrize('resume', [None, 'auto'])
def test_a_finished_stage_1_is_not_repeated(ran, tmp_path, resume):
    final = save(tmp_path / 'stage1', 5)
    train(work_dir=str(tmp_path), resume=resume)
    assert [cfg.work_dir for cfg in ran] == [str(tmp_path)]
    assert warm_starts(ran[0]) == [final]


@pytest.mark.parametrize('done', [False, True])
def test_stage_2_starts_from_the_best_epoch_where_stage_1_keeps_it(ran, tmp_path, done):
    if done:
        save(tmp_path / 'stage1', 5)
    best = {'stage1.default_hooks.checkpoint.save_best': 'accuracy/top1'}
    train(work_dir=str(tmp_path), cfg_options=best)
    assert warm_starts(ran[-1]) == [str(tmp_path / 'stage1' / 'best_*.pth')]


def test_a_run_starts_from_the_file_that_mmengine_leaves(tmp_path):
    teacher = small_models.digits_teacher(tmp_path / 'teacher.pth')
    small = {
        'train_cfg.max_epochs': 2,
        'train_cfg.val_interval': 1,
        'train_dataloader.dataset.indices': 64,
    }
    hook = 'stage1.default_hooks.checkpoint'
    cfg_options = {
        **{f'stage1.{key}': value for key, value in small.items()},
        f'{hook}.save_best': 'accuracy/top1',
        f'{hook}.rule': 'less',  # so that it is not the last
        'stage1.model.head.teacher_ckpt': teacher,
        'model.teacher_ckpt': teacher,
        'train_cfg.max_epochs': 1,
        'train_dataloader.dataset.indices': 64,
        'optim_wrapper.optimizer.lr': 0.0,  # it keeps what it started from
    }
    with small_models.quickly():
        train(work_dir=str(tmp_path), validate=True, cfg_options=cfg_options)
    (best,) = (tmp_path / 'stage1').glob('best_*.pth')
    assert best.name == 'best_accuracy_top1_epoch_1.pth'
    first, second = (
        torch.load(path, weights_only=True)['state_dict']
        for path in (best, tmp_path / 'epoch_1.pth')
    )
    assert first['backbone.conv1.weight'].equal(second['architecture.backbone.conv1.weight'])


def test_an_unfinished_stage_1_is_resumed(ran, tmp_path):
    save(tmp_path / 'stage1', 4)
    train(work_dir=str(tmp_path), resume='auto')
    assert ran[0].resume
    assert ran[0].load_from.endswith('stage1/epoch_4.pth')
    assert len(ran) == 2
    assert not ran[1].resume


def test_a_resumed_stage_2_needs_no_stage_1(ran, tmp_path):
    # Not even one that can be read.
    Path(save(tmp_path / 'stage1', 5)).write_text('')
    save(tmp_path, 4)
    train(work_dir=str(tmp_path), resume='auto')
    assert [cfg.work_dir for cfg in ran] == [str(tmp_path)]
    assert ran[0].resume
    assert not warm_starts(ran[0])


def test_a_path_to_resume_from_is_of_stage_2_or_the_stage_asked(ran, tmp_path):
    path = save(tmp_path / 'other', 3)
    asked = dict(work_dir=str(tmp_path / 'work'), resume=path)
    train(**asked)
    train(**asked, stage=1)
    assert [Path(cfg.work_dir).name for cfg in ran] == ['work', 'stage1']
    assert [cfg.load_from for cfg in ran] == [path, path]


def test_one_stage_alone(ran, tmp_path):
    args = dict(work_dir=str(tmp_path))
    with pytest.raises(FileNotFoundError, match='stage1.*--stage out'):
        train(**args, stage=2)
    train(**args, stage=1)
    train(**args, stage=2)
    assert [Path(cfg.work_dir).name for cfg in ran] == ['stage1', tmp_path.name]


def test_without_a_stage_1(ran, tmp_path):
    args = dict(work_dir=str(tmp_path), cfg_options=dict(stage1=None))
    train(**args)
    assert len(ran) == 1
    assert not warm_starts(ran[0])
    with pytest.raises(ValueError, match='has no stage1.*Leave --stage out'):
        train(**args, stage=1)


def test_a_run_keeps_others_out_of_the_folders_of_both_stages(ran, tmp_path, monkeypatch):
    leave_a_checkpoint, refused = stages.run_training, []

    def try_to_claim(cfg) -> None:
        leave_a_checkpoint(cfg)
        for folder in (tmp_path, tmp_path / 'stage1'):
            try:
                with claimed(str(folder)):
                    pass
            except ValueError as error:
                found = 'in use by another run' in str(error)
                refused.append((Path(cfg.work_dir).name, folder.name, found))

    monkeypatch.setattr(stages, 'run_training', try_to_claim)
    train(work_dir=str(tmp_path))
    one, two = tmp_path.name, 'stage1'
    assert refused == [(two, one, True), (two, two, True), (one, one, True)]
    train(work_dir=str(tmp_path))


def test_another_backbone_is_an_error_before_stage_1(ran, tmp_path):
    with pytest.raises(ValueError, match='backbones of stage 1.*differ'):
        train(work_dir=str(tmp_path), cfg_options={'stage1.model.backbone.stem_channels': 4})
    assert not ran


def test_stage_1_must_leave_a_checkpoint(tmp_path, monkeypatch):
    monkeypatch.setattr(stages, 'run_training', lambda cfg: None)
    with pytest.raises(FileNotFoundError, match='left no checkpoint'):
        train(work_dir=str(tmp_path))


def test_a_trained_model_is_freed(tmp_path):
    teacher = small_models.digits_teacher(tmp_path / 'teacher.pth')
    models = []

    @HOOKS.register_module(force=True)
    class Watch(Hook):
        def before_train(self, runner) -> None:
            models.append(weakref.ref(runner.model))

    cfg = small_models.shrunk('digits/warmup_digits.py', tmp_path, teacher)
    cfg.custom_hooks.append(dict(type='Watch'))
    cfg.train_cfg.max_epochs = 1
    cfg.launcher = 'none'
    with small_models.quickly():
        launch.run_training(cfg)
    assert [model() for model in models] == [None]
