"""The generative path in ONNX: the draws of the run for the same noise, without gendd_mm."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import small_fashion_mnist
import small_models
import torch
from mmengine.config import Config

from gendd_mm.deploy import (
    export_student,
    generative_model,
    graph_model,
    write_formats,
    write_generative,
)
from gendd_mm.deploy.formats.generative_graph import GenerativeGraph
from gendd_mm.deploy.formats.trained_student import StudentGraph
from gendd_mm.deploy.model_card import write_model_card

ALONE = """
import sys
sys.modules.update(dict.fromkeys(['gendd_mm', 'mmrazor', 'mmpretrain']))
import numpy as np
import onnxruntime
session = onnxruntime.InferenceSession('generative.onnx')
given = dict(np.load('given.npz'))
for count in (len(given['images']), 1):
    found = session.run(
        ['scores', 'draw_scores'],
        dict(images=given['images'][:count], noise=given['noise'][:, :count]),
    )
    for name, values in zip(('scores', 'draw_scores'), found, strict=True):
        np.testing.assert_allclose(values, given[name][:count], rtol=0, atol=1e-5)
print('they agree')
"""


@pytest.fixture(autouse=True)
def packages():
    for package in ('onnx', 'onnxscript', 'onnxruntime'):
        pytest.importorskip(package)


def trained(cfg: Config, folder: Path) -> str:
    """A checkpoint of a run with random weights, and of a head that does not say zero."""
    model = small_fashion_mnist.build(cfg)
    with torch.no_grad():
        for parameter in model.distiller.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
        for name, buffer in model.named_buffers():  # as after a step
            if name.endswith('target_scale.moments'):
                buffer.copy_(torch.tensor([0.1, 0.5]))
            elif name.endswith('target_scale.num_batches'):
                buffer.fill_(1)
    torch.save(dict(state_dict=model.state_dict()), folder / 'epoch_1.pth')
    return str(folder / 'epoch_1.pth')


def digits(folder: Path) -> Config:
    teacher = small_models.digits_teacher(folder / 'teacher.pth')
    cfg = small_models.shrunk('gendd_digits.py', folder, teacher)
    # With guidance, so that a draw takes the network twice.
    small_models.head_of(cfg).sampling = dict(type='dpmpp_2m', num_steps=2, guidance_scale=2.0)
    return cfg


def recommended(folder: Path) -> Config:
    recipe = small_fashion_mnist.RECOMMENDED
    cfg = small_fashion_mnist.run_config(folder, 'supervised', 'gendd_recommended', recipe)
    small_models.head_of(cfg).residual.denoiser.update(width=16)
    return cfg


@pytest.mark.parametrize(
    ('config', 'with_preprocessing'),
    [(digits, True), pytest.param(recommended, False, marks=pytest.mark.slow)],
)
def test_it_gives_the_draws_of_the_run_without_gendd_mm(config, with_preprocessing, tmp_path):
    cfg = config(tmp_path)
    checkpoint = trained(cfg, tmp_path)
    files = export_student(cfg, checkpoint, str(tmp_path / 'out'))
    student, written = write_formats(cfg, files, ['mmpretrain'])
    found = write_generative(graph_model(cfg, checkpoint), student, with_preprocessing)
    assert found.difference <= 1e-5
    assert Path(found.path).name == 'generative.onnx'

    # What the run itself draws from that noise.
    model = generative_model(cfg, checkpoint)
    head = model.distiller.gendd_loss.head
    tokenizer = getattr(head, 'residual', head).tokenizer
    noise = torch.randn(6, len(student.images), tokenizer.num_tokens, tokenizer.token_dim)
    with torch.no_grad(), model.distiller.student_recorders:
        model.student(student.images, mode='tensor')
        draws = model.distiller.draws(noise=noise)
    scores = model.teacher.classify(draws.mean(0)).softmax(-1)
    draw_scores = torch.stack([model.teacher.classify(draw).softmax(-1) for draw in draws], 1)
    assert draw_scores.std(1).max() > 1e-3  # they are draws
    given = dict(
        images=student.levels if with_preprocessing else student.images,
        noise=noise,
        scores=scores,
        draw_scores=draw_scores,
    )
    import numpy as np

    folder = Path(files.weights).parent
    arrays = {name: value.detach().numpy() for name, value in given.items()}
    np.savez(folder / 'given.npz', **arrays)
    done = subprocess.run(
        [sys.executable, '-c', ALONE],
        capture_output=True,
        text=True,
        cwd=folder,
        env=dict(os.environ, OMP_NUM_THREADS='1'),
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == 'they agree\n'
    card = write_model_card(cfg, checkpoint, student, [*written, found], 'the command')
    text = Path(card).read_text()
    assert '| generative path, onnx |' in text
    assert f'(K, B, {tokenizer.num_tokens}, {tokenizer.token_dim})' in text
    assert '`generative.onnx` also takes `noise`' in text


def test_the_colours_are_those_of_the_students_graph(tmp_path, monkeypatch):
    """A data set of arrays gives RGB; its exported student is for files, which are BGR."""
    cfg = digits(tmp_path)
    cfg.data_preprocessor.update(mean=[10.0, 70.0, 130.0], std=[40.0, 60.0, 80.0])
    checkpoint = trained(cfg, tmp_path)
    monkeypatch.setattr('gendd_mm.deploy.export.gives_rgb', lambda cfg: True)
    monkeypatch.setattr('gendd_mm.deploy.formats.trained_student.gives_rgb', lambda cfg: True)
    files = export_student(cfg, checkpoint, str(tmp_path / 'out'))
    student, _ = write_formats(cfg, files, ['mmpretrain'])
    # The digits are grey, and would hide a swap.
    levels = torch.randint(0, 256, (3, 3, 8, 8))
    preprocessor = student.model.data_preprocessor
    images = preprocessor(dict(inputs=list(levels.flip(1))), False)['inputs']
    student = replace(student, levels=levels.float(), images=images)
    model = graph_model(cfg, checkpoint)
    own = StudentGraph(student.model, True).prepared(student.levels)
    torch.testing.assert_close(own, student.images)
    graph = GenerativeGraph(model, True, preprocessor)
    torch.testing.assert_close(graph.prepared(student.levels), student.images)
    assert preprocessor.to_rgb != model.data_preprocessor.to_rgb
    # The run's own preprocessor would swap them; that is a difference, and no file.
    monkeypatch.setattr(student.model, 'data_preprocessor', model.data_preprocessor)
    with pytest.raises(ValueError, match=r'generative\.onnx was not written'):
        write_generative(model, student, True)


@pytest.mark.parametrize(
    ('head', 'message'),
    [
        (dict(sampling=dict(type='ancestral', num_steps=3)), r'head\.sampling\.type=dpmpp_2m'),
        (dict(type='RegressionHead'), 'RegressionHead has no distribution to draw from'),
    ],
    ids=['a noise at every step', 'no noise'],
)
def test_what_is_no_graph_of_one_noise_is_refused(head, message, tmp_path):
    cfg = digits(tmp_path)
    own = small_models.head_of(cfg)
    if 'type' in head:  # the settings that both heads have
        for name in set(own) - {'condition_dim', 'target_dim', 'tokenizer', 'denoiser'}:
            own.pop(name)
    own.update(head)
    checkpoint = trained(cfg, tmp_path)
    with pytest.raises(ValueError, match=message):
        graph_model(cfg, checkpoint)


def test_a_run_without_a_generative_path_is_refused(tmp_path):
    cfg = Config.fromfile(small_models.CONFIGS / 'digits' / 'kd_digits.py')
    with pytest.raises(ValueError, match='has no generative path'):
        generative_model(cfg, 'not reached.pth')
