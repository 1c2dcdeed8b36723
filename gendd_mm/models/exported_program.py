"""A file of ``torch.export.save`` as a network; nothing in it is run while it is read.

``torch.export.load`` cannot be used: it unpickles, evaluates the sizes in the file as
Python (``sympy.sympify``), compiles its ``guards_code`` and calls any function below
``torch``. Here the file gives a list of known operations, and numbers.
"""

import json
import operator
import os.path as osp
import re
import zipfile
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import Graph, GraphModule, Node

from gendd_mm.checkpoint_faults import nonfinite, some
from gendd_mm.protected_load import checked_zip
from gendd_mm.registry import MODELS

from .exported_network import with_classifier

__all__ = ['exported_program']

# Of ``aten``, each also in place. None takes a file, a pointer or a function.
_OPERATIONS = """
conv1d conv2d conv_transpose2d convolution linear addmm baddbmm bmm matmul mm einsum
batch_norm group_norm instance_norm layer_norm rms_norm
celu elu gelu glu hardsigmoid hardswish hardtanh leaky_relu log_sigmoid log_softmax mish
prelu relu relu6 selu sigmoid silu softmax softplus tanh
adaptive_avg_pool1d adaptive_avg_pool2d adaptive_max_pool2d avg_pool1d avg_pool2d
max_pool2d upsample_bicubic2d upsample_bilinear2d upsample_nearest2d
amax amin argmax argmin cumsum linalg_vector_norm max mean min norm prod std sum var
abs add ceil clamp clamp_max clamp_min cos div erf exp floor log maximum minimum mul neg
pow reciprocal round rsqrt rsub sin sqrt square sub tan
bitwise_not eq ge gt le logical_and logical_not logical_or lt masked_fill ne where
alias cat channel_shuffle chunk clone concat constant_pad_nd contiguous copy detach
expand expand_as flatten flip gather im2col index index_select lift_fresh_copy movedim
narrow numpy_T pad permute pixel_shuffle pixel_unshuffle repeat repeat_interleave
reshape roll select slice split split_with_sizes squeeze stack swapaxes sym_size t tile
to transpose tril triu type_as unbind unflatten unfold unsqueeze view
arange embedding eye fill full full_like linspace meshgrid new_full new_ones new_zeros
ones ones_like scalar_tensor zero zeros zeros_like
alpha_dropout cosine_similarity dropout feature_dropout scaled_dot_product_attention
"""
_OF_SIZES = ('add', 'eq', 'floordiv', 'ge', 'gt', 'le', 'lt', 'mod', 'mul', 'ne', 'neg', 'sub')
# They check what the tracer assumed, and give nothing.
_CHECKS = ('_assert_scalar', '_assert_tensor_metadata', 'sym_constrain_range_for_size')
# The numbers of torch.export's schema.
_DTYPES = {
    1: torch.uint8,
    2: torch.int8,
    3: torch.int16,
    4: torch.int32,
    5: torch.int64,
    6: torch.float16,
    7: torch.float32,
    8: torch.float64,
    12: torch.bool,
    13: torch.bfloat16,
}
_MEMORY_FORMATS = {
    1: torch.contiguous_format,
    2: torch.channels_last,
    4: torch.preserve_format,
}
_PLAIN: dict[str, Callable] = {
    'as_none': lambda value: None,
    'as_bool': bool,
    'as_float': float,
    'as_int': int,
    'as_string': str,
    'as_scalar_type': _DTYPES.__getitem__,
    'as_memory_format': _MEMORY_FORMATS.__getitem__,
    'as_layout': {7: torch.strided}.__getitem__,
}


@MODELS.register_module()
def exported_program(file: str) -> nn.Module:
    """The network in a file that ``torch.export.save`` wrote.

    Args:
        file: Path of a program for images (B, C, H, W) with a dynamic B. Its batch norm
            and dropout stay in the mode they were exported in; it runs on any device.

    Returns:
        The network; a linear layer that gives its output is a module, as in
        :func:`exported_network`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is damaged, was not written by ``torch.export.save``, contains
            pickled objects, machine code or weights that are not finite, calls an
            operation that is not known to be harmless, or has a fixed B.
    """
    if not osp.isfile(file):
        raise FileNotFoundError(f'exported program {file!r} does not exist.')
    try:
        if not checked_zip(file):
            raise ValueError('it is no zip archive, or is cut short')
        with zipfile.ZipFile(file) as archive:
            return _network(archive)
    except ValueError as error:
        reason = str(error).rstrip('.')
        raise ValueError(f'exported program {file!r} is refused: {reason}.') from error
    except Exception as error:  # whatever is wrong with the entries of a file
        reason = f'{type(error).__name__}: {str(error).partition(chr(10))[0]}'
        raise ValueError(
            f'exported program {file!r} is damaged, or of another version of torch ({reason}); '
            f'write it again by torch.export.save of torch {torch.__version__}.'
        ) from error


def _network(archive: zipfile.ZipFile) -> nn.Module:
    members = {name.partition('/')[2]: name for name in archive.namelist()}
    compiled = [name for name in members if name.startswith('data/aotinductor/')]
    if compiled or any(name.endswith('.so') for name in members):
        raise ValueError('machine code in it is never loaded; save the program that was compiled')
    if 'models/model.json' not in members:
        raise ValueError(
            'it contains no program of torch.export, is cut short, or was written by an older '
            f'torch; write it by torch.export.save of torch {torch.__version__} (TorchScript is '
            'not read)'
        )

    def content(member: str) -> bytes:
        return archive.read(members[member])

    root = nn.Module()
    for kind in ('weights', 'constants'):
        config = json.loads(content(f'data/{kind}/model_{kind}_config.json'))
        for name, entry in config['config'].items():
            if entry['use_pickle']:
                raise ValueError(f'{name!r} in it is a pickled object, which could run code')
            tensor = _tensor(entry['tensor_meta'], content(f'data/{kind}/{entry["path_name"]}'))
            _register(root, name, tensor, entry)
    if bad := nonfinite(dict(root.named_parameters())):
        raise ValueError(f'its weights {some(bad)} are not finite')
    program = json.loads(content('models/model.json'))['graph_module']
    reader = _Reader(program, root.state_dict())
    return with_classifier(GraphModule(root, reader.graph), reader.shape)


def _tensor(meta: dict, content: bytes) -> Tensor:
    dtype = _DTYPES[meta['dtype']]
    sizes = [size['as_int'] for size in meta['sizes']]
    if not content:
        return torch.zeros(sizes, dtype=dtype)
    strides = [stride['as_int'] for stride in meta['strides']]
    flat = torch.frombuffer(bytearray(content), dtype=dtype)
    return flat.as_strided(sizes, strides, meta['storage_offset']['as_int']).clone()


def _register(owner: nn.Module, name: str, tensor: Tensor, entry: dict) -> None:
    """Give a network a tensor; torch refuses the name of anything that a module has."""
    *owners, last = _checked_name(name).split('.')
    for each in owners:
        if each not in dict(owner.named_children()):
            owner.add_module(each, nn.Module())
        owner = owner.get_submodule(each)
    if entry['is_param']:
        needs_grad = bool(entry['tensor_meta']['requires_grad'])
        owner.register_parameter(last, nn.Parameter(tensor, needs_grad))
    else:
        owner.register_buffer(last, tensor)


def _checked_name(name: str) -> str:
    """A name that torch.fx can write into the code of a graph."""
    if not re.fullmatch(r'\w+(\.\w+)*', name, re.ASCII) or '__' in name:
        raise ValueError(f'{name!r} in it is no name of a tensor or argument')
    return name


class _Reader:
    """Make a graph of the nodes in a program, whose names in the file are not kept.

    Args:
        program: The ``graph_module`` of the file.
        tensors: The tensors that it may use, by name.
    """

    def __init__(self, program: dict, tensors: dict) -> None:
        self.graph = Graph()
        self.nodes: dict[str, Node] = {}
        signature, graph = program['signature'], program['graph']
        images = self.graph.placeholder('images')
        self.device = self.graph.call_function(getattr, (images, 'device'))
        inputs = []
        for spec in signature['input_specs']:
            ((kind, value),) = spec.items()
            if kind == 'user_input':
                inputs.append(value['arg']['as_tensor']['name'])
            else:
                name = value[f'{kind}_name']
                if name not in tensors:
                    raise ValueError(f'it has no tensor {name!r}')
                self.nodes[value['arg']['name']] = self.graph.create_node('get_attr', name)
        if len(inputs) != 1:
            raise ValueError(f'it takes {inputs} instead of images alone')
        self.nodes[inputs[0]] = images
        sizes = graph['tensor_values'][inputs[0]]['sizes']
        self.shape = [size.get('as_int', 'any') for size in sizes]
        for node in graph['nodes']:
            self.call(node)
        given = [
            self.argument(*spec['user_output']['arg'].items())
            for spec in signature['output_specs']
            if 'user_output' in spec
        ]
        self.graph.output(given[0] if len(given) == 1 else tuple(given))

    def call(self, node: dict) -> None:
        """Add the call of an operation, and name its outputs."""
        target = node['target']
        if target.split('.')[-2] in _CHECKS:
            return
        args = []
        kwargs = {}
        for each in node['inputs']:
            value = self.argument(*each['arg'].items())
            if each['kind'] == 2:  # a keyword, which becomes a part of Python code
                kwargs[_checked_name(each['name'])] = value
            else:
                args.append(value)
        called = self.graph.call_function(_operation(target), tuple(args), kwargs)
        outputs = [_named(output) for output in node['outputs']]
        if len(outputs) == 1 and not isinstance(outputs[0], list):
            self.nodes[outputs[0]] = called
            return
        for index, name in enumerate(outputs[0] if len(outputs) == 1 else outputs):
            self.nodes[name] = self.graph.call_function(operator.getitem, (called, index))

    def argument(self, item: tuple[str, Any]) -> Any:
        """A node, a number or a list of them, of a kind and a value in the file."""
        kind, value = item
        if isinstance(value, list):
            return [self.argument((kind.removesuffix('s'), each)) for each in value]
        if kind == 'as_device':
            # Where it was exported does not matter.
            return self.device
        if isinstance(value, dict):
            name = value.get('name', value.get('as_name'))
            return self.argument(*value.items()) if name is None else self.nodes[name]
        return _PLAIN[kind](value)


def _named(output: dict) -> Any:
    """The name of an output, or those of a list."""
    ((_, value),) = output.items()
    if isinstance(value, list):
        return [each['name'] for each in value]
    return value.get('name', value.get('as_name'))


def _operation(target: str) -> Any:
    """The operation of a name, if it is harmless."""
    if target in [f'_operator.{name}' for name in _OF_SIZES]:
        return getattr(operator, target.partition('.')[2])
    found = re.fullmatch(r'torch\.ops\.aten\.((\w+?)_?)\.(\w+)', target)
    if found is None or found[2] not in _OPERATIONS.split():
        raise ValueError(
            f'it calls {target!r}, which is not known to be harmless; if you trust the file, give '
            'the import path of a function of yours that returns torch.export.load(...)'
        )
    versions = getattr(torch.ops.aten, found[1])
    if found[3] not in versions.overloads():
        raise ValueError(f'it calls {target!r}, which torch {torch.__version__} does not have')
    return getattr(versions, found[3])
