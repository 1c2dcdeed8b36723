"""The students in checkpoints, and the classifier that one has from another."""

from torch import Tensor

from gendd_mm.checkpoint import read_state_dict
from gendd_mm.models.heads.standardizer import fold_standardizer

STUDENT = 'architecture.'


def student_weights(checkpoint: str) -> dict[str, Tensor]:
    """The weights of the student in the checkpoint of a run.

    Its probe may standardise its input; here that is part of its linear layer.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it holds no student.
    """
    weights = {
        key.removeprefix(STUDENT): value
        for key, value in read_state_dict(checkpoint).items()
        if key.startswith(STUDENT)
    }
    if not weights:
        raise ValueError(
            f'checkpoint {checkpoint!r} holds no student (no key starts with '
            f'{STUDENT!r}); give a checkpoint that a distillation run wrote.'
        )
    return fold_standardizer(weights, 'head.standardizer', 'head.fc')


def retrained_probe(checkpoint: str, student: dict[str, Tensor]) -> dict[str, Tensor]:
    """The linear layer ``head.fc`` that was trained anew for a student.

    Args:
        checkpoint: Checkpoint of the run that ``tools/probe_config.py`` wrote
            the config of.
        student: Weights of the student.

    Returns:
        Weight and bias of the layer.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it was trained on another student, or its layer is
            missing or of another shape.
    """
    weights = student_weights(checkpoint)
    own, trained = (
        {key: value for key, value in each.items() if not key.startswith('head.')}
        for each in (student, weights)
    )
    # Frozen, so the student in there is this one, bit for bit.
    differing = [
        key
        for key in sorted(own.keys() | trained.keys())
        if key not in own or key not in trained or not own[key].equal(trained[key])
    ]
    if differing:
        raise ValueError(
            f'the probe in {checkpoint!r} was trained on another student: {len(differing)} '
            f'weights differ, the first {differing[:3]}. Give the checkpoint that its config '
            'starts from (custom_hooks, WarmStartHook).'
        )
    layer = {}
    for name in ('head.fc.weight', 'head.fc.bias'):
        found = tuple(weights[name].shape) if name in weights else None
        if found != student[name].shape:
            raise ValueError(
                f'{name} of the probe in {checkpoint!r} has shape {found}, but the student has '
                f'{tuple(student[name].shape)}; give a probe of the same classes.'
            )
        layer[name] = weights[name]
    return layer
