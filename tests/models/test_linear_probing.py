"""LinearProbing: the published target, on a student that stays as it is."""

import pytest
import small_models
import torch
import torch.nn.functional as F
from mmpretrain.models import LabelSmoothLoss
from small_models import MODELS, NUM_CLASSES, STUDENT_DIM


def built(teacher=None, **settings):
    """The algorithm on the tiny models, random statistics in the student."""
    student = small_models.classifier(
        STUDENT_DIM,
        'mmpretrain.LinearClsHead',
        backbone=dict(dropout=0.5),
        **settings.pop('student', {}),
    )
    model = MODELS.build(
        dict(
            type='gendd_mm.LinearProbing',
            architecture=student,
            teacher=teacher or small_models.built_teacher(),
            **settings,
        )
    )
    norm = model.student.backbone.norm
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.5, 2)
    return model


def expected_gradient(model, data: dict, labels: torch.Tensor) -> torch.Tensor:
    """Of the cross-entropy to the mixed target at the layer, by its closed form."""
    inputs = data['inputs']
    with torch.no_grad():
        student = model.student
        student.eval()
        feature = student.backbone(inputs)[0].mean((2, 3))
        scores = student.head.fc(feature).softmax(1)
        teacher = model.teacher.model(inputs, mode='tensor').softmax(1)
    error = scores - torch.lerp(labels, teacher, model.teacher_weight)
    return error.T @ feature / len(feature)


def test_the_published_target_is_half_label_half_teacher():
    assert built().teacher_weight == 0.5


@pytest.mark.parametrize('share', [0.0, 0.25, 0.5])
@pytest.mark.parametrize('mixed', [False, True])
def test_the_gradient_is_that_of_the_mixed_target(mixed, share):
    augments = dict(
        train_cfg=dict(augments=dict(type='mmpretrain.Mixup', alpha=1.0)),
        data_preprocessor=dict(num_classes=NUM_CLASSES),
    )
    model = built(student=augments if mixed else {}, teacher_weight=share)
    model.train()
    data = model.data_preprocessor(small_models.batch(), True)
    samples = data['data_samples']
    if mixed:
        labels = torch.stack([sample.gt_score for sample in samples])
        assert labels.max() < 1
    else:
        labels = F.one_hot(torch.cat([s.gt_label for s in samples]), NUM_CLASSES).float()
    losses = model(**data, mode='loss')
    sum(losses.values()).backward()
    gradient = model.student.head.fc.weight.grad
    torch.testing.assert_close(gradient, expected_gradient(model, data, labels))
    trained = [name for name, p in model.named_parameters() if p.grad is not None]
    assert trained == ['architecture.head.fc.weight', 'architecture.head.fc.bias']


def test_training_changes_the_linear_layer_alone():
    """Statistics of batch norm included, and dropout is off."""
    model = built()
    model.train()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    assert not any('teacher' in key for key in before)
    optimizer = torch.optim.SGD(model.parameters(), lr=30)
    data = model.data_preprocessor(small_models.batch(), True)
    losses = [model(**data, mode='loss') for _ in range(2)]
    assert losses[0] == losses[1]
    sum(losses[0].values()).backward()
    optimizer.step()
    changed = {key for key, value in model.state_dict().items() if not value.equal(before[key])}
    assert changed == {'architecture.head.fc.weight', 'architecture.head.fc.bias'}


def test_labels_count_as_the_loss_of_the_head_makes_them():
    model = built()
    model.student.head.loss_module = LabelSmoothLoss(0.3, num_classes=NUM_CLASSES)
    model.train()
    data = model.data_preprocessor(small_models.batch(), True)
    labels = F.one_hot(torch.cat([s.gt_label for s in data['data_samples']]), NUM_CLASSES)
    sum(model(**data, mode='loss').values()).backward()
    gradient = expected_gradient(model, data, 0.7 * labels + 0.1)
    torch.testing.assert_close(model.student.head.fc.weight.grad, gradient)


def test_with_the_teacher_alone_no_label_is_read():
    model = built(teacher_weight=1.0)
    assert not model.reads_labels
    data = model.data_preprocessor(small_models.batch(labels=False), True)
    assert list(model(**data, mode='loss')) == ['loss_teacher']


def test_it_predicts_as_the_probe():
    model = built()
    model.eval()
    data = small_models.batch()
    samples = model.test_step(data)
    inputs = model.data_preprocessor(data, False)['inputs']
    scores = model(inputs).softmax(1)
    for sample, score in zip(samples, scores):
        torch.testing.assert_close(sample.probe_score, score)
        assert sample.probe_label == score.argmax()
        assert 'pred_score' not in sample


def test_the_teacher_sees_images_in_its_own_normalisation():
    teacher = small_models.built_teacher(
        data_preprocessor=dict(type='mmpretrain.ClsDataPreprocessor', mean=[9.0] * 3, std=[3.0] * 3)
    )
    model = built(teacher=teacher)
    data = small_models.batch()
    expected = teacher(teacher.data_preprocessor(data, False)['inputs'], mode='tensor').softmax(1)
    seen = model.data_preprocessor(data, True)
    model.student.head.fc.weight.data.zero_()  # every image has the scores of the bias
    sum(model(**seen, mode='loss').values()).backward()
    labels = F.one_hot(torch.cat([s.gt_label for s in seen['data_samples']]), NUM_CLASSES)
    error = model.student.head.fc.bias.softmax(0) - (labels + expected) / 2
    torch.testing.assert_close(model.student.head.fc.bias.grad, error.mean(0))


@pytest.mark.parametrize('weight', [-0.1, 1.5])
def test_a_share_outside_of_0_to_1_is_refused(weight):
    with pytest.raises(ValueError, match=f'teacher_weight={weight} is a share'):
        built(teacher_weight=weight)


def test_a_head_without_a_linear_layer_is_refused():
    student = small_models.student()
    student['head'] = dict(type='mmpretrain.ClsHead')
    config = dict(type='gendd_mm.LinearProbing', teacher=small_models.built_teacher())
    with pytest.raises(ValueError, match='ClsHead has no linear layer fc'):
        MODELS.build(dict(config, architecture=student))


def test_a_teacher_without_a_classifier_is_refused():
    with pytest.raises(ValueError, match='teacher_classifier=None: .*teacher with a classifier'):
        small_models.MODELS.build(
            dict(
                type='gendd_mm.LinearProbing',
                architecture=small_models.student(),
                teacher=small_models.built_teacher(),
                teacher_classifier=None,
            )
        )
