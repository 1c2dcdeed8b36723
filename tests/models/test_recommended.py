"""The recommended setting: a student in its teacher's space, with its teacher's classifier."""

import pytest
import small_models
import torch
from mmengine.config import Config
from mmengine.registry import MODELS
from small_models import CONFIGS, NUM_CLASSES, STUDENT_DIM, TEACHER_DIM

from gendd_mm.deploy import export_student
from gendd_mm.models.algorithms import fill_in_sizes
from gendd_mm.models.heads import TeacherClassifierHead
from gendd_mm.models.necks import ProjectorNeck


def config(teacher: object, **settings) -> dict:
    """Config of the recommended setting on the tiny models, with no size stated."""
    model = Config.fromfile(CONFIGS / '_base_' / 'models' / 'gendd_recommended.py').model.to_dict()
    model['architecture'].update(
        type='mmpretrain.ImageClassifier',
        backbone=dict(type='SmallBackbone', channels=STUDENT_DIM),
    )
    model['architecture'].update(settings.pop('architecture', {}))
    residual = model['distiller']['distill_losses']['loss_gendd']['head']['residual']
    residual.update(
        tokenizer=dict(type='SplitTokenizer', token_dim=4),
        denoiser=dict(type='TokenDenoiser', width=8, depth=1, modulation='shared'),
    )
    return dict(model, teacher=teacher, **settings)


@pytest.fixture
def model():
    built = MODELS.build(config(small_models.built_teacher()))
    built.init_weights()
    return built


def test_sizes_are_those_of_the_pair():
    full = fill_in_sizes(config(small_models.teacher()))
    neck, head = full['architecture']['neck'], full['architecture']['head']
    assert (neck['in_channels'], neck['out_channels']) == (STUDENT_DIM, TEACHER_DIM)
    assert (head['in_channels'], head['num_classes']) == (TEACHER_DIM, NUM_CLASSES)
    loss = full['distiller']['distill_losses']['loss_gendd']['head']
    assert (loss['condition_dim'], loss['target_dim']) == (TEACHER_DIM, TEACHER_DIM)


def test_the_student_answers_through_the_teachers_classifier(model):
    teacher = model.teacher.classifier
    for before, now in zip(teacher.parameters(), model.student.head.fc.parameters(), strict=True):
        assert torch.equal(before, now)
        assert not now.requires_grad
    model.eval()
    data = model.data_preprocessor(small_models.batch(), False)
    samples = model.predict(data['inputs'])
    mean = model.student.extract_feat(data['inputs'])[-1]
    expected = teacher(mean).softmax(-1)
    torch.testing.assert_close(torch.stack([each.probe_score for each in samples]), expected)
    # The generative path adds a residual to that.
    assert not torch.allclose(model.distiller.generate(), mean, atol=0.1)


def test_an_initialisation_of_the_student_leaves_the_lent_classifier_alone():
    anew = dict(type='Constant', layer='Linear', val=0.5)
    built = MODELS.build(
        config(small_models.built_teacher(), architecture=dict(init_cfg=dict(anew)))
    )
    built.init_weights()
    assert torch.equal(built.student.head.fc.weight, built.teacher.classifier.weight)


def test_a_teachers_classifier_without_a_bias_is_lent_as_it_is():
    head = TeacherClassifierHead(NUM_CLASSES, TEACHER_DIM)
    lender = torch.nn.Linear(TEACHER_DIM, NUM_CLASSES, bias=False)
    head.borrow(lender)
    feature = torch.randn(2, TEACHER_DIM)
    torch.testing.assert_close(head((feature,)), lender(feature))


def test_the_student_ships_with_the_teachers_classifier_as_a_plain_head(model, tmp_path):
    checkpoint = tmp_path / 'epoch_1.pth'
    torch.save(dict(state_dict=model.state_dict()), checkpoint)
    pipeline = [dict(type='LoadImageFromFile'), dict(type='PackInputs')]
    cfg = Config(
        dict(
            model=fill_in_sizes(config(small_models.teacher())),
            test_dataloader=dict(dataset=dict(type='CustomDataset', pipeline=pipeline)),
        )
    )
    exported = export_student(cfg, str(checkpoint), str(tmp_path / 'out'))
    student = Config.fromfile(exported.config).model
    assert student.head.type == 'LinearClsHead'
    head = MODELS.build(dict(student.head, type='mmpretrain.LinearClsHead'))
    weights = torch.load(exported.weights, weights_only=True)['state_dict']
    head.load_state_dict(
        {k.removeprefix('head.'): v for k, v in weights.items() if k.startswith('head.')}
    )
    feature = torch.randn(2, TEACHER_DIM)
    torch.testing.assert_close(head((feature,)), model.teacher.classifier(feature))


def test_images_without_labels_train_neck_and_backbone(model):
    losses = small_models.losses_of(model, small_models.batch(labels=False))
    assert losses.keys() == {'distill.loss_gendd'}
    losses['distill.loss_gendd'].backward()
    student = model.student
    for part in (student.backbone.conv, student.neck.projector):
        assert all(weight.grad.abs().sum() > 0 for weight in part.parameters() if weight.dim() > 1)
    assert all(weight.grad is None for weight in student.head.parameters())


def test_other_classes_or_no_classifier_are_refused():
    head = dict(type='gendd_mm.TeacherClassifierHead', num_classes=NUM_CLASSES + 1)
    with pytest.raises(ValueError, match=r'has the shape \(3, 8\).*LinearProbeHead'):
        MODELS.build(config(small_models.built_teacher(), architecture=dict(head=head)))
    with pytest.raises(ValueError, match=r'needs a teacher with a classifier.*NoHead'):
        MODELS.build(
            config(
                small_models.built_teacher(),
                teacher_classifier=None,
                architecture=dict(
                    head=dict(type='gendd_mm.TeacherClassifierHead', num_classes=NUM_CLASSES)
                ),
            )
        )


def test_a_projector_takes_maps_and_pooled_features_alone():
    neck = ProjectorNeck(4, 8).eval()
    pooled = torch.randn(2, 4)
    (feature,) = neck((pooled,))
    torch.testing.assert_close(feature, neck((pooled[..., None, None],))[0])
    assert feature.min() < 0
    assert ProjectorNeck(4, 8, relu=True)((torch.randn(2, 4, 3, 3),))[0].min() >= 0
    with pytest.raises(ValueError, match='is no map'):
        neck((torch.randn(2, 5, 4),))
    tokens = dict(type='mmpretrain.VisionTransformer', arch='deit-tiny', out_type='raw')
    with pytest.raises(ValueError, match=r'gives \(2, 197, 192\).*out_type'):
        fill_in_sizes(config(small_models.teacher(), architecture=dict(backbone=tokens)))
