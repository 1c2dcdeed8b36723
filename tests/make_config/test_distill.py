"""One call from two names and a folder to a trained student."""

import image_folders
import pytest
import torch
from mmengine.config import Config

import gendd_mm
from gendd_mm.engine.stop_signals import STOP_SIGNALS

SMALL = {
    'model.distiller.distill_losses.loss_gendd.head.residual.denoiser': dict(
        type='TokenDenoiser', width=16, depth=1
    ),
    'model.distiller.distill_losses.loss_gendd.head.residual.repeats': 2,
    'train_dataloader.num_workers': 0,
    'val_dataloader.num_workers': 0,
    'test_dataloader.num_workers': 0,
    'log_level': 'ERROR',
}
WITHOUT_VALIDATION = {
    key: value for key, value in SMALL.items() if not key.startswith(('val_', 'test_'))
}
# A teacher of features has no residual.
OF_FEATURES = {key.replace('.residual', ''): value for key, value in WITHOUT_VALIDATION.items()}


@pytest.fixture
def images(tmp_path):
    image_folders.split(tmp_path / 'images', 3)
    return tmp_path / 'images'


@pytest.mark.parametrize('labels', [None, pytest.param(False, marks=pytest.mark.slow)])
def test_it_returns_the_student(images, tmp_path, labels):
    models = pytest.importorskip('torchvision.models')
    torch.save(models.resnet18(num_classes=3).state_dict(), tmp_path / 'teacher.pth')
    settings = dict(
        teacher='torchvision:resnet18',
        teacher_ckpt=str(tmp_path / 'teacher.pth'),
        student='timm:resnet10t',
        data=str(images),
        out=str(tmp_path / 'out'),
        labels=labels,
        epochs=2,
        image_size=32,
        batch_size=3,
        cfg_options=SMALL,
    )
    try:
        student = gendd_mm.distill(**settings)
    finally:
        STOP_SIGNALS.restore()
    assert student(torch.randn(2, 3, 32, 32)).shape == (2, 3)
    assert not student.training
    assert (tmp_path / 'out' / 'student' / 'student.py').exists()
    with pytest.raises(FileExistsError, match=r'config\.py exists'):
        gendd_mm.distill(**settings)
    # All is there already: it is only exported again.
    again = gendd_mm.distill(**settings, resume=True)
    for key, value in student.state_dict().items():
        if labels is None or not key.startswith('head.'):
            assert value.equal(again.state_dict()[key]), key


@pytest.mark.slow
@pytest.mark.parametrize('labels', [None, False])
def test_images_without_validation_are_enough(images, tmp_path, labels):
    models = pytest.importorskip('torchvision.models')
    torch.save(models.resnet18(num_classes=3).state_dict(), tmp_path / 'teacher.pth')
    try:
        student = gendd_mm.distill(
            'torchvision:resnet18',
            'timm:resnet10t',
            str(images / 'train'),
            str(tmp_path / 'out'),
            teacher_ckpt=str(tmp_path / 'teacher.pth'),
            labels=labels,
            epochs=2,
            image_size=32,
            batch_size=3,
            cfg_options=WITHOUT_VALIDATION,
        )
    finally:
        STOP_SIGNALS.restore()
    assert student(torch.randn(2, 3, 32, 32)).shape == (2, 3)
    exported = Config.fromfile(tmp_path / 'out' / 'student' / 'student.py')
    assert exported.test_dataloader.dataset.pipeline[2].crop_size == 32


def test_a_teacher_without_a_classifier_returns_a_student_without(images, tmp_path):
    timm = pytest.importorskip('timm')
    teacher = timm.create_model('vit_tiny_patch16_224', num_classes=0)
    torch.save(teacher.state_dict(), tmp_path / 'teacher.pth')
    try:
        student = gendd_mm.distill(
            'timm:vit_tiny_patch16_224',
            'timm:resnet10t',
            str(images / 'train'),
            str(tmp_path / 'out'),
            teacher_ckpt=str(tmp_path / 'teacher.pth'),
            epochs=2,
            image_size=32,
            batch_size=3,
            cfg_options=OF_FEATURES,
        )
    finally:
        STOP_SIGNALS.restore()
    inputs = torch.randn(2, 3, 32, 32)
    (feature,) = student(inputs)
    assert feature.shape == (2, 512)
    own = str(tmp_path / 'out' / 'student' / 'timm.safetensors')
    network = timm.create_model('resnet10t', num_classes=0, checkpoint_path=own).eval()
    torch.testing.assert_close(network(inputs), feature)
