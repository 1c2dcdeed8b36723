"""Every config of ours trains, and says what it is."""

import ast
import subprocess

import published_configs
import pytest
import small_models
import torch
from mmengine.config import Config
from published_configs import ABLATIONS, EXPERIMENTS, PUBLISHED, Experiment, chosen, read
from small_models import CONFIGS

# Those on data and networks of a size for a test; the others have tests of
# their own numbers.
DIGITS = [name for name in PUBLISHED if 'digits' in name]
OF_A_PAIR = [experiment for experiment in EXPERIMENTS if 'TEACHER' in dict(experiment.choice)]


@pytest.fixture(scope='module')
def teacher(tmp_path_factory) -> str:
    return small_models.digits_teacher(tmp_path_factory.mktemp('teacher') / 'teacher.pth')


def test_every_config_of_ours_is_published():
    done = subprocess.run(
        ['git', 'ls-files', '*.py'], cwd=CONFIGS, capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip('only git knows which files are ours')
    ours = {name for name in done.stdout.split() if '_base_' not in name}
    assert ours == {*PUBLISHED, *ABLATIONS}


@pytest.mark.parametrize('name', PUBLISHED)
def test_it_says_what_it_is_and_how_to_run_it(name):
    text = ast.get_docstring(ast.parse((CONFIGS / name).read_text()))
    assert text, 'a config is one experiment; its docstring says which'
    assert text.split('\n')[0].endswith(('.', ':'))
    assert f'configs/{name}' in text, 'the command'
    for variable in published_configs.CHOICES.get(name, [{}])[0]:
        assert f'{variable}=' in text, 'the command has the choice'


@pytest.mark.parametrize('experiment', EXPERIMENTS, ids=str)
def test_it_reads_and_imports_what_it_needs(experiment):
    cfg = experiment.read()
    assert cfg.custom_imports.imports == ['gendd_mm']
    assert cfg.default_scope == 'mmpretrain'
    assert Config.fromstring(cfg.pretty_text, '.py').model == cfg.model
    assert not cfg.get('find_unused_parameters', False)


# Configs that a choice fills.
@pytest.mark.parametrize('experiment', OF_A_PAIR, ids=str)
def test_the_pair_is_the_one_that_is_chosen(experiment):
    cfg = experiment.read()
    choice = dict(experiment.choice)
    models = CONFIGS / '_base_' / 'models'
    prefix = 'cifar100_' * experiment.name.startswith('cifar100')
    teacher = Config.fromfile(models / 'teachers' / f'{prefix}{choice["TEACHER"]}.py')
    student = Config.fromfile(models / 'students' / f'{prefix}{choice["STUDENT"]}.py')
    assert cfg.model.teacher == teacher.teacher
    assert cfg.model.teacher_ckpt == teacher.teacher_ckpt
    assert cfg.model.architecture.backbone == student.student_backbone
    assert cfg.model.architecture.head.in_channels == student.student_dim


@pytest.mark.parametrize('name', published_configs.CHOICES)
def test_without_a_choice_it_is_the_first(name):
    first = published_configs.of_file(name)[0].read()
    assert read(name).to_dict() == first.to_dict()


def test_no_two_experiments_write_into_one_folder():
    experiments = [
        *EXPERIMENTS,
        *(each for name in ABLATIONS for each in published_configs.of_file(name)),
    ]
    # The default of tools/train.py is the name of the file.
    names = [
        experiment.read().get('work_dir', f'work_dirs/{experiment.name.split("/")[-1][:-3]}')
        for experiment in experiments
    ]
    assert len(set(names)) == len(names)


def test_the_copy_in_a_work_dir_has_its_choice(tmp_path):
    (chosen_one,) = [e for e in OF_A_PAIR if str(e).endswith('/mgd_1xb64_cifar100.py vgg13 vgg8')]
    cfg = chosen_one.read()
    cfg.dump(str(tmp_path / 'copy.py'))
    with chosen(TEACHER='resnet110', STUDENT='resnet32'):
        assert Config.fromfile(tmp_path / 'copy.py').to_dict() == cfg.to_dict()


@pytest.mark.parametrize(
    ('name', 'choice', 'error', 'message'),
    [
        ('cifar100/kd_1xb64_cifar100.py', dict(TEACHER='resnet57'), FileNotFoundError, 'resnet57'),
        (
            'cifar100/lskd_1xb64_cifar100.py',
            dict(TEACHER='vgg13'),
            ValueError,
            'TEACHER=vgg13 STUDENT=resnet20 is not a pair.*choose from.*STUDENT=vgg8.*own_pair',
        ),
        (
            'cifar100/regression_1xb64_cifar100.py',
            dict(STUDENT='vgg8'),
            FileNotFoundError,
            'gendd_resnet56_vgg8_1xb64',
        ),
        (
            'imagenet/mgd_8xb64_in1k.py',
            dict(TEACHER='resnet50'),
            ValueError,
            'TEACHER=resnet50 STUDENT=resnet18 is not a pair',
        ),
        (
            'imagenet/kd_beitv2-large_resnet50_8xb64_in1k.py',
            dict(RECIPE='a3'),
            FileNotFoundError,
            'imagenet_a3',
        ),
    ],
)
def test_a_pair_without_settings_is_refused(name, choice, error, message):
    with pytest.raises(error, match=message):
        read(name, **choice)


def test_gendd_has_its_own_pair_in_both_stages_whatever_is_chosen():
    name = 'cifar100/gendd_resnet32x4_shufflenet-v1_1xb128_cifar100.py'
    experiments = Experiment(name), Experiment(name, stage1=True)
    other = dict(TEACHER='vgg13', STUDENT='vgg8', RECIPE='a1')
    for experiment in experiments:
        changed = Experiment(name, tuple(other.items()), experiment.stage1)
        assert changed.read().to_dict() == experiment.read().to_dict()


# Runs on the digits.
@pytest.mark.parametrize('name', DIGITS)
def test_it_trains_and_evaluates(name, teacher, tmp_path):
    cfg = small_models.shrunk(name, tmp_path, teacher)
    cfg.train_dataloader.dataset.indices = 16  # two steps
    cfg.val_dataloader.dataset.indices = 10
    cfg.train_cfg.max_epochs = 1
    runner = small_models.trained(cfg)
    assert runner.iter == 2
    state = torch.load(tmp_path / 'epoch_1.pth', weights_only=True)
    assert all(
        value.isfinite().all()
        for value in state['state_dict'].values()
        if value.is_floating_point()
    )
    metrics = runner.val_loop.run()
    assert metrics
    assert all(0 <= value <= 100 for value in metrics.values())
    if 'GenDD' in cfg.model.type:
        trains = cfg.model.architecture.head.get('trainable', True)
        assert ('probe/top1' in metrics) == trains
        assert 'gen/top1' in metrics


def test_the_comparisons_differ_in_the_method_alone():
    """Same student, data, optimiser, epochs: a fair comparison."""
    student = Config.fromfile(CONFIGS / 'digits' / 'student_digits.py')
    for name in ('gendd_digits.py', 'digits/kd_digits.py', 'digits/dkd_digits.py'):
        cfg = Config.fromfile(CONFIGS / name)
        assert cfg.model.architecture.backbone == student.model.backbone
        assert cfg.model.architecture.neck == student.model.neck
        for part in ('train_cfg', 'param_scheduler', 'randomness'):
            assert cfg[part] == student[part], (name, part)
        assert cfg.optim_wrapper.optimizer == student.optim_wrapper.optimizer
        total = cfg.train_dataloader.batch_size * (1 + ('gendd' in name))
        assert total == student.train_dataloader.batch_size
