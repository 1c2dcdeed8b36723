"""Linear layers by oneDNN: equal to torch's, and only where they hold."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from gendd_mm.models import linear as module
from gendd_mm.models.linear import Linear, linear

pytestmark = pytest.mark.skipif(
    not module.HAS_ONEDNN, reason='this build of torch has no oneDNN')


@pytest.fixture(autouse=True)
def onednn(monkeypatch):
    """As on a CPU with AVX-512, whatever this one is."""
    monkeypatch.setattr(module, 'ONEDNN', True)


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
@pytest.mark.parametrize('axes', [(), (1, ), (37, ), (2, 3, 5)], ids=str)
def test_products_and_gradients_equal_those_in_float64(axes, with_bias):
    inputs, weight = torch.randn(*axes, 70), torch.randn(33, 70)
    bias = torch.randn(33) if with_bias else None
    ours = outcome(linear, inputs, weight, bias)
    assert ours[0].grad_fn.name() == '_OneDNNLinearBackward'
    exact = outcome(F.linear, inputs.double(), weight.double(),
                    bias.double() if with_bias else None)
    for one, other in zip(ours, exact, strict=True):
        assert one.dtype == torch.float32
        torch.testing.assert_close(
            one.double(),
            other,
            rtol=1e-5,
            atol=1e-5 * other.abs().max().item())


@pytest.mark.parametrize('layout', ['transposed', 'expanded', 'sliced'])
def test_any_layout_of_inputs_and_weight_will_do(layout):
    inputs, weight = {
        'transposed': (torch.randn(6, 9).t(), torch.randn(6, 4).t()),
        'expanded': (torch.randn(1, 6).expand(9, 6), torch.randn(4, 6)),
        'sliced': (torch.randn(9, 12)[:, ::2], torch.randn(8, 6)[:4]),
    }[layout]
    torch.testing.assert_close(
        linear(inputs, weight), F.linear(inputs, weight))


def test_a_gradient_that_is_a_view_of_one_number_is_read_right():
    """That of a sum is expanded, without memory of its own."""
    inputs, weight = torch.randn(5, 6), torch.randn(4, 6, requires_grad=True)
    linear(inputs, weight).sum().backward()
    torch.testing.assert_close(weight.grad, inputs.sum(0).expand(4, 6))


def test_what_is_frozen_gets_no_gradient():
    layer, inputs = Linear(6, 4), torch.randn(5, 6)
    layer.weight.requires_grad_(False)
    layer(inputs).sum().backward()
    assert layer.weight.grad is None
    torch.testing.assert_close(layer.bias.grad, torch.full((4, ), 5.))


def test_the_layer_is_a_linear_layer():
    """Initialisation, weight decay and checkpoints see no difference."""
    torch.manual_seed(0)
    ours = Linear(6, 4)
    torch.manual_seed(0)
    plain = nn.Linear(6, 4)
    assert isinstance(ours, nn.Linear)
    plain.load_state_dict(ours.state_dict())
    inputs = torch.randn(5, 6)
    torch.testing.assert_close(ours(inputs), plain(inputs))


@pytest.mark.parametrize('case', ['float64', 'no rows', 'autocast'])
def test_the_rest_is_left_to_torch(case):
    inputs, weight = torch.randn(5, 6), torch.randn(4, 6)
    if case == 'no rows':
        inputs = inputs[:0]
    if case == 'float64':
        inputs, weight = inputs.double(), weight.double()
    with torch.autocast('cpu', torch.bfloat16, enabled=case == 'autocast'):
        output = linear(inputs, weight.requires_grad_())
        expected = F.linear(inputs, weight)
    assert output.grad_fn.name() != '_OneDNNLinearBackward'
    assert output.dtype == expected.dtype
    torch.testing.assert_close(output, expected)


def test_multiply_adds_are_counted():
    inputs = torch.randn(2, 5, 6)
    weight, bias = torch.randn(4, 6, requires_grad=True), torch.randn(4)
    counts = []
    for function in (linear, F.linear):
        with FlopCounterMode(display=False) as counter:
            function(inputs.requires_grad_(), weight, bias).sum().backward()
        counts.append(counter.get_total_flops())
    assert counts[0] == counts[1] == 3 * 2 * 2 * 5 * 6 * 4
