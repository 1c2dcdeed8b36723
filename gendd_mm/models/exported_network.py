"""A program of ``torch.export`` as a network whose last linear layer is a module."""

from typing import Any

import torch
from torch import nn
from torch.export import ExportedProgram

__all__ = ['exported_network']


def exported_network(program: ExportedProgram) -> nn.Module:
    """The network of an exported program.

    Its last ``linear`` becomes an ``nn.Linear`` with the name ``classifier``, so that what
    enters it can be taken. Dropout and batch norm stay in the mode they were exported in.

    Args:
        program: What ``torch.export.export`` gave for images, shape (B, C, H, W), with a
            dynamic B.

    Raises:
        ValueError: If B is a number, or no linear layer gives the output.
    """
    exported: Any = program.module()
    graph = exported.graph
    for node in graph.nodes:
        shape = node.meta['val'].shape if node.op == 'placeholder' else ()
        if shape and isinstance(shape[0], int):
            raise ValueError(
                f'the program was exported for images {tuple(shape)}, a batch of {shape[0]} alone; '
                "export it with dynamic_shapes=({0: torch.export.Dim('batch')},) and a batch "
                'of at least 2.'
            )
    output = next(node for node in graph.nodes if node.op == 'output')
    last = [node for node in output.all_input_nodes if _is_linear(node)]
    if len(last) != 1:
        raise ValueError(
            'no single linear layer gives the output of the exported program, but '
            f'{[str(node.target) for node in output.all_input_nodes]}; export a network that ends '
            'with one, in eval mode and before run_decompositions().'
        )
    inputs, *parameters = last[0].args
    weight, bias = (*(exported.get_parameter(node.target) for node in parameters), None)[:2]
    classifier = nn.Linear(weight.size(1), weight.size(0), bias is not None, device='meta')
    classifier.weight, classifier.bias = weight, bias
    exported.add_module('classifier', classifier)
    with graph.inserting_before(last[0]):
        called = graph.call_module('classifier', (inputs,))
    last[0].replace_all_uses_with(called)
    graph.eliminate_dead_code()
    # A new module: that of torch.export refuses eval().
    return torch.fx.GraphModule(exported, graph)


def _is_linear(node: torch.fx.Node) -> bool:
    return node.target is torch.ops.aten.linear.default
