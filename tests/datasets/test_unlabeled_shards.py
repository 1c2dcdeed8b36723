"""UnlabeledShards: every good image of the shards, and no other."""

import io
import json
import logging
import os
import socket
import tarfile
from collections import Counter
from urllib.parse import parse_qs

import numpy as np
import pytest
import small_models
import tar_shards
import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import DATASETS
from PIL import Image
from tar_shards import build_in, index_files, key_of, keys_of

from gendd_mm.datasets import UnlabeledShards
from gendd_mm.datasets.tar_backend import parse_uri
from gendd_mm.engine.launch import build_runner


def test_it_holds_every_good_image_once_and_no_bad_one(tmp_path):
    good = tar_shards.write_shards(tmp_path)
    dataset = build_in(tmp_path)
    assert sorted(keys_of(dataset)) == sorted(good)
    bad = {
        place.rpartition(': ')[2]: why.partition(':')[0] for place, why in dataset.skipped.items()
    }
    # bad9 lies behind the cut, where nothing is known of it.
    assert bad.pop('') == 'damaged shard'
    assert bad == {
        'bad0': 'no image',
        'bad1': 'no image',
        'bad8': 'cut off',
        **{f'bad{i}': 'undecodable' for i in range(2, 8)},
    }


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
    (line,) = [text for text in caplog.messages if 'left out' in text]
    assert '40 good images in 4 shards, 10 left out' in line
    for reason in ('6 undecodable', '2 no image', '1 cut off', '1 damaged shard'):
        assert reason in line


@pytest.mark.parametrize(
    ('verify', 'kept'),
    [
        ('decode', set()),
        ('header', {'bad5', 'bad6', 'bad7'}),
        (None, {f'bad{i}' for i in range(2, 8)}),
    ],
)
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
        parse_qs(dataset.get_data_info(i)['img_path'])['offset'] for i in range(len(dataset))
    ]
    assert len(members) == len(set(map(tuple, members))) == 2
    assert not dataset.skipped


@pytest.mark.parametrize(
    ('options', 'error', 'message'),
    [
        (dict(verify='yes'), ValueError, "verify='yes'.*'header', 'decode'"),
        (dict(shards='*.zip'), FileNotFoundError, r"shards='\*.zip'"),
        (
            dict(shards='a.tar'),
            ValueError,
            '0 good images in 1 shards, 1 left out .1 damaged shard',
        ),
    ],
)
def test_bad_input_is_named(tmp_path, options, error, message):
    (tmp_path / 'a.tar').write_bytes(b'no tar')
    with pytest.raises(error, match=message):
        UnlabeledShards(**{'shards': '*.tar', **options}, data_root=str(tmp_path))


def test_builds_in_other_projects(build, tmp_path):
    tar_shards.write_shards(tmp_path)
    dataset = build(
        DATASETS,
        type='gendd_mm.UnlabeledShards',
        shards=[str(tmp_path / '00000.tar'), str(tmp_path / '00001.tar')],
        pipeline=[dict(type='LoadImageFromFile')],
    )
    assert dataset[19]['img'].shape == (8, 8, 3)


# Two processes.
def train_as(rank: int, cfg: Config, port: int) -> None:
    """Train as one of two processes."""
    os.environ.update(
        RANK=str(rank),
        LOCAL_RANK=str(rank),
        WORLD_SIZE='2',
        MASTER_ADDR='127.0.0.1',
        MASTER_PORT=str(port),
    )
    with small_models.quickly():
        build_runner(cfg).train()
    torch.distributed.destroy_process_group()


def test_two_processes_see_every_good_sample_once_per_epoch(tmp_path, monkeypatch):
    """Unlabeled training, 20 steps: two epochs of 40 images by 2 x 2."""
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    shards = tmp_path / 'shards'
    shards.mkdir()
    good = tar_shards.write_shards(shards)
    teacher = small_models.digits_teacher(tmp_path / 'teacher.pth')
    work_dir = tmp_path / 'run'
    cfg = small_models.shrunk('digits/gendd_digits_unsupervised.py', work_dir, teacher)
    cfg.launcher = 'pytorch'
    cfg.custom_hooks.append(dict(type='NoteSamplesHook'))
    cfg.train_dataloader.update(batch_size=2, num_workers=1, persistent_workers=True)
    cfg.train_dataloader.dataset = dict(
        type='gendd_mm.UnlabeledShards',
        shards='*.tar',
        data_root=str(shards),
        pipeline=[dict(type='LoadImageFromFile'), dict(type='PackInputs')],
    )
    cfg.train_cfg = dict(by_epoch=True, max_epochs=2, val_interval=5)
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    # Forked: the imports are there already.
    torch.multiprocessing.start_processes(train_as, (cfg, port), nprocs=2, start_method='fork')

    ranks = [(work_dir / f'samples_{rank}.txt').read_text().splitlines() for rank in range(2)]
    assert [len(lines) for lines in ranks] == [40, 40]  # 20 steps of 2
    for epoch in ('0', '1'):
        seen = Counter(
            key_of(line) for lines in ranks for line in lines if line.split()[0] == epoch
        )
        assert seen == Counter(good)

    # Both have written the index; it is what one alone writes.
    found = index_files(shards)
    build_in(shards, index_dir=str(tmp_path / 'alone'))
    alone = index_files(tmp_path / 'alone')
    assert len(found) == 4
    assert sorted(found.values()) == sorted(alone.values())
    assert all(json.loads(text) for text in found.values())
    assert len(list(shards.iterdir())) == 8
