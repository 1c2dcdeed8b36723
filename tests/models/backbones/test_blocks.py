"""The blocks against the benchmark's formulas, written out."""

import pytest
import torch
import torch.nn.functional as F
from random_weights import randomize

from gendd_mm.models.backbones.cifar_mobilenet_v2 import InvertedResidual
from gendd_mm.models.backbones.cifar_shufflenet_v1 import ShuffleUnit


def random(block):
    randomize(block.state_dict())
    return block.eval()


def conv_norm(x, layer, **options):
    """A convolution without bias, and the inference of a batch norm."""
    assert layer.conv.bias is None
    x = F.conv2d(x, layer.conv.weight, **options)
    mean, var, gain, bias = (
        value.view(-1, 1, 1)
        for value in (layer.bn.running_mean, layer.bn.running_var, layer.bn.weight, layer.bn.bias)
    )
    return (x - mean) / (var + 1e-5).sqrt() * gain + bias


@pytest.mark.parametrize(('after', 'stride'), [(4, 1), (4, 2), (6, 1)])
def test_inverted_residual(after, stride):
    block = random(InvertedResidual(4, after, stride, 3))
    x = torch.randn(2, 4, 6, 6)
    wide, deep, narrow = block.conv
    out = conv_norm(x, wide).relu()
    out = conv_norm(out, deep, stride=stride, padding=1, groups=12).relu()
    out = conv_norm(out, narrow)
    if after == 4 and stride == 1:
        out = out + x
    torch.testing.assert_close(block(x), out)


@pytest.mark.parametrize(('stride', 'first_groups'), [(1, 3), (2, 3), (2, 1)])
def test_shuffle_unit(stride, first_groups):
    after = 24 if stride == 1 else 48
    unit = random(ShuffleUnit(24, after, 3, first_groups, stride))
    x = torch.randn(2, 24, 6, 6)
    out = conv_norm(x, unit.compress, groups=first_groups).relu()
    if first_groups == 3:
        # The k-th channel of each group, for k = 0, 1.
        out = out[:, [0, 2, 4, 1, 3, 5]]
    out = conv_norm(out, unit.depthwise, stride=stride, padding=1, groups=6)
    out = conv_norm(out.relu(), unit.expand, groups=3)
    expected = out + x if stride == 1 else torch.cat([out, F.avg_pool2d(x, 3, 2, padding=1)], 1)
    torch.testing.assert_close(unit(x), expected.relu())
