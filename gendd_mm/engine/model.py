"""The model of a run, without the run: its sizes, and itself."""

from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.registry import MODELS, DefaultScope

from gendd_mm.checkpoint import load_all, read_state_dict
from gendd_mm.models.algorithms import fill_in_sizes
from gendd_mm.models.algorithms.measured_sizes import count_classes


def measure_model(cfg: Config) -> None:
    """Write the sizes that the model of a config leaves open into it, in place.

    Raises:
        ValueError: If one cannot be measured.
    """
    if cfg.get('model') is None:
        return
    settings = cfg.model.to_dict()
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope')):
        complete = fill_in_sizes(settings)
    if complete is not settings:
        cfg.model = complete
    head = (complete.get('architecture') or {}).get('head') or {}
    for owner in (cfg, cfg.model):  # that of the student is done
        old = owner.get('data_preprocessor')
        new = count_classes(old, None, head.get('num_classes'))
        if new is not old:
            owner.data_preprocessor = new


def build_model(cfg: Config) -> BaseModel:
    """Build the model of a config, with the preprocessor that a runner gives it."""
    settings = cfg.model.to_dict()
    if cfg.get('data_preprocessor'):
        settings.setdefault('data_preprocessor', cfg.data_preprocessor.to_dict())
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope')):
        return MODELS.build(settings)


def trained_model(cfg: Config, checkpoint: str) -> BaseModel:
    """Build the model of a config with all weights of a checkpoint, in eval mode.

    Raises:
        FileNotFoundError: If there is no such checkpoint.
        ValueError: If it is no good, or does not fit.
    """
    weights = read_state_dict(checkpoint)
    model = build_model(cfg)
    misfit = load_all(model, dict(weights))
    if misfit:
        raise ValueError(
            f'checkpoint {checkpoint!r} does not fit the model of the config: {misfit}; give '
            'the config and the checkpoint of the same run.'
        )
    model.eval()  # not chained: MMRazor's algorithms return None
    return model
