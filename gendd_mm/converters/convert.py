"""Rename the weights of another project, and check that they fit."""

import os.path as osp
import re
from collections.abc import Mapping

import torch
from mmengine.utils import mkdir_or_exist
from mmpretrain.registry import MODELS as MMPRETRAIN_MODELS
from torch import Tensor

from gendd_mm.checkpoint import load_all, read_state_dict

from .architecture import Architecture, Rules


def convert_checkpoint(source: str, target: str, architecture: Architecture) -> int:
    """Read a checkpoint of another project and write it for MMPretrain.

    Args:
        source: The checkpoint; its weights are the whole object, or under
            "state_dict", "model" or "module".
        target: File to write; its folder is created.
        architecture: The network of the checkpoint.

    Returns:
        The number of classes.

    Raises:
        FileNotFoundError: If ``source`` does not exist.
        ValueError: If it has no weights, or not those of the architecture.
    """
    weights = read_state_dict(source, ('state_dict', 'model', 'module'))
    try:
        converted = convert_weights(weights, architecture)
    except ValueError as error:
        raise ValueError(f'checkpoint {source!r}: {error}') from error
    mkdir_or_exist(osp.dirname(osp.abspath(target)))
    torch.save(dict(state_dict=converted), target)
    return len(converted['head.fc.weight'])


def convert_weights(weights: Mapping[str, Tensor], architecture: Architecture) -> dict[str, Tensor]:
    """Rename weights to MMPretrain's keys, and load them strictly once.

    Args:
        weights: Weights of the other project.
        architecture: Their network. The weights give the number of classes.

    Returns:
        All entries of the built classifier's state dict.

    Raises:
        ValueError: If keys are unknown, missing or differ in shape.
    """
    renamed = rename(
        weights,
        architecture.rules,
        'Name the family of the checkpoint, and give a network that was fine-tuned to classify.',
    )
    if 'head.fc.weight' not in renamed:
        raise ValueError(
            'it has no classifier; give a network that was trained or fine-tuned to classify, '
            'not only pre-trained.'
        )
    num_classes = len(renamed['head.fc.weight'])
    model = MMPRETRAIN_MODELS.build(architecture.classifier(num_classes))
    # Integers are not weights: timm does not save BEiT's index tables, and old
    # versions of torch did not save the counters of batch norm.
    integers = {
        key: value for key, value in model.state_dict().items() if not value.is_floating_point()
    }
    converted = integers | renamed
    misfit = load_all(model, converted)
    if misfit:
        raise ValueError(
            f'it does not fit {architecture.backbone}: {misfit}. Name the architecture that it '
            'was trained with.'
        )
    return converted


def rename(weights: Mapping[str, Tensor], rules: Rules, remedy: str = '') -> dict[str, Tensor]:
    """Give each weight the name of the first rule that matches its key.

    Args:
        weights: Weights of the other project.
        rules: Their names there and here.
        remedy: What to do about unknown keys, for the error.

    Raises:
        ValueError: If a key matches no rule.
    """
    renamed, unknown = {}, []
    for key, value in weights.items():
        # The prefix comes from a model inside DataParallel.
        key = key.removeprefix('module.')
        for pattern, name in rules:
            match = re.fullmatch(pattern, key)
            if match:
                renamed[match.expand(name)] = value
                break
        else:
            unknown.append(key)
    if unknown:
        raise ValueError(
            f'{len(unknown)} of {len(weights)} keys do not belong to this family of networks: '
            f'{unknown[:10]}. {remedy}'
        )
    return renamed
