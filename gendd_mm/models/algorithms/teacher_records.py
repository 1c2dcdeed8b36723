"""What a distiller records of the teacher, where the config leaves it open."""

from torch import nn

from gendd_mm.registry import type_name

from .teacher_features import ATTRIBUTE, FEATURES

__all__ = ['feature_names', 'with_teacher_records']


def with_teacher_records(distiller: dict, teacher: nn.Module, classifier: str | None) -> dict:
    """Add the records of the teacher that GenDD reads.

    ``target`` is what enters the classifier, ``class_centers`` its weight, ``class_bias``
    its bias. Without a classifier, ``target`` is the feature ``pooled``, and a mapping may
    name another feature as its recorder. A later GenDDLoss has the condition of the
    first unless it maps its own. A recorder or mapping that the config states stays.

    Args:
        distiller: Config of a :class:`GenDDDistiller`.
        teacher: The teacher.
        classifier: Name of the linear layer that gives the teacher's scores. None if it
            has none.

    Returns:
        A completed copy.

    Raises:
        ValueError: If a contraction needs class centres, or a mapping a feature, that the
            teacher does not have.
    """
    recorders = dict(distiller.get('teacher_recorders') or {})
    mappings = dict(distiller.get('loss_forward_mappings') or {})
    added = _of_features() if classifier is None else _of_classifier(teacher, classifier)
    condition = None
    for index, loss in enumerate(_gendd_losses(distiller)):
        settings = distiller['distill_losses'][loss]
        if classifier is None:
            _refuse_contraction(loss, settings.get('contraction'))
        mapping = dict(mappings.get(loss) or {})
        if condition is not None:
            mapping.setdefault('condition', dict(condition))
        condition = condition or mapping.get('condition')
        for name, (recorder, data_idx) in added.items():
            if name in mapping or (name == 'target' and index > 0):
                continue
            recorders.setdefault(name, recorder)
            mapping[name] = dict(recorder=name, from_student=False, **data_idx)
        mappings[loss] = mapping
    for name in feature_names(dict(distiller, loss_forward_mappings=mappings)):
        if classifier is not None:
            raise ValueError(
                f'recorder={name!r} is a feature of teachers without a classifier; set '
                'teacher_classifier=None, or configure a recorder of that name.'
            )
        recorders[name] = dict(type='mmrazor.ModuleOutputs', source=f'{ATTRIBUTE}.{name}')
    return dict(distiller, teacher_recorders=recorders, loss_forward_mappings=mappings)


def feature_names(distiller: dict, loss: str | None = None) -> list[str]:
    """The features of a teacher that mappings name as their recorder.

    A recorder of that name in the config is none of these.

    Args:
        distiller: Config of a :class:`GenDDDistiller`.
        loss: The loss whose mappings count. None means all.
    """
    mappings = distiller.get('loss_forward_mappings') or {}
    entries = [
        entry
        for name, mapping in mappings.items()
        if loss in (None, name)
        for entry in (mapping or {}).values()
        if not entry.get('from_student')
    ]
    named = {entry.get('recorder') for entry in entries}
    own = distiller.get('teacher_recorders') or {}
    return [name for name in FEATURES if name in named and name not in own]


def _gendd_losses(distiller: dict) -> list[str]:
    losses = distiller.get('distill_losses') or {}
    return [
        name
        for name, settings in losses.items()
        if type_name(settings.get('type')).endswith('GenDDLoss')
    ]


def _of_classifier(teacher: nn.Module, classifier: str) -> dict[str, tuple[dict, dict]]:
    """Recorders by the argument that they fill, and which of the recorded data it is."""
    added = dict(
        # The first of its inputs.
        target=(dict(type='mmrazor.ModuleInputs', source=classifier), dict(data_idx=0)),
        class_centers=(dict(type='mmrazor.Parameter', source=f'{classifier}.weight'), {}),
    )
    if teacher.get_submodule(classifier).bias is not None:
        added['class_bias'] = (dict(type='mmrazor.Parameter', source=f'{classifier}.bias'), {})
    return added


def _of_features() -> dict[str, tuple[dict, dict]]:
    return dict(target=(dict(type='mmrazor.ModuleOutputs', source=f'{ATTRIBUTE}.pooled'), {}))


def _refuse_contraction(loss: str, contraction: dict | None) -> None:
    if contraction is not None and contraction.get('strength', 0.9) > 0:
        raise ValueError(
            f'distill_losses.{loss}.contraction pulls towards the rows of a classifier, but '
            'teacher_classifier=None: the teacher has none; set contraction=None.'
        )
