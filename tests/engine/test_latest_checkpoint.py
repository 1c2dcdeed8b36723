"""The checkpoint to go on from, after a run has ended in any way."""

import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from mmengine.runner import save_checkpoint

from gendd_mm.engine.latest_checkpoint import is_final, latest_checkpoint

ATOMIC = dict(backend='gendd_mm.atomic')


def save(folder: Path, name: str, **meta) -> Path:
    torch.save(dict(meta=meta, state_dict=dict(weight=torch.ones(100))), folder / name)
    (folder / 'last_checkpoint').write_text(str(folder / name))
    return folder / name


def content(epoch: int) -> dict:
    return dict(epoch=epoch, state_dict=dict(weight=torch.ones(1)))


def save_whole(folder: Path, name: str, epoch: int) -> Path:
    """One that a run can go on from."""
    torch.save(
        dict(
            meta=dict(epoch=epoch, iter=epoch),
            state_dict=dict(weight=torch.ones(100)),
            message_hub={},
            optimizer=dict(state={}, param_groups=[dict(params=[0])]),
        ),
        folder / name,
    )
    (folder / 'last_checkpoint').write_text(str(folder / name))
    return folder / name


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def flip_a_byte(path: Path) -> None:
    content = path.read_bytes()
    # In the middle of the ones.
    start = content.rindex(torch.ones(50).numpy().tobytes())
    path.write_bytes(content[:start] + b'\1' + content[start + 1 :])


def make_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def rewritten(change: Callable[[dict], object]) -> Callable[[Path], None]:
    """Puts something else into a checkpoint: what a function makes of its content."""

    def spoil(path: Path) -> None:
        torch.save(change(torch.load(path)), path)

    return spoil


# What is wrong with a checkpoint, and words of the warning.
SPOILT = [
    pytest.param(cut_short, 'is damaged', id='cut short'),
    pytest.param(flip_a_byte, 'checksum', id='a flipped byte'),
    pytest.param(lambda path: path.write_bytes(b''), 'is damaged', id='no bytes'),
    pytest.param(os.remove, 'does not exist', id='gone'),
    pytest.param(make_a_folder, 'does not exist', id='a folder'),
    pytest.param(rewritten(lambda whole: [whole]), 'is a list', id='a list'),
    pytest.param(rewritten(lambda whole: without(whole, 'meta')), 'no meta', id='no meta'),
    pytest.param(
        rewritten(lambda whole: without(whole, 'optimizer')), 'no optimizer', id='no optimizer'
    ),
    pytest.param(
        rewritten(lambda whole: dict(whole, state_dict=dict(weight=torch.tensor(float('nan'))))),
        "NaN or infinity in 1 weights, the first 'weight'",
        id='NaN',
    ),
    pytest.param(
        rewritten(lambda whole: dict(whole, meta=dict(epoch=2, iter='many'))),
        "meta.iter='many'",
        id='no number',
    ),
]


def without(whole: dict, name: str) -> dict:
    return {key: value for key, value in whole.items() if key != name}


@pytest.fixture
def said(monkeypatch) -> list:
    """What is logged: texts and levels."""
    lines: list = []
    monkeypatch.setattr(
        'gendd_mm.engine.latest_checkpoint.print_log',
        lambda text, logger, level: lines.append((text, level)),
    )
    return lines


def test_nothing_was_saved(tmp_path):
    assert latest_checkpoint(str(tmp_path)) is None
    assert latest_checkpoint(str(tmp_path / 'not there')) is None


def test_the_one_that_was_named_last(tmp_path):
    for epoch in (1, 9, 10, 5):  # resumed from epoch 4 later
        path = save(tmp_path, f'epoch_{epoch}.pth')
    assert latest_checkpoint(str(tmp_path)) == str(path)


@pytest.mark.fault(
    'Checkpoints',
    'the newest is cut short, changed in a byte, empty, gone, a folder, another object, '
    'without a part, not finite or of no iteration',
    '--resume goes on from the newest good one, with a warning; without one, an error',
)
@pytest.mark.parametrize(('spoil', 'fault'), SPOILT)
def test_a_damaged_one_gives_way_to_an_older(tmp_path, said, spoil, fault):
    older, newest = (save_whole(tmp_path, f'epoch_{epoch}.pth', epoch) for epoch in (1, 2))
    spoil(newest)
    assert latest_checkpoint(str(tmp_path), resumable=True) == str(older)
    ((text, level),) = said
    assert text.startswith(f'{newest} is passed over')
    assert fault in text
    assert level == logging.WARNING
    # A run that has lost all is not begun anew.
    spoil(older)
    with pytest.raises(ValueError, match=r'lost its checkpoints.*epoch_2.pth.*--resume out'):
        latest_checkpoint(str(tmp_path), resumable=True)


def test_those_of_iterations_are_ordered_by_number(tmp_path, said):
    save(tmp_path, 'iter_9.pth')
    older = save(tmp_path, 'iter_10.pth')
    save(tmp_path, 'best_iter_99.pth')
    cut_short(save(tmp_path, 'iter_11.pth'))
    assert latest_checkpoint(str(tmp_path)) == str(older)
    assert len(said) == 1


def name_a_damaged_file_elsewhere(pointer: Path) -> None:
    elsewhere = pointer.parent / 'elsewhere'
    elsewhere.mkdir()
    cut_short(save_whole(elsewhere, 'epoch_9.pth', 9))
    pointer.write_text(str(elsewhere / 'epoch_9.pth'))


@pytest.mark.fault(
    'Checkpoints',
    '`last_checkpoint` is gone, empty, a folder, no text, or names no good file',
    '--resume goes on from the newest good checkpoint',
)
@pytest.mark.parametrize(
    'spoil',
    [
        pytest.param(os.remove, id='gone'),
        pytest.param(lambda pointer: pointer.write_bytes(b''), id='empty'),
        pytest.param(lambda pointer: pointer.write_bytes(bytes(40)), id='NUL'),
        pytest.param(lambda pointer: pointer.write_bytes(b'epoch_\xff.pth'), id='not UTF-8'),
        pytest.param(make_a_folder, id='a folder'),
        pytest.param(lambda pointer: pointer.write_text('epoch_7.pth'), id='names none'),
        pytest.param(lambda pointer: pointer.write_text('.'), id='names a folder'),
        pytest.param(name_a_damaged_file_elsewhere, id='names a damaged one elsewhere'),
    ],
)
def test_a_pointer_that_says_nothing_leaves_the_newest(tmp_path, said, spoil):
    newest = [save_whole(tmp_path, f'epoch_{epoch}.pth', epoch) for epoch in (9, 10)][1]
    spoil(tmp_path / 'last_checkpoint')
    assert latest_checkpoint(str(tmp_path), resumable=True) == str(newest)


def test_a_good_one_elsewhere_is_taken(tmp_path):
    """Where CheckpointHook has another ``out_dir``."""
    (tmp_path / 'out').mkdir()
    elsewhere = save_whole(tmp_path / 'out', 'epoch_2.pth', 2)
    save_whole(tmp_path, 'epoch_1.pth', 1)
    (tmp_path / 'last_checkpoint').write_text(str(elsewhere))
    assert latest_checkpoint(str(tmp_path), resumable=True) == str(elsewhere)


def test_killed_while_saving_the_first(tmp_path):
    cut_short(save(tmp_path, 'epoch_1.pth'))
    (tmp_path / 'last_checkpoint').unlink()
    assert latest_checkpoint(str(tmp_path)) is None


def test_a_folder_that_was_moved(tmp_path):
    (tmp_path / 'here').mkdir()
    save(tmp_path / 'here', 'epoch_1.pth')
    (tmp_path / 'here').rename(tmp_path / 'there')
    assert latest_checkpoint(str(tmp_path / 'there')) == str(tmp_path / 'there' / 'epoch_1.pth')


def test_other_storage_is_left_to_mmengine(tmp_path):
    (tmp_path / 'last_checkpoint').write_text('s3://bucket/epoch_1.pth')
    assert latest_checkpoint(str(tmp_path)) == 's3://bucket/epoch_1.pth'


@pytest.mark.parametrize(
    ('reached', 'train_cfg', 'final'),
    [
        (dict(epoch=3, iter=30), dict(by_epoch=True, max_epochs=3), True),
        (dict(epoch=2, iter=20), dict(by_epoch=True, max_epochs=3), False),
        (dict(epoch=0, iter=30), dict(by_epoch=False, max_iters=30), True),
        (dict(epoch=0, iter=20), dict(by_epoch=False, max_iters=30), False),
        # Of no known place in the run.
        ({}, dict(by_epoch=True, max_epochs=3), False),
        (dict(epoch='last', iter=0), dict(by_epoch=True, max_epochs=3), False),
    ],
)
def test_whether_it_is_the_last_of_its_run(tmp_path, reached, train_cfg, final):
    path = save(tmp_path, 'a.pth', **reached)
    assert is_final(str(path), train_cfg) == final


def test_a_bare_state_dict_ends_no_run(tmp_path):
    torch.save(dict(weight=torch.ones(1)), tmp_path / 'epoch_3.pth')
    assert not is_final(str(tmp_path / 'epoch_3.pth'), dict(max_epochs=3))


# Saving.
def test_a_checkpoint_is_saved(tmp_path):
    path = tmp_path / 'new' / 'epoch_1.pth'
    save_checkpoint(content(1), str(path), backend_args=ATOMIC)
    save_checkpoint(content(2), str(path), backend_args=ATOMIC)
    assert torch.load(path) == content(2)
    assert os.listdir(path.parent) == ['epoch_1.pth']


def test_killed_while_saving_over_one(tmp_path, monkeypatch):
    path = tmp_path / 'epoch_1.pth'
    save_checkpoint(content(1), str(path), backend_args=ATOMIC)

    def killed(*args) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, 'fsync', killed)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(content(2), str(path), backend_args=ATOMIC)
    assert torch.load(path) == content(1)
    assert latest_checkpoint(str(tmp_path)) == str(path)
