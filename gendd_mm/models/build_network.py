"""Build a network of any library from its config."""

from typing import Any

from torch.export import ExportedProgram
from torch.jit import ScriptModule

from gendd_mm.checkpoint_faults import some
from gendd_mm.registry import MODELS

from .exported_network import exported_network

__all__ = ['build_network', 'from_folder', 'without_foreign_code']

# They run what is in a file: pickles, Python in an exported program, or TorchScript,
# which may write to any file as soon as it is loaded (aten::from_file in __setstate__).
_LOADERS = ('torch.load', 'torch.export.load', 'torch.jit.load')


def build_network(network: Any) -> Any:
    """What a config of a network stands for.

    Args:
        network: A network, a program of ``torch.export`` or of TorchScript, or a config of
            one, whose ``type`` is a name of a registry or the import path of a class,
            function or class method. Of HuggingFace's transformers, a setting may itself be
            such a config: ``dict(type='transformers.ViTForImageClassification',
            config=dict(type='transformers.ViTConfig', num_labels=10))``.

    Raises:
        ValueError: If a network of transformers asks to run the code in its repository, or
            its folder lacks weights of it, a loader would run what is in a file, or a
            program does not fit; see :func:`exported_network`.
    """
    if not isinstance(network, dict):
        if isinstance(network, ScriptModule):
            network.eval()  # a frozen one has no mode before it is set
            for parameter in network.parameters():  # a copy of one that is trained is no leaf
                parameter.requires_grad_(False)
        is_program = isinstance(network, ExportedProgram)
        return exported_network(network) if is_program else network
    kind = str(network.get('type'))
    if kind in _LOADERS:
        raise ValueError(
            f'{kind} runs what is in a file. For a file of torch.export.save give '
            "dict(type='gendd_mm.exported_program', file=...); for another one that you trust, the "
            'import path of a function of yours that loads it.'
        )
    if not kind.startswith('transformers.'):
        return build_network(MODELS.build(network))
    settings = {
        key: build_network(value) if isinstance(value, dict) and 'type' in value else value
        for key, value in network.items()
    }
    if not kind.endswith('.from_pretrained'):
        return MODELS.build(settings)
    if kind.endswith('Config.from_pretrained'):
        return MODELS.build(without_foreign_code(settings))
    built, missing = from_folder(settings)
    if missing:
        folder = settings.get('pretrained_model_name_or_path')
        remedy = 'give the type that was saved'
        if all(key.startswith('pooler.') for key in missing):
            remedy = 'set add_pooling_layer=False in network'
        raise ValueError(
            f'{folder} has no weights of {some(missing)}, which would be random in '
            f'{type(built).__name__}; {remedy}.'
        )
    return built


def from_folder(network: dict) -> tuple[Any, list[str]]:
    """A network of transformers by ``from_pretrained``, and the weights that were not there.

    Raises:
        ValueError: As of :func:`without_foreign_code`.
    """
    settings = dict(without_foreign_code(network), use_safetensors=True, output_loading_info=True)
    built, found = MODELS.build(settings)
    return built, sorted(found['missing_keys'])


def without_foreign_code(settings: dict) -> dict:
    """Settings of ``from_pretrained`` under which nothing in a repository runs.

    Raises:
        ValueError: If they ask for the contrary.
    """
    if settings.get('trust_remote_code') or settings.get('use_safetensors') is False:
        raise ValueError(
            'trust_remote_code=True and use_safetensors=False of transformers are refused: the '
            'files of a network must not run code. Leave them out; for a network with code of '
            'its own, install that code and give the import path of its class, and save weights '
            'by save_pretrained, which writes safetensors.'
        )
    return dict(settings, trust_remote_code=False)
