"""The index of shards: made once, anew when it must be, alike by all."""

from pathlib import Path

import pytest
import tar_shards
from tar_shards import build_in, index_files, keys_of

from gendd_mm.datasets import UnlabeledShards, shard_index


def test_a_shard_is_scanned_once(tmp_path, monkeypatch):
    good = tar_shards.write_shards(tmp_path)
    build_in(tmp_path)
    monkeypatch.setattr(shard_index, 'scan_shard', None)
    dataset = build_in(tmp_path)
    assert set(keys_of(dataset)) == good
    assert len(dataset.skipped) == 10


def test_a_changed_shard_or_a_broken_index_is_scanned_again(tmp_path):
    tar_shards.write_shards(tmp_path)
    build_in(tmp_path)
    tar_shards.write_shard(tmp_path / '00000.tar', dict(new=tar_shards.jpeg(0)))
    path = tmp_path / '00001.decode.index.json'
    path.write_text(path.read_text()[:50])
    keys = keys_of(build_in(tmp_path))
    assert keys[0] == 'new'
    assert len(keys) == 31


def test_the_index_can_be_kept_elsewhere(tmp_path):
    for name in ('train', 'val'):
        (tmp_path / name).mkdir()
    shards = [str(tmp_path / name / 'a.tar') for name in ('train', 'val')]
    for number, shard in enumerate(shards):
        tar_shards.write_shard(Path(shard), {str(number): tar_shards.jpeg(number)})
    for _ in range(2):
        dataset = UnlabeledShards(shards, index_dir=str(tmp_path / 'index'))
        assert keys_of(dataset) == ['0', '1']
    assert len(index_files(tmp_path / 'index')) == 2
    assert not list(tmp_path.glob('*/*.tar.*'))


def test_a_folder_without_permission_is_named(tmp_path, monkeypatch):
    tar_shards.write_shards(tmp_path)

    def refuse(path, mode='r', *args, **kwargs):
        if mode == 'w':
            raise PermissionError(13, 'Permission denied', str(path))
        return open(path, mode)

    # Not by the mode of the folder: the superuser may write anyway.
    monkeypatch.setattr(Path, 'open', refuse)
    with pytest.raises(PermissionError, match='set index_dir'):
        build_in(tmp_path)


def test_a_failed_scan_leaves_no_file(tmp_path, monkeypatch):
    tar_shards.write_shards(tmp_path)
    before = set(tmp_path.iterdir())
    monkeypatch.setattr(shard_index, 'scan_shard', None)
    with pytest.raises(TypeError):
        build_in(tmp_path)
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize('rank', range(3))
def test_any_process_gets_all_shards_in_order(tmp_path, monkeypatch, rank):
    tar_shards.write_shards(tmp_path)
    expected = keys_of(build_in(tmp_path, index_dir=str(tmp_path / 'one')))
    monkeypatch.setattr(shard_index, 'get_dist_info', lambda: (rank, 3))
    assert keys_of(build_in(tmp_path)) == expected
