"""Go on with a run whose epochs have another number of iterations."""

from typing import Any

# What changes while a scheduler runs; all else is its setting.
_PROGRESS = ('last_step', '_global_step')
_VALUES = ('base_values', '_last_value')


def follow_epoch_length(
    checkpoint: dict, schedulers: list | dict | None, old: int, new: int
) -> None:
    """Rewrite the place of a checkpoint in its run, in place.

    A training by epochs counts iterations too, and so do schedulers with
    ``convert_to_iter_based``. On another number of processes, or with another batch
    size, an epoch has another number of iterations, and MMEngine's saved ones would end
    the schedules too early or too late. Here they keep their place in the epochs.

    Args:
        checkpoint: As the runner saved it.
        schedulers: Those of the new run, as the runner has built them.
        old: Iterations of an epoch in the checkpoint, at least 1.
        new: The same of the new run, at least 1.
    """
    meta = checkpoint['meta']
    meta['iter'] = scaled(meta['iter'], old, new)
    if 'batches_done' in meta:  # saved inside an epoch
        meta['batches_done'] = scaled(meta['batches_done'], old, new)
    saved = checkpoint.get('param_schedulers')
    if not saved or not schedulers:
        return
    groups = schedulers if isinstance(schedulers, dict) else {'': schedulers}
    states = saved if isinstance(saved, dict) else {'': saved}
    # A schedule that was added or left out has no partner, as in MMEngine.
    pairs = [
        pair
        for name, built in groups.items()
        for pair in zip(built, states.get(name, ()), strict=False)
    ]
    for scheduler, state in pairs:
        # One in absolute iterations, or in epochs, has the settings that it had.
        if any(state[key] != vars(scheduler)[key] for key in _settings(scheduler, state)):
            for key in _settings(scheduler, state):
                state[key] = vars(scheduler)[key]
            for key in _PROGRESS:
                state[key] = scaled(state[key], old, new) if state[key] > 0 else state[key]


def scaled(iterations: int, old: int, new: int) -> int:
    """Iterations of epochs of ``old`` in those of ``new``; whole epochs stay whole.

    >>> scaled(60, old=20, new=40), scaled(50, old=20, new=7)
    (120, 18)
    """
    epochs, rest = divmod(iterations, old)
    # The last iteration of an epoch is not the next epoch.
    return epochs * new + min(round(rest * new / old), new - 1)


def _settings(scheduler: Any, state: dict) -> list[str]:
    return [key for key in state if key in vars(scheduler) and key not in _PROGRESS + _VALUES]
