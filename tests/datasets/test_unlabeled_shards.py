"""UnlabeledShards: every good image of the shards, and no other."""

import io
import json
import logging
import os
import socket
import tarfile
from collections import Counter
from pathlib import Path
from urllib.parse import parse_qs

import numpy as np
import pytest
import small_models
import tar_shards
import torch
from mmengine.config import Config
from mmengine.fileio import get, get_text
from mmengine.logging import MMLogger
from mmengine.registry import DATASETS
from PIL import Image

from gendd_mm.datasets import UnlabeledShards, shard_index
from gendd_mm.datasets.image_check import image_fault
from gendd_mm.datasets.tar_backend import member_uri, parse_uri
from gendd_mm.engine.launch import build_runner

LOAD = [dict(type='LoadImageFromFile', imdecode_backend='pillow')]


def key_of(address: str) -> str:
    return parse_qs(address.rpartition('?')[2])['member'][0].split('.')[0]


def keys_of(dataset) -> list:
    return [
        key_of(dataset.get_data_info(i)['img_path'])
        for i in range(len(dataset))
    ]


def build_in(folder: Path, **options) -> UnlabeledShards:
    return UnlabeledShards(
        '*.tar', data_root=str(folder), pipeline=LOAD, **options)


# The dataset.
def test_it_holds_every_good_image_once_and_no_bad_one(tmp_path):
    good = tar_shards.write_shards(tmp_path)
    dataset = build_in(tmp_path)
    assert sorted(keys_of(dataset)) == sorted(good)
    bad = {
        place.rpartition(': ')[2]: why.partition(':')[0]
        for place, why in dataset.skipped.items()
    }
    # bad9 lies behind the cut, where nothing is known of it.
    assert bad.pop('') == 'damaged shard'
    assert bad == {
        'bad0': 'no image', 'bad1': 'no image', 'bad8': 'cut off',
        **{f'bad{i}': 'undecodable' for i in range(2, 8)}
    }  # yapf: disable


def test_an_image_is_that_of_the_shard(tmp_path):
    tar_shards.write_shards(tmp_path)
    (tmp_path / '00003.tar').unlink()  # tarfile refuses one that is cut off
    dataset = build_in(tmp_path)
    for i in range(0, len(dataset), 7):
        shard, _, _ = parse_uri(dataset.get_data_info(i)['img_path'])
        with tarfile.open(shard) as tar:
            data = tar.extractfile(f'{keys_of(dataset)[i]}.jpg').read()
        image = np.array(Image.open(io.BytesIO(data)))
        np.testing.assert_array_equal(dataset[i]['img'], image[..., ::-1])


def test_it_says_once_what_was_left_out(tmp_path, caplog):
    tar_shards.write_shards(tmp_path)
    logger = MMLogger.get_instance('shards')
    with caplog.at_level(logging.INFO, logger='shards'):
        logger.addHandler(caplog.handler)
        build_in(tmp_path)
    line, = [text for text in caplog.messages if 'left out' in text]
    assert '40 good images in 4 shards, 10 left out' in line
    for reason in ('6 undecodable', '2 no image', '1 cut off',
                   '1 damaged shard'):
        assert reason in line


@pytest.mark.parametrize('verify, kept', [
    ('decode', set()),
    ('header', {'bad5', 'bad6', 'bad7'}),
    (None, {f'bad{i}'
            for i in range(2, 8)}),
])
def test_verify_chooses_what_is_found(tmp_path, verify, kept):
    good = tar_shards.write_shards(tmp_path)
    assert set(keys_of(build_in(tmp_path, verify=verify))) == good | kept


def test_no_labels_are_known(tmp_path):
    tar_shards.write_shards(tmp_path)
    with pytest.raises(KeyError, match='gt_label'):
        build_in(tmp_path).get_gt_labels()


def test_samples_of_folders_and_other_formats(tmp_path):
    png = io.BytesIO()
    Image.new('RGB', (2, 2)).save(png, 'PNG')
    with tarfile.open(tmp_path / 'a.tar', 'w') as tar:
        for folder in ('x.y/', ''):
            tar_shards.add(tar, f'{folder}1.caption.txt', b'')
            tar_shards.add(tar, f'{folder}1.PNG', png.getvalue())
    dataset = build_in(tmp_path)
    members = [
        parse_qs(dataset.get_data_info(i)['img_path'])['offset']
        for i in range(len(dataset))
    ]
    assert len(members) == len(set(map(tuple, members))) == 2
    assert not dataset.skipped


@pytest.mark.parametrize('options, error, message', [
    (dict(verify='yes'), ValueError, "verify='yes'.*'header', 'decode'"),
    (dict(shards='*.zip'), FileNotFoundError, r"shards='\*.zip'"),
    (dict(shards='a.tar'), ValueError,
     '0 good images in 1 shards, 1 left out .1 damaged shard'),
])
def test_bad_input_is_named(tmp_path, options, error, message):
    (tmp_path / 'a.tar').write_bytes(b'no tar')
    with pytest.raises(error, match=message):
        UnlabeledShards(
            **{
                'shards': '*.tar',
                **options
            }, data_root=str(tmp_path))


def test_builds_in_other_projects(build, tmp_path):
    tar_shards.write_shards(tmp_path)
    dataset = build(
        DATASETS,
        type='gendd_mm.UnlabeledShards',
        shards=[str(tmp_path / '00000.tar'),
                str(tmp_path / '00001.tar')],
        pipeline=[dict(type='LoadImageFromFile')])
    assert dataset[19]['img'].shape == (8, 8, 3)


# The index.
def index_files(folder: Path) -> dict:
    return {p.name: p.read_text() for p in folder.glob('*.index.json')}


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
    tar_shards.write_shard(tmp_path / '00000.tar',
                           dict(new=tar_shards.jpeg(0)))
    path = tmp_path / '00001.decode.index.json'
    path.write_text(path.read_text()[:50])
    keys = keys_of(build_in(tmp_path))
    assert keys[0] == 'new' and len(keys) == 31


def test_the_index_can_be_kept_elsewhere(tmp_path):
    for name in ('train', 'val'):
        (tmp_path / name).mkdir()
    shards = [str(tmp_path / name / 'a.tar') for name in ('train', 'val')]
    for number, shard in enumerate(shards):
        tar_shards.write_shard(
            Path(shard), {str(number): tar_shards.jpeg(number)})
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


# Its parts.
def test_an_address_is_read_back():
    address = member_uri('/a b?/c=1.tar', 'x/?&=#.jpg', 512, 7)
    assert parse_uri(address) == ('/a b?/c=1.tar', 512, 7)
    for wrong in ('/a/b.tar', 's3://a.tar?offset=1&size=2', 'tar://a?size=2'):
        with pytest.raises(ValueError, match='is no member'):
            parse_uri(wrong)


def test_the_backend_reads_members_alone(tmp_path):
    path = tmp_path / 'a.tar'
    path.write_bytes(b'0123456789')
    assert get(member_uri(str(path), 'x', 2, 3)) == b'234'
    assert get_text(member_uri(str(path), 'x', 8, 2)) == '89'
    with pytest.raises(EOFError, match='2 of 5 bytes'):
        get(member_uri(str(path), 'x', 8, 5))


@pytest.mark.parametrize('progressive', [False, True])
def test_no_cut_of_a_jpeg_passes(progressive):
    data = tar_shards.jpeg(0, size=24, progressive=progressive)
    assert image_fault(data) is None
    for length in range(0, len(data), 13):
        assert image_fault(data[:length]), length
    assert image_fault(data[:-1])


# Two processes.
def train_as(rank: int, cfg: Config, port: int) -> None:
    """Train as one of two processes."""
    os.environ.update(
        RANK=str(rank),
        LOCAL_RANK=str(rank),
        WORLD_SIZE='2',
        MASTER_ADDR='127.0.0.1',
        MASTER_PORT=str(port))
    with small_models.quickly():
        build_runner(cfg).train()
    torch.distributed.destroy_process_group()


def test_two_processes_see_every_good_sample_once_per_epoch(
        tmp_path, monkeypatch):
    """Unlabeled training, 20 steps: two epochs of 40 images by 2 x 2."""
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    shards = tmp_path / 'shards'
    shards.mkdir()
    good = tar_shards.write_shards(shards)
    teacher = small_models.digits_teacher(tmp_path / 'teacher.pth')
    work_dir = tmp_path / 'run'
    cfg = small_models.shrunk('digits/gendd_digits_unsupervised.py', work_dir,
                              teacher)
    cfg.launcher = 'pytorch'
    cfg.custom_hooks.append(dict(type='NoteSamplesHook'))
    cfg.train_dataloader.update(
        batch_size=2, num_workers=1, persistent_workers=True)
    cfg.train_dataloader.dataset = dict(
        type='gendd_mm.UnlabeledShards',
        shards='*.tar',
        data_root=str(shards),
        pipeline=[dict(type='LoadImageFromFile'),
                  dict(type='PackInputs')])
    cfg.train_cfg = dict(by_epoch=True, max_epochs=2, val_interval=5)
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    # Forked: the imports are there already.
    torch.multiprocessing.start_processes(
        train_as, (cfg, port), nprocs=2, start_method='fork')

    ranks = [(work_dir / f'samples_{rank}.txt').read_text().splitlines()
             for rank in range(2)]
    assert [len(lines) for lines in ranks] == [40, 40]  # 20 steps of 2
    for epoch in ('0', '1'):
        seen = Counter(
            key_of(line) for lines in ranks for line in lines
            if line.split()[0] == epoch)
        assert seen == Counter(good)

    # Both have written the index; it is what one alone writes.
    found = index_files(shards)
    build_in(shards, index_dir=str(tmp_path / 'alone'))
    alone = index_files(tmp_path / 'alone')
    assert len(found) == 4
    assert sorted(found.values()) == sorted(alone.values())
    assert all(json.loads(text) for text in found.values())
    assert len(list(shards.iterdir())) == 8
