"""Smoothed labels: one soft label for contraction and probe."""

import pytest
import stand_in_runs
import torch
import torch.nn.functional as F
from mmpretrain.models import LabelSmoothLoss
from mmpretrain.structures import DataSample
from published_configs import read, read_stage1

from gendd_mm.models import SmoothedLabels
from gendd_mm.registry import BATCH_AUGMENTS

CLASSES = 10


def one_hot(*labels: int) -> torch.Tensor:
    return F.one_hot(torch.tensor(labels), CLASSES)


@pytest.mark.parametrize('augments', [None, [dict(type='Mixup', alpha=0.2)]])
def test_mixed_or_not_labels_sum_to_1_and_other_classes_share_the_smoothing(augments):
    smooth = SmoothedLabels(0.1, augments)
    images = torch.randn(4, 3, 8, 8)
    mixed, labels = smooth(images, one_hot(0, 0, 1, 1))
    assert mixed.shape == images.shape
    torch.testing.assert_close(labels.sum(1), torch.ones(4))
    torch.testing.assert_close(labels[:, 2:], torch.full((4, CLASSES - 2), 0.1 / CLASSES))
    assert augments or mixed.equal(images)


def test_cross_entropy_is_that_of_label_smooth_loss():
    scores, labels = torch.randn(4, CLASSES), one_hot(0, 3, 3, 9)
    _, smoothed = SmoothedLabels(0.1)(scores, labels)
    expected = LabelSmoothLoss(0.1, CLASSES)(scores, labels)
    torch.testing.assert_close(F.cross_entropy(scores, smoothed), expected)


@pytest.mark.parametrize('smoothing', [-0.1, 1])
def test_a_share_outside_0_and_1_is_refused(smoothing):
    with pytest.raises(ValueError, match=rf'smoothing={smoothing} is outside \[0, 1\)'):
        BATCH_AUGMENTS.build(dict(type='SmoothedLabels', smoothing=smoothing))


# In the built recipes.
def batch(size: int = 4) -> dict:
    return dict(
        inputs=[torch.randint(0, 256, (3, 16, 16), dtype=torch.uint8) for _ in range(size)],
        data_samples=[DataSample().set_gt_label(label) for label in range(size)],
    )


@pytest.mark.parametrize(
    ('config', 'smoothing'),
    [
        ('gendd_r50_in1k.py', 0.1),
        ('imagenet/gendd_beitv2-base_resnet50_8xb64-a1-600e_in1k.py', 0.1),
        ('imagenet/gendd_beitv2-base_resnet50_8xb64-a2-300e_in1k.py', 0),
        ('imagenet/gendd_resnet34_resnet18_8xb64_in1k.py', 0),
    ],
)
def test_contraction_reads_what_the_probe_learns(config, smoothing, tmp_path):
    model = stand_in_runs.build(read(config), tmp_path).model
    read_by = {}

    def contraction(module, args) -> None:
        read_by['contraction'] = args[1]

    def probe(module, args, kwargs) -> None:
        read_by['probe'] = args[1]

    model.distiller.gendd_loss.contraction.register_forward_pre_hook(contraction)
    model.student.head.loss_module.register_forward_pre_hook(probe, with_kwargs=True)
    data = model.data_preprocessor(batch(), True)
    model(**data, mode='loss')
    labels = read_by['contraction']
    assert labels.equal(read_by['probe'])
    if 'resnet34' in config:  # neither mixed nor smoothed
        assert labels.tolist() == [0, 1, 2, 3]
        return
    assert labels.shape == (4, 1000)
    torch.testing.assert_close(labels.sum(1), torch.ones(4))
    torch.testing.assert_close(labels[:, 4:], torch.full((4, 996), smoothing / 1000))
    # Each image has a partner: shares that were moved from its own class.
    shares = (labels[:, :4] - smoothing / 1000) / (1 - smoothing)
    torch.testing.assert_close(shares.sum(1), torch.ones(4))
    assert shares.min() > -1e-6


@pytest.mark.parametrize(
    ('config', 'smoothing'),
    [
        ('gendd_r50_in1k.py', 0.1),
        ('imagenet/gendd_beitv2-large_resnet50_8xb64-a2-300e_in1k.py', 0),
    ],
)
def test_stage_1_learns_from_the_labels_of_its_recipe(config, smoothing, tmp_path):
    model = stand_in_runs.build(read_stage1(read(config)), tmp_path, 2048).model
    data = model.data_preprocessor(batch(), True)
    labels = torch.stack([sample.gt_score for sample in data['data_samples']])
    torch.testing.assert_close(labels[:, 4:], torch.full((4, 996), smoothing / 1000))
