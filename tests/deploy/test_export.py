"""The exported student: plain mmpretrain, the same classifier as the probe."""

import copy
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import small_models
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from mmpretrain.apis import ImageClassificationInferencer, get_model
from PIL import Image

from gendd_mm.deploy import export_student
from gendd_mm.deploy.named_types import named_types
from gendd_mm.deploy.needed_packages import needed_packages
from gendd_mm.engine.model import build_model


def run_config() -> Config:
    cfg = Config.fromfile(small_models.CONFIGS / 'gendd_digits.py')
    # The tests of the whole job export the digits; here, what a run of
    # another kind may have: scopes, mixup, weights it started from.
    cfg.pop('data_preprocessor')  # which would go before the student's
    cfg.model.architecture = dict(
        small_models.student(
            train_cfg=dict(augments=dict(type='mmpretrain.Mixup', alpha=1.0)),
            init_cfg=dict(type='Pretrained', checkpoint='gone.pth'),
        ),
        data_preprocessor=dict(num_classes=3, mean=[1.0] * 3, std=[2.0] * 3),
        backbone=dict(
            type='mmpretrain.ResNet_CIFAR',
            depth=18,
            num_stages=1,
            strides=(1,),
            dilations=(1,),
            out_indices=(0,),
            stem_channels=small_models.STUDENT_DIM,
            base_channels=small_models.STUDENT_DIM,
            init_cfg=dict(type='Pretrained', checkpoint='gone.pth'),
        ),
    )
    return cfg


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory) -> str:
    """What a run saves: student and distiller side by side."""
    path = tmp_path_factory.mktemp('run') / 'epoch_1.pth'
    student = run_config().model.architecture.to_dict()
    student.pop('init_cfg')
    model = MODELS.build(student)
    state = {f'architecture.{k}': v for k, v in model.state_dict().items()}
    state['distiller.connectors.condition.weight'] = torch.ones(4)
    torch.save(dict(state_dict=state), path)
    return str(path)


def test_exported_student_loads_strictly_in_mmpretrain(checkpoint, tmp_path):
    """Where gendd_mm and mmrazor cannot be imported."""
    export_student(run_config(), checkpoint, str(tmp_path))
    code = (
        'import sys\n'
        'sys.modules["gendd_mm"] = sys.modules["mmrazor"] = None\n'
        'import torch\n'
        'from mmpretrain import get_model\n'
        'state = torch.load("student.pth", weights_only=True)\n'
        'model = get_model("student.py")\n'
        'print(model.load_state_dict(state["state_dict"], strict=True))\n'
        'print(type(model.head).__name__)\n'
    )
    done = subprocess.run(
        [sys.executable, '-c', code],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=dict(os.environ, OMP_NUM_THREADS='1'),
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split('\n')[-3:-1] == ['<All keys matched successfully>', 'LinearClsHead']


def test_exported_files_hold_the_student_alone(checkpoint, tmp_path):
    config, weights, _ = export_student(run_config(), checkpoint, str(tmp_path))
    text = Path(config).read_text()
    for word in ('gendd_mm', 'mmrazor', 'teacher', 'distiller', 'Mixup', 'gone.pth', 'train_cfg'):
        assert word not in text
    state = torch.load(weights, weights_only=True)
    assert state['meta']['dataset_meta']['classes'] == list('0123456789')
    saved = torch.load(checkpoint, weights_only=True)['state_dict']
    kept = {f'architecture.{k}': v for k, v in state['state_dict'].items()}
    assert kept.keys() == saved.keys() - {'distiller.connectors.condition.weight'}
    assert all(value.equal(saved[key]) for key, value in kept.items())


def test_exported_student_scores_as_the_probe(checkpoint, tmp_path):
    config, weights, _ = export_student(run_config(), checkpoint, str(tmp_path))
    exported = get_model(config, pretrained=weights)
    student = run_config().model.architecture.to_dict()
    student.pop('init_cfg')
    own = MODELS.build(student).eval()
    own.load_state_dict(
        {
            k.removeprefix('architecture.'): v
            for k, v in torch.load(checkpoint)['state_dict'].items()
            if k.startswith('architecture.')
        }
    )
    data = dict(inputs=torch.randint(0, 256, (3, 3, 8, 8)))
    for one, other in zip(exported.test_step(data), own.test_step(copy.deepcopy(data))):
        assert one.pred_score.equal(other.pred_score)


@pytest.mark.parametrize('places', [('student',), ('top', 'student'), ('model', 'top', 'student')])
def test_the_preprocessor_is_the_one_that_ran(places, checkpoint, tmp_path):
    """The first of these places goes before the others, as in the run."""
    cfg = run_config()
    cfg.model.architecture.pop('data_preprocessor')
    for number, place in enumerate(places):
        owner = dict(student=cfg.model.architecture, model=cfg.model, top=cfg)[place]
        owner['data_preprocessor'] = dict(num_classes=3, mean=[5.0 + number] * 3, std=[2.0] * 3)
    config, _, _ = export_student(cfg, checkpoint, str(tmp_path))
    assert get_model(config).data_preprocessor.mean.eq(5).all()
    teacher = small_models.saved_teacher(tmp_path / 'teacher.pth')
    small = Config(dict(default_scope='mmpretrain', model=small_models.gendd()))
    small.model.update(teacher=small_models.teacher(), teacher_ckpt=teacher)
    for place, owner in (('student', small.model.architecture), ('model', small.model)):
        if place in places:
            owner.data_preprocessor = dict(
                {'student': cfg.model.architecture, 'model': cfg.model}[place].data_preprocessor,
                type='ClsDataPreprocessor',
            )
    if 'top' in places:
        small.data_preprocessor = dict(cfg.data_preprocessor, type='ClsDataPreprocessor')
    assert build_model(small).data_preprocessor.mean.eq(5).all()


def named(checkpoint: str, folder: Path) -> str:
    """The checkpoint as a runner writes it, with the names of the classes."""
    content = torch.load(checkpoint)
    content['meta'] = dict(dataset_meta=dict(classes=('cat', 'dog', 'emu')))
    torch.save(content, folder / 'named.pth')
    return str(folder / 'named.pth')


def of_folders(cfg: Config) -> None:
    cfg.test_dataloader.dataset.type = 'CustomDataset'


def of_a_file(cfg: Config) -> None:
    cfg.test_dataloader.dataset.metainfo = dict(classes='classes.txt')


def of_wrappers(cfg: Config) -> None:
    inner = cfg.test_dataloader.dataset.to_dict()
    concat = dict(type='ConcatDataset', datasets=[inner])
    cfg.test_dataloader.dataset = dict(type='RepeatDataset', times=2, dataset=concat)


def of_classes_as_types(cfg: Config) -> None:
    from mmpretrain.datasets import CustomDataset, PackInputs
    from mmpretrain.models import GlobalAveragePooling

    cfg.test_dataloader.dataset.type = CustomDataset
    cfg.test_dataloader.dataset.pipeline = [dict(type=PackInputs)]
    cfg.model.architecture.neck.type = GlobalAveragePooling


PURE_PYTHON = """
from torch.nn import BatchNorm2d

from gendd_mm.datasets import LongTailed
from gendd_mm.models import LinearProbeHead
from mmpretrain.datasets import CustomDataset, LoadImageFromFile, PackInputs
from mmpretrain.models import CrossEntropyLoss, GlobalAveragePooling, ImageClassifier, ResNet_CIFAR

default_scope = 'mmpretrain'
model = {model!r}
model['architecture'].update(type=ImageClassifier, neck=dict(type=GlobalAveragePooling))
model['architecture']['backbone'].update(type=ResNet_CIFAR, norm_cfg=dict(type=BatchNorm2d))
model['architecture']['head'].update(type=LinearProbeHead, loss=dict(type=CrossEntropyLoss))
pipeline = [dict(type=LoadImageFromFile), dict(type=PackInputs)]
test_dataloader = dict(dataset=dict(
    type=LongTailed, dataset=dict(type=CustomDataset, pipeline=pipeline)))
"""


def pure_python(folder: Path) -> Config:
    """A config file of MMEngine's pure-Python style, read as a tool reads it."""
    model = run_config().model.to_dict()
    (folder / 'run.py').write_text(PURE_PYTHON.replace('{model!r}', repr(model)))
    return Config.fromfile(folder / 'run.py')


def test_a_pure_python_config_is_exported(checkpoint, tmp_path):
    cfg = pure_python(tmp_path)
    assert isinstance(cfg.model.architecture.neck.type, type)
    config, weights, needs = export_student(cfg, named(checkpoint, tmp_path), str(tmp_path))
    found = Config.fromfile(config)
    assert found.model.backbone.norm_cfg.type == 'BN'
    assert (found.model.neck.type, found.model.head.type) == (
        'GlobalAveragePooling',
        'LinearClsHead',
    )
    steps = [step.type for step in found.test_dataloader.dataset.pipeline]
    assert steps == ['LoadImageFromFile', 'PackInputs']
    assert not needs
    plain, _, _ = export_student(run_config(), checkpoint, str(tmp_path / 'plain'))
    images = torch.rand(3, 3, 8, 8)
    first, second = (
        get_model(path, pretrained=weights)(images, mode='tensor') for path in (config, plain)
    )
    assert first.equal(second)


def test_a_class_that_is_registered_nowhere_keeps_its_path(checkpoint, tmp_path):
    cfg = run_config()
    cfg.model.architecture.backbone.norm_cfg = dict(type=torch.nn.SyncBatchNorm)
    config, weights, _ = export_student(cfg, checkpoint, str(tmp_path))
    kept = Config.fromfile(config).model.backbone.norm_cfg.type
    assert kept == 'torch.nn.modules.batchnorm.SyncBatchNorm'
    get_model(config, pretrained=weights)  # MMEngine imports such a path
    assert named_types(dict(type=OwnNorm))['type'] == f'{OwnNorm.__module__}.OwnNorm'


class OwnNorm(torch.nn.BatchNorm2d):
    """A user's own, not registered."""


@pytest.mark.parametrize('change', [of_folders, of_a_file, of_wrappers, of_classes_as_types])
def test_class_names_are_those_that_the_run_knew(change, checkpoint, tmp_path):
    cfg = run_config()
    change(cfg)
    config, weights, _ = export_student(cfg, named(checkpoint, tmp_path), str(tmp_path))
    meta = torch.load(weights, weights_only=True)['meta']['dataset_meta']
    assert meta['classes'] == ['cat', 'dog', 'emu']
    assert Config.fromfile(config).test_dataloader.dataset.pipeline[-1].type == 'PackInputs'
    get_model(config, pretrained=weights)


def test_a_file_of_class_names_is_read(checkpoint, tmp_path):
    (tmp_path / 'classes.txt').write_text('cat\ndog\nemu\n')
    cfg = run_config()
    cfg.test_dataloader.dataset.metainfo = dict(classes=str(tmp_path / 'classes.txt'))
    _, weights, _ = export_student(cfg, checkpoint, str(tmp_path))
    meta = torch.load(weights, weights_only=True)['meta']['dataset_meta']
    assert meta['classes'] == ['cat', 'dog', 'emu']


def test_mixup_stated_in_the_preprocessor_stays_behind(checkpoint, tmp_path):
    cfg = run_config()
    cfg.model.architecture.data_preprocessor.batch_augments = dict(
        augments=dict(type='Mixup', alpha=1.0)
    )
    config, _, _ = export_student(cfg, checkpoint, str(tmp_path))
    assert 'batch_augments' not in Path(config).read_text()


def test_the_class_names_of_mmpretrains_datasets_are_known(checkpoint, tmp_path):
    cfg = run_config()
    cfg.test_dataloader.dataset.type = 'CIFAR10'
    _, weights, _ = export_student(cfg, checkpoint, str(tmp_path))
    meta = torch.load(weights, weights_only=True)['meta']['dataset_meta']
    assert 'airplane' in meta['classes']


# Students of other packages.
def exported_from(name: str, folder) -> tuple:
    """The config of a recipe, its student with random weights, the export."""
    cfg = Config.fromfile(small_models.CONFIGS / name)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        student = MODELS.build(cfg.model.architecture.to_dict()).eval()
    path = folder / 'epoch_1.pth'
    state = {f'architecture.{k}': v for k, v in student.state_dict().items()}
    torch.save(dict(state_dict=state), path)
    return cfg, student, export_student(cfg, str(path), str(folder / 'out'))


def test_a_cifar_student_says_and_imports_what_it_needs(tmp_path):
    *_, exported = exported_from('cifar100/gendd_wrn-40-2_wrn-16-2_1xb64_cifar100.py', tmp_path)
    assert exported.needs == ['gendd_mm', 'mmrazor']
    text = Path(exported.config).read_text()
    assert 'with gendd_mm, mmrazor installed' in text.splitlines()[0]
    # In a process that has not imported gendd_mm, as a user's.
    code = (
        'import torch\n'
        'from mmpretrain import get_model\n'
        'state = torch.load("student.pth", weights_only=True)\n'
        'model = get_model("student.py")\n'
        'print(model.load_state_dict(state["state_dict"], strict=True))\n'
    )
    done = subprocess.run(
        [sys.executable, '-c', code],
        capture_output=True,
        text=True,
        cwd=tmp_path / 'out',
        env=dict(os.environ, OMP_NUM_THREADS='1'),
    )
    assert done.returncode == 0, done.stderr
    assert '<All keys matched successfully>' in done.stdout


def test_a_cifar_student_sees_files_as_it_saw_the_dataset(tmp_path):
    """The dataset gives RGB; mmpretrain reads files as BGR."""
    cfg, student, exported = exported_from(
        'cifar100/gendd_resnet56_resnet20_1xb64_cifar100.py', tmp_path
    )
    assert exported.needs == ['gendd_mm', 'mmrazor']
    rgb = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    Image.fromarray(rgb).save(tmp_path / 'image.png')
    inferencer = ImageClassificationInferencer(exported.config, pretrained=exported.weights)
    (result,) = inferencer(str(tmp_path / 'image.png'))
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        preprocess = MODELS.build(cfg.data_preprocessor.to_dict())
    inputs = torch.from_numpy(rgb).permute(2, 0, 1)[None]
    scores = student(preprocess(dict(inputs=inputs))['inputs']).softmax(-1)
    np.testing.assert_allclose(result['pred_scores'], scores[0].detach().numpy(), rtol=1e-5)


def test_a_student_of_timm_says_so(tmp_path):
    pytest.importorskip('timm')
    *_, exported = exported_from('imagenet/gendd_resnet50_mobilenet-v1_8xb64_in1k.py', tmp_path)
    assert exported.needs == ['timm']
    text = Path(exported.config).read_text()
    assert 'mmpretrain with timm installed' in text
    assert 'gendd_mm' not in text


@pytest.mark.parametrize(
    'backbone',
    [
        dict(type='mmpretrain.TIMMBackbone', model_name='resnet10t', checkpoint_path='gone.pth'),
        dict(type='mmpretrain.TIMMBackbone', model_name='resnet10t', pretrained=True),
        dict(
            type='gendd_mm.ModuleBackbone',
            network=dict(
                type='timm.create_model', model_name='resnet10t', checkpoint_path='gone.pth'
            ),
        ),
        dict(
            type='gendd_mm.ModuleBackbone',
            network=dict(type='torchvision.models.resnet18', weights='gone.pth'),
        ),
    ],
)
def test_the_weights_that_training_started_from_are_not_asked_for(backbone, tmp_path):
    pytest.importorskip('timm')
    cfg = run_config()
    cfg.model.architecture.backbone = backbone
    cfg.model.architecture.head.in_channels = 512
    if backbone['type'].startswith('gendd_mm'):
        cfg.model.architecture.pop('neck')
    student = cfg.model.architecture.to_dict()
    started = ('init_cfg', 'pretrained', 'checkpoint_path')
    student = {key: value for key, value in student.items() if key not in started}
    student['backbone'] = {k: v for k, v in backbone.items() if k not in started}
    if 'network' in backbone:
        network = {k: v for k, v in backbone['network'].items() if k not in started}
        student['backbone']['network'] = {k: v for k, v in network.items() if k != 'weights'}
    path = str(tmp_path / 'epoch_1.pth')
    state = MODELS.build(student).state_dict()
    torch.save({f'architecture.{key}': value for key, value in state.items()}, path)
    exported = export_student(cfg, path, str(tmp_path / 'out'))
    text = Path(exported.config).read_text()
    assert not [word for word in (*started, 'gone.pth') if word in text]
    assert get_model(exported.config, pretrained=exported.weights) is not None


def test_needed_packages_are_found_wherever_they_are():
    assert needed_packages(
        dict(
            type='ImageClassifier',
            neck=None,
            backbone=dict(type='mmpretrain.ResNet'),
            others=[(dict(type='mmdet.CSPDarknet'), 1), dict(type='TIMMBackbone')],
        )
    ) == ['mmdet', 'timm']


# Errors.
def without_student(cfg: Config) -> None:
    cfg.model = cfg.model.architecture


def of_an_untrained_probe(cfg: Config) -> None:
    cfg.model.architecture.head.trainable = False


def without_a_classifier(cfg: Config) -> None:
    cfg.model.architecture.head = dict(type='gendd_mm.NoHead')


def of_another_student(cfg: Config) -> None:
    cfg.model.architecture.head.num_classes = 7


def by_a_path(cfg: Config) -> None:
    cfg.model.architecture = dict(cfg_path='mmpretrain::resnet/x.py')


def without_a_test_set(cfg: Config) -> None:
    cfg.test_dataloader = cfg.test_pipeline = None


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (without_student, 'no architecture.*no student.*config of a distillation'),
        (of_an_untrained_probe, r'not trained \(trainable=False\)'),
        (without_a_classifier, 'learns features alone.*export the backbone .--backbone'),
        (of_another_student, 'does not fit the student.*head.fc.weight'),
        (by_a_path, 'architecture states no head.*write'),
        (without_a_test_set, 'states no pipeline.*set it'),
    ],
)
def test_what_cannot_be_exported_is_named(change, message, checkpoint, tmp_path):
    cfg = run_config()
    change(cfg)
    with pytest.raises(ValueError, match=f'(?s){message}'):
        export_student(cfg, checkpoint, str(tmp_path / 'out'))
    assert not (tmp_path / 'out').exists()


@pytest.mark.fault('Configs', 'a classifier asked of a student without', 'refused; --backbone')
@pytest.mark.parametrize('probe', ['teacher', 'labels'])
def test_no_probe_is_fitted_to_a_student_of_features_alone(probe, checkpoint, tmp_path):
    cfg = run_config()
    without_a_classifier(cfg)
    with pytest.raises(ValueError, match='export the backbone .--backbone'):
        export_student(cfg, checkpoint, str(tmp_path / 'out'), probe)


def test_a_checkpoint_of_something_else_is_named(checkpoint, tmp_path):
    other = tmp_path / 'teacher.pth'
    torch.save(dict(state_dict={'head.fc.weight': torch.ones(1)}), other)
    with pytest.raises(ValueError, match='teacher.pth.*holds no student'):
        export_student(run_config(), str(other), str(tmp_path / 'out'))
    with pytest.raises(FileNotFoundError, match='gone.pth'):
        export_student(run_config(), 'gone.pth', str(tmp_path / 'out'))
