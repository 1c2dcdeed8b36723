"""One parameter group of the optimizer for all parameters with the same settings."""

from typing import Any

from mmengine.optim import DefaultOptimWrapperConstructor, OptimWrapper
from torch import nn
from torch.optim import Optimizer

from gendd_mm.registry import OPTIM_WRAPPER_CONSTRUCTORS


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class GroupedOptimWrapperConstructor(DefaultOptimWrapperConstructor):
    """MMEngine's constructor, with the groups of equal settings merged.

    With a ``paramwise_cfg`` MMEngine makes a group of every parameter, and an optimizer
    on a GPU takes one group after the other, where it could take all parameters of one
    in a few kernels. What is learned is the same. Training takes this constructor where
    a config has a ``paramwise_cfg`` and names none.

    An optimizer that was saved with a group for every parameter is loaded as well.

    Raises:
        ValueError: When such an optimizer is loaded whose groups began with several
            learning rates: the schedules saved beside it have a state for each group.

    Examples:
        >>> from mmengine.optim import build_optim_wrapper
        >>> model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
        >>> keys = {'1.': dict(decay_mult=0.0)}
        >>> wrapper = build_optim_wrapper(model, dict(
        ...     constructor='gendd_mm.GroupedOptimWrapperConstructor',
        ...     optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.1),
        ...     paramwise_cfg=dict(custom_keys=keys)))
        >>> groups = wrapper.optimizer.param_groups
        >>> [(len(group['params']), group['weight_decay']) for group in groups]
        [(2, 0.1), (2, 0.0)]
    """

    def __call__(self, model: nn.Module) -> OptimWrapper:
        self._order: list[list[int]] = []
        wrapper = super().__call__(model)
        if self._order:
            wrapper.optimizer.register_load_state_dict_pre_hook(_Regrouping(self._order))
        return wrapper

    def add_params(
        self,
        params: list[dict],
        module: nn.Module,
        prefix: str = '',
        is_dcn_module: int | float | None = None,
    ) -> None:
        """Add the parameters of a module, and merge those of the whole model."""
        super().add_params(params, module, prefix, is_dcn_module)
        if not prefix:
            params[:] = self._merge(params)

    def _merge(self, singles: list[dict]) -> list[dict]:
        groups: dict[tuple, dict[str, Any]] = {}
        order: dict[tuple, list[int]] = {}
        for index, single in enumerate(singles):
            settings = {name: value for name, value in single.items() if name != 'params'}
            key = tuple((name, repr(value)) for name, value in sorted(settings.items()))
            group = groups.setdefault(key, dict(settings, params=[]))
            group['params'] += single['params']
            order.setdefault(key, []).append(index)
        self._order = list(order.values())
        return list(groups.values())


def group_parameters(optim_wrapper: dict | None) -> None:
    """Have the parameters grouped where a config sets them one by one, in place.

    Args:
        optim_wrapper: The setting of that name.
    """
    if optim_wrapper is not None and 'paramwise_cfg' in optim_wrapper:
        optim_wrapper.setdefault('constructor', 'gendd_mm.GroupedOptimWrapperConstructor')


class _Regrouping:
    """Merges the groups of a saved optimizer that has one for each parameter.

    Args:
        order: For each merged group the indices of its parameters among all.
    """

    def __init__(self, order: list[list[int]]) -> None:
        self.order = order

    def __call__(self, optimizer: Optimizer, state: dict[str, Any]) -> dict[str, Any] | None:
        saved = state['param_groups']
        singles = all(len(group['params']) == 1 for group in saved)
        if not singles or len(saved) != sum(map(len, self.order)) or len(saved) == len(self.order):
            return None
        rates = {group.get('initial_lr', group.get('lr')) for group in saved}
        if len(rates) > 1:
            raise ValueError(
                f'the saved optimizer has a group for each parameter, with the learning rates '
                f'{sorted(rates)} in the beginning; its schedules fit these groups alone. Go on '
                'with --cfg-options optim_wrapper.constructor=DefaultOptimWrapperConstructor.'
            )
        groups = [
            dict(saved[indices[0]], params=[saved[index]['params'][0] for index in indices])
            for indices in self.order
        ]
        return dict(state, param_groups=groups)
