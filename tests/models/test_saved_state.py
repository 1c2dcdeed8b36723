"""A checkpoint of version 0.1 still loads, and means what it meant.

tests/data/gendd_0_1.pth was written before the method moved to
``gendd_mm.generative``: the state of a tiny GenDD with every running
statistic, and what it gave for the images beside it.
"""

from pathlib import Path

import pytest
import small_models
import torch
from mmengine.registry import MODELS
from mmpretrain.structures import DataSample

SAVED = Path(__file__).resolve().parents[1] / 'data' / 'gendd_0_1.pth'


@pytest.fixture
def saved() -> dict:
    return torch.load(SAVED, weights_only=True)


@pytest.fixture
def model(saved):
    teacher = small_models.built_teacher()
    teacher.load_state_dict(saved['teacher'])
    config = small_models.gendd(head=dict(target_scale='auto', noise_sampling='antithetic'))
    config['distiller']['distill_losses']['loss_gendd']['contraction'] = dict(
        type='DistributionContraction',
        strength=0.9,
        centers=dict(type='FeatureMeanCenters', num_classes=3, feature_dim=8),
    )
    config['architecture']['head']['standardize'] = True
    model = MODELS.build(dict(config, teacher=teacher))
    model.load_state_dict(saved['state_dict'])
    return model


def test_it_predicts_the_same(model, saved):
    generated = []
    model.teacher.classifier.register_forward_pre_hook(lambda _, args: generated.append(args[0]))
    model.eval()
    samples = model.test_step(
        dict(inputs=saved['images'], data_samples=[DataSample() for _ in saved['images']])
    )
    torch.testing.assert_close(generated[0], saved['generated'], rtol=1e-4, atol=1e-4)
    for name in ('pred_score', 'probe_score'):
        scores = torch.stack([sample.get(name) for sample in samples])
        torch.testing.assert_close(scores, saved[name], rtol=1e-4, atol=1e-4)


def test_a_step_draws_the_same_and_has_the_same_loss(model, saved):
    model.train()
    data = small_models.batch(4)
    data['inputs'] = saved['train_images']
    torch.manual_seed(2)
    losses = small_models.losses_of(model, data)
    assert losses.keys() == saved['losses'].keys()
    for name, loss in losses.items():
        torch.testing.assert_close(loss, saved['losses'][name], rtol=1e-4, atol=1e-5)
