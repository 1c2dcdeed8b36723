"""The probes of a student that ships alone."""

import pytest
import small_fashion_mnist
import small_models
import torch
from mmengine.registry import DefaultScope

from gendd_mm.benchmark.probes import probe_study
from gendd_mm.deploy.features import batches, unaugmented


@pytest.fixture
def cfg(tmp_path):
    return small_fashion_mnist.run_config(tmp_path, 'supervised', 'gendd')


def study(cfg, change=lambda model: None) -> dict:
    test = cfg.test_dataloader.dataset.to_dict()
    train = unaugmented(cfg.train_dataloader.dataset.to_dict(), test['pipeline'])
    model = small_fashion_mnist.build(cfg)
    change(model)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return probe_study(model, train, test)


def test_a_student_that_holds_the_teachers_feature_is_as_good(cfg, monkeypatch):
    """Its layer learns the teacher's scores, or is the teacher's."""
    cfg.model.architecture.backbone = cfg.model.teacher.backbone
    size = cfg.model.teacher.head.in_channels
    cfg.model.architecture.head.in_channels = size
    cfg.model.distiller.connectors.condition.normalized_shape = size
    loss = cfg.model.distiller.distill_losses.loss_gendd
    loss.head.condition_dim = size

    models = []

    def same(model) -> None:
        model.student.backbone.load_state_dict(model.teacher.model.backbone.state_dict())
        models.append(model)

    generators = small_models.recorded_generators(monkeypatch)
    result = study(cfg, same)
    assert (torch.device('cpu'),) in generators
    assert set(result) == {'generated', 'teacher', 'both', 'folded', 'one_step'}
    (model,) = models
    correct = []
    test = cfg.test_dataloader.dataset.to_dict()
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        for data in batches(test, model.data_preprocessor):
            features = model.teacher.extract_feat(data['inputs'])[-1]
            predicted = model.teacher.classify(features).argmax(1)
            labels = [sample.gt_label for sample in data['data_samples']]
            correct += (predicted == torch.cat(labels)).tolist()
    expected = 100 * sum(correct) / len(correct)
    assert result['folded'] == pytest.approx(expected)
    # The penalty of the fit moves the border a little.
    assert result['teacher'] == pytest.approx(expected, abs=6)
