"""The probe of a run, trained anew: its config, a whole run, its export."""

import runpy
import sys
from pathlib import Path

import published_configs
import pytest
import small_models
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpretrain.apis import get_model
from published_configs import EXPERIMENTS
from small_models import CONFIGS, ROOT

from gendd_mm.deploy import export_student, probe_config
from gendd_mm.deploy.features import batches

PUBLISHED = Config.fromfile(CONFIGS / '_base_' / 'schedules' / 'probe.py')


def derived(name: str, **choice: str) -> tuple[Config, Config]:
    """The config of a run, and that of its probe as it is read again."""
    cfg = published_configs.read(name, **choice)
    probe = probe_config(cfg, 'run.pth', PUBLISHED)
    return cfg, Config.fromstring(probe.pretty_text, '.py')


# The config.
@pytest.mark.parametrize(
    ('student', 'rate'), [('resnet18', 30), ('mobilenet-v1', 500)], ids=['ResNet', 'MobileNetV1']
)
def test_the_schedule_is_the_published_one(student, rate):
    special = CONFIGS / '_base_' / 'schedules' / f'probe_{student}.py'
    schedule = Config.fromfile(special) if special.exists() else PUBLISHED
    optimizer = schedule.optim_wrapper.optimizer
    assert (optimizer.type, optimizer.lr, optimizer.weight_decay) == ('SGD', rate, 0)
    assert schedule.train_cfg.max_epochs == 100
    assert schedule.param_scheduler.type == 'CosineAnnealingLR'
    assert schedule.auto_scale_lr.base_batch_size == 512


def test_classes_as_types_and_start_weights_are_understood():
    from mmpretrain.evaluation import Accuracy

    from gendd_mm.engine.hooks import WarmStartHook
    from gendd_mm.models import LinearProbeHead

    cfg = published_configs.read('gendd_digits.py')
    cfg.model.architecture.head.type = LinearProbeHead
    start = dict(type='Pretrained', checkpoint='/machine/x.pth')
    cfg.model.architecture.backbone.init_cfg = start
    cfg.val_evaluator = dict(type=Accuracy)
    cfg.custom_hooks = [dict(type=WarmStartHook, checkpoint='/machine/x.pth')]
    probe = probe_config(cfg, 'run.pth', PUBLISHED)
    assert probe.val_evaluator.type == 'gendd_mm.ProbeAccuracy'
    assert '/machine' not in probe.pretty_text
    assert 'run.pth' in str(probe.custom_hooks)


@pytest.mark.parametrize(
    'name',
    [
        'imagenet/gendd_resnet34_resnet18_8xb64_in1k.py',
        'imagenet/gendd_beitv2-base_resnet50_8xb64-a1-600e_in1k.py',
        'gendd_digits.py',
    ],
)
def test_all_but_the_head_and_the_schedule_is_the_runs(name):
    cfg, probe = derived(name)
    for key in ('train_dataloader', 'test_dataloader', 'randomness', 'default_scope'):
        assert probe[key] == cfg[key]
    for key in ('teacher', 'teacher_ckpt'):
        assert probe.model[key] == cfg.model[key]
    student, own = cfg.model.architecture, probe.model.architecture
    for key in ('backbone', 'neck', 'data_preprocessor', 'train_cfg'):
        assert own.get(key) == student.get(key)
    assert own.head.type == 'mmpretrain.LinearClsHead'
    for key in ('num_classes', 'in_channels', 'loss'):
        assert own.head[key] == student.head[key]
    assert 'standardize' not in own.head
    # Nothing of the other schedule, and no folder of the run.
    assert probe.optim_wrapper == PUBLISHED.optim_wrapper
    assert 'stage1' not in probe
    assert 'work_dir' not in probe


@pytest.mark.parametrize(
    'experiment',
    # A student of features alone has no classes.
    [
        x
        for x in EXPERIMENTS
        if 'simkd' not in x.name and 'head' in x.read().model.get('architecture', {})
    ],
    ids=str,
)
def test_every_distillation_of_ours_has_one(experiment):
    cfg = experiment.read()
    probe = Config.fromstring(probe_config(cfg, 'run.pth', PUBLISHED).pretty_text, '.py')
    student = cfg.model.architecture
    unlabeled = not student.head.get('trainable', True) or 'Unlabeled' in student.head.type
    assert probe.model.get('teacher_weight') == (1.0 if unlabeled else None)
    # The two halves are weighed by the algorithm alone.
    assert 'loss_weight' not in probe.model.architecture.head.get('loss', {})
    assert probe.val_evaluator.type in ('gendd_mm.ProbeAccuracy', 'gendd_mm.ShotAccuracy')
    sources = [x for x in probe.custom_hooks if x.type == 'gendd_mm.WarmStartHook']
    assert {x.checkpoint for x in sources} == {'run.pth'}
    assert sources[0].source == sources[0].target == 'architecture.backbone'


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('digits/student_digits.py', "'ImageClassifier' has no architecture and no teacher"),
        ('digits/simkd_digits.py', "'gendd_mm.SimKDHead' is not one linear layer"),
    ],
)
def test_what_has_no_probe_is_named(name, message):
    with pytest.raises(ValueError, match=message):
        derived(name)


# A run on the digits.
@pytest.fixture(scope='module')
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp('digits')


@pytest.fixture(scope='module')
def run(folder) -> tuple[Config, str]:
    """A run of GenDD: its config, its checkpoint."""
    teacher = small_models.digits_teacher(folder / 'teacher.pth')
    cfg = small_models.shrunk('gendd_digits.py', folder / 'run', teacher)
    cfg.train_cfg.max_epochs = 1
    cfg.default_hooks.checkpoint.interval = 1
    cfg.dump(str(folder / 'run.py'))
    small_models.trained(cfg)
    return cfg, str(folder / 'run' / 'epoch_1.pth')


@pytest.fixture(scope='module')
def probe(folder, run) -> tuple:
    """The run of its probe, by the tool's config: config, runner, checkpoint."""
    out = folder / 'configs' / 'probe.py'
    argv = ['probe_config.py', str(folder / 'run.py'), run[1], str(out)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, 'argv', argv)
        runpy.run_path(str(ROOT / 'tools' / 'probe_config.py'), run_name='__main__')
    cfg = Config.fromfile(out)
    cfg.work_dir = str(folder / 'probe')
    cfg.train_cfg.max_epochs = 3
    cfg.train_cfg.val_interval = 3
    runner = small_models.trained(cfg)
    return cfg, runner, str(folder / 'probe' / 'epoch_3.pth')


def test_the_student_under_the_new_probe_is_the_runs(run, probe):
    trained, frozen = (
        torch.load(each[-1], weights_only=True)['state_dict'] for each in (run, probe)
    )
    assert {key.partition('.')[0] for key in frozen} == {'architecture'}
    for key, value in frozen.items():
        assert value.equal(trained[key]) != ('head.fc' in key), key


def test_the_rate_falls_from_the_published_one_to_0(probe):
    rates, _ = probe[1].message_hub.get_scalar('train/lr').data
    # Three epochs of three steps.
    expected = 15 * (1 + torch.cos(torch.arange(9) / 9 * torch.pi))
    torch.testing.assert_close(torch.from_numpy(rates).float(), expected)


def test_the_exported_student_has_its_accuracy(folder, run, probe):
    metrics = probe[1].test()
    assert set(metrics) == {'probe/top1'}
    files = export_student(*run, str(folder / 'out'), probe[2])
    # The config of the probe is one of a run of its own.
    same = export_student(probe[0], probe[2], str(folder / 'same'))
    model = get_model(files.config, pretrained=files.weights).eval()
    other = torch.load(same.weights, weights_only=True)['state_dict']
    assert all(value.equal(other[key]) for key, value in model.state_dict().items())
    right = []
    with DefaultScope.overwrite_default_scope('mmpretrain'), torch.no_grad():
        for data in batches(run[0].test_dataloader.dataset.to_dict(), model.data_preprocessor):
            labels = torch.cat([sample.gt_label for sample in data['data_samples']])
            right.append(model(data['inputs'], mode='tensor').argmax(1) == labels)
    accuracy = 100 * torch.cat(right).float().mean().item()
    assert accuracy == pytest.approx(metrics['probe/top1'], abs=1e-4)
    before = torch.load(run[1], weights_only=True)['state_dict']['architecture.head.fc.weight']
    assert not model.head.fc.weight.equal(before)


def test_a_probe_of_another_student_is_refused(folder, run, probe):
    checkpoint = torch.load(probe[2], weights_only=True)
    checkpoint['state_dict']['architecture.backbone.conv1.weight'] += 1
    torch.save(checkpoint, folder / 'other.pth')
    with pytest.raises(ValueError, match=r'other.pth.* another student: 1 .*conv1.*WarmStartHook'):
        export_student(*run, str(folder / 'refused'), str(folder / 'other.pth'))


@pytest.mark.parametrize('shape', [(7, 8), None])
def test_a_probe_of_other_classes_is_refused(shape, folder, run, probe):
    checkpoint = torch.load(probe[2], weights_only=True)
    name = 'architecture.head.fc.weight'
    checkpoint['state_dict'].pop(name)
    if shape:
        checkpoint['state_dict'][name] = torch.zeros(shape)
    torch.save(checkpoint, folder / 'other.pth')
    shown = str(shape).replace('(', r'\(').replace(')', r'\)')
    with pytest.raises(ValueError, match=rf'has shape {shown}, but the student has \(10, 8\)'):
        export_student(*run, str(folder / 'refused'), str(folder / 'other.pth'))
    assert not (folder / 'refused').exists()


def test_a_checkpoint_without_a_student_is_refused_at_once(folder, run, monkeypatch, capsys):
    for checkpoint in (str(folder / 'teacher.pth'), 'gone.pth'):
        argv = ['probe_config.py', str(folder / 'run.py'), checkpoint, str(folder / 'x.py')]
        monkeypatch.setattr(sys, 'argv', argv)
        with pytest.raises(SystemExit):
            runpy.run_path(str(ROOT / 'tools' / 'probe_config.py'), run_name='__main__')
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith('error: ')
        assert Path(checkpoint).name in line
    assert not (folder / 'x.py').exists()
