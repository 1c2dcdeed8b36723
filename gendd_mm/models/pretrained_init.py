"""MMEngine's ``Pretrained`` initialisation, but weights that do not fit are an error."""

from mmengine.logging import print_log
from mmengine.model.weight_init import PretrainedInit
from mmengine.registry import WEIGHT_INITIALIZERS
from mmengine.runner.checkpoint import load_state_dict
from torch import nn

from gendd_mm.checkpoint import load_all, read_state_dict, with_prefix

__all__ = ['FittingPretrainedInit']


@WEIGHT_INITIALIZERS.register_module(name='Pretrained', force=True)
class FittingPretrainedInit(PretrainedInit):
    """``init_cfg=dict(type='Pretrained', ...)`` that loads something, or says why not.

    MMEngine loads what fits and logs the rest: a file of other keys leaves the network
    random. Here a library's own weights get the prefix of the module that wraps its
    network, such as timm's in ``TIMMBackbone``; where something fits, the rest is
    logged as before.

    Args:
        checkpoint: Path or URL of the weights.
        prefix: Of the keys of the module in it, such as ``'backbone.'``. Defaults to None.
        map_location: Where they are loaded to. Defaults to ``'cpu'``.
    """

    def __call__(self, module: nn.Module) -> None:
        """Load the weights into a module.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it is damaged or not safe to read, or none of its weights fits.
        """
        prefix = f'{self.prefix.rstrip(".")}.' if self.prefix else ''
        weights = {
            key.removeprefix(prefix): value
            for key, value in read_state_dict(self.checkpoint).items()
            if key.startswith(prefix)
        }
        if not prefix:
            weights = {key.removeprefix('module.'): value for key, value in weights.items()}
        renamed = with_prefix(weights, module)
        shapes = {key: getattr(value, 'shape', None) for key, value in renamed.items()}
        fits = any(shapes.get(key) == value.shape for key, value in module.state_dict().items())
        # A module may rename old keys while loading, so it is asked.
        misfit = '' if fits else load_all(module, dict(renamed))
        if misfit:
            raise ValueError(
                f'none of the weights in {self.checkpoint!r}{prefix and f" below {prefix!r}"} fits '
                f'{type(module).__name__}, which would stay random: {misfit}. Give the weights of '
                'this architecture as checkpoint of init_cfg, and their place in it as prefix.'
            )
        print_log(f'load {type(module).__name__} from: {self.checkpoint}', 'current')
        load_state_dict(module, renamed, strict=False, logger='current')
