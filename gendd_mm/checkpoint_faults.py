"""What is wrong with the contents of a checkpoint, before anything is built from them."""

from collections.abc import Mapping

import torch
from torch import Tensor

__all__ = ['nonfinite', 'resume_faults', 'weight_faults']

# What Runner.resume reads, and the type that it has.
_RESUMED = {'meta': dict, 'state_dict': dict, 'message_hub': dict, 'optimizer': dict}


def nonfinite(state: Mapping[str, Tensor]) -> list[str]:
    """The names of the tensors that hold NaN or infinity.

    One pass over each tensor, without a copy, and one synchronisation for each device.

    Args:
        state: Tensors of any shape, such as a state dict. Entries that are no tensors of
            floating point or complex numbers are left out.

    Example:
        >>> import torch
        >>> nonfinite(dict(good=torch.ones(2), bad=torch.tensor([1.0, float('nan')])))
        ['bad']
    """
    finite: dict[torch.device, dict[str, Tensor]] = {}
    for name, tensor in state.items():
        if not isinstance(tensor, Tensor) or tensor.device.type == 'meta' or not tensor.numel():
            continue
        if tensor.is_floating_point() or tensor.is_complex():
            finite.setdefault(tensor.device, {})[name] = _all_finite(tensor.detach())
    bad = {
        name
        for flags in finite.values()
        for name, good in zip(flags, torch.stack(list(flags.values())).tolist(), strict=True)
        if not good
    }
    return [name for name in state if name in bad]


def _all_finite(tensor: Tensor) -> Tensor:
    if tensor.layout != torch.strided:
        tensor = tensor.coalesce().values() if tensor.is_sparse else tensor.values()
    storage = tensor.untyped_storage()
    if storage.nbytes() < tensor.numel() * tensor.element_size():
        # An expanded tensor: its elements once each, however many it claims to have.
        tensor = torch.empty(0, dtype=tensor.dtype, device=tensor.device).set_(storage)
    if tensor.is_complex():
        tensor = torch.view_as_real(tensor)
    if tensor.element_size() == 1:
        tensor = tensor.float()  # float8 has no comparison
    # NaN passes through both, and isfinite() of the whole would make three copies.
    low, high = tensor.aminmax()
    return low.isfinite() & high.isfinite()


def weight_faults(weights: Mapping) -> list[str]:
    """What is wrong with a state dict, without the model it belongs to.

    Returns:
        One phrase for each kind of fault; empty if there is none.
    """
    if not any(isinstance(value, Tensor) for value in weights.values()):
        return ['holds no weights']
    faults = []
    if odd := [name for name in weights if not isinstance(name, str)]:
        faults.append(f'has keys that are not names: {some(odd)}')
    others = [
        f'{name} ({type(value).__name__})'
        for name, value in weights.items()
        # Modules may keep an object of any type under this name.
        if not isinstance(value, Tensor) and not str(name).endswith('_extra_state')
    ]
    if others:
        faults.append(f'has entries that are no tensors: {some(others)}')
    tensors = {n: value for n, value in weights.items() if isinstance(value, Tensor)}
    empty = [
        name
        for name, value in tensors.items()
        if value.device.type == 'meta' or value.layout != torch.strided or value.is_quantized
    ]
    if empty:
        return [*faults, f'has tensors without plain values: {some(empty)}']
    if bad := nonfinite(tensors):
        faults.append(f'holds NaN or infinity in {len(bad)} weights, the first {bad[0]!r}')
    return faults


def resume_faults(checkpoint: object) -> list[str]:
    """What a run cannot go on from, in a checkpoint that MMEngine should have written.

    Returns:
        One phrase for each fault; empty if there is none.
    """
    if not isinstance(checkpoint, dict):
        return [f'is a {type(checkpoint).__name__}, not a checkpoint']
    faults = [
        f'has no {name}' if name not in checkpoint else f'has a {name} of another type'
        for name, kind in _RESUMED.items()
        if not isinstance(checkpoint.get(name), kind)
    ]
    meta, weights, optimizer = (
        checkpoint[name] if isinstance(checkpoint.get(name), dict) else None
        for name in ('meta', 'state_dict', 'optimizer')
    )
    if meta is not None:
        counts = {name: meta.get(name) for name in ('epoch', 'iter')}
        conditions = meta.get('run_conditions')
        if isinstance(conditions, dict):
            counts['run_conditions.epoch_length'] = conditions.get('epoch_length')
        elif conditions is not None:
            faults.append('has meta.run_conditions of another type')
        for name, value in counts.items():
            if type(value) is not int or value < 0:
                faults.append(f'has meta.{name}={value!r}, which is no count')
    if weights is not None:
        faults += weight_faults(weights)
        averaged = checkpoint.get('ema_state_dict')
        if averaged is not None:
            faults += _average_faults(averaged, weights)
    if optimizer:
        faults += _optimizer_faults(optimizer)
    elif optimizer is not None:
        faults.append('has an empty optimizer')
    return faults


def _average_faults(averaged: object, weights: dict) -> list[str]:
    """Faults of what EMAHook saves: the weights again, under ``module.``."""
    if not isinstance(averaged, dict):
        return ['has an ema_state_dict of another type']
    shapes = {f'module.{name}': value.shape for name, value in weights.items() if _is_tensor(value)}
    own = {
        name: value.shape
        for name, value in averaged.items()
        if str(name).startswith('module.') and _is_tensor(value)
    }
    if own != shapes:
        differing = sorted({*own, *shapes} - {n for n in own if own[n] == shapes.get(n)}, key=str)
        return [f'has an ema_state_dict of other weights than its state_dict: {some(differing)}']
    return [f'ema_state_dict {fault}' for fault in weight_faults(averaged)]


def _is_tensor(value: object) -> bool:
    return isinstance(value, Tensor)


def _optimizer_faults(optimizer: dict) -> list[str]:
    if 'param_groups' not in optimizer:
        # Several optimizers, by name, as OptimWrapperDict saves them.
        parts = [part for part in optimizer.values() if isinstance(part, dict)]
        if not parts or not all('param_groups' in part for part in parts):
            return ['has an optimizer without param_groups']
        return [fault for part in parts for fault in _optimizer_faults(part)]
    groups, state = optimizer['param_groups'], optimizer.get('state')
    if not isinstance(groups, list) or not all(
        isinstance(group, dict) and isinstance(group.get('params'), list) for group in groups
    ):
        return ['has an optimizer whose param_groups are of another type']
    if not isinstance(state, dict) or not all(isinstance(each, dict) for each in state.values()):
        return ['has an optimizer without state']
    tensors = {
        f'{index}.{name}': value
        for index, each in state.items()
        for name, value in each.items()
        if isinstance(value, Tensor)
    }
    if bad := nonfinite(tensors):
        return [f'holds NaN or infinity in the optimizer, the first at {bad[0]!r}']
    return []


def some(names: list, most: int = 20) -> str:
    """A list as text, its first entries only."""
    more = f' and {len(names) - most} more' if len(names) > most else ''
    return f'{names[:most]}{more}'
