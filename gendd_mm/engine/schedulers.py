"""Schedulers of Adam's second-moment decay, beta2."""

import math

from mmengine.optim.scheduler.param_scheduler import INF, _ParamScheduler

from gendd_mm.registry import PARAM_SCHEDULERS


class Beta2Scheduler(_ParamScheduler):
    """The base of schedulers of the beta2 of Adam-like optimizers.

    As mmengine does with beta1, the value is kept in the parameter groups, so
    that it is saved and resumed, and written into ``betas`` after each step.

    Raises:
        ValueError: If the optimizer has no ``betas``.
    """

    def __init__(self, optimizer, *args, **kwargs) -> None:
        for group in optimizer.param_groups:
            if 'betas' not in group:
                raise ValueError(
                    f'{type(self).__name__} schedules the beta2 of an Adam-like optimizer, but the '
                    'optimizer has no betas; use AdamW or remove the scheduler.'
                )
            group.setdefault('beta2', group['betas'][1])
        super().__init__(optimizer, 'beta2', *args, **kwargs)

    def step(self) -> None:
        """Advance the schedule and write beta2 into the groups."""
        super().step()
        for group in self.optimizer.param_groups:
            group['betas'] = (group['betas'][0], group['beta2'])


@PARAM_SCHEDULERS.register_module()
class CosineAnnealingBeta2(Beta2Scheduler):
    """Let beta2 rise along half a cosine (arXiv 2507.14503, optimiser).

    ``beta2(s) = hi - (hi - lo) / 2 * (1 + cos(pi * s / (steps - 1)))`` with lo
    the optimizer's own beta2, hi ``final_beta2``, and s the step within
    [begin, end); afterwards it stays.

    Args:
        optimizer: Adam-like optimizer or its wrapper.
        final_beta2: Value at the last step, in [0, 1). Defaults to 0.999.
        begin: First step. Defaults to 0.
        end: Step after the last; there must be one.
        last_step: Index of the last step done, for resuming. Defaults to -1.
        by_epoch: Whether a step is an epoch; with
            ``convert_to_iter_based=True`` in the config it becomes an
            iteration. Defaults to True.
        verbose: Whether to print every value. Defaults to False.

    Raises:
        ValueError: If ``final_beta2`` is out of range or ``end`` not given.
    """

    def __init__(
        self,
        optimizer,
        final_beta2: float = 0.999,
        begin: int = 0,
        end: int = INF,
        last_step: int = -1,
        by_epoch: bool = True,
        verbose: bool = False,
    ) -> None:
        if not 0 <= final_beta2 < 1:
            raise ValueError(f'final_beta2={final_beta2} is outside [0, 1).')
        if end >= INF:
            raise ValueError(
                'CosineAnnealingBeta2 rises over the whole run; set end to its length.'
            )
        self.final_beta2 = final_beta2
        super().__init__(
            optimizer, begin=begin, end=end, last_step=last_step, by_epoch=by_epoch, verbose=verbose
        )

    @classmethod
    def build_iter_from_epoch(
        cls,
        optimizer,
        begin: int = 0,
        end: int = INF,
        by_epoch: bool = True,
        epoch_length: int = 0,
        **kwargs,
    ) -> 'CosineAnnealingBeta2':
        """Build an iteration-based instance from an epoch-based config."""
        if not by_epoch or epoch_length < 1:
            raise ValueError(
                'only a by_epoch=True scheduler with a positive epoch_length can be converted; got '
                f'by_epoch={by_epoch}, epoch_length={epoch_length}.'
            )
        return cls(
            optimizer,
            begin=int(begin * epoch_length),
            end=int(end * epoch_length) if end < INF else end,
            by_epoch=False,
            **kwargs,
        )

    def _get_value(self) -> list:
        """The value of every group, by the formula, not from the last value."""
        last = max(self.end - self.begin - 1, 1)
        progress = min(self.last_step, last) / last
        share = (1 + math.cos(math.pi * progress)) / 2
        return [self.final_beta2 - (self.final_beta2 - base) * share for base in self.base_values]
