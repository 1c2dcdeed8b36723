"""The names by which a distiller of MMRazor hands records to its losses."""

from collections.abc import Mapping
from typing import Any

from .errors import ConfigError, nearest, refuse
from .values import check_type

ENTRY = dict(recorder=str, from_student=bool, data_idx=int | None, record_idx=int, connector=str)


# Those that the algorithm GenDD adds where a config leaves them out.
ADDED = dict(
    student_recorders=dict.fromkeys(['feat']),
    teacher_recorders=dict.fromkeys(
        ['target', 'class_centers', 'class_bias', 'pooled', 'cls_token', 'patch_tokens']
    ),
)


def check_recording(model: Any) -> None:
    """Check ``loss_forward_mappings`` against recorders, connectors and losses.

    Raises:
        ConfigError: If a mapping names one that is not there.
    """
    distiller = model.get('distiller') if isinstance(model, Mapping) else None
    if not isinstance(distiller, Mapping):
        return
    path = 'model.distiller.loss_forward_mappings'
    mappings = distiller.get('loss_forward_mappings') or {}
    losses = distiller.get('distill_losses') or {}
    for loss, arguments in mappings.items():
        if loss not in losses:
            _refuse_name(f'{path}.{loss}', loss, 'distill_losses', losses)
        for argument, entry in arguments.items():
            _check_entry(f'{path}.{loss}.{argument}', entry, distiller)


def _check_entry(path: str, entry: Any, distiller: Mapping) -> None:
    if not isinstance(entry, Mapping):
        refuse(path, entry, 'must be a dict', 'write dict(recorder=..., from_student=...)')
    for key, value in entry.items():
        if key not in ENTRY:
            _refuse_name(f'{path}.{key}', key, 'the settings of a mapping', ENTRY)
        check_type(f'{path}.{key}', value, ENTRY[key])
    for key in ('recorder', 'from_student'):
        if key not in entry:
            raise ConfigError(f'{path}.{key} is missing; set it.')
    side = 'student_recorders' if entry['from_student'] else 'teacher_recorders'
    recorders = {**ADDED[side], **(distiller.get(side) or {})}
    if entry['recorder'] not in recorders:
        _refuse_name(f'{path}.recorder', entry['recorder'], side, recorders)
    connectors = distiller.get('connectors') or {}
    if entry.get('connector') is not None and entry['connector'] not in connectors:
        _refuse_name(f'{path}.connector', entry['connector'], 'connectors', connectors)


def _refuse_name(path: str, name: str, owner: str, known: Mapping) -> None:
    near = nearest(name, known)
    remedy = f'did you mean {near!r}' if near else f'choose from {sorted(known)}'
    raise ConfigError(f'{path}: {name!r} is not among {owner}; {remedy}.')
