"""Nothing of a step waits for the device, and all of it is on the device."""

import functools

import far_device
import pytest
import torch
from far_device import FAR, FarDevice, sent_far
from torch import nn

from gendd_mm.generative import (
    AncestralSampler,
    ClassifierCenters,
    DDIMSampler,
    DistributionContraction,
    DPMSolverPPSampler,
    FeatureMeanCenters,
    FeatureMixup,
    GaussianDiffusion,
    GenDDLoss,
    GenerativeHead,
    MidpointSampler,
    OneStepSampler,
    RectifiedFlow,
    RegressionHead,
    SplitTokenizer,
    TokenDenoiser,
)

CLASSES = 5


@pytest.fixture
def far():
    with FarDevice() as mode:
        yield mode


def small(kind=GenerativeHead, modulation: str = 'block', **settings) -> nn.Module:
    return kind(
        6,
        12,
        functools.partial(SplitTokenizer, token_dim=4),
        functools.partial(TokenDenoiser, width=16, depth=1, modulation=modulation),
        **settings,
    )


def step(loss: GenDDLoss, optimizer=torch.optim.AdamW, soft: bool = False) -> None:
    """Forward, backward, and the optimizer, on random images."""
    loss = sent_far(loss)
    wrapped = optimizer(loss.parameters(), lr=0.1)
    condition = torch.randn(4, 6, device=FAR, requires_grad=True)
    labels = torch.randint(CLASSES, (4,), device=FAR)
    if soft:
        labels = torch.rand(4, CLASSES, device=FAR)
    centers, bias = torch.randn(CLASSES, 12, device=FAR), torch.randn(CLASSES, device=FAR)
    loss(condition, torch.randn(4, 12, device=FAR), labels, centers, bias).backward()
    wrapped.step()
    assert condition.grad.shape == condition.shape
    assert all(tensor.device == FAR for tensor in loss.state_dict().values())


@pytest.mark.parametrize(
    'wait',
    [
        lambda x: x.sum().item(),
        lambda x: bool(x.sum() > 0),
        lambda x: float(x[0]),
        lambda x: x[x > 0],
        lambda x: x.nonzero(),
    ],
    ids=['item', 'bool', 'float', 'mask', 'nonzero'],
)
def test_waiting_for_the_far_device_is_an_error(far, wait):
    with pytest.raises(far_device.WAITS):
        wait(torch.randn(4, device=FAR))


@pytest.mark.parametrize(
    'mix',
    [
        lambda x: x + torch.ones(4),
        lambda x: torch.ones(4).to(FAR),
        lambda x: x[torch.tensor([0, 1])],
    ],
    ids=['add', 'copy', 'index'],
)
def test_mixing_devices_and_copying_from_the_cpu_are_errors(far, mix):
    with pytest.raises((AssertionError, RuntimeError)):
        mix(torch.randn(4, device=FAR))


@pytest.mark.parametrize('row_chunk', [None, 7])
@pytest.mark.parametrize('noise_sampling', ['independent', 'antithetic'])
@pytest.mark.parametrize(
    'process',
    [
        GaussianDiffusion,
        functools.partial(GaussianDiffusion, prediction='v', learned_variance=False),
        functools.partial(GaussianDiffusion, timesteps=dict(type='logit_normal')),
        functools.partial(RectifiedFlow, timesteps=dict(type='shifted')),
    ],
    ids=['gaussian', 'velocity', 'logit_normal', 'flow'],
)
def test_a_step_of_the_head_never_waits(far, process, noise_sampling, row_chunk):
    head = small(
        process=process(),
        sampler=DDIMSampler(),
        noise_sampling=noise_sampling,
        row_chunk=row_chunk,
        target_scale='auto',
        # More rows than timesteps, and fewer.
        repeats=100 if row_chunk is None else 4,
    )
    step(GenDDLoss(head))


@pytest.mark.parametrize('soft', [False, True])
@pytest.mark.parametrize(
    'contraction',
    [
        dict(),
        dict(teacher_label_weight=0.5),
        dict(teacher_label_weight=1.0),
        dict(centers=functools.partial(ClassifierCenters, 'feature_norm')),
        dict(centers=functools.partial(FeatureMeanCenters, CLASSES, 12)),
    ],
    ids=['paper', 'blend', 'teacher', 'feature_norm', 'means'],
)
def test_contraction_and_mixup_never_wait(far, contraction, soft):
    contraction = dict(contraction)
    if 'centers' in contraction:
        contraction['centers'] = contraction['centers']()
    loss = GenDDLoss(small(), DistributionContraction(**contraction), FeatureMixup())
    step(loss, soft=soft)


def test_the_regression_head_never_waits(far):
    head = small(RegressionHead, target_scale='auto')
    step(GenDDLoss(head, DistributionContraction(), FeatureMixup()), torch.optim.SGD)
    assert head.sample(torch.randn(4, 6, device=FAR), 3).shape == (3, 4, 12)


@pytest.mark.parametrize('modulation', ['block', 'shared'])
@pytest.mark.parametrize('guidance_scale', [1.0, 2.0])
@pytest.mark.parametrize(
    ('sampler', 'process'),
    [
        (AncestralSampler, GaussianDiffusion),
        (DDIMSampler, RectifiedFlow),
        (DPMSolverPPSampler, GaussianDiffusion),
        (MidpointSampler, GaussianDiffusion),
        (MidpointSampler, RectifiedFlow),
        (OneStepSampler, GaussianDiffusion),
    ],
)
def test_sampling_never_waits(far, sampler, process, guidance_scale, modulation):
    head = small(
        process=process(),
        sampler=sampler(guidance_scale=guidance_scale),
        modulation=modulation,
        target_scale='auto',
    )
    samples = sent_far(head).sample(torch.randn(4, 6, device=FAR), 2)
    assert (samples.shape, samples.device) == ((2, 4, 12), FAR)


@pytest.mark.parametrize(
    'sampler', [AncestralSampler, DDIMSampler, DPMSolverPPSampler, MidpointSampler]
)
@pytest.mark.parametrize('schedule', ['cosine', 'linear'])
def test_a_head_that_is_built_on_the_device_never_waits(sampler, schedule):
    with FAR:
        head = small(process=GaussianDiffusion(schedule=schedule), sampler=sampler())
    assert {tensor.device for tensor in (*head.parameters(), *head.buffers())} == {FAR}
    with FarDevice(), FAR:
        head = sent_far(head)
        condition = torch.randn(4, 6)
        assert head.sample(condition, 2).device == FAR
        head.loss(condition, torch.randn(4, 12)).backward()
