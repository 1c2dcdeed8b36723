"""Reading weights and nothing else, and loading all of them, or a clear error."""

import os
import re

import pytest
import torch
from mmengine.runner.checkpoint import CheckpointLoader
from torch import nn

from gendd_mm.checkpoint import load_all, read_state_dict

WEIGHTS = {'fc.weight': torch.arange(6.0).view(2, 3), 'fc.bias': torch.ones(2)}


def save(path, content) -> str:
    torch.save(content, path)
    return str(path)


def assert_weights(state_dict) -> None:
    assert state_dict.keys() == WEIGHTS.keys()
    assert all(state_dict[name].equal(WEIGHTS[name]) for name in WEIGHTS)


@pytest.mark.parametrize(
    'content',
    [
        WEIGHTS,
        dict(state_dict=WEIGHTS),
        dict(meta=dict(epoch=3), state_dict=WEIGHTS, optimizer=dict(lr=1.0)),
    ],
)
def test_weights_are_found(tmp_path, content):
    assert_weights(read_state_dict(save(tmp_path / 'w.pth', content)))


def test_weights_are_found_under_other_names(tmp_path):
    names = ('model', 'module')
    for content in (
        dict(module=WEIGHTS, epoch=3),
        WEIGHTS,
        dict(module=dict(epoch=3), model=WEIGHTS),
    ):
        path = save(tmp_path / 'w.pth', content)
        assert_weights(read_state_dict(path, names))
    path = save(tmp_path / 'w.pth', dict(state_dict=WEIGHTS))
    with pytest.raises(ValueError, match='under model or module'):
        read_state_dict(path, names)


def test_a_path_may_start_at_home(tmp_path, monkeypatch):
    monkeypatch.setenv('HOME', str(tmp_path))
    save(tmp_path / 'w.pth', WEIGHTS)
    assert_weights(read_state_dict('~/w.pth'))


def test_other_places_are_left_to_mmengine(monkeypatch):
    asked = []

    def load_checkpoint(path, map_location):
        asked.append((path, map_location))
        return dict(state_dict=WEIGHTS)

    monkeypatch.setattr(CheckpointLoader, 'load_checkpoint', load_checkpoint)
    assert_weights(read_state_dict('https://example.com/w.pth'))
    assert asked == [('https://example.com/w.pth', 'cpu')]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='none.pth.*train it first'):
        read_state_dict(str(tmp_path / 'none.pth'))
    with pytest.raises(FileNotFoundError):
        read_state_dict(str(tmp_path))  # a folder


@pytest.mark.parametrize('folder', ['run', 'run [v2]', 'run*'])
def test_a_star_stands_for_the_one_file_that_fits(tmp_path, folder):
    tmp_path = tmp_path / folder
    tmp_path.mkdir()
    pattern = str(tmp_path / 'best_*.pth')
    with pytest.raises(FileNotFoundError, match='best_.*does not exist'):
        read_state_dict(pattern)
    save(tmp_path / 'best_top1_epoch_3.pth', WEIGHTS)
    save(tmp_path / 'epoch_4.pth', WEIGHTS)
    assert_weights(read_state_dict(pattern))
    save(tmp_path / 'best_top1_epoch_9.pth', WEIGHTS)
    with pytest.raises(ValueError, match=r'fits 2 files, .*epoch_3.*epoch_9.*name the one'):
        read_state_dict(pattern)


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder) -> None:
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)


def test_a_pickle_that_runs_code_is_refused_and_does_not_run(tmp_path):
    trap = tmp_path / 'sprung'
    path = save(tmp_path / 'w.pth', dict(WEIGHTS, trap=Trap(trap)))
    with pytest.raises(ValueError, match='refuses .*w.pth.*weights_only'):
        read_state_dict(path)
    assert not trap.exists()
    # The trap works where nothing protects.
    torch.load(path, weights_only=False)
    assert trap.exists()


@pytest.mark.parametrize(
    'content',
    [b'', b'<html>404 Not Found</html>', b'hello world, no checkpoint', bytes(range(256))],
)
def test_a_file_of_something_else_is_an_error(tmp_path, content):
    path = tmp_path / 'w.pth'
    path.write_bytes(content)
    with pytest.raises(ValueError, match='not a torch file.* damaged'):
        read_state_dict(str(path))


@pytest.mark.parametrize('new_format', [True, False])
def test_a_file_cut_short_is_an_error(tmp_path, new_format):
    path = tmp_path / 'w.pth'
    torch.save(WEIGHTS, path, _use_new_zipfile_serialization=new_format)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ValueError, match='w.pth.* damaged'):
        read_state_dict(str(path))


@pytest.mark.parametrize(
    'content',
    [
        dict(epoch=3),
        dict(state_dict=dict(epoch=3)),
        dict(state_dict=WEIGHTS['fc.bias']),
        [WEIGHTS],
        {},
    ],
)
def test_a_file_without_weights_is_an_error(tmp_path, content):
    with pytest.raises(ValueError, match='w.pth.* holds no weights'):
        read_state_dict(save(tmp_path / 'w.pth', content))


class OneLayer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3, 2)


@pytest.mark.parametrize(
    ('change', 'expected'),
    [
        ({}, ''),
        ({'fc.bias': None}, r"missing keys \['fc.bias'\]"),
        ({'head.bias': torch.ones(2)}, r"unexpected keys \['head.bias'\]"),
        ({'fc.bias': torch.ones(5)}, r'fc.bias \(5,\) instead of \(2,\)'),
        ({'fc.bias': 3}, r'fc.bias int instead of \(2,\)'),
    ],
)
def test_what_does_not_fit_is_said(change, expected):
    weights = {name: value for name, value in (WEIGHTS | change).items() if value is not None}
    misfit = load_all(OneLayer(), weights)
    assert re.search(expected, misfit) if expected else misfit == ''
