"""The student in other formats gives the scores of the student, without gendd_mm."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import small_models
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope

from gendd_mm.deploy import FORMATS, export_student, model_card, write_formats, write_model_card
from gendd_mm.deploy.formats import graphs, trained_student
from gendd_mm.deploy.formats.trained_student import StudentGraph

GRAPH_PACKAGES = ('onnx', 'onnxscript', 'onnxruntime')


def run_config(backbone: dict, in_channels: int, neck: dict | None = None, **head) -> Config:
    """The config of a run on the digits with a student."""
    cfg = Config.fromfile(small_models.CONFIGS / 'gendd_digits.py')
    cfg.pop('data_preprocessor')
    cfg.model.architecture = dict(
        type='ImageClassifier',
        data_preprocessor=dict(mean=[70.0, 80.0, 90.0], std=[60.0, 50.0, 40.0], to_rgb=True),
        backbone=backbone,
        neck=neck or dict(type='GlobalAveragePooling'),
        head=dict(
            dict(type='gendd_mm.LinearProbeHead', num_classes=10, in_channels=in_channels), **head
        ),
    )
    if neck == {}:
        cfg.model.architecture.pop('neck')
    return cfg


def exported(cfg: Config, folder: Path):
    """Export a student with random weights; returns its files and its checkpoint."""
    torch.manual_seed(0)
    settings = cfg.model.architecture.to_dict()
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        student = MODELS.build(settings)
    student.init_weights()
    torch.nn.init.normal_(student.head.fc.weight, std=0.1)
    state = {f'architecture.{key}': value for key, value in student.state_dict().items()}
    checkpoint = str(folder / 'epoch_1.pth')
    torch.save(dict(state_dict=state), checkpoint)
    return export_student(cfg, checkpoint, str(folder / 'out')), checkpoint


RESNET = dict(type='ResNet', depth=18)


@pytest.fixture(scope='module')
def small(tmp_path_factory):
    """A small student for images of 8x8."""
    folder = tmp_path_factory.mktemp('small')
    cfg = run_config(
        dict(
            type='ResNet_CIFAR',
            depth=18,
            num_stages=1,
            strides=(1,),
            dilations=(1,),
            out_indices=(0,),
            stem_channels=4,
            base_channels=4,
        ),
        4,
    )
    return cfg, *exported(cfg, folder)


@pytest.mark.parametrize('with_preprocessing', [pytest.param(False, marks=pytest.mark.slow), True])
def test_graphs_and_weights_load_without_gendd_mm(small, tmp_path, with_preprocessing):
    for package in GRAPH_PACKAGES:
        pytest.importorskip(package)
    cfg, files, checkpoint = small
    formats = ['onnx', 'torchscript', 'torch_export', 'safetensors']
    student, written = write_formats(cfg, files, formats, with_preprocessing)
    assert student.source == '8 test images of the run'
    assert [each.name for each in written] == formats
    assert all(each.difference <= 1e-5 for each in written)
    images = student.levels if with_preprocessing else student.images
    torch.save(dict(images=images[:3], scores=student.scores[:3]), tmp_path / 'expected.pth')
    code = f"""
import sys
sys.modules['gendd_mm'] = sys.modules['mmrazor'] = None
import torch
expected = torch.load({str(tmp_path / 'expected.pth')!r})
images = expected['images']
import onnxruntime
session = onnxruntime.InferenceSession('student.onnx')
found = [torch.from_numpy(session.run(None, dict(images=images.numpy()))[0])]
found += [torch.jit.load('student.torchscript.pt')(images)]
found += [torch.export.load('student.pt2').module()(images)]
if not {with_preprocessing}:
    from mmpretrain import get_model
    from safetensors.torch import load_file
    model = get_model('student.py').eval()
    model.load_state_dict(load_file('student.safetensors'))
    found += [model(images).softmax(1)]
for scores in found:
    torch.testing.assert_close(scores, expected['scores'], rtol=0, atol=1e-5)
print(len(found), 'agree')
"""
    folder = Path(files.weights).parent
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', code],
        capture_output=True,
        text=True,
        cwd=folder,
        env=dict(os.environ, OMP_NUM_THREADS='1'),
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f'{3 if with_preprocessing else 4} agree'
    assert not list(folder.glob('*.part*'))
    card = write_model_card(cfg, checkpoint, student, written, 'the command', with_preprocessing)
    text = Path(card).read_text()
    assert text.startswith('# ResNet_CIFAR, depth 18, distilled\n')
    assert ('RGB or grey levels' in text) == with_preprocessing
    assert "`onnxruntime.InferenceSession('student.onnx')`" in text
    assert '8 x 8 pixels, RGB, levels of 0 to 255 minus (70, 80, 90)' in text
    assert 'Its 10 classes: 0, 1, 2' in text
    count = sum(weight.numel() for weight in student.model.parameters())
    assert f'| parameters | {count:,} |' in text


def test_preprocessing_in_the_graph_is_the_students(small):
    """RGB levels in, whatever order the network takes."""
    cfg, files, _ = small
    student = trained_student.read_student(cfg, files)
    for to_rgb in (True, False):
        model = student.model
        model.data_preprocessor.to_rgb = to_rgb
        bgr = student.levels.flip(1)
        images = model.data_preprocessor(dict(inputs=bgr), False)['inputs']
        expected = StudentGraph(model, False)(images)
        torch.testing.assert_close(StudentGraph(model, True)(student.levels), expected)
    model.data_preprocessor.to_rgb = True


def test_windows_go_back_to_their_places():
    from mmpretrain.models.utils import ShiftWindowMSA

    maps = torch.randn(3, 6, 8, 5)
    windows = ShiftWindowMSA.window_partition(maps, 2)
    upstream = ShiftWindowMSA.window_reverse
    with graphs.any_number_of_windows():
        assert ShiftWindowMSA.window_reverse is not upstream
        assert torch.equal(ShiftWindowMSA.window_reverse(windows, 6, 8, 2), maps)
    assert ShiftWindowMSA.window_reverse is upstream


def test_the_title_of_a_card_names_the_network(small):
    assert model_card.network_name(small[0].model.architecture.backbone) == 'ResNet_CIFAR, depth 18'
    timm = dict(
        type='gendd_mm.ModuleBackbone', network=dict(type='timm.create_model', model_name='a')
    )
    assert model_card.network_name(timm) == 'a'
    own = dict(type='gendd_mm.ModuleBackbone', network=dict(type='torchvision.models.resnet18'))
    assert model_card.network_name(own) == 'resnet18'


def test_scores_that_differ_leave_no_file(small, monkeypatch):
    cfg, files, _ = small
    folder = Path(files.weights).parent
    path = folder / 'student.torchscript.pt'
    path.unlink(missing_ok=True)
    wrong = lambda path, images: torch.full((len(images), 10), 0.1)  # noqa: E731
    monkeypatch.setattr(graphs, 'script_scores', wrong)
    with pytest.raises(ValueError, match=r'scores of 8 test images of the run differ .* was not'):
        write_formats(cfg, files, ['torchscript'])
    assert not path.exists()
    assert not list(folder.glob('*.part*'))


def test_noise_stands_in_for_images_that_are_not_there(tmp_path):
    cfg = run_config(RESNET, 512)
    pipeline = [
        dict(type='LoadImageFromFile'),
        dict(type='ResizeEdge', scale=40),
        dict(type='CenterCrop', crop_size=32),
        dict(type='PackInputs'),
    ]
    gone = dict(type='CustomDataset', data_root=str(tmp_path / 'gone'), pipeline=pipeline)
    cfg.test_dataloader.dataset = gone
    files, _ = exported(cfg, tmp_path)
    student, (written,) = write_formats(cfg, files, ['safetensors'])
    assert student.source.startswith('noise, because the test images cannot be read (')
    assert student.images.shape == (2, 3, 32, 32)
    assert written.difference <= 1e-5
    cfg.test_dataloader.dataset.pipeline = [dict(type='PackInputs')]
    files, _ = exported(cfg, tmp_path)
    with pytest.raises(ValueError, match='put the test images in their place, or set test_data'):
        write_formats(cfg, files, ['safetensors'])


def test_a_resnet_loads_in_torchvision(tmp_path):
    models = pytest.importorskip('torchvision.models')
    cfg = run_config(RESNET, 512)
    files, _ = exported(cfg, tmp_path)
    student, (written,) = write_formats(cfg, files, ['torchvision'])
    own = models.resnet18(num_classes=10)
    own.load_state_dict(torch.load(written.path, weights_only=True))
    torch.testing.assert_close(own.eval()(student.images).softmax(1), student.scores)
    assert 'torchvision.models.resnet18(num_classes=10)' in written.loading


def test_a_network_of_timm_loads_in_timm(tmp_path):
    timm = pytest.importorskip('timm')
    network = dict(type='timm.create_model', model_name='resnet10t')
    cfg = run_config(dict(type='gendd_mm.ModuleBackbone', network=network), 512, {})
    files, _ = exported(cfg, tmp_path)
    student, (written,) = write_formats(cfg, files, ['timm'])
    own = timm.create_model('resnet10t', num_classes=10, checkpoint_path=written.path).eval()
    torch.testing.assert_close(own(student.images).softmax(1), student.scores)
    call = "timm.create_model('resnet10t', num_classes=10, checkpoint_path='timm.safetensors')"
    assert written.loading == call


@pytest.mark.parametrize(
    ('formats', 'message'),
    [
        (['timm'], r'--format timm: the student \(ResNet_CIFAR, GlobalAveragePooling, LinearCls'),
        (['torchvision'], 'is no network of torchvision with a linear classifier; choose onnx'),
        (['pickle'], '--format pickle is unknown; choose from mmpretrain, onnx'),
    ],
)
def test_what_does_not_fit_is_named(small, formats, message):
    cfg, files, _ = small
    with pytest.raises(ValueError, match=message):
        write_formats(cfg, files, formats)


def test_a_missing_package_is_named(small, monkeypatch):
    cfg, files, _ = small
    monkeypatch.setattr('gendd_mm.deploy.formats.find_spec', lambda name: None)
    with pytest.raises(ValueError, match=r'needs onnx, onnxscript, onnxruntime; pip install onnx'):
        write_formats(cfg, files, ['onnx'])


def test_the_command_knows_the_formats():
    from gendd_commands import export_student as command

    assert command.FORMATS == FORMATS


def of_module(**network) -> tuple[dict, dict]:
    return dict(type='gendd_mm.ModuleBackbone', network=network), {}


POOLED = dict(type='GlobalAveragePooling')
# Backbone, neck, size of its feature, side of the images, and the library besides.
FAMILIES = {
    'resnet18': (RESNET, POOLED, 512, 32, 'torchvision'),
    'resnet50': (dict(type='ResNet', depth=50), POOLED, 2048, 32, 'torchvision'),
    'mobilenet_v2': (dict(type='MobileNetV2'), POOLED, 1280, 64, None),
    'shufflenet_v2': (dict(type='ShuffleNetV2'), POOLED, 1024, 64, None),
    'wide_resnet': (
        dict(type='mmrazor.WideResNet', depth=16, num_stages=3, widen_factor=1),
        POOLED,
        64,
        32,
        None,
    ),
    'resnet_cifar': (
        dict(type='ResNet_CIFAR', depth=18, stem_channels=8, base_channels=8),
        POOLED,
        64,
        32,
        None,
    ),
    'vgg': (dict(type='gendd_mm.CIFARVGG', depth=8), POOLED, 512, 32, None),
    'deit': (
        dict(type='VisionTransformer', arch='deit-tiny', img_size=64, patch_size=16),
        {},
        192,
        64,
        None,
    ),
    'swin': (dict(type='SwinTransformer', arch='tiny', img_size=224), POOLED, 768, 224, None),
    'timm': (
        *of_module(type='timm.create_model', model_name='mobilenetv1_100'),
        1024,
        32,
        'timm',
    ),
    'torchvision': (
        *of_module(type='torchvision.models.mobilenet_v3_small', weights=None),
        1024,
        64,
        'torchvision',
    ),
    'recommended': (
        dict(type='ResNet_CIFAR', depth=18, stem_channels=4, base_channels=4),
        dict(type='gendd_mm.ProjectorNeck', in_channels=32, out_channels=48),
        48,
        32,
        None,
    ),
}
LOADS = """
import sys
import warnings
warnings.simplefilter('ignore')
sys.modules['gendd_mm'] = sys.modules['mmrazor'] = None
import torch
expected = torch.load({expected!r})
images = expected['images']
import onnxruntime
session = onnxruntime.InferenceSession('student.onnx')
found = [torch.from_numpy(session.run(None, dict(images=images.numpy()))[0])]
found += [torch.jit.load('student.torchscript.pt')(images)]
found += [torch.export.load('student.pt2').module()(images)]
if {own!r}:
    import timm
    import torchvision
    network = {own_loading}
    found += [network(images).softmax(1)]
from mmpretrain import get_model
from safetensors.torch import load_file
sys.modules.pop('gendd_mm', None) if {needs} else None
sys.modules.pop('mmrazor', None) if {needs} else None
model = get_model('student.py', pretrained='student.pth').eval()
found += [model(images).softmax(1)]
model.load_state_dict(load_file('student.safetensors'))
found += [model(images).softmax(1)]
for scores in found:
    torch.testing.assert_close(scores, expected['scores'], rtol=0, atol=1e-5)
print(len(found), 'agree')
"""


@pytest.mark.slow
@pytest.mark.parametrize('family', FAMILIES)
def test_a_student_of_each_family_in_each_format(family, tmp_path):
    backbone, neck, size, side, own = FAMILIES[family]
    cfg = run_config(backbone, size, neck)
    resize = dict(type='Resize', scale=(side, side))
    cfg.test_dataloader.dataset.pipeline = [resize, dict(type='PackInputs')]
    files, _ = exported(cfg, tmp_path)
    formats = ['mmpretrain', 'onnx', 'torchscript', 'torch_export', 'safetensors']
    student, written = write_formats(cfg, files, [*formats, *([own] if own else [])])
    assert all(each.difference <= 1e-5 for each in written)
    torch.save(dict(images=student.images[:3], scores=student.scores[:3]), tmp_path / 'found.pth')
    loading = written[-1].loading if own else 'None'
    if own == 'torchvision':
        network = loading.partition('.load_state_dict')[0]
        loading = f"{network}.eval(); network.load_state_dict(torch.load('torchvision.pth'))"
    elif own == 'timm':
        loading += '.eval()'
    code = LOADS.format(
        expected=str(tmp_path / 'found.pth'),
        own=own,
        own_loading=loading,
        needs='gendd_mm' in files.needs,
    )
    done = subprocess.run(
        [sys.executable, '-c', code],
        capture_output=True,
        text=True,
        cwd=Path(files.weights).parent,
        env=dict(os.environ, OMP_NUM_THREADS='1', PYTHONPATH=str(small_models.ROOT)),
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split('\n')[-2] == f'{6 if own else 5} agree'
