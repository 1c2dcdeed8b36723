"""Initialise a module from the checkpoint of another run."""

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper

from gendd_mm.checkpoint import load_all, read_state_dict
from gendd_mm.registry import HOOKS


@HOOKS.register_module()
class WarmStartHook(Hook):
    """Load a module strictly before the first step of training.

    Stage 2 of GenDD starts from the backbone of stage 1 (arXiv 2507.14503). Unlike
    ``init_cfg=dict(type='Pretrained')``, a weight that does not fit is an error, and a
    resumed run neither needs the file nor lets it overwrite what it has learned.

    Args:
        checkpoint: The checkpoint to start from.
        source: Name of the module in that checkpoint. Defaults to ``'backbone'``.
        target: Name of the module in this model. Defaults to
            ``'architecture.backbone'``, that of MMRazor's student.

    Raises:
        FileNotFoundError: If there is no such checkpoint.
        ValueError: If it does not fit key by key.
    """

    def __init__(
        self, checkpoint: str, source: str = 'backbone', target: str = 'architecture.backbone'
    ) -> None:
        self.checkpoint = checkpoint
        self.source = source
        self.target = target

    def before_train(self, runner) -> None:
        """Load, after all initialisation, unless the run was resumed."""
        if runner.iter > 0:
            return
        model = runner.model
        if is_model_wrapper(model):
            model = model.module
        prefix = f'{self.source}.'
        weights = {
            key.removeprefix(prefix): value
            for key, value in read_state_dict(self.checkpoint).items()
            if key.startswith(prefix)
        }
        misfit = load_all(model.get_submodule(self.target), weights)
        if misfit:
            raise ValueError(
                f'{self.source!r} in {self.checkpoint!r} does not fit {self.target!r}: {misfit}. '
                'Both stages need the same network there.'
            )
        runner.logger.info(f'{self.target} starts from {self.source} in {self.checkpoint}')
