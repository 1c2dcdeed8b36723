"""Hooks: seeds follow from the iteration; labels are looked at first."""

import random
from types import SimpleNamespace

import numpy as np
import pytest
import small_models
import torch
from mmengine.dataset import BaseDataset, ConcatDataset, RepeatDataset
from mmengine.evaluator import DumpResults
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmpretrain.evaluation import Accuracy, SingleLabelMetric
from torch import nn

from gendd_mm.engine.hooks import LabelCheckHook, StepSeedHook, step_seed_hook
from gendd_mm.evaluation import ProbeAccuracy
from gendd_mm.models import heads


# Their place among the hooks of a runner.
@HOOKS.register_module(force=True)
class DrawingHook(Hook):
    """Draws random numbers before each iteration."""

    def before_train_iter(self, *args, **kwargs) -> None:
        drawn()


def test_labels_are_checked_first_and_seeds_are_set_last(tmp_path):
    """Other hooks are registered before ours: the priority alone decides."""
    cfg = small_models.shrunk('digits/student_digits.py', tmp_path)
    others = ('HIGHEST', 'HIGH', 'LOW', 'VERY_LOW', 'LOWEST')
    cfg.custom_hooks = [
        *(dict(type='DrawingHook', priority=priority) for priority in others),
        dict(type='gendd_mm.StepSeedHook'),
        dict(type='gendd_mm.LabelCheckHook'),
    ]
    hooks = small_models.runner_of(cfg).hooks
    names = [
        hook.priority if isinstance(hook, DrawingHook) else type(hook).__name__ for hook in hooks
    ]
    assert names[:4] == ['HIGHEST', 'RuntimeInfoHook', 'LabelCheckHook', 'HIGH']
    assert names[-4:] == ['CheckpointHook', 'VERY_LOW', 'StepSeedHook', 'LOWEST']


def test_a_run_is_the_same_whatever_other_hooks_draw(tmp_path):
    teacher = small_models.digits_teacher(tmp_path / 'teacher.pth')
    weights = []
    for others in ([], [dict(type='DrawingHook', priority='VERY_LOW')]):
        cfg = small_models.shrunk('gendd_digits.py', tmp_path, teacher)
        cfg.train_cfg.max_epochs = 1
        cfg.custom_hooks = others + cfg.custom_hooks
        weights.append(small_models.trained(cfg).model.state_dict())
    for key, value in weights[0].items():
        assert value.equal(weights[1][key]), key


# StepSeedHook.
def drawn() -> list:
    """One number of each global generator."""
    return [random.random(), np.random.rand(), torch.rand(()).item()]


def draws_of(seed=None, rank: int = 0, iteration: int = 0, runner_seed=0, monkeypatch=None) -> list:
    """What a step and the loading of the next batch draw."""
    monkeypatch.setattr(step_seed_hook, 'get_rank', lambda: rank)
    runner = SimpleNamespace(iter=iteration, seed=runner_seed)
    hook = StepSeedHook(seed=seed)
    hook.before_run(runner)
    hook.before_train_iter(runner, 0)
    step = drawn()
    hook.after_train_iter(runner, 0)
    return step + drawn()


def test_draws_are_a_function_of_seed_rank_and_iteration(monkeypatch):
    usual = draws_of(monkeypatch=monkeypatch)
    torch.rand(5), np.random.rand(5), random.random()
    assert draws_of(monkeypatch=monkeypatch) == usual
    for change in (dict(rank=1), dict(iteration=1), dict(seed=1), dict(runner_seed=1)):
        other = draws_of(monkeypatch=monkeypatch, **change)
        assert all(a != b for a, b in zip(other, usual)), change
    # A seed of its own wins over the runner's.
    assert draws_of(seed=0, runner_seed=1, monkeypatch=monkeypatch) == usual


def test_no_two_draws_of_a_run_coincide(monkeypatch):
    """Neither across ranks nor steps, nor between step and augmentation."""
    draws = [
        value
        for rank in range(3)
        for iteration in range(4)
        for value in draws_of(rank=rank, iteration=iteration, monkeypatch=monkeypatch)
    ]
    assert len(set(draws)) == len(draws)


def test_a_resumed_epoch_begins_as_the_unbroken_one(monkeypatch):
    """The first batch of an epoch has the seed that follows the last step."""
    monkeypatch.setattr(step_seed_hook, 'get_rank', lambda: 0)
    hook = StepSeedHook(seed=0)
    hook.after_train_iter(SimpleNamespace(iter=6), 0)
    following = drawn()
    drawn()  # validation
    hook.before_train_epoch(SimpleNamespace(iter=7))
    assert drawn() == following


def test_evaluation_is_not_reseeded():
    hook = StepSeedHook(seed=0)
    assert not {'before_val_iter', 'before_val_epoch', 'before_test_iter'} & set(vars(StepSeedHook))
    torch.manual_seed(5)
    state = torch.get_rng_state()
    hook.before_val_epoch(None)
    assert torch.get_rng_state().equal(state)


# LabelCheckHook.
class Labels(BaseDataset):
    """Samples with the labels given; None for a sample without one."""

    def __init__(self, labels: list) -> None:
        self.labels = labels
        super().__init__(serialize_data=False)

    def load_data_list(self) -> list:
        return [dict() if label is None else dict(gt_label=label) for label in self.labels]

    def get_gt_labels(self):
        return np.array([self.get_data_info(i)['gt_label'] for i in range(len(self))])


def runner(train=(0, 1, 2), val=(0,), wrap=lambda model: model, metric=None):
    head = nn.Module()
    head.num_classes = 3
    model = SimpleNamespace(student=SimpleNamespace(head=head))

    scoring = SimpleNamespace(evaluator=SimpleNamespace(metrics=[metric]))

    def loader(labels):
        return SimpleNamespace(dataset=Labels(list(labels)))

    return SimpleNamespace(
        model=wrap(model),
        train_dataloader=loader(train),
        val_dataloader=None if val is None else loader(val),
        test_dataloader=loader(train),
        val_loop=None if val is None else scoring,
        test_loop=scoring,
    )


@pytest.mark.parametrize('wrong', [3, -1, 255])
@pytest.mark.parametrize(
    'wrap',
    [
        lambda model: model,
        lambda model: SimpleNamespace(module=model),
        lambda model: model.student,
    ],
    ids=['algorithm', 'wrapped', 'plain classifier'],
)
def test_a_label_outside_the_classes_is_named(wrong, wrap):
    message = (
        rf'2 labels of Labels are outside \[0, 3\).* first is {wrong} '
        'at sample 1. Check'
    )
    bad = (0, wrong, 2, wrong)
    with pytest.raises(ValueError, match=message):
        LabelCheckHook().before_train(runner(train=bad, wrap=wrap))
    with pytest.raises(ValueError, match=message):
        LabelCheckHook().before_train(runner(val=bad, wrap=wrap))
    with pytest.raises(ValueError, match=message):
        LabelCheckHook().before_test(runner(train=bad, wrap=wrap))


@pytest.mark.parametrize(
    'wrapper',
    [
        lambda dataset: RepeatDataset(dataset, times=2),
        lambda dataset: ConcatDataset([Labels([0, 1]), dataset]),
    ],
)
def test_labels_are_also_found_inside_of_wrappers(wrapper):
    bad = runner()
    bad.train_dataloader.dataset = wrapper(Labels([0, 5]))
    with pytest.raises(ValueError, match='first is 5 at sample 1'):
        LabelCheckHook().before_train(bad)
    good = runner()
    good.train_dataloader.dataset = wrapper(Labels([0, 1]))
    LabelCheckHook().before_train(good)


def test_good_labels_pass():
    LabelCheckHook().before_train(runner())
    LabelCheckHook().before_train(runner(val=None))
    LabelCheckHook().before_test(runner())


@pytest.mark.fault('Data', 'no labels where the model reads them', 'refused before the first step')
def test_a_supervised_model_needs_labels():
    with pytest.raises(ValueError, match=r'2 labels of Labels are missing.* sample 0.*reads none'):
        LabelCheckHook().before_train(runner(train=(None, None), val=None))
    with pytest.raises(ValueError, match='1 labels of Labels are missing; .* sample 1'):
        LabelCheckHook().before_train(runner(train=(0, None), val=None))


@pytest.mark.parametrize('metric', [ProbeAccuracy(), Accuracy(), SingleLabelMetric()])
def test_a_metric_of_accuracy_needs_labels(metric):
    unlabeled = runner(train=(None,), val=(None,), metric=metric)
    unlabeled.model.reads_labels = False
    for check in (LabelCheckHook().before_train, LabelCheckHook().before_test):
        with pytest.raises(ValueError, match='1 labels of Labels are missing'):
            check(unlabeled)


def test_predictions_alone_need_no_labels(tmp_path):
    metric = DumpResults(str(tmp_path / 'predictions.pkl'))
    LabelCheckHook().before_test(runner(train=(None,), metric=metric))
    with pytest.raises(ValueError, match='1 labels of Labels are missing; .* sample 1'):
        LabelCheckHook().before_test(runner(train=(0, None), metric=metric))


@pytest.mark.parametrize('kind', ['SimKDHead', 'UnlabeledClsHead'])
def test_heads_without_a_loss_of_labels_take_none(kind):
    found = unlabeled_runner(train=(None,))
    head = object.__new__(getattr(heads, kind))
    found.model.student.head = head
    vars(head).update(num_classes=3)
    LabelCheckHook().before_train(found)


def unlabeled_runner(
    trainable=False, mapping=('condition', 'target'), batch_augments=None, **settings
):
    """A run whose model reads no labels, with the changes given."""
    found = runner(**settings)
    found.model.student.head.trainable = trainable
    found.model.distiller = SimpleNamespace(
        loss_forward_mappings=dict(loss_gendd=dict.fromkeys(mapping))
    )
    found.model.data_preprocessor = SimpleNamespace(batch_augments=batch_augments)
    return found


def test_placeholders_pass_where_the_model_reads_no_labels():
    placeholders = (-1, -1)
    LabelCheckHook().before_train(unlabeled_runner(train=placeholders))
    for reader in (
        dict(trainable=True),
        dict(batch_augments=object()),
        dict(mapping=('condition', 'target', 'labels')),
        dict(mapping=('preds', 'gt_labels')),
    ):
        with pytest.raises(ValueError, match='2 labels .* first is -1'):
            LabelCheckHook().before_train(unlabeled_runner(train=placeholders, **reader))


def test_evaluation_always_reads_labels():
    with pytest.raises(ValueError, match='1 labels .* first is -1'):
        LabelCheckHook().before_train(unlabeled_runner(val=(-1,)))
    with pytest.raises(ValueError, match='1 labels .* first is -1'):
        LabelCheckHook().before_test(unlabeled_runner(train=(-1,)))


@pytest.mark.parametrize('supervised', [True, False])
def test_the_algorithm_says_whether_it_reads_labels(supervised):
    found = runner(train=(-1,))
    found.model = small_models.built(supervised)
    if supervised:
        with pytest.raises(ValueError, match='first is -1'):
            LabelCheckHook().before_train(found)
    else:
        LabelCheckHook().before_train(found)


@pytest.mark.parametrize('reads_labels', [True, False])
def test_a_model_without_a_distiller_may_say_it_itself(reads_labels):
    found = runner(train=(-1,))
    found.model.reads_labels = reads_labels
    if reads_labels:
        with pytest.raises(ValueError, match='first is -1'):
            LabelCheckHook().before_train(found)
    else:
        LabelCheckHook().before_train(found)


def test_what_states_no_classes_or_gives_no_labels_passes():
    plain = runner(train=(9,))
    plain.model = nn.Linear(2, 2)
    LabelCheckHook().before_train(plain)
    other = runner()
    other.train_dataloader.dataset = [1, 2]
    LabelCheckHook().before_train(other)


@pytest.mark.parametrize('name', ['StepSeedHook', 'LabelCheckHook'])
def test_builds_in_other_projects(build, name):
    assert type(build(HOOKS, type=f'gendd_mm.{name}')).__name__ == name
