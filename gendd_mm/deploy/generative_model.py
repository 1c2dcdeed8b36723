"""The trained model of a run that can answer by its generative path."""

from typing import Any

from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope

from gendd_mm.engine.model import trained_model
from gendd_mm.models import GenDD

__all__ = ['generative_model']


def generative_model(cfg: Config, checkpoint: str) -> Any:
    """A ``GenDD`` in eval mode, whose draws the teacher's classifier can classify.

    Raises:
        FileNotFoundError: If there is no such checkpoint.
        ValueError: If the config is of no GenDD run or has a teacher without the student's
            classes, or the checkpoint is damaged or of another run.
    """
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope')):
        kind = MODELS.get(cfg.model.type)
        if not (isinstance(kind, type) and issubclass(kind, GenDD)):
            raise ValueError(
                f'model.type={cfg.model.type!r} has no generative path; give the config of a '
                'GenDD run, or take the student alone: by mmpretrain, or without --generative.'
            )
        model: Any = trained_model(cfg, checkpoint)
    if not model.has_teachers_classes:
        raise ValueError(
            "the generative path of this run gives features, not scores of the student's "
            'classes; take a run whose teacher has a classifier of the same classes.'
        )
    return model
