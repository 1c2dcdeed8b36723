"""GenDD: what a training step does, and to whom; what a prediction is."""

import copy

import pytest
import small_models
import torch
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS
from mmpretrain.structures import DataSample
from small_models import batch, built, built_teacher, losses_of
from torch import nn

from gendd_mm.models.algorithms.measured_sizes import with_measured_sizes
from gendd_mm.models.algorithms.teacher_records import with_teacher_records


def state_of(module: nn.Module) -> dict:
    return {k: v.clone() for k, v in module.state_dict().items()}


def equal_states(one: dict, other: dict) -> bool:
    return all(value.equal(other[key]) for key, value in one.items())


def train_step(model, data: dict, optimizer: str = 'SGD') -> dict:
    wrapper = build_optim_wrapper(model, dict(optimizer=dict(type=optimizer, lr=0.1)))
    model.train()
    return model.train_step(data, wrapper)


# The teacher.
def test_the_whole_teacher_is_in_eval_mode():
    noisy = dict(backbone=dict(dropout=0.5, drop_path=0.5))
    teacher = built_teacher(**noisy)
    model = built(teacher=teacher).train()
    assert model.training
    assert model.student.backbone.training
    assert not any(module.training for module in teacher.modules())
    images = torch.randn(4, 3, 8, 8)
    first, second = (model.teacher.extract_feat(images)[-1] for _ in range(2))
    assert first.equal(second)
    # The very features of evaluation, batch norm included.
    assert first.equal(teacher.eval().extract_feat(images)[-1])
    assert not first.requires_grad


def test_teacher_is_unchanged_after_a_step():
    teacher = built_teacher()
    model = built(teacher=teacher)
    before, student = state_of(teacher), state_of(model.student)
    log = train_step(model, batch())
    assert {'distill.loss_gendd', 'student.loss'} <= log.keys()
    assert equal_states(before, teacher.state_dict())
    assert all(parameter.grad is None for parameter in teacher.parameters())
    assert not equal_states(student, model.student.state_dict())


def test_the_teacher_is_in_no_list_of_the_model():
    model = built()
    names = [
        *model.state_dict(),
        *dict(model.named_parameters()),
        *dict(model.named_modules()),
        *dict(model.named_buffers()),
    ]
    assert not any('teacher' in name for name in names)


@pytest.mark.parametrize('dtype', [torch.float64, torch.half])
def test_the_teacher_moves_along(dtype):
    model = built().to(dtype)
    for tensor in (
        *model.teacher.model.parameters(),
        model.teacher.model.backbone.norm.running_mean,
        model.teacher.renormalize.scale,
    ):
        assert tensor.dtype == dtype
    if dtype is torch.float64:
        images = torch.randn(2, 3, 8, 8, dtype=dtype)
        losses = model(images, batch(2)['data_samples'], mode='loss')
        assert losses['distill.loss_gendd'].dtype == dtype
        # The class centres that MMRazor recorded are the moved ones.
        centres = model.distiller.get_record('class_centers', False)
        assert centres.dtype == dtype


@pytest.mark.parametrize('dtype', ['bfloat16', 'float16', 'float32'])
def test_the_teacher_runs_in_the_precision_asked_for(dtype):
    teacher = built_teacher()
    images = torch.randn(4, 3, 8, 8)
    exact = built(teacher=teacher).teacher.extract_feat(images)[-1]
    model = built(teacher=teacher, teacher_dtype=dtype)
    seen = []
    for module in teacher.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            module.register_forward_hook(lambda *args: seen.append(args[-1].dtype))
    # That of the run is another one.
    with torch.autocast('cpu', torch.bfloat16, enabled=dtype == 'float32'):
        feature = model.teacher.extract_feat(images)[-1]
    assert set(seen) == {getattr(torch, dtype)}
    torch.testing.assert_close(feature.float(), exact, rtol=0.05, atol=0.05)
    assert train_step(model, batch())['distill.loss_gendd'].isfinite()


def test_an_unknown_precision_of_the_teacher_is_refused():
    with pytest.raises(ValueError, match="teacher_dtype='half' is unknown"):
        built(teacher_dtype='half')


def test_channels_last_lays_out_both_models_and_changes_no_result():
    teacher = built_teacher()
    images = torch.randn(4, 3, 8, 8)
    plain, model = built(teacher=teacher), None
    expected = plain.eval().predict(images)
    model = built(teacher=teacher, channels_last=True).eval()
    model.load_state_dict(plain.state_dict())
    layouts = []
    for part in (model.student, teacher):
        for module in part.modules():
            if isinstance(module, nn.Conv2d):
                assert module.weight.is_contiguous(memory_format=torch.channels_last)
                module.register_forward_pre_hook(
                    lambda _, inputs: layouts.append(
                        inputs[0].is_contiguous(memory_format=torch.channels_last)
                    )
                )
    for sample, same in zip(model.predict(images), expected):
        torch.testing.assert_close(sample.pred_score, same.pred_score)
    train_step(model, batch())
    assert layouts
    assert all(layouts)


def test_compiled_it_trains_and_predicts_the_same():
    """As dynamo sees it; the kernels are those of eager mode."""
    teacher = built_teacher()
    plain = built(teacher=teacher)
    model = built(teacher=teacher, compile=dict(backend='aot_eager'))
    assert model.state_dict().keys() == plain.state_dict().keys()
    model.load_state_dict(plain.state_dict())
    data, results = batch(), []
    for either in (plain, model):
        torch.manual_seed(0)
        losses = train_step(either, copy.deepcopy(data))
        predictions = either.eval().test_step(copy.deepcopy(data))
        results.append((losses['loss'], torch.stack([p.pred_score for p in predictions])))
    torch.testing.assert_close(results[0], results[1])


def test_classifiers_of_timm_train_and_predict():
    """They have neither a backbone, to compile, nor a head."""
    pytest.importorskip('timm')
    network = dict(type='mmpretrain.TimmClassifier', model_name='resnet10t', num_classes=3)
    loss = dict(type='mmpretrain.CrossEntropyLoss')
    config = small_models.gendd(supervised=False)
    distiller = config['distiller']
    pooled = dict(type='mmrazor.ModuleOutputs', source='model.global_pool')
    distiller['student_recorders'] = dict(feat=pooled)
    mappings = distiller['loss_forward_mappings']['loss_gendd']
    mappings['condition']['data_idx'] = None
    distiller['connectors']['condition']['normalized_shape'] = 512
    distiller['distill_losses']['loss_gendd']['head'].update(condition_dim=512, target_dim=512)
    config.update(architecture=dict(network, loss=loss), teacher=MODELS.build(network))
    model = MODELS.build(dict(config, compile=dict(backend='aot_eager')))
    for _ in range(2):
        assert losses_of(model, batch())['distill.loss_gendd'].isfinite()
    sample = model.eval().test_step(batch())[0]
    assert sample.pred_score.shape == sample.probe_score.shape == (3,)


def test_a_copy_shares_the_teacher_and_works():
    """As an EMA makes one, also in the middle of a run."""
    model = built()
    model.eval()
    model.val_step(batch(2))
    twin = copy.deepcopy(model)
    assert twin.teacher is model.teacher
    assert not ({id(p) for p in twin.parameters()} & {id(p) for p in model.parameters()})
    model.eval(), twin.eval()
    one, other = (
        m.test_step(data)[0].pred_score for m, data in zip((model, twin), [seeded_batch()] * 2)
    )
    assert one.equal(other)


@pytest.mark.parametrize(
    'init_cfg',
    [
        dict(type='Constant', layer=['Conv2d', 'Linear'], val=0.5),
        [dict(type='Normal', layer='Linear'), dict(type='Kaiming', layer='Conv2d')],
    ],
)
def test_init_weights_never_touches_the_teacher(init_cfg, tmp_path):
    """Neither the model's init_cfg, nor that of the teacher's own config."""
    path = small_models.saved_teacher(tmp_path / 'teacher.pth')
    saved = torch.load(path)['state_dict']
    model = small_models.MODELS.build(
        small_models.gendd(
            teacher=small_models.teacher(init_cfg=init_cfg), teacher_ckpt=path, init_cfg=init_cfg
        )
    )
    before = state_of(model.student)
    model.init_weights()
    assert equal_states(saved, model.teacher.model.state_dict())
    assert not equal_states(before, model.student.state_dict())


# Gradients.
def test_probe_sends_no_gradient_to_backbone():
    model = built()
    losses = losses_of(model, batch())
    losses['student.loss'].backward()
    assert all(p.grad is None for p in model.student.backbone.parameters())
    assert (model.student.head.fc.weight.grad != 0).any()
    assert all(p.grad is None for p in model.distiller.parameters())


def test_the_generative_loss_moves_the_backbone_and_not_the_probe():
    model = built()
    # A fresh denoiser ignores its condition: its gates are zero.
    with torch.no_grad():
        for parameter in model.distiller.gendd_loss.head.parameters():
            parameter.normal_(std=0.3)
    losses_of(model, batch())['distill.loss_gendd'].backward()
    assert (model.student.backbone.conv.weight.grad != 0).any()
    assert model.student.head.fc.weight.grad is None


@pytest.mark.parametrize('supervised', [True, False])
def test_every_parameter_that_trains_gets_a_gradient(supervised):
    """What find_unused_parameters=False of DDP needs."""
    model = built(supervised)
    losses = losses_of(model, batch(labels=supervised))
    model.parse_losses(losses)[0].backward()
    without = {name for name, p in model.named_parameters() if p.requires_grad and p.grad is None}
    assert not without


# Labels.
def loss_settings(**settings) -> dict:
    distiller = small_models.gendd()['distiller']
    distiller['distill_losses']['loss_gendd'].update(settings)
    return dict(distiller=distiller, architecture=small_models.student(False))


@pytest.mark.parametrize(
    'settings',
    [
        None,
        loss_settings(contraction=None),
        loss_settings(contraction=dict(type='DistributionContraction', strength=0)),
        loss_settings(
            contraction=dict(type='DistributionContraction', strength=0.9, teacher_label_weight=1)
        ),
    ],
    ids=['base config', 'no contraction', 'strength 0', 'teacher labels alone'],
)
def test_training_without_labels_reads_none(settings):
    model = built(supervised=settings is not None, **(settings or {}))
    before = state_of(model.student)
    data = batch(labels=False)
    log = train_step(model, data)
    assert set(log) == {'loss', 'distill.loss_gendd'}
    assert not equal_states(before, model.student.state_dict())
    # Samples may be missing altogether.
    train_step(model, dict(inputs=data['inputs']))


def test_with_labels_to_read_their_absence_is_an_error():
    with pytest.raises(Exception, match='gt_label'):
        train_step(built(), batch(labels=False))


@pytest.mark.parametrize(
    'augment', [dict(type='mmpretrain.Mixup', alpha=1.0), dict(type='mmpretrain.CutMix', alpha=1.0)]
)
def test_mixed_labels_reach_the_loss(augment, monkeypatch):
    model = built(
        architecture=small_models.student(
            train_cfg=dict(augments=augment),
            data_preprocessor=dict(
                num_classes=small_models.NUM_CLASSES, type='mmpretrain.ClsDataPreprocessor'
            ),
        )
    )
    seen = {}
    loss = model.distiller.gendd_loss
    forward = loss.forward
    monkeypatch.setattr(
        loss, 'forward', lambda **kwargs: (seen.update(kwargs), forward(**kwargs))[1]
    )
    data = model.data_preprocessor(batch(), True)
    losses = model(data['inputs'], data['data_samples'], mode='loss')
    mixed = torch.stack([s.gt_score for s in data['data_samples']])
    assert seen['labels'].equal(mixed)
    assert ((mixed > 0) & (mixed < 1)).any()
    torch.testing.assert_close(mixed.sum(1), torch.ones(len(mixed)))
    # The probe learns the mixture too.
    scores = model.student.head(model.student.extract_feat(data['inputs']))
    torch.testing.assert_close(losses['student.loss'], nn.functional.cross_entropy(scores, mixed))


def test_a_preprocessor_that_would_drop_mixup_is_refused():
    student = small_models.student(
        train_cfg=dict(augments=dict(type='mmpretrain.Mixup', alpha=1.0))
    )
    with pytest.raises(ValueError, match='put data_preprocessor into the student'):
        built(
            architecture=student,
            data_preprocessor=dict(type='mmpretrain.ClsDataPreprocessor', num_classes=3),
        )


# Prediction.
def seeded_batch(size: int = 5) -> dict:
    torch.manual_seed(1)
    return batch(size)


def test_predictions_of_both_paths_are_distributions():
    model = built().eval()
    for sample in model.test_step(batch()):
        for path in ('pred', 'probe'):
            score = sample.get(f'{path}_score')
            assert score.shape == (small_models.NUM_CLASSES,)
            assert score.min() >= 0
            assert score.sum().item() == pytest.approx(1, abs=1e-5)
            label = sample.get(f'{path}_label')
            assert label.item() == score.argmax().item()


def test_probe_score_is_the_students_own_prediction():
    model = built().eval()
    data = seeded_batch()
    own = model.student.test_step(copy.deepcopy(data))
    for sample, plain in zip(model.test_step(data), own):
        torch.testing.assert_close(sample.probe_score, plain.pred_score)


def test_pred_score_is_the_teachers_classifier_on_the_mean_draw(monkeypatch):
    model = built().eval()
    drawn = torch.randn(4, 5, small_models.TEACHER_DIM)
    monkeypatch.setattr(model.distiller.gendd_loss.head, 'sample', lambda *arguments: drawn)
    fc = model.teacher.model.head.fc
    expected = fc(drawn.mean(0)).softmax(-1)
    for sample, score in zip(model.test_step(seeded_batch()), expected):
        torch.testing.assert_close(sample.pred_score, score)


@pytest.mark.parametrize(('step', 'draws'), [('val_step', 2), ('test_step', 3)])
def test_validation_and_test_have_their_own_number_of_draws(step, draws, monkeypatch):
    model = built(val_num_draws=2, test_num_draws=3).eval()
    head = model.distiller.gendd_loss.head
    sample, seen = head.sample, []
    monkeypatch.setattr(
        head,
        'sample',
        lambda condition, num_draws, *rest: (
            seen.append(num_draws),
            sample(condition, num_draws, *rest),
        )[1],
    )
    getattr(model, step)(batch())
    assert seen == [draws]


def test_evaluation_is_repeatable_and_leaves_training_alone():
    model = built()
    torch.manual_seed(7)
    before = torch.get_rng_state()
    scores = []
    for _ in range(2):
        model.train()
        model.eval()
        state = torch.get_rng_state()
        torch.manual_seed(3)
        data = [batch(4), batch(4)]
        torch.set_rng_state(state)
        results = [s for part in data for s in model.val_step(part)]
        scores.append(torch.stack([s.pred_score for s in results]))
    assert scores[0].equal(scores[1])
    assert torch.get_rng_state().equal(before)
    # Batches of one evaluation have noise of their own.
    same = seeded_batch()
    model.eval()
    first, second = (model.val_step(copy.deepcopy(same))[0].pred_score for _ in range(2))
    assert not first.equal(second)


def test_another_seed_is_another_evaluation():
    teacher = built_teacher()
    one, other = (built(teacher=teacher, sample_seed=s) for s in (0, 1))
    other.load_state_dict(one.state_dict())
    first, second = (m.eval().val_step(seeded_batch())[0].pred_score for m in (one, other))
    assert not first.equal(second)


def test_another_rank_has_other_noise(monkeypatch):
    """Each has images of its own, which must not share their noise."""
    model = built()
    scores = []
    for rank in (0, 1, 0):
        monkeypatch.setattr('gendd_mm.models.algorithms.gendd.get_rank', lambda rank=rank: rank)
        model.train().eval()
        scores.append(model.val_step(seeded_batch())[0].pred_score)
    assert not scores[0].equal(scores[1])
    assert scores[0].equal(scores[2])


def test_images_are_not_mixed_for_evaluation():
    augments = dict(augments=dict(type='mmpretrain.Mixup', alpha=1.0))
    mixing = built(
        architecture=small_models.student(
            train_cfg=augments,
            data_preprocessor=dict(num_classes=3, type='mmpretrain.ClsDataPreprocessor'),
        )
    )
    plain = built(teacher=mixing.teacher.model)
    plain.load_state_dict(mixing.state_dict())
    for step in ('val_step', 'test_step'):
        one, other = (getattr(model.eval(), step)(seeded_batch()) for model in (mixing, plain))
        for sample, same in zip(one, other):
            assert sample.probe_score.equal(same.probe_score)
            assert sample.pred_score.equal(same.pred_score)


def test_samples_may_be_missing():
    model = built().eval()
    images = batch()['inputs']
    for samples in (
        model(images, None, mode='predict'),
        model.predict(images),
        model.test_step(dict(inputs=images)),
    ):
        assert len(samples) == len(images)
        assert all(isinstance(s, DataSample) for s in samples)
        assert all('pred_score' in s and 'probe_score' in s for s in samples)


def test_an_untrained_probe_is_left_out():
    model = built(supervised=False).eval()
    sample = model.test_step(batch(labels=False))[0]
    assert 'pred_score' in sample
    assert 'probe_score' not in sample
    assert 'probe_label' not in sample


def test_guidance_1_needs_no_condition_drop():
    settings = dict(
        condition_drop=0.0,
        sampling=dict(type='ancestral', num_steps=3, start_t=900, guidance_scale=1.0),
    )
    model = built(head=settings)
    train_step(model, batch())
    assert 'pred_score' in model.eval().test_step(batch())[0]


# Together with others.
def test_gendd_combines_with_other_losses_of_mmrazor():
    distiller = small_models.gendd()['distiller']
    distiller['connectors']['features'] = dict(
        type='mmrazor.TorchNNConnector',
        module_name='Linear',
        module_args=dict(
            in_features=small_models.STUDENT_DIM, out_features=small_models.TEACHER_DIM
        ),
    )
    distiller['distill_losses']['loss_l2'] = dict(type='mmrazor.L2Loss', loss_weight=2.0)
    distiller['loss_forward_mappings']['loss_l2'] = dict(
        s_feature=dict(recorder='feat', from_student=True, data_idx=-1, connector='features'),
        t_feature=dict(recorder='target', from_student=False, data_idx=-1),
    )
    model = built(distiller=distiller)
    log = train_step(model, batch())
    assert {'distill.loss_gendd', 'distill.loss_l2'} <= log.keys()
    total = log['student.loss'] + log['distill.loss_gendd'] + log['distill.loss_l2']
    torch.testing.assert_close(log['loss'], total)
    assert 'pred_score' in model.eval().test_step(batch())[0]


def test_a_loss_given_as_a_class_gets_its_records():
    distiller = small_models.gendd()['distiller']
    distiller['distill_losses']['loss_gendd']['type'] = MODELS.get('gendd_mm.GenDDLoss')
    model = built(distiller=distiller)
    assert losses_of(model, batch())['distill.loss_gendd'].isfinite()


def test_gendd_loss_works_in_mmrazors_own_distiller():
    teacher = built_teacher()
    distiller = with_teacher_records(small_models.gendd()['distiller'], teacher, 'head.fc')
    _, distiller = with_measured_sizes(small_models.student(), distiller, teacher.head.fc)
    distiller['type'] = 'mmrazor.ConfigurableDistiller'
    model = small_models.MODELS.build(
        dict(
            type='mmrazor.SingleTeacherDistill',
            architecture=small_models.student(),
            teacher=teacher,
            distiller=distiller,
        )
    )
    log = train_step(model, batch())
    assert 'distill.loss_gendd' in log


def test_builds_in_other_projects(build):
    model = build(small_models.MODELS, **small_models.gendd(teacher=built_teacher()))
    assert type(model).__name__ == 'GenDD'


# Sizes.
@pytest.mark.parametrize(
    ('head', 'message'),
    [
        (dict(target_dim=16), 'target_dim=16 .*set target_dim=8'),
        (dict(condition_dim=5), 'condition_dim=5 .*set condition_dim=4'),
    ],
)
def test_sizes_that_do_not_fit_are_refused(head, message):
    with pytest.raises(ValueError, match=message):
        built(head=head)


def other_classes() -> dict:
    student = small_models.student()
    student['head']['num_classes'] = 5
    return student


def test_labels_of_other_classes_cannot_contract():
    with pytest.raises(ValueError, match='num_classes=5 .*set num_classes=3.*contraction=None'):
        built(architecture=other_classes())


def test_without_contraction_a_student_may_have_classes_of_its_own():
    distiller = small_models.gendd()['distiller']
    distiller['distill_losses']['loss_gendd']['contraction'] = None
    model = built(architecture=other_classes(), distiller=distiller)
    losses = losses_of(model, batch())
    assert losses['distill.loss_gendd'].isfinite()
    # Scores of the teacher's classes would be compared with labels of others.
    sample = model.eval().test_step(batch())[0]
    assert 'pred_score' not in sample
    assert sample.probe_score.shape == (5,)


def test_an_untrained_probe_says_nothing_of_the_classes():
    student = other_classes()
    student['head']['trainable'] = False
    model = built(supervised=False, architecture=student)
    sample = model.eval().test_step(batch())[0]
    assert sample.pred_score.shape == (3,)
    assert 'probe_score' not in sample


@pytest.mark.parametrize(
    ('feature', 'message'),
    [
        (lambda x: x, r'maps \(B, S, H, W\) instead.*GlobalAveragePooling'),
        (lambda x: x.flatten(2).transpose(1, 2), 'tokens .*out_type="cls_token"'),
        (lambda x: x.mean((1, 2, 3)), r'gives \(2,\) for two images instead'),
        (lambda x: x.mean((1, 2, 3))[:, None], 'size 1 is constant once it is normalised'),
    ],
)
def test_a_feature_that_no_head_can_learn_from_is_refused(feature, message, monkeypatch):
    monkeypatch.setattr(
        'mmpretrain.models.GlobalAveragePooling.forward',
        lambda self, inputs: (feature(inputs[-1]),),
    )
    # Whatever the student's own head says of it.
    monkeypatch.setattr('gendd_mm.models.LinearProbeHead.forward', lambda self, feats: None)
    teacher = small_models.built_teacher()
    teacher.neck = nn.Sequential(nn.Identity())
    teacher.neck.forward = lambda feats: (feats[-1].mean((2, 3)),)
    with pytest.raises(ValueError, match=message):
        built(teacher=teacher)


@pytest.mark.parametrize(
    ('head', 'warns'),
    [
        (dict(type='mmpretrain.LinearClsHead'), True),
        (dict(type='gendd_mm.LinearProbeHead'), False),
        (dict(type='gendd_mm.LinearProbeHead', trainable=False), False),
        (dict(type='gendd_mm.LinearProbeHead', standardize=True), False),
    ],
)
def test_a_classifier_that_trains_the_backbone_too_is_said(head, warns, monkeypatch):
    said = []
    monkeypatch.setattr(
        'gendd_mm.models.algorithms.pair_checks.print_log',
        lambda text, **kwargs: said.append(text),
    )
    student = small_models.student()
    del student['head']['trainable']
    student['head'].update(head)
    model = built(architecture=student)
    assert len(said) == warns
    if warns:
        assert 'LinearClsHead' in said[0]
        assert 'gendd_mm.LinearProbeHead' in said[0]
    assert all(p.grad is None for p in model.parameters())


def test_a_norm_of_another_size_is_refused():
    distiller = small_models.gendd()['distiller']
    distiller['connectors']['condition']['normalized_shape'] = 6
    with pytest.raises(ValueError, match='normalized_shape=.*6'):
        built(distiller=distiller)


@pytest.mark.parametrize('name', ['val_num_draws', 'test_num_draws'])
def test_no_draws_are_refused(name):
    with pytest.raises(ValueError, match=f'{name}=0 must be at least 1'):
        built(**{name: 0})
