"""The exported student with a classifier fitted after training."""

import pytest
import small_fashion_mnist
import torch
from mmengine.registry import DefaultScope
from mmpretrain.apis import get_model
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from gendd_mm.deploy import export_student
from gendd_mm.deploy.features import batches, extract, student_feature, unaugmented
from gendd_mm.deploy.teacher_scores import teacher_logits


def prepare(tmp_path, setting: str, method: str) -> tuple:
    """Config, model and checkpoint of a run that has not trained a step."""
    cfg = small_fashion_mnist.run_config(tmp_path, setting, method)
    model = small_fashion_mnist.build(cfg)
    model.eval()
    checkpoint = tmp_path / 'epoch_1.pth'
    torch.save(dict(state_dict=model.state_dict()), checkpoint)
    return cfg, model, str(checkpoint)


def images_of(cfg, model):
    """Labels and preprocessed images of the test set."""
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        for data in batches(cfg.test_dataloader.dataset.to_dict(), model.data_preprocessor):
            samples = data['data_samples']
            yield data['inputs'], torch.cat([x.gt_label for x in samples])


@pytest.mark.parametrize(
    ('setting', 'method'), [('unlabeled', 'gendd'), ('unlabeled', 'kl'), ('supervised', 'gendd')]
)
def test_fitted_to_the_teacher_it_is_at_the_optimum(tmp_path, setting, method):
    cfg, model, checkpoint = prepare(tmp_path, setting, method)
    exported = export_student(cfg, checkpoint, str(tmp_path / 'out'), 'teacher')
    shipped = get_model(exported.config, pretrained=exported.weights)
    test = cfg.test_dataloader.dataset.to_dict()
    own = unaugmented(cfg.train_dataloader.dataset.to_dict(), test['pipeline'])
    error, features = [], []
    with DefaultScope.overwrite_default_scope('mmpretrain'), torch.no_grad():
        for data in batches(own, model.data_preprocessor):
            images = data['inputs']
            error.append(
                shipped(images, mode='tensor').softmax(1).double()
                - teacher_logits(model, images).double().softmax(1)
            )
            features.append(student_feature(model.student, images).double())
    error, features = torch.cat(error), torch.cat(features)
    std = features.std(0, unbiased=False)
    inputs = (features - features.mean(0)) / std
    # No gradient is left: of the bias, and of the weight and its penalty.
    assert error.mean(0).abs().max() < 1e-5
    weight = shipped.head.fc.weight.double() * std
    gradient = (error.T @ inputs + weight) / len(inputs)
    assert gradient.abs().max() < 1e-5
    assert weight.abs().max() > 1e-4


def test_fitted_to_labels_it_is_scikit_learns(tmp_path):
    cfg, model, checkpoint = prepare(tmp_path, 'supervised', 'gendd')
    exported = export_student(cfg, checkpoint, str(tmp_path / 'out'), 'labels')
    shipped = get_model(exported.config, pretrained=exported.weights)
    test = cfg.test_dataloader.dataset.to_dict()
    own = unaugmented(cfg.train_dataloader.dataset.to_dict(), test['pipeline'])
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        features, labels = extract(model.student, model.data_preprocessor, own)
    scaler = StandardScaler().fit(features.double().numpy())
    reference = LogisticRegression(tol=1e-10, max_iter=10000).fit(
        scaler.transform(features.double().numpy()), labels.numpy()
    )
    images, _ = next(images_of(cfg, model))
    with torch.no_grad():
        scores = shipped(images, mode='tensor').softmax(1)
        seen = model.student.extract_feat(images)[-1]
    expected = torch.from_numpy(reference.predict_proba(scaler.transform(seen.double().numpy())))
    torch.testing.assert_close(scores.double(), expected, rtol=0, atol=1e-3)


def test_labels_that_are_not_there_are_asked_for(tmp_path):
    cfg, _, checkpoint = prepare(tmp_path, 'unlabeled', 'gendd')
    with pytest.raises(ValueError, match="no labels.*probe='teacher'"):
        export_student(cfg, checkpoint, str(tmp_path / 'out'), 'labels')
    assert not (tmp_path / 'out').exists()


def test_a_teacher_without_classes_is_not_fitted_to(tmp_path):
    cfg, _, checkpoint = prepare(tmp_path, 'unlabeled', 'gendd')
    cfg.model.teacher_classifier = None
    with pytest.raises(ValueError, match='has no classifier.*fit it to the labels'):
        export_student(cfg, checkpoint, str(tmp_path / 'out'), 'teacher')


def test_an_unknown_probe_is_refused(tmp_path):
    cfg, _, checkpoint = prepare(tmp_path, 'unlabeled', 'gendd')
    with pytest.raises(FileNotFoundError, match="probe='best' is not a file.* 'teacher'"):
        export_student(cfg, checkpoint, str(tmp_path / 'out'), 'best')


def test_without_training_images_it_says_so(tmp_path):
    cfg, _, checkpoint = prepare(tmp_path, 'unlabeled', 'gendd')
    cfg.pop('train_dataloader')
    with pytest.raises(ValueError, match='lacks train_dataloader'):
        export_student(cfg, checkpoint, str(tmp_path / 'out'), 'teacher')


def test_a_head_without_one_linear_layer_is_refused(tmp_path):
    cfg, model, checkpoint = prepare(tmp_path, 'supervised', 'kd')
    weights = {name: value for name, value in model.state_dict().items() if 'head.fc' not in name}
    torch.save(dict(state_dict=weights), checkpoint)
    cfg.model.architecture.head.type = 'StackedLinearClsHead'
    with pytest.raises(ValueError, match='head.fc, which StackedLinearClsHead'):
        export_student(cfg, checkpoint, str(tmp_path / 'out'), 'teacher')


def test_wrapped_training_images_come_once_and_are_not_augmented():
    inner = dict(type='CustomDataset', pipeline=['random'])
    views = dict(type='gendd_mm.AugmentedViews', num_views=3, store='gone', dataset=inner)
    balanced = dict(type='ClassBalancedDataset', oversample_thr=0.1, dataset=inner)
    repeated = dict(type='RepeatDataset', times=3, dataset=balanced)
    found = unaugmented(dict(type='ConcatDataset', datasets=[views, repeated, inner]), ['fixed'])
    plain = dict(inner, pipeline=['fixed'])
    assert found['datasets'] == [plain, plain, plain]
