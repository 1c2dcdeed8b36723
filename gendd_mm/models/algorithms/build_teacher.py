"""Build a teacher from any config, with all of its weights."""

import torch
from mmengine.config import Config
from mmengine.hub import get_config
from mmengine.logging import print_log
from mmengine.model import BaseModel
from mmrazor.registry import MODELS as MMRAZOR_MODELS
from torch import Tensor, nn

from gendd_mm.checkpoint import load_all, read_state_dict, with_prefix
from gendd_mm.checkpoint_faults import some
from gendd_mm.models.build_network import without_foreign_code
from gendd_mm.models.timm_weights import adapted_by_timm
from gendd_mm.registry import type_name

__all__ = ['build_teacher', 'expanded', 'load_strictly', 'load_weights']


def build_teacher(
    teacher: BaseModel | dict, checkpoint: str | None, features_only: bool = False
) -> BaseModel:
    """Build a teacher and load its weights strictly.

    Args:
        teacher: A model with its weights, or a config. A config may be an upstream one,
            ``dict(cfg_path='mmpretrain::...', pretrained=True)``, with settings beside it
            that override its own.
        checkpoint: Its weights. None only for a built model, or for a config that names
            them itself: by ``pretrained`` (True with ``cfg_path`` and for networks of
            other libraries, or a path) or by a ``Pretrained`` ``init_cfg``.
        features_only: Whether the teacher was built without the classifier that its weights
            may have.

    Raises:
        ValueError: If a config has no weights, they do not fit, or some of them would be
            random.
        FileNotFoundError: If a library has not its own weights, and cannot fetch them.
    """
    if not isinstance(teacher, dict):
        if checkpoint is not None:
            load_strictly(teacher, checkpoint, features_only)
        return teacher
    teacher = dict(teacher)
    if type_name(teacher.get('type')) == 'StoredTeacher':  # with its classifier
        return MMRAZOR_MODELS.build(teacher)
    if checkpoint is None and teacher.get('pretrained') is True and _brings_weights(teacher):
        try:
            return _built_with_weights(expanded(teacher))
        except OSError as error:
            raise FileNotFoundError(
                "the teacher's own weights are neither in the cache of its library nor to be "
                f'fetched: {error}; set teacher_ckpt to a file of them.'
            ) from error
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
    model = MMRAZOR_MODELS.build(expanded(teacher))
    init_cfg = model.init_cfg if isinstance(model.init_cfg, dict) else {}
    if checkpoint is None and init_cfg.get('type') == 'Pretrained':
        checkpoint = init_cfg['checkpoint']
    if checkpoint is None:
        raise ValueError(
            'the teacher has no weights: a randomly initialised teacher '
            'teaches nothing; set teacher_ckpt to its checkpoint.'
        )
    load_strictly(model, checkpoint, features_only)
    return model


def _brings_weights(teacher: dict) -> bool:
    """Whether a network is built with weights from its own library's cache or site."""
    kinds = ('TimmClassifier', 'HuggingFaceClassifier', 'ModuleClassifier')
    return type_name(teacher.get('type')) in kinds


def _built_with_weights(teacher: dict) -> BaseModel:
    """Build a network that its library gives weights, and see that it gave all of them.

    What was not in the library's file is random, so a second network has other values.
    """

    def sums(model: nn.Module) -> dict[str, Tensor]:
        return {key: value.double().sum() for key, value in model.state_dict().items()}

    with torch.random.fork_rng(devices=[]):
        first = sums(MMRAZOR_MODELS.build(teacher))
        model = MMRAZOR_MODELS.build(teacher)
    random = [key for key, value in sums(model).items() if not value.equal(first[key])]
    if random:
        raise ValueError(
            f'pretrained=True, but the weights of the teacher ({type(model).__name__}) lack '
            f'{some(random)}, which would be random and teach nothing; give teacher_ckpt or a '
            'file that has them, or leave the layer out of the network.'
        )
    return model


def expanded(model: dict) -> dict:
    """The config of a model in full, where it names an upstream one and what differs.

    HuggingFace's classifiers get the settings under which no file of theirs runs code.
    MMRazor builds ``dict(cfg_path='mmpretrain::...', ...)`` too, but leaves out whatever
    the upstream config has already.

    Args:
        model: Config of a model, with or without ``cfg_path``.

    Raises:
        ValueError: If the upstream config does not exist, or code is asked to run.
    """
    if type_name(model.get('type')) == 'HuggingFaceClassifier':
        safe = without_foreign_code(model)
        return dict(safe, use_safetensors=True) if model.get('pretrained') else safe
    if model.get('cfg_path') is None or model.get('type') is not None:
        return model
    path = model['cfg_path']
    try:
        upstream = get_config(path)
    except (AssertionError, FileNotFoundError, ImportError) as error:
        raise ValueError(
            f'cfg_path={path!r} is no config of upstream ({error}); write package::file as in '
            "'mmpretrain::resnet/resnet34_8xb32_in1k.py'."
        ) from error
    whole = dict(upstream.model, _scope_=path.partition('::')[0])
    if 'data_preprocessor' in upstream:
        whole['data_preprocessor'] = upstream.data_preprocessor
    own = {key: value for key, value in model.items() if key not in ('cfg_path', 'pretrained')}
    merged = Config(dict(model=whole))
    merged.merge_from_dict(dict(model=own))
    return merged.model.to_dict()


def load_strictly(model: nn.Module, checkpoint: str, features_only: bool = False) -> None:
    """Load all weights, or say what does not fit.

    Weights of the network inside a wrapper, such as timm's in ``TimmClassifier``, get the
    name that the wrapper has for it.

    Args:
        model: The network.
        checkpoint: Its weights.
        features_only: Whether one linear layer more is left out: the classifier of a
            network that was built without.

    Raises:
        ValueError: If keys are missing or unexpected, or shapes differ.
    """
    weights = dict(read_state_dict(checkpoint))
    if features_only:
        weights = _without_classifier(weights, model)
    misfit = load_weights(model, weights)
    if misfit:
        raise ValueError(
            f'teacher checkpoint {checkpoint!r} does not fit {type(model).__name__}: {misfit}. A '
            'teacher with some random weights teaches nothing; give the checkpoint of exactly this '
            'architecture.'
        )


def load_weights(model: nn.Module, weights: dict[str, Tensor]) -> str:
    """Load all weights, in the model's keys or in its library's own.

    Returns:
        What does not fit; empty if everything does.
    """
    misfit = load_all(model, with_prefix(dict(weights), model))
    adapted = adapted_by_timm(weights, model) if misfit else None
    if adapted is None or load_all(model, with_prefix(adapted, model)):
        return misfit
    return ''


def _without_classifier(weights: dict[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """Leave out the one linear layer that the model does not have, if there is one."""
    own, named = model.state_dict(), with_prefix(weights, model)
    more = [key for key, name in zip(weights, named, strict=True) if name not in own]
    layers = {key.rpartition('.')[0] for key in more}
    if len(layers) != 1 or [weights[k].dim() for k in more if k.endswith('.weight')] != [2]:
        return weights
    print_log(f'the classifier {layers.pop()!r} of the teacher is left out', 'current')
    return {key: value for key, value in weights.items() if key not in more}
