"""The model of a run, without the run."""

from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.registry import MODELS, DefaultScope


def build_model(cfg: Config) -> BaseModel:
    """Build the model of a config, with the preprocessor that a runner gives it."""
    settings = cfg.model.to_dict()
    if cfg.get('data_preprocessor'):
        settings.setdefault('data_preprocessor', cfg.data_preprocessor.to_dict())
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope')):
        return MODELS.build(settings)
