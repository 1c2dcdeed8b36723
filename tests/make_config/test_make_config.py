"""A config from nothing but names and a folder, as it is written, trains."""

import subprocess
import sys
from pathlib import Path

import pytest
import small_models
import torch
from image_folders import CLASSES, image, split
from mmengine.config import Config
from mmpretrain.registry import DATASETS

from gendd_mm.engine.model import build_model
from gendd_mm.engine.options import read_run
from gendd_mm.make_config import write_config
from gendd_mm.make_config.writer import _tokens


@pytest.fixture(scope='module')
def folders(tmp_path_factory) -> Path:
    """Folders of images with and without classes, and weights of a ResNet-18 of three."""
    models = pytest.importorskip('torchvision.models')
    folder = tmp_path_factory.mktemp('images')
    split(folder / 'split', 4)
    for name in CLASSES:
        image(folder / 'classes' / name / 'a.png')
    for name in CLASSES[:2]:
        for part in ('train', 'val'):
            image(folder / 'two' / part / name / 'A.PNG')
    for part, name in (('train', 'cat'), ('train', 'dog'), ('val', 'cat'), ('val', 'owl')):
        image(folder / 'differ' / part / name / 'a.png')
    image(folder / 'hole' / 'cat' / 'a.png')
    (folder / 'hole' / 'dog').mkdir()
    image(folder / 'plain' / 'a.png')
    (folder / 'shards').mkdir()
    paths = [f'train/{name}/{index}.png' for name in CLASSES for index in range(4)]
    lists = dict(
        plain='\n'.join(paths),
        labels='\n'.join(f'{path} {index // 4}' for index, path in enumerate(paths)) + '\n',
        gone='train/cat/9.png\n',
        one='train/cat/0.png 7\n',
        tab=f'{paths[0]} 0\n{paths[1]}\t0\n',
        empty='',
    )
    for name, text in lists.items():
        (folder / 'split' / f'{name}.txt').write_text(text)
    torch.manual_seed(0)
    torch.save(models.resnet18(num_classes=3).state_dict(), folder / 'resnet18.pth')
    return folder


def write(folders: Path, out: Path, data: str = 'split', **settings) -> Config:
    settings = (
        dict(
            teacher='torchvision:resnet18',
            teacher_ckpt=str(folders / 'resnet18.pth'),
            student='timm:resnet10t',
            data=str(folders / data),
            image_size=32,
            setting='paper',
        )
        | settings
    )
    write_config(str(out), **settings)
    return read_run(str(out))


def test_the_command_writes_what_trains(folders, tmp_path):
    out = tmp_path / 'configs' / 'pair.py'
    command = [sys.executable, 'tools/make_config.py', str(out)]
    command += ['--teacher', 'torchvision:resnet18', '--teacher-ckpt', folders / 'resnet18.pth']
    command += ['--student', 'timm:resnet10t', '--data', folders / 'split']
    command += ['--image-size', '32', '--epochs', '2', '--batch-size', '4']
    done = subprocess.run(command, capture_output=True, text=True, cwd=small_models.ROOT)
    assert done.returncode == 0, done.stderr
    assert "3 folders of classes, the first 'cat'; val for validation" in done.stdout
    cfg = read_run(str(out), {'train_dataloader.num_workers': 0, 'val_dataloader.num_workers': 0})
    for name in ('train_dataloader', 'val_dataloader'):
        cfg[name].persistent_workers = False
    head = small_models.head_of(cfg)
    assert (head.condition_dim, head.target_dim) == (512, 512)
    assert cfg.model.architecture.head.num_classes == 3
    # A head of the tests' size; the rest as it was written.
    head.residual.denoiser = dict(type='TokenDenoiser', width=16, depth=1)
    head.residual.repeats = 2
    cfg.work_dir = str(tmp_path / 'run')
    cfg.log_level = 'ERROR'
    cfg.visualizer = None
    runner = small_models.trained(cfg)
    assert runner.iter == 6
    assert {'gen/top1', 'probe/top1'} <= runner.message_hub.log_scalars.keys() | {
        key.removeprefix('val/') for key in runner.message_hub.log_scalars
    }


@pytest.mark.parametrize(
    'student',
    ['torchvision:mobilenet_v3_small', 'timm:vit_tiny_patch16_224', 'resnet18_8xb32_in1k'],
)
def test_students_of_every_library(folders, tmp_path, student):
    size = 224 if 'vit' in student else 32
    cfg = write(folders, tmp_path / 'pair.py', student=student, image_size=size)
    model = build_model(cfg)
    assert model.student.head.fc.out_features == 3
    feature = model.student.extract_feat(torch.randn(2, 3, size, size))[-1]
    assert feature.shape == (2, small_models.head_of(cfg).condition_dim)


def test_teachers_of_mmpretrain(folders, tmp_path):
    cfg = write(folders, tmp_path / 'a.py', teacher='resnet18_8xb32_in1k', teacher_ckpt=None)
    assert cfg.model.teacher == dict(
        cfg_path='mmpretrain::resnet/resnet18_8xb32_in1k.py', pretrained=True
    )
    config = tmp_path / 'own.py'
    own = dict(mean=[1.0] * 3, std=[2.0] * 3)
    Config(dict(model=small_models.teacher(), data_preprocessor=own)).dump(config)
    torch.save(small_models.built_teacher().state_dict(), tmp_path / 'own.pth')
    cfg = write(
        folders, tmp_path / 'b.py', teacher=str(config), teacher_ckpt=str(tmp_path / 'own.pth')
    )
    assert cfg.model.teacher.data_preprocessor.mean == [1.0] * 3


def test_what_is_in_a_folder_is_found(folders, tmp_path):
    cfg = write(folders, tmp_path / 'a.py', 'classes')
    assert cfg.train_dataloader.dataset.with_label
    assert cfg.get('val_dataloader') is None
    cfg = write(folders, tmp_path / 'b.py', 'classes', labels=False)
    assert not cfg.train_dataloader.dataset.with_label
    assert not cfg.model.architecture.head.trainable
    cfg = write(folders, tmp_path / 'c.py', 'plain')
    assert not cfg.train_dataloader.dataset.with_label
    (folders / 'shards' / '0.tar').write_bytes(b'')
    cfg = write(folders, tmp_path / 'd.py', 'shards')
    assert cfg.train_dataloader.dataset.type == 'gendd_mm.UnlabeledShards'


def test_a_list_with_labels_trains_and_validates(folders, tmp_path):
    val = str(folders / 'split' / 'val')
    with pytest.raises(ValueError, match=r"other classes, .*\['0', '1', '2'\]"):
        write(folders, tmp_path / 'a.py', 'split/labels.txt', val_data=val)
    listed = folders / 'split' / 'labels.txt'
    cfg = write(folders, tmp_path / 'a.py', 'split/labels.txt', val_data=str(listed))
    train = DATASETS.build(cfg.train_dataloader.dataset)
    assert [train[index]['data_samples'].gt_label.item() for index in range(12)] == [
        *([0] * 4),
        *([1] * 4),
        *([2] * 4),
    ]
    assert len(DATASETS.build(cfg.val_dataloader.dataset)) == 12
    assert cfg.model.distiller.distill_losses.loss_gendd.contraction is not None


def test_a_list_without_labels_or_whose_labels_are_not_wanted(folders, tmp_path):
    for name in ('plain', 'labels'):
        out, data = tmp_path / f'{name}.py', f'split/{name}.txt'
        val = str(folders / 'split' / 'val')
        cfg = write(folders, out, data, labels=False, val_data=val)
        assert not cfg.model.architecture.head.trainable
        assert DATASETS.build(cfg.train_dataloader.dataset)[11]['inputs'].shape == (3, 32, 32)
        assert cfg.val_dataloader.dataset.data_root == val


def test_labels_of_other_classes_than_the_teachers_do_not_contract(folders, tmp_path):
    cfg = write(folders, tmp_path / 'a.py', 'two')
    assert cfg.model.architecture.head.num_classes == 2
    assert cfg.model.distiller.distill_losses.loss_gendd.contraction is None
    assert 'The 2 classes are not the 3 of the teacher' in (tmp_path / 'a.py').read_text()
    assert not build_model(cfg).has_teachers_classes
    # Without labels only the generated features predict, and only the teacher's classes.
    cfg = write(folders, tmp_path / 'b.py', 'two', labels=False)
    assert cfg.get('val_dataloader') is None
    # The teacher's own classes do contract.
    cfg = write(folders, tmp_path / 'c.py')
    assert cfg.model.distiller.distill_losses.loss_gendd.contraction is not None
    assert build_model(cfg).has_teachers_classes


def test_the_recommended_student_has_a_projector_and_the_teachers_classifier(folders, tmp_path):
    for data in ('split', 'plain'):  # with labels and without
        cfg = write(folders, tmp_path / f'{data}.py', data, setting='recommended')
        model = build_model(cfg)
        assert type(model.student.neck).__name__ == 'ProjectorNeck'
        assert model.student.head.fc.weight.equal(model.teacher.classifier.weight)
        assert type(model.distiller.distill_losses.loss_gendd.head).__name__ == 'MeanResidualHead'
        assert cfg.model.distiller.distill_losses.loss_gendd.get('contraction') is None


def test_classes_of_ones_own_are_learned_on_the_projected_feature(folders, tmp_path):
    cfg = write(folders, tmp_path / 'a.py', 'two', setting='recommended')
    assert 'The 2 classes are not the 3 of the teacher' in (tmp_path / 'a.py').read_text()
    model = build_model(cfg)
    assert model.student.head.fc.weight.shape == (2, 512)
    assert not model.has_teachers_classes
    cfg = write(folders, tmp_path / 'b.py', 'two', setting='recommended', labels=False)
    assert build_model(cfg).student.head.fc.weight.shape == (3, 512)


def test_weights_of_another_network_are_refused_at_once(folders, tmp_path):
    models = pytest.importorskip('torchvision.models')
    torch.save(models.resnet34(num_classes=3).state_dict(), tmp_path / 'resnet34.pth')
    with pytest.raises(ValueError, match='does not fit ModuleClassifier: missing'):
        write(folders, tmp_path / 'a.py', teacher_ckpt=str(tmp_path / 'resnet34.pth'))
    assert not (tmp_path / 'a.py').exists()


@pytest.mark.parametrize(('size', 'width'), [(512, 64), (96, 48), (100, 50), (8, 8), (7, 7)])
def test_tokens_are_the_widest_up_to_64(size, width):
    assert _tokens(size) == width


def test_a_size_without_a_divisor_is_refused():
    with pytest.raises(ValueError, match='1009 numbers, which no width'):
        _tokens(1009)


def test_a_feature_that_64_does_not_divide_has_its_tokens_written(folders, tmp_path):
    config = tmp_path / 'own.py'
    Config(dict(model=small_models.teacher())).dump(config)
    torch.save(small_models.built_teacher().state_dict(), tmp_path / 'own.pth')
    settings = dict(teacher=str(config), teacher_ckpt=str(tmp_path / 'own.pth'))
    for data in ('split', 'two'):  # with contraction and without
        cfg = write(folders, tmp_path / f'{data}.py', data, **settings)
        assert small_models.head_of(cfg).tokenizer.token_dim == 8
        loss = cfg.model.distiller.distill_losses.loss_gendd
        assert (loss.contraction is None) == (data == 'two')
    cfg = write(folders, tmp_path / 'own_setting.py', **settings, setting='recommended')
    assert small_models.head_of(cfg).residual.tokenizer.token_dim == 8
    build_model(cfg)


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(teacher='timm:resnet18x'), "timm:resnet18x is no network .*did you mean 'resnet18"),
        (dict(student='torchvision:resnet'), 'torchvision:resnet is no network'),
        (dict(teacher='resnet18_8xb32'), "did you mean 'resnet18_8xb32_in1k'"),
        (dict(teacher='gone.py'), 'gone.py is not a file; give timm:NAME'),
        (dict(data='differ'), r"have other classes, .*\['dog', 'owl'\]"),
        (dict(data='hole'), "the folder 'dog' holds no image"),
        (dict(data='gone'), '--data .*gone does not exist'),
        (dict(val_data='gone'), '--val-data gone does not exist'),
        (dict(data='split/gone.txt'), "lists 'train/cat/9.png', which is not in .*split"),
        (dict(data='split/one.txt'), 'labels of 7 to 7 for 1 images; number the classes from 0'),
        (dict(data='split/tab.txt'), r'tab\.txt, line 2: .*has a tab'),
        (dict(data='split/empty.txt'), 'the file is empty'),
        (dict(data='split/plain.txt', labels=True), '--labels, but .*images without labels'),
        (dict(data='plain', labels=True), '--labels, but .*images without labels'),
        (dict(data='empty'), 'empty holds no images, folders of classes or tar shards'),
        (dict(epochs=1), '--epochs 1 must be at least 2'),
        (dict(setting='papers'), '--setting papers is unknown; choose from recommended, paper'),
    ],
)
def test_a_mistake_is_named_and_nothing_is_written(folders, tmp_path, settings, message):
    (folders / 'empty').mkdir(exist_ok=True)
    with pytest.raises(ValueError, match=message):
        write(folders, tmp_path / 'pair.py', **settings)
    assert not (tmp_path / 'pair.py').exists()


def test_a_file_is_not_written_over(folders, tmp_path):
    (tmp_path / 'pair.py').write_text('mine')
    with pytest.raises(FileExistsError, match=r'pair\.py exists; give another name'):
        write(folders, tmp_path / 'pair.py')
    assert (tmp_path / 'pair.py').read_text() == 'mine'
