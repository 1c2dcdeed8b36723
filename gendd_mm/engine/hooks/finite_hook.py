"""Stop a run at its first number that is not finite, before it is saved."""

import torch
from mmengine.hooks import CheckpointHook, Hook
from mmengine.model import is_model_wrapper
from mmengine.optim import AmpOptimWrapper
from torch import Tensor

from gendd_mm.checkpoint import nonfinite
from gendd_mm.registry import HOOKS


@HOOKS.register_module()
class FiniteHook(Hook):
    """Refuse losses and weights with NaN or infinity.

    A loss that is not finite stops the run at its step: MMEngine would train on, save
    weights of NaN over the good ones and end with exit status 0. With a gradient scaler
    (``AmpOptimWrapper``) a step may overflow: the scaler skips it and halves its scale.
    That is no error, unless it happens many times in a row.

    Weights are looked at before each checkpoint and each validation, and what a
    checkpoint is about to hold, optimizer included, before it is written.

    Args:
        max_skipped: Most steps in a row that a gradient scaler may skip. Defaults to 50.

    Raises:
        FloatingPointError: If a loss, a weight or a state of the optimizer is not finite,
            or too many steps were skipped.
    """

    # Before CheckpointHook, which deletes old checkpoints as it writes a new one.
    priority = 'BELOW_NORMAL'

    def __init__(self, max_skipped: int = 50) -> None:
        if max_skipped < 0:
            raise ValueError(f'max_skipped={max_skipped} is negative; give the steps in a row.')
        self.max_skipped = max_skipped
        self.skipped = 0
        self._scale = float('inf')

    def after_train_iter(
        self, runner, batch_idx: int, data_batch=None, outputs: dict | None = None
    ) -> None:
        """Look at the losses of the step, and at the weights if they are about to be saved."""
        wrong = {
            name: value.tolist() if isinstance(value, Tensor) else value
            for name, value in (outputs or {}).items()
            if isinstance(value, (float, Tensor)) and not _is_finite(value)
        }
        scaler = _scaler(runner.optim_wrapper)
        if scaler is None:
            if wrong:
                raise FloatingPointError(
                    f'{wrong} at iteration {runner.iter} (epoch {runner.epoch}), counted from 0: '
                    'the run has diverged, and no checkpoint was written since. Lower the learning '
                    'rate, clip gradients (optim_wrapper.clip_grad=dict(max_norm=1.0)) or look at '
                    'the data of this step, then go on from the last checkpoint by --resume.'
                )
        else:
            self._count_skipped(runner, scaler, wrong)
        if self._saves_now(runner):
            self._check_weights(runner)

    def after_train_epoch(self, runner, metrics=None) -> None:
        """Look at the weights before they are saved."""
        self._check_weights(runner)

    def before_val(self, runner) -> None:
        """Look at the weights: the best of them may be saved after it."""
        self._check_weights(runner)

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """Look at everything that is about to be written."""
        moments = {
            f'optimizer state {number}.{name}': value
            for number, state in checkpoint.get('optimizer', {}).get('state', {}).items()
            for name, value in state.items()
            if isinstance(value, Tensor)
        }
        _refuse(runner, nonfinite(checkpoint['state_dict']) + nonfinite(moments))

    def _count_skipped(self, runner, scaler, wrong: dict) -> None:
        scale = scaler.get_scale()
        self.skipped = self.skipped + 1 if wrong or scale < self._scale < float('inf') else 0
        self._scale = scale
        if self.skipped > self.max_skipped:
            raise FloatingPointError(
                f'the gradient scaler has skipped {self.skipped} steps in a row (limit '
                f'{self.max_skipped}; its scale is {scale:g}), up to iteration {runner.iter}; '
                f'losses that are not finite: {wrong or "none"}. The run has diverged, or float16 '
                'is too narrow for it: use optim_wrapper.dtype=bfloat16 or leave --amp out.'
            )

    def _check_weights(self, runner) -> None:
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        _refuse(runner, nonfinite(model.state_dict()))

    def _saves_now(self, runner) -> bool:
        """Whether a CheckpointHook that counts iterations saves after this one."""
        return any(
            isinstance(hook, CheckpointHook)
            and not hook.by_epoch
            and (
                self.every_n_train_iters(runner, hook.interval, hook.save_begin)
                or (hook.save_last and self.is_last_train_iter(runner))
            )
            for hook in runner.hooks
        )


def _refuse(runner, names: list[str]) -> None:
    if names:
        more = f' and {len(names) - 3} more' if len(names) > 3 else ''
        raise FloatingPointError(
            f'{", ".join(names[:3])}{more} hold NaN or infinity at iteration {runner.iter}, so '
            'they are not saved; earlier checkpoints are kept. Lower the learning rate or clip '
            'gradients (optim_wrapper.clip_grad=dict(max_norm=1.0)), then go on by --resume.'
        )


def _is_finite(value: float | Tensor) -> bool:
    return bool(torch.as_tensor(value).isfinite().all())


def _scaler(optim_wrapper) -> torch.amp.GradScaler | None:
    """The gradient scaler of a run in mixed precision, if it is on."""
    if isinstance(optim_wrapper, AmpOptimWrapper) and optim_wrapper.loss_scaler.is_enabled():
        return optim_wrapper.loss_scaler
    return None
