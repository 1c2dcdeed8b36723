"""What a step costs: the counts are those of its layers, whatever the images are."""

import sys

import pytest
import small_fashion_mnist
import small_models
import torch
from mmengine.config import Config

from gendd_commands import cost as command
from gendd_mm.analysis import StepCost, step_cost
from gendd_mm.engine.options import read_run

CONFIG = str(small_models.CONFIGS / 'gendd_digits.py')


@pytest.fixture(scope='module')
def cost() -> StepCost:
    return step_cost(read_run(CONFIG), batch_size=4, image_size=8, rounds=1)


def test_parts_add_up_to_the_whole(cost):
    assert sum(part.seconds for part in cost.parts) == pytest.approx(cost.whole.seconds)
    assert min(part.seconds for part in cost.parts) >= 0
    counted = sum(part.multiply_adds for part in cost.parts)
    assert counted == pytest.approx(cost.whole.multiply_adds)
    assert cost.peak_bytes is None


def test_parameters_and_products_are_those_of_the_networks(cost):
    cfg = read_run(CONFIG)
    by_name = {part.name: part for part in cost.parts}
    networks = {
        'teacher': cfg.model.teacher,
        'student': cfg.model.architecture,
    }
    for name, settings in networks.items():
        with small_fashion_mnist.DefaultScope.overwrite_default_scope('mmpretrain'):
            network = small_fashion_mnist.MODELS.build(settings)
        assert by_name[name].parameters == sum(each.numel() for each in network.parameters())
        with torch.utils.flop_counter.FlopCounterMode(display=False) as counter, torch.no_grad():
            network.eval()(torch.zeros(1, 3, 8, 8), mode='tensor')
        assert by_name[name].multiply_adds == pytest.approx(counter.get_total_flops() / 2)
    # Weights of three matrices need two gradients where the first layer needs one.
    student, both = cost.predictions
    assert student.multiply_adds == by_name['student'].multiply_adds
    assert both.multiply_adds > student.multiply_adds
    assert by_name['optimizer'].multiply_adds == 0
    assert by_name['backward pass'].multiply_adds > by_name['student'].multiply_adds


def test_it_is_asked_for_by_a_command(monkeypatch, capsys):
    arguments = ['cost', CONFIG, '--batch-size', '4', '--image-size', '8', '--rounds', '1']
    monkeypatch.setattr(sys, 'argv', [*arguments, '--device', 'cpu'])
    command.main()
    out = capsys.readouterr().out
    for name in ('generative head', 'whole step', 'prediction, student', '100.0 %'):
        assert name in out


def test_grey_images_and_a_teacher_without_classes():
    cfg = Config.fromfile(small_models.CONFIGS / 'fashion_mnist' / 'gendd_flow.py')
    found = step_cost(cfg, batch_size=2, image_size=28, rounds=1)
    assert found.whole.multiply_adds > 0


@pytest.mark.parametrize(
    ('arguments', 'code', 'message'),
    [
        (['--device', 'cuda'], 2, 'sees 0 CUDA devices; choose cpu'),
        (['--device', 'tpu'], 2, 'tpu is no device to measure on; choose cpu or cuda'),
        (['--rounds', '0'], 2, '--rounds 0 must be at least 1'),
    ],
)
def test_what_cannot_be_measured_is_named(arguments, code, message, monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    monkeypatch.setattr(sys, 'argv', ['cost', CONFIG, *arguments])
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == code
    assert message in capsys.readouterr().err


def test_a_config_of_another_method_is_named():
    cfg = Config.fromfile(small_models.CONFIGS / 'digits' / 'kd_digits.py')
    with pytest.raises(ValueError, match='SingleTeacherDistill.* is no GenDD'):
        step_cost(cfg)


@pytest.mark.parametrize(
    ('number', 'text'),
    [(7, '7'), (999, '999'), (1234, '1.23 k'), (4_560_000, '4.56 M'), (7.891e12, '7.89e+03 G')],
)
def testamounts_have_three_digits(number, text):
    assert command.amount(number) == text
