"""The inferencer: what it answers, whatever it is given, and what it refuses."""

import doctest
import importlib
import uuid
from pathlib import Path

import cv2
import numpy as np
import pytest
import small_fashion_mnist
import small_models
import torch
from mmengine.config import Config
from mmpretrain.utils import progress

from gendd_mm import GenDDInferencer
from gendd_mm.inference import Spread, spread


@pytest.fixture(autouse=True)
def no_bar(monkeypatch):
    monkeypatch.setattr(progress, 'disable_progress_bar', True)


def saved_run(folder: Path, cfg: Config) -> tuple[str, str]:
    """Config and checkpoint of a run with random weights that has not trained a step."""
    model = small_fashion_mnist.build(cfg)
    with torch.no_grad():
        for parameter in model.distiller.parameters():  # the output layer starts at zero
            parameter.add_(0.2 * torch.randn_like(parameter))
    cfg.dump(str(folder / 'config.py'))
    torch.save(dict(state_dict=model.state_dict()), folder / 'epoch_3.pth')
    return str(folder / 'config.py'), str(folder / 'epoch_3.pth')


@pytest.fixture(scope='module')
def run(tmp_path_factory) -> tuple[str, str]:
    """A run of the digits, whose data set gives arrays."""
    folder = tmp_path_factory.mktemp('run')
    teacher = small_models.digits_teacher(folder / 'teacher.pth')
    return saved_run(folder, small_models.shrunk('gendd_digits.py', folder, teacher))


@pytest.fixture
def inferencer(run) -> GenDDInferencer:
    return GenDDInferencer(*run, num_draws=5)


def images(count: int, *shape: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return list(rng.integers(0, 256, (count, *(shape or (8, 8, 3))), np.uint8))


def test_the_classes_and_scores_are_those_of_a_test_of_the_run(run, inferencer):
    cfg = Config.fromfile(run[0])
    cfg.load_from, cfg.model.test_num_draws = run[1], 5
    cfg.experiment_name = uuid.uuid4().hex
    runner = small_models.runner_of(cfg)
    runner.load_or_resume()
    runner.model.eval()
    batch = next(iter(runner.test_dataloader))
    arrays = [image.permute(1, 2, 0).numpy() for image in batch['inputs']]
    tested = runner.model.test_step(batch)
    answers = inferencer(arrays, batch_size=len(arrays))
    for answer, sample in zip(answers, tested, strict=True):
        np.testing.assert_allclose(answer['pred_scores'], sample.pred_score, rtol=1e-5)
        label = sample.pred_label.item()
        assert (answer['pred_label'], answer['pred_class']) == (label, str(label))
        assert answer['pred_score'] == pytest.approx(sample.pred_score.max().item())


def test_the_spread_is_that_of_the_draws(inferencer):
    given = images(3)
    answers = inferencer(given, batch_size=3)
    samples = inferencer(given, return_datasamples=True, batch_size=3)
    for answer, sample in zip(answers, samples, strict=True):
        assert sample.draw_scores.shape == (5, 10)
        torch.testing.assert_close(sample.draw_scores.sum(1), torch.ones(5))
        for name, value in spread(sample.draw_scores)._asdict().items():
            assert answer[name] == sample.get(name).item() == pytest.approx(value.item())
        # Draws differ, as they have noise of their own.
        assert answer['mutual_information'] > 1e-6
        assert set(Spread._fields) < answer.keys()
        assert sample.probe_score.sum().item() == pytest.approx(1)


def test_the_same_call_gives_the_same_answers(inferencer):
    given = images(4)
    first, second = (inferencer(given, batch_size=2) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one['pred_scores'], other['pred_scores'])
        assert one['mutual_information'] == other['mutual_information']


def test_every_kind_of_input_is_the_same_image(tmp_path, inferencer):
    given = images(3)
    for index, image in enumerate(given):
        cv2.imwrite(str(tmp_path / f'{index}.png'), image)
    (tmp_path / 'notes.txt').write_text('not an image')
    paths = [tmp_path / f'{index}.png' for index in range(3)]
    expected = inferencer(given)
    kinds = dict(
        folder=str(tmp_path), path_of_folder=tmp_path, paths=paths, array=np.stack(given),
        mixed=[given[0], str(paths[1]), paths[2]],
    )  # fmt: skip
    for kind, inputs in kinds.items():
        for answer, wanted in zip(inferencer(inputs), expected, strict=True):
            np.testing.assert_array_equal(answer['pred_scores'], wanted['pred_scores'], kind)
    (alone,) = inferencer(given[0])
    np.testing.assert_array_equal(alone['pred_scores'], expected[0]['pred_scores'])
    assert inferencer([]) == []


def test_images_are_drawn_with_their_scores(tmp_path, inferencer):
    inferencer(images(1, 32, 32, 3), show_dir=str(tmp_path / 'shown'))
    assert (tmp_path / 'shown' / '0.png').is_file()


def test_a_run_of_grey_images_takes_files_of_any_kind(tmp_path):
    files = saved_run(tmp_path, small_fashion_mnist.run_config(tmp_path, 'supervised', 'gendd'))
    inferencer = GenDDInferencer(*files, num_draws=2)
    (grey,) = images(1, 28, 28)
    cv2.imwrite(str(tmp_path / 'grey.png'), grey)
    cv2.imwrite(str(tmp_path / 'color.png'), cv2.merge([grey] * 3))
    (expected,) = inferencer(grey)
    given = [tmp_path / 'grey.png', tmp_path / 'color.png', grey[..., None], cv2.merge([grey] * 3)]
    for each in given:
        (answer,) = inferencer(each)
        np.testing.assert_array_equal(answer['pred_scores'], expected['pred_scores'])


def changed(run: tuple[str, str], folder: Path, change: str) -> tuple[str, str]:
    """The run with more lines in its config."""
    path = folder / 'changed.py'
    path.write_text(f'_base_ = [{run[0]!r}]\n{change}\n')
    return str(path), run[1]


def test_a_run_of_rgb_arrays_takes_files_as_opencv_reads_them(run, tmp_path):
    dataset = "dict(_delete_=True, type='CIFAR10', pipeline=[dict(type='PackInputs')])"
    files = changed(run, tmp_path, f'test_dataloader = dict(dataset={dataset})')
    (bgr,) = images(1)
    (answer,) = GenDDInferencer(*files, num_draws=5)(bgr)
    (expected,) = GenDDInferencer(*run, num_draws=5)(np.ascontiguousarray(bgr[..., ::-1]))
    np.testing.assert_array_equal(answer['pred_scores'], expected['pred_scores'])


def test_the_loader_of_the_run_reads_the_files(run, tmp_path):
    pipeline = [
        dict(type='LoadImageFromFile', color_type='grayscale'),
        dict(type='Resize', scale=8),
        dict(type='PackInputs'),
    ]
    files = changed(run, tmp_path, f'test_dataloader = dict(dataset=dict(pipeline={pipeline}))')
    (color,) = images(1, 16, 16, 3)
    cv2.imwrite(str(tmp_path / 'color.png'), color)
    inferencer = GenDDInferencer(*files, num_draws=2)
    batch = next(inferencer.preprocess([str(tmp_path / 'color.png'), color], batch_size=2))
    assert batch['inputs'].shape == (2, 1, 8, 8)
    file, array = batch['inputs'].short()
    assert (file - array).abs().max() <= 1  # decoders round otherwise


def test_the_example_runs(run, monkeypatch):
    monkeypatch.chdir(Path(run[0]).parent)
    module = importlib.import_module('gendd_mm.inference.inferencer')
    results = doctest.testmod(module)
    assert (results.failed, results.attempted > 5) == (0, True)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ("model = dict(type='mmrazor.SingleTeacherDistill')", 'has no generative path'),
        (
            "model = dict(_delete_=True, type='ImageClassifier', backbone=dict(type='LeNet5'))",
            "model.type='ImageClassifier' has no generative path",
        ),
        ('test_dataloader = None\ntest_pipeline = None', 'how to prepare an image'),
        (
            'model = dict(distiller=dict(distill_losses=dict(loss_gendd=dict('
            'head=dict(denoiser=dict(width=8))))))',
            'does not fit the model of the config',
        ),
    ],
)
def test_what_cannot_be_asked_is_named(change, message, run, tmp_path):
    with pytest.raises(ValueError, match=message):
        GenDDInferencer(*changed(run, tmp_path, change))


def test_files_that_are_not_there_are_named(run, tmp_path, inferencer):
    with pytest.raises(FileNotFoundError, match=r'gone\.py'):
        GenDDInferencer('gone.py', run[1])
    with pytest.raises(FileNotFoundError, match=r"'gone\.pth' does not exist"):
        GenDDInferencer(run[0], 'gone.pth')
    with pytest.raises(FileNotFoundError, match=r"'gone\.png' is neither a file nor a folder"):
        inferencer([images(1)[0], 'gone.png'])
    with pytest.raises(ValueError, match='has no images'):
        inferencer(tmp_path)
    (tmp_path / 'cut.png').write_bytes(b'no pixels')
    with pytest.raises(OSError, match=r'cut\.png is a broken image'):
        inferencer(tmp_path)


def test_one_draw_has_no_spread(run):
    with pytest.raises(ValueError, match=r'num_draws=1 must be at least 2'):
        GenDDInferencer(*run, num_draws=1)


@pytest.mark.parametrize(
    ('given', 'message'),
    [
        (np.zeros((8, 8, 3)), r'ndarray of float64 and shape \(8, 8, 3\); give paths, or uint8'),
        (np.zeros((8, 8, 4), np.uint8), r'shape \(8, 8, 4\)'),
        (3, 'int of no dtype'),
        ([np.zeros((n, n), np.uint8) for n in (8, 9)], r'\(3, 8, 8\), \(3, 9, 9\).*batch_size=1'),
    ],
)
def test_what_is_no_image_is_named(given, message, inferencer):
    with pytest.raises(ValueError, match=message):
        inferencer(given, batch_size=2)


def test_a_batch_has_an_image(inferencer):
    with pytest.raises(ValueError, match='batch_size=0'):
        inferencer(images(1), batch_size=0)
