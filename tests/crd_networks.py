"""Networks of the CRD benchmark as plain functions of its checkpoints.

An independent reference: their keys, shapes and formulas, written out.
"""

import torch
import torch.nn.functional as F

NORM = ('weight', 'bias', 'running_mean', 'running_var')


class Layout(dict):
    """A state dict under construction."""

    def conv(self, name, before, after, size=3, bias=False):
        self[f'{name}.weight'] = torch.zeros(after, before, size, size)
        if bias:
            self[f'{name}.bias'] = torch.zeros(after)

    def norm(self, name, channels):
        # The benchmark's torch 0.4.0 had no num_batches_tracked.
        self.update({f'{name}.{k}': torch.zeros(channels) for k in NORM})

    def linear(self, name, before, after=100):
        self[f'{name}.weight'] = torch.zeros(after, before)
        self[f'{name}.bias'] = torch.zeros(after)


def conv(weights, name, x, stride=1):
    weight = weights[f'{name}.weight']
    return F.conv2d(x, weight, weights.get(f'{name}.bias'), stride, weight.shape[-1] // 2)


def norm(weights, name, x):
    gain, bias, mean, var = (weights[f'{name}.{k}'] for k in NORM)
    return F.batch_norm(x, mean, var, gain, bias)


def classify(weights, name, x):
    return F.linear(x.mean((2, 3)), weights[f'{name}.weight'], weights[f'{name}.bias'])


class ResNet:
    """conv1, bn1, layer{1,2,3}.{i}.{conv,bn}{1,2}, downsample, fc."""

    def __init__(self, num_blocks, stem, width):
        self.num_blocks, self.stem = num_blocks, stem
        self.widths = (width, 2 * width, 4 * width)

    def layout(self):
        keys = Layout()
        keys.conv('conv1', 3, self.stem)
        keys.norm('bn1', self.stem)
        before = self.stem
        for stage, after in enumerate(self.widths, 1):
            for i in range(self.num_blocks):
                name = f'layer{stage}.{i}'
                keys.conv(f'{name}.conv1', before, after)
                keys.norm(f'{name}.bn1', after)
                keys.conv(f'{name}.conv2', after, after)
                keys.norm(f'{name}.bn2', after)
                if before != after:
                    keys.conv(f'{name}.downsample.0', before, after, 1)
                    keys.norm(f'{name}.downsample.1', after)
                before = after
        keys.linear('fc', before)
        return keys

    def forward(self, w, x):
        x = norm(w, 'bn1', conv(w, 'conv1', x)).relu()
        for stage in (1, 2, 3):
            for i in range(self.num_blocks):
                name = f'layer{stage}.{i}'
                stride = 2 if stage > 1 and i == 0 else 1
                out = conv(w, f'{name}.conv1', x, stride)
                out = norm(w, f'{name}.bn1', out).relu()
                out = norm(w, f'{name}.bn2', conv(w, f'{name}.conv2', out))
                if f'{name}.downsample.0.weight' in w:
                    x = conv(w, f'{name}.downsample.0', x, stride)
                    x = norm(w, f'{name}.downsample.1', x)
                x = (out + x).relu()
        return classify(w, 'fc', x)


class WideResNet:
    """conv1, block{1,2,3}.layer.{i}.{bn,conv}{1,2}, convShortcut, bn1, fc."""

    def __init__(self, num_blocks, width):
        self.num_blocks = num_blocks
        self.widths = (16 * width, 32 * width, 64 * width)

    def layout(self):
        keys = Layout()
        keys.conv('conv1', 3, 16)
        before = 16
        for stage, after in enumerate(self.widths, 1):
            for i in range(self.num_blocks):
                name = f'block{stage}.layer.{i}'
                keys.norm(f'{name}.bn1', before)
                keys.conv(f'{name}.conv1', before, after)
                keys.norm(f'{name}.bn2', after)
                keys.conv(f'{name}.conv2', after, after)
                if before != after:
                    keys.conv(f'{name}.convShortcut', before, after, 1)
                before = after
        keys.norm('bn1', before)
        keys.linear('fc', before)
        return keys

    def forward(self, w, x):
        x = conv(w, 'conv1', x)
        for stage in (1, 2, 3):
            for i in range(self.num_blocks):
                name = f'block{stage}.layer.{i}'
                stride = 2 if stage > 1 and i == 0 else 1
                active = norm(w, f'{name}.bn1', x).relu()
                out = conv(w, f'{name}.conv1', active, stride)
                out = norm(w, f'{name}.bn2', out).relu()
                out = conv(w, f'{name}.conv2', out)
                if f'{name}.convShortcut.weight' in w:
                    x = conv(w, f'{name}.convShortcut', active, stride)
                x = x + out
        return classify(w, 'fc', norm(w, 'bn1', x).relu())


class VGG:
    """block{0..4}.{3i} (conv), .{3i + 1} (norm), classifier."""

    def __init__(self, *num_convs):
        self.num_convs = num_convs

    def layout(self):
        keys = Layout()
        before = 3
        for stage, after in enumerate((64, 128, 256, 512, 512)):
            for i in range(self.num_convs[stage]):
                keys.conv(f'block{stage}.{3 * i}', before, after, bias=True)
                keys.norm(f'block{stage}.{3 * i + 1}', after)
                before = after
        keys.linear('classifier', before)
        return keys

    def forward(self, w, x):
        for stage in range(5):
            for i in range(self.num_convs[stage]):
                x = conv(w, f'block{stage}.{3 * i}', x)
                x = norm(w, f'block{stage}.{3 * i + 1}', x).relu()
            if stage < 3:
                x = F.max_pool2d(x, 2)
        return classify(w, 'classifier', x)


class Bottlenecks:
    """conv1, bn1, layer{1..4}.{i}.{conv,bn}{1,2,3}, shortcut, linear."""

    stages = ((64, 3), (128, 4), (256, 6), (512, 3))

    def layout(self):
        keys = Layout()
        keys.conv('conv1', 3, 64)
        keys.norm('bn1', 64)
        before = 64
        for stage, (width, num_blocks) in enumerate(self.stages, 1):
            for i in range(num_blocks):
                name = f'layer{stage}.{i}'
                for j, (a, b, size) in enumerate(
                    ((before, width, 1), (width, width, 3), (width, 4 * width, 1)), 1
                ):
                    keys.conv(f'{name}.conv{j}', a, b, size)
                    keys.norm(f'{name}.bn{j}', b)
                if i == 0:
                    keys.conv(f'{name}.shortcut.0', before, 4 * width, 1)
                    keys.norm(f'{name}.shortcut.1', 4 * width)
                before = 4 * width
        keys.linear('linear', before)
        return keys

    def forward(self, w, x):
        x = norm(w, 'bn1', conv(w, 'conv1', x)).relu()
        for stage, (_, num_blocks) in enumerate(self.stages, 1):
            for i in range(num_blocks):
                name = f'layer{stage}.{i}'
                stride = 2 if stage > 1 and i == 0 else 1
                out = norm(w, f'{name}.bn1', conv(w, f'{name}.conv1', x))
                out = conv(w, f'{name}.conv2', out.relu(), stride)
                out = norm(w, f'{name}.bn2', out).relu()
                out = norm(w, f'{name}.bn3', conv(w, f'{name}.conv3', out))
                if i == 0:
                    x = conv(w, f'{name}.shortcut.0', x, stride)
                    x = norm(w, f'{name}.shortcut.1', x)
                x = (out + x).relu()
        return classify(w, 'linear', x)
