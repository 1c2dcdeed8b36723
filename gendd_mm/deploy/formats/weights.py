"""Formats of weights alone: safetensors, and the keys of timm and torchvision."""

import copy
from typing import Any

import torch
from mmpretrain.apis import get_model
from torch import Tensor, nn

from gendd_mm.checkpoint import load_all
from gendd_mm.models.algorithms.classifier_search import find_classifier
from gendd_mm.models.build_network import build_network
from gendd_mm.registry import type_name

from ..own_network import own_network
from .trained_student import TrainedStudent

__all__ = [
    'own_keys',
    'own_loading',
    'own_scores',
    'safetensors_scores',
    'saved',
    'write_safetensors',
]


def write_safetensors(student: TrainedStudent, path: str) -> None:
    """Write the weights of ``student.pth`` as safetensors, with the names of the classes."""
    import json

    from safetensors.torch import save_file

    metadata = dict(format='pt', classes=json.dumps(student.classes or []))
    weights = {key: value.contiguous() for key, value in student.model.state_dict().items()}
    save_file({key: value.clone() for key, value in weights.items()}, path, metadata)


def safetensors_scores(student: TrainedStudent, path: str) -> Tensor:
    """Scores by the config of the mmpretrain format with these weights."""
    from safetensors.torch import load_file

    model = get_model(student.exported.config).eval()
    model.load_state_dict(load_file(path), strict=True)
    return model(student.images, mode='tensor').softmax(1)


def own_keys(student: TrainedStudent, library: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The network of a library with as many classes, as a config, and its weights.

    Raises:
        ValueError: If the student is no network of that library with a linear classifier.
    """
    config = _counterpart(student, library)
    fc = getattr(student.model.head, 'fc', None)
    if config is None or not isinstance(fc, nn.Linear):
        neck = getattr(student.model, 'neck', None)
        parts = [type(student.model.backbone).__name__, type(neck).__name__ if neck else 'no neck']
        raise ValueError(
            f'--format {library}: the student ({", ".join(parts)}, '
            f'{type(student.model.head).__name__}) is no network of {library} with a linear '
            'classifier; choose onnx, torch_export, torchscript or safetensors.'
        )
    settings, weights = config
    settings = dict(settings, num_classes=fc.out_features)
    network = build_network(dict(settings))
    name = find_classifier(network)
    weights = dict(weights)
    weights[f'{name}.weight'] = fc.weight.detach()
    if network.get_submodule(name).bias is not None:
        bias = torch.zeros(fc.out_features) if fc.bias is None else fc.bias.detach()
        weights[f'{name}.bias'] = bias
    misfit = load_all(network, dict(weights))
    if misfit:
        raise ValueError(
            f'--format {library}: the weights do not fit the network of {library} ({misfit}); '
            'choose onnx, torch_export, torchscript or safetensors.'
        )
    return settings, weights


def saved(weights: dict[str, Tensor], path: str) -> dict[str, Tensor]:
    """Write weights by the extension of a file, and read them again."""
    if path.endswith('.safetensors'):
        from safetensors.torch import load_file, save_file

        save_file({key: value.clone().contiguous() for key, value in weights.items()}, path)
        return load_file(path)
    torch.save(weights, path)
    return torch.load(path, weights_only=True)


def own_scores(settings: dict[str, Any], weights: dict[str, Tensor], images: Tensor) -> Tensor:
    """Scores by the network of the library."""
    network = build_network(dict(settings))
    network.load_state_dict(weights, strict=True)
    return network.eval()(images).softmax(1)


def own_loading(settings: dict[str, Any], file: str) -> str:
    """The code that loads such weights."""
    arguments = {k: v for k, v in settings.items() if k not in ('type', 'model_name', 'weights')}
    given = ', '.join(f'{key}={value!r}' for key, value in sorted(arguments.items()))
    if str(settings['type']).startswith('timm.'):
        name = settings['model_name']
        return f"timm.create_model('{name}', {given}, checkpoint_path='{file}')"
    return f"{settings['type']}({given}).load_state_dict(torch.load('{file}'))"


def _counterpart(
    student: TrainedStudent, library: str
) -> tuple[dict[str, Any], dict[str, Tensor]] | None:
    """Config and weights, but for the classifier, of the same network in a library."""
    model = student.model
    neck = getattr(model, 'neck', None)
    if neck is not None and type(neck).__name__ != 'GlobalAveragePooling':
        return None
    settings = copy.deepcopy(model._config.model.backbone.to_dict())
    own = own_network(settings, model.backbone)
    if own is not None:
        config = {key: value for key, value in own.config.items() if key != 'pretrained'}
        if own.library == 'torchvision':
            config['weights'] = None
        return (config, own.network.state_dict()) if own.library == library else None
    if library == 'torchvision' and type_name(settings['type']) == 'ResNet':
        name = f'torchvision.models.resnet{settings["depth"]}'
        # mmpretrain's ResNet has torchvision's names.
        return dict(type=name, weights=None), model.backbone.state_dict()
    return None
