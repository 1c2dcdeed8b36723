"""Validate on all processes with the buffers that a checkpoint holds."""

from mmengine.dist import broadcast, is_distributed
from mmengine.hooks import Hook

from gendd_mm.registry import HOOKS


@HOOKS.register_module()
class BroadcastBuffersHook(Hook):
    """Give every process the buffers of rank 0 before a validation.

    Running statistics of BatchNorm follow the images of a process, and a checkpoint holds
    those of rank 0. With its own on each process, a validation would score a model that
    nothing saves, and a resumed run would score another. Training reads none of them.
    MMEngine's ``SyncBuffersHook`` averages them instead, at the end of an epoch: then a
    run that stops inside one cannot go on the same.
    """

    # Before EMAHook exchanges weights.
    priority = 'VERY_HIGH'

    def before_val(self, runner) -> None:
        """Send them; nothing to do in a single process."""
        if is_distributed():
            for buffer in runner.model.buffers():
                broadcast(buffer, src=0)
