"""What a distiller records of the teacher, where the config leaves it open."""

from torch import nn

from gendd_mm.registry import type_name

__all__ = ['with_teacher_records']


def with_teacher_records(distiller: dict, teacher: nn.Module, classifier: str) -> dict:
    """Add the records of the teacher's classifier that GenDD reads.

    ``target`` is what enters the classifier, ``class_centers`` its weight, ``class_bias``
    its bias. A recorder or mapping that the config states stays as it is.

    Args:
        distiller: Config of a :class:`GenDDDistiller`.
        teacher: The teacher.
        classifier: Name of the linear layer that gives the teacher's scores.

    Returns:
        A completed copy.
    """
    layer = teacher.get_submodule(classifier)
    recorders = dict(distiller.get('teacher_recorders') or {})
    mappings = dict(distiller.get('loss_forward_mappings') or {})
    for loss, settings in (distiller.get('distill_losses') or {}).items():
        if not type_name(settings.get('type')).endswith('GenDDLoss'):
            continue
        mapping = dict(mappings.get(loss) or {})
        for name, recorder in (
            ('target', dict(type='mmrazor.ModuleInputs', source=classifier)),
            ('class_centers', dict(type='mmrazor.Parameter', source=f'{classifier}.weight')),
            ('class_bias', dict(type='mmrazor.Parameter', source=f'{classifier}.bias')),
        ):
            if name in mapping or (name == 'class_bias' and layer.bias is None):
                continue
            recorders.setdefault(name, recorder)
            mapping[name] = dict(recorder=name, from_student=False)
            if name == 'target':
                mapping[name]['data_idx'] = 0  # the first of its inputs
        mappings[loss] = mapping
    return dict(distiller, teacher_recorders=recorders, loss_forward_mappings=mappings)
