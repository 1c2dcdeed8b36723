"""The baselines and the teacher of the recipes: their numbers and losses."""

import copy

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.registry import MODELS
from small_models import CONFIGS

BASELINES = [
    path
    for folder in ('imagenet', 'cc3m', 'cifar100')
    for method in ('k[dl]', 'dkd', 'lskd', 'mgd', 'simkd', 'regression')
    for path in sorted((CONFIGS / folder).glob(f'{method}_*.py'))
]
RIVALS = {  # of the same data, optimiser and epochs
    'kd_beitv2-large_resnet50_8xb64-a2-300e_in1k': 'a2-300e',
    'dkd_beitv2-large_resnet50_8xb64-a2-300e_in1k': 'a2-300e',
    'kd_beitv2-large_resnet50_8xb64-a1-600e_in1k': 'a1-600e',
    'dkd_beitv2-large_resnet50_8xb64-a1-600e_in1k': 'a1-600e',
}


def read(name: str) -> Config:
    return Config.fromfile(CONFIGS / f'{name}.py')


@pytest.mark.parametrize('path', BASELINES, ids=lambda path: path.stem)
def test_it_has_the_pair_and_the_data_of_gendd(path):
    name = path.name.partition('_')[2]
    gendd = path.with_name(f'gendd_{name}')
    if not gendd.exists():
        gendd = CONFIGS / 'gendd_r50_in1k.py'
    ours, cfg = Config.fromfile(gendd), Config.fromfile(path)
    assert cfg.train_dataloader == ours.train_dataloader
    assert cfg.test_dataloader == ours.test_dataloader
    assert cfg.model.teacher_ckpt == ours.model.teacher_ckpt
    assert cfg.model.teacher.backbone == ours.model.teacher.backbone
    student, other = cfg.model.architecture, ours.model.architecture
    assert student.backbone == other.backbone
    assert student.get('train_cfg') == other.get('train_cfg')
    assert cfg.train_cfg == ours.train_cfg
    if path.stem in RIVALS:
        assert cfg.param_scheduler == ours.param_scheduler
        assert cfg.optim_wrapper == ours.optim_wrapper
        assert student.head.loss == other.head.loss


@pytest.mark.parametrize(
    ('name', 'lr', 'decay', 'batch'),
    [
        ('cc3m/kl_resnet50_mobilenet-v1_8xb64-100e_cc3m', 0.2, 1e-4, 512),
        ('imagenet/kd_resnet34_resnet18_8xb64_in1k', 0.2, 1e-4, 512),
        ('imagenet/kd_resnet50_mobilenet-v1_8xb64_in1k', 0.2, 1e-4, 512),
        ('imagenet_lt/resnext101-32x4d_8xb32_imagenet-lt', 0.1, 5e-4, 256),
        ('cifar100/kd_resnet56_resnet20_1xb64_cifar100', 0.05, 5e-4, 64),
    ],
)
def test_sgd_of_the_recipe(name, lr, decay, batch):
    cfg = read(name)
    optimizer = cfg.optim_wrapper.optimizer
    assert (optimizer.type, optimizer.lr, optimizer.momentum, optimizer.weight_decay) == (
        'SGD',
        lr,
        0.9,
        decay,
    )
    assert cfg.auto_scale_lr.base_batch_size == batch
    assert cfg.train_dataloader.batch_size * (1 if batch == 64 else 8) == batch
    kinds = {s.type: s for s in cfg.param_scheduler}
    if batch == 512:
        assert (kinds['LinearLR'].begin, kinds['LinearLR'].end) == (0, 10)
        assert (kinds['CosineAnnealingLR'].begin, kinds['CosineAnnealingLR'].end) == (10, 100)
    elif batch == 64:
        assert kinds['MultiStepLR'].milestones == [150, 180, 210]
        assert kinds['MultiStepLR'].gamma == 0.1
        assert cfg.train_cfg.max_epochs == 240


def test_the_long_tailed_teacher_is_that_of_its_students():
    cfg = read('imagenet_lt/resnext101-32x4d_8xb32_imagenet-lt')
    student = read('imagenet_lt/gendd_resnext101-32x4d_resnet50_8xb32_imagenet-lt')
    assert cfg.model.backbone == student.model.teacher.backbone
    assert cfg.model.head == student.model.teacher.head
    # The checkpoint that its training leaves.
    assert student.model.teacher_ckpt == (
        f'work_dirs/resnext101-32x4d_8xb32_imagenet-lt/epoch_{cfg.train_cfg.max_epochs}.pth'
    )


# Losses.
def loss_of(name: str, loss: str) -> torch.nn.Module:
    cfg = read(name).model.distiller.distill_losses
    return MODELS.build(copy.deepcopy(cfg[loss].to_dict()))


def test_kl_of_cifar_is_that_of_the_benchmark():
    """0.1 cross-entropy + 0.9 KL at temperature 4, times its square."""
    name = 'cifar100/kd_resnet56_resnet20_1xb64_cifar100'
    ours = loss_of(name, 'loss_kl')
    student, teacher = torch.randn(2, 6, 10)
    reference = (
        0.9
        * 16
        * F.kl_div((student / 4).log_softmax(1), (teacher / 4).softmax(1), reduction='batchmean')
    )
    torch.testing.assert_close(ours(student, teacher), reference)
    assert read(name).model.architecture.head.loss.loss_weight == 0.1


@pytest.mark.parametrize(
    ('name', 'tau', 'weights'),
    [
        ('imagenet/lskd_resnet34_resnet18_8xb64_in1k', 2, (1, 9)),
        ('cifar100/lskd_resnet32x4_resnet8x4_1xb64_cifar100', 2, (0.1, 9)),
        ('cifar100/lskd_vgg13_vgg8_1xb64_cifar100', 3, (0.1, 9)),
    ],
)
def test_the_numbers_of_lskd(name, tau, weights):
    """Temperature, and the weights of cross-entropy and KL."""
    loss = loss_of(name, 'loss_kl')
    head = read(name).model.architecture.head
    assert loss.tau == tau
    assert (head.loss.get('loss_weight', 1), loss.loss_weight) == weights


@pytest.mark.parametrize(
    ('name', 'shape'),
    [
        ('imagenet/mgd_resnet34_resnet18_8xb64_in1k', (512, 7, 7)),
        ('cifar100/mgd_resnet32x4_resnet8x4_1xb64_cifar100', (256, 8, 8)),
        ('cifar100/mgd_resnet56_resnet20_1xb64_cifar100', (64, 8, 8)),
        ('cifar100/mgd_vgg13_vgg8_1xb64_cifar100', (512, 4, 4)),
    ],
)
def test_mgd_has_one_weight_of_the_mean_over_the_map(name, shape):
    """Its authors' 7e-5 of the sum over 512x7x7, also on the maps of CIFAR."""
    ours = loss_of(name, 'loss_mgd')
    student, teacher = torch.randn(2, 2, *shape)
    torch.testing.assert_close(
        ours(student, teacher), 7e-5 * 512 * 7 * 7 * F.mse_loss(student, teacher)
    )
    connector = read(name).model.distiller.connectors.generator
    assert connector.teacher_channels == shape[0]
    assert connector.lambda_mgd == 0.15


MAPS = [
    path
    for folder in ('imagenet', 'cifar100')
    for path in sorted((CONFIGS / folder).glob('simkd_*.py'))
]


@pytest.mark.parametrize('path', MAPS, ids=lambda path: path.stem)
def test_maps_of_teacher_and_student_have_one_size(path):
    """As MGD and SimKD of the pair need; SimKD's projector sets channels."""
    model = Config.fromfile(path).model
    images = torch.zeros(2, 3, *[32 if 'cifar' in path.stem else 64] * 2)
    shapes = {}
    for part in ('teacher', 'architecture'):
        backbone = MODELS.build(dict(model[part].backbone.to_dict(), _scope_='mmpretrain'))
        with torch.no_grad():
            shapes[part] = backbone(images)[-1].shape
    head = model.architecture.head
    assert shapes['teacher'][1] == head.teacher_dim
    assert shapes['architecture'][1] == head.in_channels
    assert shapes['teacher'][2:] == shapes['architecture'][2:]


def test_dkd_is_a_mean_over_the_batch_also_of_mixed_labels():
    """Target and non-target class KL (arXiv 2203.08679), batch of 64."""
    name = 'imagenet/dkd_beitv2-large_resnet50_8xb64-a1-600e_in1k'
    cfg = read(name)
    student, teacher = 3 * torch.randn(2, 64, 10)
    mixed = torch.rand(64, 10).softmax(1)
    connector = MODELS.build(cfg.model.distiller.connectors.target_class.to_dict())
    ours = loss_of(name, 'loss_dkd')(student, teacher, connector(mixed))

    target = F.one_hot(mixed.argmax(1), 10).bool()
    p, q = student.softmax(1), teacher.softmax(1)

    def kl(q: torch.Tensor, p: torch.Tensor) -> torch.Tensor:
        return (q * (q / p).log()).sum(1).mean()

    binary = [torch.stack([x[target], 1 - x[target]], 1) for x in (q, p)]
    rest = [x[~target].view(64, 9) for x in (q, p)]
    rest = [x / x.sum(1, keepdim=True) for x in rest]
    torch.testing.assert_close(ours, kl(*binary) + 0.5 * kl(*rest), rtol=1e-4, atol=1e-5)
