"""A checkpoint of another model is never half loaded in silence."""

import pytest
import torch
import toy_run

from gendd_mm.engine.launch import run_test
from gendd_mm.engine.options import RunOptions
from gendd_mm.engine.stages import train_stages


@pytest.fixture(scope='module')
def toy(tmp_path_factory):
    """A trained toy run: its config and its checkpoint."""
    folder = tmp_path_factory.mktemp('fit')
    config = toy_run.write(folder)
    train_stages(config, RunOptions(work_dir=str(folder / 'run')))
    return config, folder / 'run' / 'epoch_1.pth'


def changed(path, tmp_path, change) -> str:
    checkpoint = torch.load(path, weights_only=True)
    change(checkpoint['state_dict'])
    other = tmp_path / 'other.pth'
    torch.save(checkpoint, other)
    return str(other)


def lose_one(state: dict) -> None:
    del state[next(iter(state))]


def rename_all(state: dict) -> None:
    for key in list(state):
        state[f'student.{key}'] = state.pop(key)


def reshape_one(state: dict) -> None:
    key = next(iter(state))
    state[key] = state[key][:1]


CHANGES = [(lose_one, 'missing keys'), (rename_all, 'unexpected keys'), (reshape_one, 'instead of')]


@pytest.mark.fault(
    'Checkpoints',
    'a test or --resume with weights of another model',
    'refused; missing and unexpected keys and shapes are listed',
)
@pytest.mark.parametrize(('change', 'named'), CHANGES)
def test_a_test_of_another_model_is_refused(toy, tmp_path, change, named):
    config, path = toy
    options = RunOptions(work_dir=str(tmp_path))
    with pytest.raises(ValueError, match=f'does not fit the ImageClassifier.*{named}'):
        run_test(config, changed(path, tmp_path, change), options)


@pytest.mark.parametrize(('change', 'named'), CHANGES)
def test_another_model_is_not_resumed(toy, tmp_path, change, named):
    config, path = toy
    options = RunOptions(work_dir=str(tmp_path), resume=changed(path, tmp_path, change))
    with pytest.raises(ValueError, match=f'does not fit the ImageClassifier.*{named}'):
        train_stages(config, options)


def test_the_true_checkpoint_is_tested_and_resumed(toy, tmp_path):
    config, path = toy
    assert 'accuracy/top1' in run_test(config, str(path), RunOptions(work_dir=str(tmp_path)))
    options = RunOptions(
        work_dir=str(tmp_path), resume=str(path), cfg_options={'train_cfg.max_epochs': 2}
    )
    train_stages(config, options)
    assert (tmp_path / 'epoch_2.pth').exists()


def test_weights_saved_by_a_wrapper_or_alone_are_tested(toy, tmp_path):
    config, path = toy
    state = torch.load(path, weights_only=True)['state_dict']
    alone = tmp_path / 'alone.pth'
    torch.save({f'module.{key}': value for key, value in state.items()}, alone)
    assert run_test(config, str(alone), RunOptions(work_dir=str(tmp_path)))


@pytest.mark.fault(
    'Checkpoints',
    'load_from of another model',
    'refused if most weights would stay random, else a warning that lists what is missing',
)
def test_a_new_training_may_start_from_most_of_the_weights(toy, tmp_path):
    config, path = toy

    def start(change) -> None:
        load_from = changed(path, tmp_path, change)
        options = RunOptions(work_dir=str(tmp_path / 'run'), cfg_options=dict(load_from=load_from))
        train_stages(config, options)

    start(lose_one)
    assert (tmp_path / 'run' / 'epoch_1.pth').exists()
    with pytest.raises(ValueError, match='Only 0 of'):
        start(rename_all)
