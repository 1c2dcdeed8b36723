"""GenerativeHead: defaults, what cannot work, what config options reach."""

import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.registry import MODELS
from small_head import small_head
from small_models import CONFIGS, head_of

from gendd_mm.generative import (
    AncestralSampler,
    DDIMSampler,
    DPMSolverPPSampler,
    GaussianDiffusion,
    MidpointSampler,
    OneStepSampler,
    RectifiedFlow,
)
from gendd_mm.models import GenerativeHead
from gendd_mm.registry import TASK_UTILS

FLOW = dict(type='RectifiedFlow')
SAMPLERS = dict(
    ancestral=AncestralSampler,
    ddim=DDIMSampler,
    euler=DDIMSampler,
    dpmpp_2m=DPMSolverPPSampler,
    midpoint=MidpointSampler,
    one_step=OneStepSampler,
)
OF_FLOWS = [name for name in SAMPLERS if name != 'ancestral']


def test_defaults_are_those_of_the_method():
    with torch.device('meta'):
        head = GenerativeHead(condition_dim=512, target_dim=1024)
    assert (head.tokenizer.token_dim, head.tokenizer.num_tokens) == (64, 16)
    assert head.denoiser.input.out_features == 1024
    assert len(head.denoiser.blocks) == 3
    assert isinstance(head.process, GaussianDiffusion)
    assert head.process.num_timesteps == 1000
    assert head.process.prediction == 'epsilon'
    assert head.process.learned_variance
    assert (head.repeats, head.condition_drop) == (10, 0.2)
    assert head.noise_sampling.noises_per_timestep == 1
    assert head.target_scale.factor == 1
    assert head.sampler.guidance_scale == 2


def test_the_setting_of_the_paper_is_reachable():
    head = small_head(
        sampling=dict(type='ancestral', num_steps=64, start_t=999, guidance_scale=2.0)
    )
    steps = head.sampler.timesteps(head.process)
    assert (len(steps), steps[0], steps[-1]) == (64, 999, 0)


def test_state_holds_the_denoiser_alone():
    assert all(name.startswith('denoiser.') for name in small_head().state_dict())


@pytest.mark.parametrize('name', SAMPLERS)
def test_samplers_have_registry_names(build, name):
    sampler = build(TASK_UTILS, type=f'gendd_mm.{name}', num_steps=1)
    assert type(sampler) is SAMPLERS[name]


@pytest.mark.parametrize('name', SAMPLERS)
def test_config_options_choose_the_sampler_of_a_trained_head(name):
    """As ``--cfg-options`` at test time: the weights fit every sampler."""
    cfg = Config.fromfile(CONFIGS / 'gendd_digits.py')
    trained = MODELS.build(head_of(cfg))
    path = 'model.distiller.distill_losses.loss_gendd.head.sampling'
    cfg.merge_from_dict({f'{path}.type': name, f'{path}.num_steps': 1})
    head = MODELS.build(head_of(cfg))
    assert type(head.sampler) is SAMPLERS[name]
    assert head.sampler.num_steps == 1
    head.load_state_dict(trained.state_dict())
    condition = torch.randn(2, head.condition_dim)
    assert head.sample(condition).shape == (1, 2, head.target_dim)


@pytest.mark.parametrize('name', OF_FLOWS)
@pytest.mark.parametrize('prediction', ['epsilon', 'x0', 'v'])
def test_a_head_on_a_flow_trains_and_samples(name, prediction):
    head = small_head(
        process=dict(type='gendd_mm.RectifiedFlow', prediction=prediction), sampling=dict(type=name)
    )
    assert isinstance(head.process, RectifiedFlow)
    condition = torch.randn(2, 6, requires_grad=True)
    head.loss(condition, torch.randn(2, 12)).backward()
    assert condition.grad.abs().sum() > 0
    assert head.sample(condition, num_draws=3).isfinite().all()


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (
            dict(tokenizer=dict(type='SplitTokenizer', token_dim=5)),
            'token_dim=5 does not divide .* 12; nearest divisors: 4, 6',
        ),
        (dict(repeats=0), 'repeats=0 must be at least 1'),
        (dict(condition_drop=1.0), r'condition_drop=1.0 is outside \[0, 1\)'),
        (dict(condition_drop=-0.1), r'condition_drop=-0.1 is outside \[0, 1\)'),
        (
            dict(condition_drop=0.0),
            'guidance_scale=2.0 needs .*condition_drop=0; set condition_drop',
        ),
        (dict(noise_sampling='pairs'), "'pairs' is unknown.*antithetic.*indep"),
        (dict(noise_sampling='antithetic', repeats=5), 'repeats=5 is odd.*pairs; use 6'),
        (dict(row_chunk=0), 'row_chunk=0 must be at least 1; leave it out'),
        (dict(target_scale=0), 'target_scale=0 must be .*positive'),
        (
            dict(sampling=dict(type='ancestral', start_t=1000)),
            r'start_t=1000 is not a timestep .*\(0 to 999\)',
        ),
        (
            dict(
                process=dict(type='GaussianDiffusion', num_timesteps=100),
                sampling=dict(type='ddim', start_t=950),
            ),
            r'start_t=950 is not a timestep .*\(0 to 99\)',
        ),
        (
            dict(process=FLOW, sampling=dict(type='ddim', start_t=1001)),
            r'start_t=1001 is outside \(0, 1000\]',
        ),
        (
            dict(
                process=dict(type='RectifiedFlow', prediction='epsilon'),
                sampling=dict(type='ddim', start_t=1000),
            ),
            r'start_t=1000 is outside \(0, 950\].*epsilon',
        ),
        (dict(sampling=dict(type='ancestral', num_steps=0)), 'num_steps=0 sampling steps'),
        (dict(sampling=dict(type='ddim', num_steps=951)), 'num_steps=951 .*from 1 to 950'),
        (
            dict(sampling=dict(type='one_step', num_steps=3)),
            'num_steps=3 for the one_step sampler; set num_steps=1',
        ),
        (dict(process=FLOW), 'for a RectifiedFlow use ddim'),
    ],
)
def test_what_cannot_work_is_an_error_when_built(changes, message):
    with pytest.raises(ValueError, match=message):
        small_head(**changes)


@pytest.mark.parametrize('part', ['tokenizer', 'denoiser', 'process', 'sampling'])
def test_an_unknown_registry_name_is_a_key_error(part):
    with pytest.raises(KeyError, match='Nothing is not in the'):
        small_head(**{part: dict(type='Nothing')})


def test_configs_are_left_as_they_are():
    settings = ConfigDict(
        process=dict(type='GaussianDiffusion', timesteps=dict(type='uniform')),
        sampling=dict(type='ddim', num_steps=4),
    )
    before = settings.to_dict()
    small_head(**settings)
    assert settings.to_dict() == before


def test_builds_in_other_projects(build):
    head = build(
        MODELS,
        type='gendd_mm.GenerativeHead',
        condition_dim=6,
        target_dim=12,
        tokenizer=dict(type='SplitTokenizer', token_dim=4),
        denoiser=dict(type='TokenDenoiser', width=16),
    )
    assert isinstance(head, GenerativeHead)
    for process in (GaussianDiffusion, RectifiedFlow):
        assert isinstance(build(MODELS, type=f'gendd_mm.{process.__name__}'), process)


@pytest.mark.parametrize('kind', ['GaussianDiffusion', 'RectifiedFlow'])
def test_the_old_name_of_the_number_of_timesteps_still_counts(kind):
    # A DeprecationWarning would be hidden from those who write configs.
    with pytest.warns(FutureWarning, match='num_steps .* is now num_timesteps'):
        process = MODELS.build(dict(type=f'gendd_mm.{kind}', num_steps=100))
    assert process.num_timesteps == 100
    both = dict(type=f'gendd_mm.{kind}', num_steps=100, num_timesteps=50)
    with pytest.warns(FutureWarning), pytest.raises(TypeError, match='multiple values'):
        MODELS.build(both)
