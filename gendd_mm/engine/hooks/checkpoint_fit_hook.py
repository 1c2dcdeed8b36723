"""Compare a checkpoint with the model that it is loaded into."""

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper

from gendd_mm.checkpoint import load_all
from gendd_mm.engine.checkpoint_kind import of_another_kind
from gendd_mm.engine.resume_state import state_faults
from gendd_mm.registry import HOOKS


@HOOKS.register_module()
class CheckpointFitHook(Hook):
    """Refuse a checkpoint that leaves a model with random weights.

    MMEngine loads what fits and only logs the rest, so a test of the wrong file prints
    the accuracy of random weights. ``tools/train.py`` and ``tools/test.py`` register
    this hook by themselves.

    Args:
        strict: Whether all keys and shapes must fit, as for a test and for resuming.
            Otherwise, as for ``load_from`` of a new training, what does not fit is a
            warning, and an error if it is more than half of the model's weights.

    Raises:
        ValueError: If the checkpoint does not fit.
    """

    # Before EMAHook swaps the weights.
    priority = 'VERY_HIGH'

    def __init__(self, strict: bool = True) -> None:
        self.strict = strict

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        """Compare keys and shapes before the runner loads them."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        # Other projects save the weights alone.
        state = checkpoint.get('state_dict', checkpoint)
        weights = {key.removeprefix('module.'): value for key, value in state.items()}
        own = model.state_dict()
        fitting = [
            key
            for key, value in own.items()
            if getattr(weights.get(key), 'shape', None) == value.shape
        ]
        misfit = load_all(model, weights)
        if self.strict and not misfit:
            misfit = '; '.join(state_faults(runner, checkpoint))
        if not misfit:
            return
        text = f'the checkpoint does not fit the {type(model).__name__} of the config: {misfit}'
        if self.strict:
            raise ValueError(
                of_another_kind(runner.cfg, checkpoint, weights, own)
                or f'{text}. Give the checkpoint of exactly this config.'
            )
        if 2 * len(fitting) < len(own):
            raise ValueError(
                f'{text}. Only {len(fitting)} of {len(own)} weights would be loaded, the others '
                'stay random; give a checkpoint of this architecture as load_from, or none.'
            )
        runner.logger.warning(f'{text}. What it lacks keeps its initial values.')
