"""Dense features: MMRazor's own algorithm on a segmentation-shaped pair."""

import copy
import re

import pytest
import small_models
import torch
import torch.nn.functional as F
from mmengine.model import BaseModel
from mmengine.registry import MODELS
from torch import nn
from two_ranks import on_two_ranks

from gendd_mm.generative import MapsToRows

(CONFIG, SAMPLING) = re.findall(
    r'```python\n(.*?)```', (small_models.ROOT / 'docs/dense.md').read_text(), re.S
)

STUDENTS_FIRST = 'architecture.backbone.conv.weight'


class DecodeHead(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 1)
        self.conv_seg = nn.Conv2d(channels, small_models.NUM_CLASSES, 1)

    def forward(self, maps):
        return self.conv_seg(self.conv(maps).tanh())


@MODELS.register_module(force=True)
class SmallSegmentor(BaseModel):
    """A backbone and a decode head; its loss is of no interest here."""

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.backbone = small_models.SmallBackbone(channels, norm='GN')
        self.decode_head = DecodeHead(channels)

    def forward(self, inputs, data_samples=None, mode='tensor'):
        (maps,) = self.backbone(inputs)
        scores = self.decode_head(F.avg_pool2d(maps, self.stride))
        return dict(loss_seg=scores.square().mean()) if mode == 'loss' else scores


def documented(**loss_settings):
    """The model of docs/dense.md, with small networks and sizes."""
    text = CONFIG.replace('128', '4').replace('512', '8')
    namespace: dict = {}
    exec(text, namespace)
    model = namespace['model']
    loss = model['distiller']['distill_losses']['loss_gendd']
    loss['head'].update(
        tokenizer=dict(type='SplitTokenizer', token_dim=4),
        denoiser=dict(type='TokenDenoiser', width=32, depth=1),
    )
    loss.update(loss_settings)
    model.update(
        architecture=dict(type='SmallSegmentor', channels=4, stride=4),
        teacher=dict(type='SmallSegmentor', channels=8, stride=2),
    )
    return MODELS.build(model)


def gendd_loss(model, images):
    return model(images, [], mode='loss')['distill.loss_gendd']


def rows_of(model) -> tuple:
    """Condition and target of the last forward, all cells, by hand."""
    student = model.distiller.student_recorders.get_recorder('feat').get_record_data(0, 0)
    teacher = model.distiller.teacher_recorders.get_recorder('feat').get_record_data(0, 0)
    norm = model.distiller.connectors['condition'][1]
    pooled = F.avg_pool2d(teacher, 2)
    cells = [(b, y, x) for b in range(len(student)) for y in range(4) for x in range(4)]
    return (
        norm(torch.stack([student[b, :, y, x] for b, y, x in cells])),
        torch.stack([pooled[b, :, y, x] for b, y, x in cells]),
    )


def generated_cosine(model, images) -> float:
    """Of generated maps with the teacher's, both without the mean of the teacher's."""
    with torch.no_grad():
        gendd_loss(model, images)
        condition, target = rows_of(model)
        sampled = model.distiller.distill_losses['loss_gendd'].head.sample(condition, 4).mean(0)
    to_maps = [MapsToRows().inverse(rows - target.mean(0), (4, 4)) for rows in (sampled, target)]
    return F.cosine_similarity(*to_maps).mean().item()


@pytest.mark.parametrize('shape', [(2, 5, 3, 4), (2, 7, 5)], ids=['maps', 'tokens'])
def test_rows_go_back_to_where_they_were(build, shape):
    to_rows = build(MODELS, type='gendd_mm.MapsToRows')
    features = torch.randn(shape)
    grid = shape[2:] if len(shape) == 4 else shape[1:2]
    assert to_rows.inverse(to_rows(features), grid).equal(features)
    draws = torch.stack([to_rows(features), to_rows(features + 1)])
    assert to_rows.inverse(draws, grid).equal(torch.stack([features, features + 1]))


def test_the_documents_put_samples_back():
    namespace: dict = {}
    exec(SAMPLING, namespace)
    assert namespace['maps'].shape == (2, 512, 8, 8)


def test_the_loss_of_maps_is_that_of_their_rows():
    model, images = documented(), torch.randn(2, 3, 16, 16)
    torch.manual_seed(1)
    loss = gendd_loss(model, images)
    torch.manual_seed(1)
    assert model.distiller.distill_losses['loss_gendd'](*rows_of(model)).equal(loss)


def test_drawn_rows_are_pairs_and_new_at_each_step():
    gendd = documented(num_rows=6, feature_mixup=None).distiller.distill_losses['loss_gendd']
    number = torch.arange(32.0)[:, None]
    rows = [gendd.prepare(number.expand(-1, 4), number.expand(-1, 8)) for _ in range(2)]
    for condition, target in rows:
        assert condition.shape == (6, 4)
        assert condition[:, 0].equal(target[:, 0])
        assert len(condition[:, 0].unique()) == 6
    assert not rows[0][0].equal(rows[1][0])


def test_a_state_and_a_seed_determine_the_next_step():
    first, second = documented(num_rows=6), documented(num_rows=6)
    images = torch.randn(2, 3, 16, 16)
    for _ in range(3):
        gendd_loss(first, images)
    second.load_state_dict(first.state_dict())
    losses = []
    for model in (first, second):
        torch.manual_seed(5)
        losses.append(gendd_loss(model, images))
    assert losses[0].equal(losses[1])


def gradient_of_a_part(model, rank: int):
    """Of the student's first layer, on a rank's own images and its own cells."""
    torch.manual_seed(rank)
    losses = model(torch.randn(2, 3, 16, 16), [], mode='loss')
    sum(losses.values()).backward()
    (gradient,) = [p.grad for n, p in model.named_parameters() if n.endswith(STUDENTS_FIRST)]
    return gradient


def gradient_among_ranks(model):
    model = nn.parallel.DistributedDataParallel(model)
    return gradient_of_a_part(model, torch.distributed.get_rank())


def test_two_ranks_share_the_gradient_of_their_own_cells():
    model = documented(num_rows=6)
    # The output layer starts at zero, and no gradient would pass it.
    nn.init.normal_(model.distiller.distill_losses['loss_gendd'].head.denoiser.output.weight)
    shared = on_two_ranks(gradient_among_ranks, model)
    alone = [gradient_of_a_part(copy.deepcopy(model), rank) for rank in range(2)]
    for gradient in shared:
        torch.testing.assert_close(gradient, (alone[0] + alone[1]) / 2)
    assert not alone[0].allclose(alone[1])


def test_generated_maps_come_near_the_teachers():
    model, images = documented(num_rows=48, feature_mixup=None), torch.randn(8, 3, 16, 16)
    before = generated_cosine(model, images)
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=3e-3)
    for _ in range(300):
        optimizer.zero_grad()
        gendd_loss(model, images).backward()
        optimizer.step()
    assert model.student.backbone.conv.weight.grad.abs().sum() > 0
    assert generated_cosine(model, images) > before + 0.3


@pytest.mark.parametrize(
    ('condition', 'target', 'message'),
    [
        ((2, 4, 4, 4), (32, 8), r'condition \(2, 4, 4, 4\) .* gendd_mm.MapsToRows'),
        ((32, 4), (2, 8, 4, 8), r'target \(2, 8, 4, 8\) .* gendd_mm.MapsToRows'),
        ((32, 4), (128, 8), 'differ in the number of rows.*pool the finer'),
    ],
)
def test_what_is_no_pair_of_rows_is_refused(condition, target, message):
    gendd = documented().distiller.distill_losses['loss_gendd']
    with pytest.raises(ValueError, match=message):
        gendd(torch.randn(condition), torch.randn(target))


@pytest.mark.fault('Configs', 'labels of images beside cells of maps', 'one line names both')
@pytest.mark.parametrize('num_rows', [None, 6])
def test_labels_of_images_are_no_labels_of_cells(num_rows):
    gendd = documented(num_rows=num_rows).distiller.distill_losses['loss_gendd']
    with pytest.raises(ValueError, match=r'labels \(2,\) are not .*\(32, 8\).*contraction=None'):
        gendd(torch.randn(32, 4), torch.randn(32, 8), torch.tensor([0, 1]))


@pytest.mark.parametrize('distributions', [True, False])
def test_drawn_rows_keep_their_labels(distributions):
    contraction = dict(type='DistributionContraction', strength=1.0, teacher_label_weight=0.0)
    model = documented(num_rows=6, feature_mixup=None, contraction=contraction)
    gendd = model.distiller.distill_losses['loss_gendd']
    number = torch.arange(32)
    labels = torch.eye(32)[number] if distributions else number
    condition = number.float()[:, None].expand(-1, 4)
    centers = number.float()[:, None].expand(-1, 8)
    condition, target = gendd.prepare(condition, torch.zeros(32, 8), labels, centers)
    assert target[:, 0].equal(condition[:, 0])
    assert len(target) == 6


def test_a_record_of_several_maps_is_refused():
    with pytest.raises(ValueError, match='tuple instead of maps .* by data_idx'):
        MapsToRows()((torch.randn(2, 4, 4, 4),))


def test_no_rows_at_all_are_refused():
    with pytest.raises(ValueError, match='num_rows=0 must be at least 1'):
        documented(num_rows=0)
