"""The baselines: their numbers and losses."""

import copy

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.registry import MODELS
from published_configs import EXPERIMENTS, Experiment, read

CIFAR = 'cifar100/{}_1xb64_cifar100.py'
IMAGENET = 'imagenet/{}_8xb64_in1k.py'
METHODS = ('kd', 'kl', 'dkd', 'lskd', 'mgd', 'simkd', 'regression')
BASELINES = [
    experiment
    for experiment in EXPERIMENTS
    if experiment.name.startswith(('imagenet/', 'cc3m/', 'cifar100/'))
    and experiment.name.split('/')[1].startswith(tuple(f'{method}_' for method in METHODS))
]
# Of the same data, optimiser and epochs.
RIVALS = {
    'a1': 'gendd_r50_in1k.py',
    'a2': 'imagenet/gendd_beitv2-large_resnet50_8xb64-a2-300e_in1k.py',
}


def of_pair(name: str, pair: str) -> Config:
    teacher, student = pair.split(' -> ')
    return read(name, TEACHER=teacher, STUDENT=student)


def gendd_of(baseline: Experiment) -> str:
    """The config of GenDD that a baseline is compared with."""
    choice = dict(baseline.choice)
    if 'RECIPE' in choice:
        return RIVALS[choice['RECIPE']]
    folder, _, name = baseline.name.partition('/')
    names = ['gendd', *choice.values(), name.partition('_')[2]]
    return f'{folder}/{"_".join(names)}'


def test_every_baseline_is_here():
    assert len(BASELINES) == 4 * 6 + 15 + 5 * 2 + 4 + 1


@pytest.mark.parametrize('baseline', BASELINES, ids=str)
def test_it_has_the_pair_and_the_data_of_gendd(baseline):
    ours, cfg = read(gendd_of(baseline)), baseline.read()
    assert cfg.train_dataloader == ours.train_dataloader
    assert cfg.test_dataloader == ours.test_dataloader
    assert cfg.model.teacher_ckpt == ours.model.teacher_ckpt
    assert cfg.model.teacher.backbone == ours.model.teacher.backbone
    student, other = cfg.model.architecture, ours.model.architecture
    assert student.backbone == other.backbone
    assert student.get('train_cfg') == other.get('train_cfg')
    assert cfg.train_cfg == ours.train_cfg
    if 'RECIPE' in dict(baseline.choice):
        assert cfg.param_scheduler == ours.param_scheduler
        assert cfg.optim_wrapper == ours.optim_wrapper
        assert student.head.loss == other.head.loss


@pytest.mark.parametrize(
    ('name', 'lr', 'decay', 'batch'),
    [
        ('imagenet/kd_8xb64_in1k.py', 0.2, 1e-4, 512),
        ('cifar100/kd_1xb64_cifar100.py', 0.05, 5e-4, 64),
    ],
)
def test_sgd_of_kd(name, lr, decay, batch):
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


# Losses.
def loss_of(cfg: Config, loss: str) -> torch.nn.Module:
    return MODELS.build(copy.deepcopy(cfg.model.distiller.distill_losses[loss].to_dict()))


def test_kl_of_cifar_is_that_of_the_benchmark():
    """0.1 cross-entropy + 0.9 KL at temperature 4, times its square."""
    cfg = read('cifar100/kd_1xb64_cifar100.py')
    ours = loss_of(cfg, 'loss_kl')
    student, teacher = torch.randn(2, 6, 10)
    reference = (
        0.9
        * 16
        * F.kl_div((student / 4).log_softmax(1), (teacher / 4).softmax(1), reduction='batchmean')
    )
    torch.testing.assert_close(ours(student, teacher), reference)
    assert cfg.model.architecture.head.loss.loss_weight == 0.1


@pytest.mark.parametrize(
    ('name', 'pair', 'tau', 'weights'),
    [
        (IMAGENET, 'resnet34 -> resnet18', 2, (1, 9)),
        (CIFAR, 'resnet32x4 -> resnet8x4', 2, (0.1, 9)),
        (CIFAR, 'vgg13 -> vgg8', 3, (0.1, 9)),
    ],
)
def test_the_numbers_of_lskd(name, pair, tau, weights):
    """Temperature, and the weights of cross-entropy and KL."""
    cfg = of_pair(name.format('lskd'), pair)
    loss = loss_of(cfg, 'loss_kl')
    assert loss.tau == tau
    cross_entropy = cfg.model.architecture.head.loss.get('loss_weight', 1)
    assert (cross_entropy, loss.loss_weight) == weights


@pytest.mark.parametrize(
    ('name', 'pair', 'shape'),
    [
        (IMAGENET, 'resnet34 -> resnet18', (512, 7, 7)),
        (CIFAR, 'resnet32x4 -> resnet8x4', (256, 8, 8)),
        (CIFAR, 'resnet56 -> resnet20', (64, 8, 8)),
        (CIFAR, 'vgg13 -> vgg8', (512, 4, 4)),
    ],
)
def test_mgd_has_one_weight_of_the_mean_over_the_map(name, pair, shape):
    """Its authors' 7e-5 of the sum over 512x7x7, also on the maps of CIFAR."""
    cfg = of_pair(name.format('mgd'), pair)
    ours = loss_of(cfg, 'loss_mgd')
    student, teacher = torch.randn(2, 2, *shape)
    torch.testing.assert_close(
        ours(student, teacher), 7e-5 * 512 * 7 * 7 * F.mse_loss(student, teacher)
    )
    connector = cfg.model.distiller.connectors.generator
    assert connector.teacher_channels == shape[0]
    assert connector.lambda_mgd == 0.15


@pytest.mark.parametrize(
    'experiment', [each for each in BASELINES if '/simkd' in each.name], ids=str
)
def test_maps_of_teacher_and_student_have_one_size(experiment):
    """As MGD and SimKD of the pair need; SimKD's projector sets channels."""
    model = experiment.read().model
    images = torch.zeros(2, 3, *[32 if 'cifar' in experiment.name else 64] * 2)
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
    cfg = read('imagenet/dkd_beitv2-large_resnet50_8xb64_in1k.py', RECIPE='a1')
    student, teacher = 3 * torch.randn(2, 64, 10)
    mixed = torch.rand(64, 10).softmax(1)
    connector = MODELS.build(cfg.model.distiller.connectors.target_class.to_dict())
    ours = loss_of(cfg, 'loss_dkd')(student, teacher, connector(mixed))

    target = F.one_hot(mixed.argmax(1), 10).bool()
    p, q = student.softmax(1), teacher.softmax(1)

    def kl(q: torch.Tensor, p: torch.Tensor) -> torch.Tensor:
        return (q * (q / p).log()).sum(1).mean()

    binary = [torch.stack([x[target], 1 - x[target]], 1) for x in (q, p)]
    rest = [x[~target].view(64, 9) for x in (q, p)]
    rest = [x / x.sum(1, keepdim=True) for x in rest]
    torch.testing.assert_close(ours, kl(*binary) + 0.5 * kl(*rest), rtol=1e-4, atol=1e-5)
