"""Compare the optimizer and the schedules of a checkpoint with those of the run."""

import math
from collections.abc import Iterator
from typing import Any

from mmengine.hooks import EMAHook
from mmengine.optim import BaseOptimWrapper, OptimWrapper
from torch import Tensor
from torch.optim import Optimizer

__all__ = ['state_faults']


def state_faults(runner, checkpoint: dict) -> list[str]:
    """What would fail at the first step after resuming, or change the run in silence.

    Values are compared by their kind: text is no number, a list has its length, a moment
    has the shape of its parameter. torch and MMEngine take over whatever is there.

    Args:
        runner: The runner. If it trains, its model and optimizer are built.
        checkpoint: What it resumes from.

    Returns:
        One phrase for each fault; empty if there is none.
    """
    if not isinstance(runner.optim_wrapper, BaseOptimWrapper):
        return []  # a test
    faults: list[str] = []
    if isinstance(runner.optim_wrapper, OptimWrapper):
        saved, wrapper = checkpoint['optimizer'], runner.optim_wrapper
        faults += _optimizer_faults(saved, wrapper.optimizer)
        # Base values, where schedules act on parameter groups that have none of their own.
        base = wrapper.state_dict().get('base_param_settings')
        if base is not None:
            faults += _differing(base, saved.get('base_param_settings'), 'optimizer base')
    if isinstance(runner.param_schedulers, list):
        own = [each.state_dict() for each in runner.param_schedulers]
        faults += _differing(own, checkpoint.get('param_schedulers'), 'param_schedulers')
    if 'ema_state_dict' not in checkpoint and any(isinstance(h, EMAHook) for h in runner.hooks):
        faults.append(
            'no ema_state_dict, so that the run would go on from averaged weights. If the run '
            'had no EMAHook, leave it out'
        )
    return faults


def _optimizer_faults(saved: dict, optimizer: Optimizer) -> list[str]:
    own, groups = optimizer.state_dict()['param_groups'], saved['param_groups']
    faults = list(_differing(own, groups, 'optimizer.param_groups'))
    if faults:
        return faults
    # Parameters of as many dimensions have the same statistics, by the same options.
    signatures: dict[tuple, tuple[object, dict]] = {}
    for group, saved_group in zip(optimizer.param_groups, groups, strict=True):
        options = [bool(group.get(name)) for name in ('amsgrad', 'centered', 'momentum')]
        for parameter, index in zip(group['params'], saved_group['params'], strict=True):
            if index not in saved['state']:
                continue  # never had a gradient
            signature = {
                name: _signature(value, parameter) for name, value in saved['state'][index].items()
            }
            first, expected = signatures.setdefault((parameter.dim(), *options), (index, signature))
            if signature != expected:
                faults.append(
                    f'optimizer.state.{index} {signature} is not like that of {first}, {expected}'
                )
    return faults


def _signature(value: object, parameter: Tensor) -> str:
    if not isinstance(value, Tensor):
        return type(value).__name__
    if value.shape == parameter.shape and value.dim():
        return 'as its parameter'
    return f'{value.dim()} dimensions'


def _differing(own: Any, saved: Any, where: str) -> Iterator[str]:
    """Walk through two nested states and name what is not of the same kind."""
    if isinstance(own, dict) and isinstance(saved, dict):
        for name, value in own.items():
            if name in saved:
                yield from _differing(value, saved[name], f'{where}.{name}')
            elif not isinstance(value, bool) and value is not None:
                # torch fills in switches that an older version did not have.
                yield f'{where}.{name} is missing'
    elif isinstance(own, (list, tuple)) and isinstance(saved, (list, tuple)):
        if len(own) != len(saved):
            yield f'{where} has {len(saved)} entries, not {len(own)}'
        else:
            for index, pair in enumerate(zip(own, saved, strict=True)):
                yield from _differing(*pair, f'{where}.{index}')
    elif not _same_kind(own, saved):
        yield f'{where} is {saved!r}, where the run has {own!r}'


def _same_kind(own: Any, saved: Any) -> bool:
    if own is None or isinstance(own, bool):  # a switch, or one that torch chooses
        return saved is None or isinstance(saved, bool)
    if isinstance(own, (int, float)):
        number = isinstance(saved, (int, float)) and not isinstance(saved, bool)
        return number and math.isfinite(saved)
    if isinstance(own, Tensor):
        return isinstance(saved, Tensor) and own.shape == saved.shape
    return type(own) is type(saved)
