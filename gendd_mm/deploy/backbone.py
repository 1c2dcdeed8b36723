"""Export the student's backbone, for detection, segmentation and its own library."""

import copy
import os.path as osp
from typing import Any, NamedTuple

import torch
from mmengine.config import Config
from mmengine.utils import mkdir_or_exist
from mmpretrain.registry import MODELS as MMPRETRAIN_MODELS
from torch import Tensor

from gendd_mm.checkpoint import load_all
from gendd_mm.models import ModuleBackbone
from gendd_mm.models.algorithms.classifier_search import dry_run
from gendd_mm.models.build_network import build_network

from .export import config_text, plain_model
from .needed_packages import needed_packages
from .own_network import own_network
from .student_weights import student_weights

__all__ = ['ExportedBackbone', 'export_backbone']


class ExportedBackbone(NamedTuple):
    """The files that were written, and the packages that load the first two."""

    config: str
    weights: str
    # In the keys of timm or torchvision, where the network is theirs.
    own_weights: str | None
    # Besides mmpretrain.
    needs: list[str]


def export_backbone(cfg: Config, checkpoint: str, out_dir: str) -> ExportedBackbone:
    """Write the student of a distillation without its head, as config and weights.

    The weights, ``backbone.pth``, are for ``init_cfg=dict(type='Pretrained',
    checkpoint='backbone.pth', prefix='backbone.')`` of MMDetection and MMSegmentation;
    the config, ``backbone.py``, is for mmpretrain. A network of timm or torchvision is
    also written in its library's own keys, ``timm.safetensors`` or ``torchvision.pth``,
    once it has given the same features there.

    Args:
        cfg: Config of the run. Its ``model.architecture`` is the student.
        checkpoint: Checkpoint of the run.
        out_dir: Folder to write to.

    Raises:
        FileNotFoundError: If there is no such checkpoint.
        ValueError: If there is no student, it has no backbone, or the weights do not fit.
    """
    model = plain_model(cfg, None)
    if not isinstance(model.get('backbone'), dict):
        raise ValueError(
            f'model.architecture.type={model.get("type")!r} has no backbone to export; take '
            'ImageClassifier with a backbone, such as gendd_mm.ModuleBackbone.'
        )
    weights = {
        key: value
        for key, value in student_weights(checkpoint).items()
        if not key.startswith('head.')
    }
    built = MMPRETRAIN_MODELS.build(copy.deepcopy(model))
    misfit = load_all(built, dict(weights))
    if misfit:
        raise ValueError(
            f'checkpoint {checkpoint!r} does not fit the student of the config: {misfit}; give '
            'the config and the checkpoint of the same run.'
        )
    own = _in_own_keys(model['backbone'], built.backbone)

    needs = needed_packages([model])
    mkdir_or_exist(out_dir)
    config_path = osp.join(out_dir, 'backbone.py')
    weights_path = osp.join(out_dir, 'backbone.pth')
    with open(config_path, 'w', encoding='utf-8') as file:
        file.write(config_text(model, None, needs))
    torch.save(dict(meta={}, state_dict=weights), weights_path)
    own_path = None
    if own is not None:
        library, own_weights = own
        own_path = osp.join(
            out_dir, f'{library}.safetensors' if library == 'timm' else f'{library}.pth'
        )
        _save(own_weights, own_path)
    return ExportedBackbone(config_path, weights_path, own_path, needs)


def _in_own_keys(settings: dict, backbone: Any) -> tuple[str, dict[str, Tensor]] | None:
    """Library and weights of a network of timm or torchvision, checked there."""
    own = own_network(settings, backbone)
    if own is None:
        return None
    if own.library == 'timm':
        fresh = build_network(dict(own.config, num_classes=0))
    else:
        fresh = ModuleBackbone(own.config).network
    weights = own.network.state_dict()
    misfit = load_all(fresh, dict(weights))
    same = not misfit and torch.allclose(
        dry_run(own.network, own.run), dry_run(fresh, own.run), rtol=1e-6, atol=1e-6
    )
    if not same:
        raise ValueError(
            f'the backbone in the keys of {own.library} gives other features than the student'
            f'{": " * bool(misfit)}{misfit}; load backbone.py in mmpretrain instead, and report '
            'the network.'
        )
    return own.library, weights


def _save(weights: dict[str, Tensor], path: str) -> None:
    if path.endswith('.pth'):
        torch.save(weights, path)
        return
    from safetensors.torch import save_file  # timm brings it

    save_file({key: value.contiguous() for key, value in weights.items()}, path)
