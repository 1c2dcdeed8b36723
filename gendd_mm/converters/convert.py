"""Rename the weights of another project, and prove that they fit."""

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
    """Read a checkpoint of another project, write one of MMPretrain's.

    Args:
        source: Its file; the weights are the whole object, or under
            "state_dict", "model" or "module".
        target: File to write; its folder is made.
        architecture: The network of the checkpoint.

    Returns:
        The number of classes.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it holds no weights, or not those of the architecture.
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
    """The weights under MMPretrain's keys, strictly loaded once.

    Args:
        weights: Of the other project.
        architecture: Their network. The number of classes is the weights'.

    Returns:
        All entries of the built classifier's state dict.

    Raises:
        ValueError: If keys are unknown, missing or differ in shape.
    """
    renamed = rename(weights, architecture.rules)
    if 'head.fc.weight' not in renamed:
        raise ValueError(
            'it has no classifier; give a network trained or '
            'fine-tuned to classify, not only pre-trained.'
        )
    num_classes = len(renamed['head.fc.weight'])
    model = MMPRETRAIN_MODELS.build(architecture.classifier(num_classes))
    # Integers are no weights: timm does not save BEiT's index tables, nor did
    # old versions of torch the counters of batch norm.
    integers = {
        key: value for key, value in model.state_dict().items() if not value.is_floating_point()
    }
    converted = integers | renamed
    misfit = load_all(model, converted)
    if misfit:
        raise ValueError(
            f'it does not fit {architecture.backbone}: {misfit}. Name the '
            'architecture that it was trained with.'
        )
    return converted


def rename(weights: Mapping[str, Tensor], rules: Rules) -> dict[str, Tensor]:
    """Give each weight the name of the first rule that matches its key.

    Raises:
        ValueError: If a key matches no rule.
    """
    renamed, unknown = {}, []
    for key, value in weights.items():
        # Written by a model inside DataParallel.
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
            f'{len(unknown)} of {len(weights)} keys are none of this family '
            f'of networks: {unknown[:10]}. Is it a checkpoint of another '
            'network, or one that was not fine-tuned to classify?'
        )
    return renamed
