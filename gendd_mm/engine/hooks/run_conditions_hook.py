"""A run has the same conditions on all its ranks, and when it is resumed."""

from collections.abc import Sequence
from typing import Any

from mmengine.dist import all_gather_object
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import EpochBasedTrainLoop
from torch import nn

from gendd_mm.checkpoint import fingerprint
from gendd_mm.engine.epoch_length import follow_epoch_length
from gendd_mm.engine.ranks import gloo_group, stated_timeout, wait_for_all
from gendd_mm.engine.run_conditions import SECTIONS, differing_settings, run_conditions
from gendd_mm.registry import HOOKS

# The key of ``meta`` in a checkpoint.
KEY = 'run_conditions'
# What a changed section of the config does to a resumed run.
_CONSEQUENCES = dict(
    model='another student is trained on the weights of the first',
    optim_wrapper='the optimizer is resumed from the checkpoint, so the new value is ignored',
    param_scheduler='the schedules are resumed from the checkpoint, so the new value is ignored',
)


@HOOKS.register_module()
class RunConditionsHook(Hook):
    """Compare the conditions of a run with those of its checkpoint and of its other ranks.

    Every checkpoint states them in its ``meta``: number of processes, batch size, data,
    seed, versions, a hash of the teacher's weights and the settings that change what is
    learned. When a run is resumed, another teacher, model, optimizer or schedule is an
    error, before a weight is loaded. Other changes leave the run sound and are warnings.
    If an epoch has another number of iterations, schedules by epoch keep their place in
    the epochs.

    Before the first step all ranks compare these conditions, their iteration and their
    weights, so that work dirs or data which differ from machine to machine neither train
    a mixture nor hang. A rank that does not come there within ``env_cfg.dist_cfg.timeout``
    seconds is an error that names it.

    Args:
        allow_changed: What may differ from the checkpoint although it changes the run:
            ``'teacher'``, ``'model'``, ``'optim_wrapper'``, ``'param_scheduler'``; a
            difference is then a warning. The top-level setting ``allow_changed`` of a
            config adds to it. Defaults to ().

    Raises:
        RuntimeError: If a rank does not come to the first step.
        ValueError: If the conditions differ.
    """

    # After the hooks that load weights.
    priority = 'LOW'

    def __init__(self, allow_changed: tuple[str, ...] = ()) -> None:
        known = ('teacher', *_CONSEQUENCES)
        for name in allow_changed:
            if name not in known:
                raise ValueError(f'allow_changed={name!r} is unknown; choose from {known}.')
        self.allow_changed = tuple(allow_changed)
        self._conditions: dict[str, Any] | None = None
        # Now, before the data are built: all ranks have just built their models together.
        self._group = gloo_group()

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        """Compare the checkpoint that a training is resumed from."""
        if not runner.cfg.get('resume'):
            return
        old = checkpoint.get('meta', {}).get(KEY)
        if old is None:
            runner.logger.warning(
                'The checkpoint does not state the conditions of its run, so whether teacher, '
                'config, data and number of processes are the same is not checked.'
            )
            return
        new = self._conditions_of(runner)
        errors, warnings = self._differences(old, new, runner.cfg.get('allow_changed') or ())
        if errors:
            raise ValueError(
                f'the run to resume is another one: {"; ".join(errors)}. Restore what it had, or '
                'start a new run from these weights (load_from instead of --resume), or accept '
                'the change by --cfg-options allow_changed=NAME, the name in brackets above.'
            )
        for text in warnings:
            runner.logger.warning(f'Resumed under other conditions: {text}.')
        if isinstance(runner.train_loop, EpochBasedTrainLoop):
            lengths = old['epoch_length'], new['epoch_length']
            if lengths[0] != lengths[1]:
                follow_epoch_length(checkpoint, runner.param_schedulers, *lengths)

    def before_train(self, runner) -> None:
        """Compare all ranks before the first step."""
        model = _unwrapped(runner.model)
        own = dict(
            self._conditions_of(runner),
            iteration=runner.iter,
            weights=fingerprint(model.state_dict()),
        )
        wait_for_all(self._group, stated_timeout(runner.cfg), 'the first step')
        check_ranks_agree(own)

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """State the conditions in the checkpoint."""
        checkpoint['meta'][KEY] = self._conditions_of(runner)

    def _conditions_of(self, runner) -> dict[str, Any]:
        if self._conditions is None:
            self._conditions = run_conditions(runner, _unwrapped(runner.model))
        return self._conditions

    def _differences(
        self, old: dict, new: dict, also: Sequence[str]
    ) -> tuple[list[str], list[str]]:
        """What is an error, and what is worth a warning."""
        allowed = {*self.allow_changed, *([also] if isinstance(also, str) else also)}
        errors: list[str] = []
        warnings: list[str] = []
        if old['teacher'] != new['teacher']:
            text = (
                '[teacher] the weights of the teacher are not those that the student has learned '
                f'from (SHA-256 {_short(old["teacher"])} -> {_short(new["teacher"])}; check '
                'model.teacher_ckpt)'
            )
            (warnings if 'teacher' in allowed else errors).append(text)
        for section in SECTIONS:
            text = differing_settings(old['config'], new['config'], section)
            if text and section in _CONSEQUENCES:
                text = f'[{section}] {text} ({_CONSEQUENCES[section]})'
                (warnings if section in allowed else errors).append(text)
            elif text:
                warnings.append(text)
        for name in ('world_size', 'batch_size', 'samples', 'seed', 'versions'):
            if old[name] != new[name]:
                warnings.append(f'{name} {old[name]} -> {new[name]}')
        images = [
            conditions['world_size'] * (conditions['batch_size'] or 0) for conditions in (old, new)
        ]
        if images[0] != images[1]:
            warnings.append(
                f'{images[0]} -> {images[1]} images a step with the same learning rate; '
                'train_dataloader.batch_size or optim_wrapper.accumulative_counts can keep them'
            )
        return errors, warnings


def check_ranks_agree(own: dict[str, Any]) -> None:
    """Compare what each rank states; all ranks call it together.

    Args:
        own: Values by name, equal on all ranks in a sound run.

    Raises:
        ValueError: On every rank, if they differ; it lists values by rank.
    """
    everyone = all_gather_object(own)
    differing = {
        name: [states[name] for states in everyone]
        for name in own
        if any(states[name] != own[name] for states in everyone)
    }
    if not differing:
        return
    parts = []
    for name, values in differing.items():
        if isinstance(values[0], dict):
            keys = sorted({key for value in values for key in value})
            changed = [key for key in keys if len({str(v.get(key)) for v in values}) > 1]
            parts += [f'{key} {[value.get(key) for value in values]}' for key in changed[:5]]
        else:
            parts.append(f'{name} {[_short(value) for value in values]}')
    raise ValueError(
        f'the ranks of this run differ, by rank: {"; ".join(parts)}. All must read the same '
        'config, data and checkpoint: give a work dir and files that every machine shares, '
        'and the same command everywhere.'
    )


def _short(value: object) -> object:
    return value[:12] if isinstance(value, str) else value


def _unwrapped(model: Any) -> nn.Module:
    return model.module if is_model_wrapper(model) else model
