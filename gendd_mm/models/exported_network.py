"""A program of ``torch.export`` as a network whose last linear layer is a module."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.export import ExportedProgram
from torch.fx import GraphModule, Node

__all__ = ['exported_network', 'with_classifier']


def exported_network(program: ExportedProgram) -> nn.Module:
    """The network of an exported program.

    If a ``linear`` gives its output, that becomes an ``nn.Linear``, so that what enters it
    can be taken. Dropout and batch norm stay in the mode they were exported in.

    Args:
        program: What ``torch.export.export`` gave for images, shape (B, C, H, W), with a
            dynamic B.

    Raises:
        ValueError: If B is a number.
    """
    exported = program.module()
    images = next(node for node in exported.graph.nodes if node.op == 'placeholder')
    return with_classifier(exported, images.meta['val'].shape)


def with_classifier(exported: Any, shape: Sequence) -> nn.Module:
    """A graph in which the linear operation that gives the output, if any, is a module.

    Args:
        exported: A ``GraphModule`` of images.
        shape: Their shape in the program, where only numbers are fixed. A fixed height and
            width become ``img_size``, as timm's networks state theirs.

    Raises:
        ValueError: If the first size is fixed.
    """
    if isinstance(shape[0], int):
        raise ValueError(
            f'the program was exported for images {tuple(shape)}, a batch of {shape[0]} alone; '
            "export it with dynamic_shapes=({0: torch.export.Dim('batch')},) and a batch "
            'of at least 2.'
        )
    graph = exported.graph
    output = next(node for node in graph.nodes if node.op == 'output')
    last = [node for node in output.all_input_nodes if _is_linear(node)]
    if len(last) == 1:
        inputs, *nodes = last[0].args
        parameters = [node and exported.get_parameter(node.target) for node in nodes]
        weight, bias = (*parameters, None)[:2]
        classifier = nn.Linear(weight.size(1), weight.size(0), bias is not None, device='meta')
        classifier.weight, classifier.bias = weight, bias
        name = 'classifier'
        while hasattr(exported, name):
            name += '_'
        exported.add_module(name, classifier)
        with graph.inserting_before(last[0]):
            called = graph.call_module(name, (inputs,))
        last[0].replace_all_uses_with(called)
    graph.eliminate_dead_code()
    # A new module: that of torch.export refuses eval().
    network: Any = GraphModule(exported, graph)
    if all(isinstance(side, int) for side in shape[2:]):
        network.img_size = tuple(shape[2:])
    return network


def _is_linear(node: Node) -> bool:
    """Whether a node is a linear layer of parameters."""
    parameters = [argument for argument in node.args[1:] if argument is not None]
    return node.target is torch.ops.aten.linear.default and all(
        isinstance(argument, Node) and argument.op == 'get_attr' for argument in parameters
    )
