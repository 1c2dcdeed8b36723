"""Linear layers by oneDNN: equal to torch's, and only where they hold."""

import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch._dynamo.backends.debugging import aot_eager
from torch.utils.flop_counter import FlopCounterMode

from gendd_mm.generative import linear as module
from gendd_mm.generative.denoiser import TokenDenoiser
from gendd_mm.generative.linear import Linear, linear

pytestmark = pytest.mark.skipif(not module.has_onednn(), reason='this build of torch has no oneDNN')


@pytest.fixture(autouse=True)
def onednn(monkeypatch):
    """Switched on, for products of any size."""
    monkeypatch.setattr(module, 'FEWEST_MULTIPLY_ADDS', 1)
    module.use_onednn()
    yield
    module.use_onednn(False)


def multiply_adds(function, *args, **kwargs) -> tuple[int, int]:
    """Those of a function by oneDNN, and all, as torch counts them."""
    with FlopCounterMode(display=False) as counter:
        function(*args, **kwargs)
    counts = counter.get_flop_counts()['Global']
    ours = sum(count for name, count in counts.items() if 'onednn' in str(name))
    return ours // 2, sum(counts.values()) // 2


def outcome(function, inputs: Tensor, weight: Tensor, bias: Tensor) -> list:
    """A product, weighted unevenly, and its gradients."""
    leaves = [
        None if leaf is None else leaf.detach().clone().requires_grad_()
        for leaf in (inputs, weight, bias)
    ]
    output = function(*leaves)
    weights = torch.linspace(-1, 2, output.numel()).view_as(output)
    (output * weights.to(output)).sum().backward()
    return [output, *(leaf.grad for leaf in leaves if leaf is not None)]


@pytest.mark.parametrize('with_bias', [True, False])
@pytest.mark.parametrize('axes', [(), (1,), (37,), (2, 3, 5)], ids=str)
def test_products_and_gradients_equal_those_in_float64(axes, with_bias):
    inputs, weight = torch.randn(*axes, 70), torch.randn(33, 70)
    bias = torch.randn(33) if with_bias else None
    ours = outcome(linear, inputs, weight, bias)
    size = 33 * inputs.numel()
    assert multiply_adds(linear, inputs, weight, bias) == (size, size)
    exact = outcome(
        F.linear, inputs.double(), weight.double(), bias.double() if with_bias else None
    )
    for one, other in zip(ours, exact, strict=True):
        assert one.dtype == torch.float32
        torch.testing.assert_close(
            one.double(), other, rtol=1e-5, atol=1e-5 * other.abs().max().item()
        )


@pytest.mark.parametrize('layout', ['transposed', 'expanded', 'sliced'])
def test_any_layout_will_do(layout):
    inputs, weight, bias = {
        'transposed': (torch.randn(6, 9).t(), torch.randn(6, 4).t(), torch.randn(4)),
        'expanded': (
            torch.randn(1, 6).expand(9, 6),
            torch.randn(4, 1).expand(4, 6),
            torch.randn(1).expand(4),
        ),
        'sliced': (torch.randn(9, 12)[:, ::2], torch.randn(8, 6)[:4], torch.randn(8)[::2]),
    }[layout]
    torch.testing.assert_close(linear(inputs, weight, bias), F.linear(inputs, weight, bias))


def test_a_gradient_that_is_a_view_of_one_number_is_read_right():
    """That of a sum is expanded, without memory of its own."""
    inputs, weight = torch.randn(5, 6), torch.randn(4, 6, requires_grad=True)
    linear(inputs, weight).sum().backward()
    torch.testing.assert_close(weight.grad, inputs.sum(0).expand(4, 6))


@pytest.mark.parametrize('frozen', ['inputs', 'weight', 'bias'])
def test_what_is_frozen_gets_no_gradient_and_costs_none(frozen):
    leaves = dict(inputs=torch.randn(5, 6), weight=torch.randn(4, 6), bias=torch.ones(4))
    for name, leaf in leaves.items():
        leaf.requires_grad_(name != frozen)
    held = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda tensor: held.append(tensor) or tensor, lambda held: held
    ):
        output = linear(**leaves)
    backward = multiply_adds(output.sum().backward)
    given = {name for name, leaf in leaves.items() if leaf.grad is not None}
    assert given == leaves.keys() - {frozen}
    # A product for each of inputs and weight, none for the bias.
    size = (2 if frozen == 'bias' else 1) * 5 * 6 * 4
    assert backward == (size, size)
    # The gradient of one needs the other, and no more is kept.
    assert len(held) == (2 if frozen == 'bias' else 1)


def test_a_second_derivative_is_refused():
    weight = torch.randn(4, 6, requires_grad=True)
    output = linear(torch.randn(5, 6), weight).square().sum()
    (gradient,) = torch.autograd.grad(output, weight, create_graph=True)
    with pytest.raises(RuntimeError, match='once_differentiable'):
        gradient.sum().backward()


@pytest.mark.parametrize('modulation', ['block', 'shared'])
def test_all_layers_of_the_denoiser_are_of_this_kind(modulation):
    denoiser = TokenDenoiser(4, 8, 6, 3, 16, 2, modulation)
    layers = [layer for layer in denoiser.modules() if isinstance(layer, nn.Linear)]
    assert layers
    assert all(isinstance(layer, Linear) for layer in layers)


def test_a_compiled_layer_takes_the_same_products():
    layer, inputs = Linear(6, 4), torch.randn(5, 6, requires_grad=True)
    graphs = []

    def backend(graph, examples):
        graphs.append(graph)
        return aot_eager(graph, examples)

    compiled = torch.compile(layer, backend=backend, fullgraph=True)
    results = []
    for run in (compiled, layer):
        run(inputs).square().sum().backward()
        results.append([inputs.grad, *(p.grad for p in layer.parameters())])
        inputs.grad = None
        layer.zero_grad()
    torch.testing.assert_close(*results)
    names = {str(node.target) for node in graphs[0].graph.nodes}
    assert any('autograd_function' in name or 'onednn' in name for name in names)


def test_it_is_off_unless_asked_for():
    code = 'from gendd_mm.generative import linear; print(linear._onednn)'
    output = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, check=True
    )
    assert output.stdout.split() == ['False']


def test_a_build_of_torch_without_it_is_an_error(monkeypatch):
    monkeypatch.setattr(torch.backends.mkldnn, 'is_available', lambda: False)
    module.use_onednn(False)
    with pytest.raises(RuntimeError, match=r'no torch\.ops\.mkldnn\..*remove the call'):
        module.use_onednn()


def test_the_layer_is_a_linear_layer():
    """Initialisation, weight decay and checkpoints see no difference."""
    torch.manual_seed(0)
    ours = Linear(6, 4)
    torch.manual_seed(0)
    plain = nn.Linear(6, 4)
    assert isinstance(ours, nn.Linear)
    plain.load_state_dict(ours.state_dict())
    inputs = torch.randn(5, 6)
    assert multiply_adds(ours, inputs) == (5 * 6 * 4, 5 * 6 * 4)
    torch.testing.assert_close(ours(inputs), plain(inputs))


@pytest.mark.parametrize('case', ['float64', 'no rows', 'autocast', 'few', 'switched off'])
def test_the_rest_is_left_to_torch(case, monkeypatch):
    inputs, weight = torch.randn(5, 6), torch.randn(4, 6)
    if case == 'switched off':
        module.use_onednn(False)
    if case == 'few':
        monkeypatch.setattr(module, 'FEWEST_MULTIPLY_ADDS', 5 * 6 * 4 + 1)
    if case == 'no rows':
        inputs = inputs[:0]
    if case == 'float64':
        inputs, weight = inputs.double(), weight.double()
    with torch.autocast('cpu', torch.bfloat16, enabled=case == 'autocast'):
        with FlopCounterMode(display=False) as counter:
            output = linear(inputs, weight)
        expected = F.linear(inputs, weight)
    assert 'onednn' not in str(counter.get_flop_counts())
    assert output.dtype == expected.dtype
    torch.testing.assert_close(output, expected)


@pytest.mark.parametrize(
    ('inputs', 'weight', 'bias'),
    [((5, 7), (4, 6), (4,)), ((5, 6), (4, 6), (3,)), ((), (4, 6), (4,))],
)
def test_what_does_not_fit_has_the_errors_of_torch(inputs, weight, bias):
    tensors = [torch.randn(shape) for shape in (inputs, weight, bias)]
    with pytest.raises(RuntimeError) as theirs:
        F.linear(*tensors)
    with pytest.raises(RuntimeError) as ours:
        linear(*tensors)
    assert str(ours.value) == str(theirs.value)


def test_multiply_adds_are_counted():
    inputs = torch.randn(2, 5, 6)
    weight, bias = torch.randn(4, 6, requires_grad=True), torch.randn(4)
    counts = []
    for function in (linear, F.linear):
        with FlopCounterMode(display=False) as counter:
            function(inputs.requires_grad_(), weight, bias).sum().backward()
        counts.append(counter.get_total_flops())
    assert counts[0] == counts[1] == 3 * 2 * 2 * 5 * 6 * 4
