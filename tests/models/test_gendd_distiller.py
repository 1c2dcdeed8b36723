"""GenDDDistiller: MMRazor's, and it can generate."""

import pytest
import small_models
import torch
from mmengine.registry import MODELS

from gendd_mm.models.algorithms.measured_sizes import with_measured_sizes
from gendd_mm.models.algorithms.teacher_records import with_teacher_records
from gendd_mm.models.distiller import GenDDDistiller


def config(supervised: bool = True, **loss) -> dict:
    distiller = small_models.gendd(supervised)['distiller']
    distiller['distill_losses']['loss_gendd'].update(loss)
    # What GenDD completes where it is used.
    teacher = small_models.built_teacher()
    _, distiller = with_measured_sizes(small_models.student(), distiller, teacher.head.fc)
    return with_teacher_records(distiller, teacher, 'head.fc')


def contraction(**settings) -> dict:
    return dict(type='DistributionContraction', **settings)


@pytest.fixture
def prepared() -> GenDDDistiller:
    """A distiller with a student that has just run."""
    model = small_models.built().eval()
    with torch.no_grad(), model.distiller.student_recorders:
        model.student(torch.randn(3, 3, 8, 8), mode='tensor')
    return model.distiller


def test_generate_is_the_mean_of_the_draws_under_the_mapped_condition(prepared):
    mapping = prepared.loss_forward_mappings['loss_gendd']['condition']
    condition = prepared.get_record(**mapping)
    draws = prepared.gendd_loss.head.sample(condition, 4, torch.Generator().manual_seed(3))
    mean = prepared.generate(4, torch.Generator().manual_seed(3))
    torch.testing.assert_close(mean, draws.mean(0))
    assert mean.shape == (3, small_models.TEACHER_DIM)
    assert not mean.requires_grad


def test_the_condition_is_the_normalised_pooled_feature(prepared):
    mapping = prepared.loss_forward_mappings['loss_gendd']['condition']
    condition = prepared.get_record(**mapping)
    torch.testing.assert_close(condition.mean(1), torch.zeros(3), atol=1e-5, rtol=0)
    assert condition.shape == (3, small_models.STUDENT_DIM)


@pytest.mark.parametrize(
    ('settings', 'read'),
    [
        (dict(contraction=None), {'condition', 'target'}),
        (dict(contraction=contraction(strength=0)), {'condition', 'target'}),
        (
            dict(contraction=contraction(teacher_label_weight=1)),
            {'condition', 'target', 'class_centers', 'class_bias'},
        ),
        (
            dict(contraction=contraction(teacher_label_weight=0.5)),
            {'condition', 'target', 'class_centers', 'class_bias', 'labels'},
        ),
        (dict(), {'condition', 'target', 'class_centers', 'labels'}),
    ],
)
def test_only_what_is_needed_is_looked_up(settings, read):
    cfg = config(**settings)
    distiller = MODELS.build(cfg)
    assert set(distiller.loss_forward_mappings['loss_gendd']) == read
    # The config, which others may share, is as it was.
    assert set(cfg['loss_forward_mappings']['loss_gendd']) == {
        'condition',
        'target',
        'class_centers',
        'class_bias',
        'labels',
    }


@pytest.mark.parametrize('missing', ['condition', 'target', 'class_centers', 'labels'])
def test_a_missing_mapping_is_named(missing):
    cfg = config()
    del cfg['loss_forward_mappings']['loss_gendd'][missing]
    with pytest.raises(ValueError, match=rf"lacks \['{missing}'\]; see"):
        MODELS.build(cfg)


def test_contraction_without_the_supervised_config_is_named():
    with pytest.raises(ValueError, match=r"lacks \['labels'\]"):
        MODELS.build(config(False, contraction=contraction()))


def test_at_least_one_gendd_loss_and_each_with_its_target():
    cfg = config()
    losses = cfg['distill_losses']
    losses['loss_second'] = losses['loss_gendd']
    with pytest.raises(ValueError, match=r"'loss_second'\] lacks \['condition', 'target'"):
        MODELS.build(cfg)
    cfg['loss_forward_mappings']['loss_second'] = cfg['loss_forward_mappings']['loss_gendd']
    assert MODELS.build(cfg).gendd_name == 'loss_gendd'
    assert MODELS.build(dict(cfg, primary='loss_second')).gendd_name == 'loss_second'
    with pytest.raises(ValueError, match="primary='other' is no GenDDLoss; choose from"):
        MODELS.build(dict(cfg, primary='other'))
    with pytest.raises(ValueError, match='holds 0 GenDDLoss.*Configurable'):
        MODELS.build(dict(type='gendd_mm.GenDDDistiller'))


def test_the_loss_may_have_another_name():
    cfg = config()
    for part in ('distill_losses', 'loss_forward_mappings'):
        cfg[part]['loss_other'] = cfg[part].pop('loss_gendd')
    model = small_models.built(distiller=cfg)
    losses = small_models.losses_of(model, small_models.batch())
    assert 'distill.loss_other' in losses
    assert 'pred_score' in model.eval().test_step(small_models.batch())[0]


def test_builds_in_other_projects(build):
    assert isinstance(build(MODELS, **config()), GenDDDistiller)
