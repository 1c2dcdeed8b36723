"""The teacher: built, strictly loaded, frozen, and kept apart."""

import torch
from mmengine.hub import get_config
from mmengine.model import BaseModel
from mmrazor.registry import MODELS as MMRAZOR_MODELS
from torch import Tensor, nn

from gendd_mm.checkpoint import load_all, read_state_dict

from .classifier_search import scores_of
from .renormalize import Renormalize

DTYPES = {
    'float32': torch.float32,
    'bfloat16': torch.bfloat16,
    'float16': torch.float16,
}


class FrozenTeacher:
    """A trained classifier that is only read.

    Deliberately not an ``nn.Module``: as the attribute of a model it stays out of
    checkpoints, EMA copies, optimizers and DistributedDataParallel. It is in eval mode
    as a whole (batch norm, dropout, drop path).

    Args:
        model: The teacher, with its weights.
        renormalize: From the student's normalisation to the teacher's.
        classifier: Name of the linear layer that gives its scores, as
            :func:`find_classifier` finds it.
        dtype: Precision in which it runs, by autocast, ``'float32'``, ``'bfloat16'``
            or ``'float16'``. None leaves it to the run. Defaults to None.

    Raises:
        ValueError: If ``dtype`` is unknown.

    Attributes:
        classifier_name: Name of the linear layer that gives the scores.
        classifier: That layer. What enters it is the target.
    """

    def __init__(
        self,
        model: BaseModel,
        renormalize: Renormalize,
        classifier: str,
        dtype: str | None = None,
    ) -> None:
        if dtype not in (None, *DTYPES):
            raise ValueError(
                f'teacher_dtype={dtype!r} is unknown; choose from {list(DTYPES)}, or None for that '
                'of the run.'
            )
        self.model = model.requires_grad_(False).eval()
        self.renormalize = renormalize
        self.classifier_name = classifier
        self.classifier = model.get_submodule(classifier)
        self.dtype = None if dtype is None else DTYPES[dtype]

    @torch.no_grad()
    def extract_feat(self, inputs: Tensor) -> tuple[Tensor]:
        """Run the whole teacher to its scores, and take what enters its classifier.

        Args:
            inputs: Images in the student's normalisation, shape (B, 3, H, W).

        Returns:
            The feature, shape (B, D), in a tuple, as of mmpretrain's classifiers. MMRazor's
            recorders see all that happens on the way.
        """
        inputs = self.renormalize(inputs)
        entered: list[Tensor] = []
        with self.classifier.register_forward_pre_hook(lambda _, args: entered.append(args[0])):
            if self.dtype is None:
                scores_of(self.model, inputs)
            else:
                half = self.dtype != torch.float32
                with torch.autocast(inputs.device.type, self.dtype, enabled=half):
                    scores_of(self.model, inputs)
        return (entered[-1],)

    @torch.no_grad()
    def classify(self, features: Tensor) -> Tensor:
        """Class scores, shape (B, C), of features, shape (B, D)."""
        return self.classifier(features)

    def apply_to_tensors(self, fn) -> None:
        """Move or cast along with the model that owns this teacher."""
        self.model._apply(fn)
        self.renormalize._apply(fn)

    def __deepcopy__(self, memo: dict) -> 'FrozenTeacher':
        # Never written, so a copy of the owner (EMA) shares it.
        return self


def build_teacher(teacher: BaseModel | dict, checkpoint: str | None) -> BaseModel:
    """Build a teacher and load its weights strictly.

    Args:
        teacher: A model with its weights, or a config. A config may be an upstream one,
            ``dict(cfg_path='mmpretrain::...', pretrained=True)``.
        checkpoint: Its weights. None only for a built model, or for a config that names
            them itself: by ``pretrained`` (True with ``cfg_path``, or a path) or by a
            ``Pretrained`` ``init_cfg``.

    Raises:
        ValueError: If a config has no weights, or they do not fit.
    """
    if not isinstance(teacher, dict):
        if checkpoint is not None:
            load_strictly(teacher, checkpoint)
        return teacher
    teacher = dict(teacher)
    pretrained = teacher.pop('pretrained', None)
    if checkpoint is None and isinstance(pretrained, str):
        checkpoint = pretrained  # mmpretrain's classifiers take a path
    elif checkpoint is None and pretrained:
        if 'cfg_path' not in teacher:
            raise ValueError(
                'pretrained=True works with cfg_path only; give '
                'teacher_ckpt, the path of the weights.'
            )
        checkpoint = get_config(teacher['cfg_path'], pretrained=True).model_path
    model = MMRAZOR_MODELS.build(teacher)
    init_cfg = model.init_cfg if isinstance(model.init_cfg, dict) else {}
    if checkpoint is None and init_cfg.get('type') == 'Pretrained':
        checkpoint = init_cfg['checkpoint']
    if checkpoint is None:
        raise ValueError(
            'the teacher has no weights: a randomly initialised teacher '
            'teaches nothing; set teacher_ckpt to its checkpoint.'
        )
    load_strictly(model, checkpoint)
    return model


def load_strictly(model: nn.Module, checkpoint: str) -> None:
    """Load all weights, or say what does not fit.

    Raises:
        ValueError: If keys are missing or unexpected, or shapes differ.
    """
    misfit = load_all(model, dict(read_state_dict(checkpoint)))
    if misfit:
        raise ValueError(
            f'teacher checkpoint {checkpoint!r} does not fit {type(model).__name__}: {misfit}. A '
            'teacher with some random weights teaches nothing; give the checkpoint of exactly this '
            'architecture.'
        )
