"""The checkpoint to go on from, after a run has ended in any way."""

import logging
import os
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


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def damage(path: Path) -> None:
    content = path.read_bytes()
    # In the middle of the ones.
    start = content.rindex(torch.ones(50).numpy().tobytes())
    path.write_bytes(content[:start] + b'\1' + content[start + 1 :])


def test_nothing_was_saved(tmp_path):
    assert latest_checkpoint(str(tmp_path)) is None
    assert latest_checkpoint(str(tmp_path / 'not there')) is None


def test_the_one_that_was_named_last(tmp_path):
    for epoch in (1, 9, 10, 5):  # resumed from epoch 4 later
        path = save(tmp_path, f'epoch_{epoch}.pth')
    assert latest_checkpoint(str(tmp_path)) == str(path)


@pytest.mark.parametrize('spoil', [cut_short, damage, os.remove])
@pytest.mark.parametrize('unit', ['epoch', 'iter'])
def test_a_damaged_one_gives_way_to_an_older(tmp_path, spoil, unit, monkeypatch):
    said = []
    monkeypatch.setattr(
        'gendd_mm.engine.latest_checkpoint.print_log',
        lambda text, **kwargs: said.append((text, kwargs)),
    )
    save(tmp_path, f'{unit}_9.pth')
    older = save(tmp_path, f'{unit}_10.pth')
    save(tmp_path, f'best_{unit}_99.pth')
    newest = save(tmp_path, f'{unit}_11.pth')
    spoil(newest)
    assert latest_checkpoint(str(tmp_path)) == str(older)
    ((text, kwargs),) = said
    assert str(newest) in text
    assert kwargs['level'] == logging.WARNING


def test_killed_while_naming_it(tmp_path):
    save(tmp_path, 'epoch_9.pth')
    path = save(tmp_path, 'epoch_10.pth')
    (tmp_path / 'last_checkpoint').write_text('')
    assert latest_checkpoint(str(tmp_path)) == str(path)


def test_killed_while_saving_the_first(tmp_path):
    cut_short(save(tmp_path, 'epoch_1.pth'))
    (tmp_path / 'last_checkpoint').unlink()
    assert latest_checkpoint(str(tmp_path)) is None


def test_a_run_that_lost_all_is_not_begun_anew(tmp_path):
    cut_short(save(tmp_path, 'epoch_1.pth'))
    cut_short(save(tmp_path, 'epoch_2.pth'))
    with pytest.raises(ValueError, match='epoch_2.pth.*--resume out'):
        latest_checkpoint(str(tmp_path))


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
    ],
)
def test_whether_it_is_the_last_of_its_run(tmp_path, reached, train_cfg, final):
    path = save(tmp_path, 'a.pth', **reached)
    assert is_final(str(path), train_cfg) == final


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
