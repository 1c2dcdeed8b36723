"""One call from two names and a folder to a trained student."""

import image_folders
import pytest
import torch

import gendd_mm
from gendd_mm.engine.stop_signals import STOP_SIGNALS

SMALL = {
    'model.distiller.distill_losses.loss_gendd.head.denoiser': dict(
        type='TokenDenoiser', width=16, depth=1
    ),
    'model.distiller.distill_losses.loss_gendd.head.repeats': 1,
    'train_dataloader.num_workers': 0,
    'val_dataloader.num_workers': 0,
    'test_dataloader.num_workers': 0,
    'log_level': 'ERROR',
}


@pytest.fixture
def images(tmp_path):
    image_folders.split(tmp_path / 'images', 3)
    return tmp_path / 'images'


@pytest.mark.parametrize('labels', [None, False])
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


def test_images_without_validation_are_refused(images, tmp_path):
    models = pytest.importorskip('torchvision.models')
    torch.save(models.resnet18(num_classes=3).state_dict(), tmp_path / 'teacher.pth')
    with pytest.raises(ValueError, match='has no val folder'):
        gendd_mm.distill(
            'torchvision:resnet18',
            'timm:resnet10t',
            str(images / 'train'),
            str(tmp_path / 'out'),
            teacher_ckpt=str(tmp_path / 'teacher.pth'),
            image_size=32,
        )
