"""The config of a run that trains the probe of another run anew."""

from mmengine.config import Config

from gendd_mm.deploy.export import PLAIN_HEADS
from gendd_mm.deploy.named_types import named_types
from gendd_mm.deploy.start_weights import without_origin
from gendd_mm.registry import type_name

# What a run of the probe has from the run itself. The schedule is another, and
# the work dir follows from its own name.
KEPT = (
    'custom_imports',
    'default_scope',
    'data_preprocessor',
    'train_dataloader',
    'val_dataloader',
    'test_dataloader',
    'default_hooks',
    'env_cfg',
    'visualizer',
    'log_processor',
    'log_level',
    'randomness',
)


def probe_config(cfg: Config, checkpoint: str, schedule: Config) -> Config:
    """Derive the published probe protocol for a run from its config.

    Images, augmentation, student and teacher are those of the run. The
    student, frozen, starts from the checkpoint; its head becomes a new
    ``LinearClsHead``. Where the run reads no labels, the target is the
    teacher's softmax alone.

    Args:
        cfg: Config of a distillation.
        checkpoint: Checkpoint of that run.
        schedule: Optimiser, epochs and loops; ``_base_/schedules/probe.py``
            is the published one.

    Returns:
        A whole config, for ``tools/train.py``.

    Raises:
        ValueError: If ``cfg`` has no student or no teacher, or the student
            has no head that is one linear layer.
    """
    run = named_types(cfg.to_dict())
    lacking = [part for part in ('architecture', 'teacher') if part not in run['model']]
    if lacking:
        raise ValueError(
            f'model.type={run["model"].get("type")!r} has no {" and no ".join(lacking)}, but a '
            'probe is trained on a student with a teacher; give the config of a distillation.'
        )
    return Config(
        {
            **{key: run[key] for key in KEPT if key in run},
            **schedule.to_dict(),
            **{
                key: _probe_only(run[key])
                for key in ('val_evaluator', 'test_evaluator')
                if key in run
            },
            'custom_hooks': _hooks(run, checkpoint),
            'model': _model(run['model']),
        }
    )


def _model(model: dict) -> dict:
    """The algorithm: the run's student with a new head, and its teacher."""
    student = without_origin(model['architecture'])  # it starts from the checkpoint
    head = dict(student.get('head') or {})
    kind = type_name(head.get('type'))
    if kind not in (*PLAIN_HEADS, 'LinearClsHead'):
        raise ValueError(
            f'model.architecture.head.type={head.get("type")!r} is not one linear layer, so it '
            f'cannot be trained anew; a probe replaces {", ".join(PLAIN_HEADS)} or LinearClsHead.'
        )
    reads_labels = head.pop('trainable', True) and kind != 'UnlabeledClsHead'
    head.pop('standardize', None)
    if 'loss' in head:
        # Label and teacher are weighed by the algorithm.
        head['loss'] = {key: value for key, value in head['loss'].items() if key != 'loss_weight'}
    settings = dict(
        type='gendd_mm.LinearProbing',
        architecture=dict(student, head=dict(head, type='mmpretrain.LinearClsHead')),
        **{
            key: model[key]
            for key in (
                'data_preprocessor',
                'teacher',
                'teacher_ckpt',
                'teacher_classifier',
                'teacher_dtype',
            )
            if key in model
        },
    )
    if not reads_labels:
        settings['teacher_weight'] = 1.0
    return settings


def _hooks(run: dict, checkpoint: str) -> list[dict]:
    """The run's hooks, but everything below the head starts from the checkpoint."""
    kept = [
        hook for hook in run.get('custom_hooks') or [] if type_name(hook['type']) != 'WarmStartHook'
    ]
    for part in ('backbone', 'neck'):
        if run['model']['architecture'].get(part) is not None:
            name = f'architecture.{part}'
            kept.append(
                dict(type='gendd_mm.WarmStartHook', checkpoint=checkpoint, source=name, target=name)
            )
    return kept


def _probe_only(evaluator):
    """An evaluator that reads ``probe_score``, as the metrics of GenDD do."""
    if isinstance(evaluator, list):
        return [_probe_only(metric) for metric in evaluator]
    if isinstance(evaluator, dict) and type_name(evaluator['type']) == 'Accuracy':
        return dict(type='gendd_mm.ProbeAccuracy', topk=evaluator.get('topk', (1,)))
    return evaluator
