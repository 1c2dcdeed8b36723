"""Checkpoints of GenDD by the authors of its paper (arXiv 2507.14503)."""

import os.path as osp
from collections.abc import Mapping

import torch
from mmengine.config import Config
from mmengine.utils import mkdir_or_exist
from torch import Tensor

from gendd_mm.checkpoint import load_all, read_state_dict
from gendd_mm.engine.model import build_model
from gendd_mm.models import GenDD

from .architecture import Rules
from .convert import rename
from .torchvision_resnets import RESNET_RULES

# MobileNetV1 by timm's names, in mmpretrain's wrapper.
TIMM_RULES: Rules = (
    (r'classifier\.(weight|bias)', r'head.fc.\1'),
    (r'(.+)', r'backbone.timm_model.\1'),
)
# By the class of the student's backbone.
STUDENTS: dict[str, Rules] = dict(
    ResNet=RESNET_RULES, ResNeXt=RESNET_RULES, TIMMBackbone=TIMM_RULES
)
DENOISER_RULES: Rules = (
    (r'time_embed\.mlp\.([02]\..+)', r'time_embedding.mlp.\1'),
    (r'cond_embed\.(.+)', r'condition_embedding.\1'),
    (r'pos_embed(\.weight)?', r'token_embedding.weight'),
    (r'input_proj\.(.+)', r'input.\1'),
    (r'res_blocks\.(\d+)\.in_ln\.(.+)', r'blocks.\1.norm.\2'),
    (r'res_blocks\.(\d+)\.mlp\.([02]\..+)', r'blocks.\1.mlp.\2'),
    (r'res_blocks\.(\d+)\.adaLN_modulation\.1\.(.+)', r'modulation.blocks.\1.\2'),
    (r'final_layer\.linear\.(.+)', r'output.\1'),
    (r'final_layer\.adaLN_modulation\.1\.(.+)', r'modulation.output.\1'),
)
# What is in their files and not in ours.
TEACHER, STAGE1 = 'teacher.', 'stage1.'


def convert_gendd(source: str, target: str, cfg: Config) -> None:
    """Read a checkpoint of the authors and write it for ``tools/test.py``.

    Args:
        source: The checkpoint, with its weights under "state_dict".
        target: File to write; its folder is created.
        cfg: Config of GenDD with the same pair, and its teacher's checkpoint.

    Raises:
        FileNotFoundError: If ``source`` or the teacher's checkpoint does not
            exist.
        ValueError: If it does not fit the model of ``cfg``.
    """
    weights = read_state_dict(source)
    try:
        converted = convert_gendd_weights(weights, build_model(cfg))
    except ValueError as error:
        raise ValueError(f'checkpoint {source!r}: {error}') from error
    mkdir_or_exist(osp.dirname(osp.abspath(target)))
    torch.save(dict(state_dict=converted), target)


def convert_gendd_weights(weights: Mapping[str, Tensor], model: GenDD) -> dict[str, Tensor]:
    """Rename the authors' weights to those of a model, and load them strictly.

    Stage 1's projection is left out, and the teacher's last layer too, once it
    is found to be that of the model's teacher.

    Args:
        weights: Weights of the authors.
        model: The same pair here; it has the weights afterwards.

    Returns:
        All entries of the model's state dict.

    Raises:
        ValueError: If the model is no GenDD or its student's names are not
            known, keys are unknown, missing or differ in shape, or the
            teacher is another one.
    """
    if not isinstance(model, GenDD):
        raise ValueError(
            f'it is a checkpoint of GenDD, but the config builds {type(model).__name__}; give '
            'the config of a GenDD run, not of its stage 1.'
        )
    renamed = rename(
        weights, _rules(model), 'Give a checkpoint of GenDD, and the config of the same student.'
    )
    converted = {
        key: value for key, value in renamed.items() if not key.startswith((TEACHER, STAGE1))
    }
    positions = f'{_denoiser(model)}token_embedding.weight'
    if positions in converted and converted[positions].dim() == 3:
        converted[positions] = converted[positions].squeeze(0)  # (1, L, w)
    # Old versions of torch did not save the counters of batch norm.
    integers = {
        key: value for key, value in model.state_dict().items() if not value.is_floating_point()
    }
    converted = integers | converted
    misfit = load_all(model, converted)
    if misfit:
        raise ValueError(
            f'it does not fit the model of the config: {misfit}. Give the config of the same '
            'pair, with the same sizes of the head and a probe without standardize.'
        )
    _check_teacher(renamed, model)
    return converted


def _denoiser(model: GenDD) -> str:
    return f'distiller.distill_losses.{model.distiller.gendd_name}.head.denoiser.'


def _rules(model: GenDD) -> Rules:
    """The authors' names of a whole checkpoint."""
    backbone = type(model.student.backbone).__name__
    if backbone not in STUDENTS:
        raise ValueError(
            f"the authors' names of a {backbone} are not known; the student's backbone must be "
            f'one of {", ".join(STUDENTS)}.'
        )
    return (
        *((rf'model\.{pattern}', f'architecture.{name}') for pattern, name in STUDENTS[backbone]),
        *(
            (rf'diffloss\.net\.{pattern}', f'{_denoiser(model)}{name}')
            for pattern, name in DENOISER_RULES
        ),
        (r'cls_projector\.0\.(.+)', r'distiller.connectors.condition.\1'),
        (r'classifier\.(weight|bias)', rf'{TEACHER}\1'),
        (r'proj\.(.+)', rf'{STAGE1}\1'),
    )


def _check_teacher(renamed: Mapping[str, Tensor], model: GenDD) -> None:
    """Compare the last layers: features are classified by the teacher's."""
    for name, own in model.teacher.classifier.named_parameters():
        theirs = renamed.get(f'{TEACHER}{name}')
        if theirs is not None and not (
            theirs.shape == own.shape and torch.allclose(theirs.to(own), own)
        ):
            raise ValueError(
                f"its classifier.{name} is not that of the teacher's last layer, of shape "
                f'{tuple(own.shape)}, so sampled features would be classified by another one; '
                'set model.teacher_ckpt to the teacher that it was trained with.'
            )
