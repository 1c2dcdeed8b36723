"""A store gives back what was stored, and says what is wrong with it."""

import json
import pickle

import pytest
import torch
from safetensors.torch import save

from gendd_mm.teacher_store import (
    Description,
    Part,
    Shard,
    StoreError,
    TeacherStore,
    as_stored,
    read_description,
    shard_bytes,
)

FEATURES = torch.randn(2, 7, 4, generator=torch.Generator().manual_seed(0))  # view, image, D


def description(dtype: str = 'float32', **changes) -> Description:
    part = Part(num_images=7, num_views=2, seed=0, images='', pipeline=[], mixing=None)
    settings = dict(
        teacher='abc',
        teacher_type='ImageClassifier',
        precision='float32',
        normalization=None,
        classifier='head.fc',
        features=dict(target=4),
        dtype=dtype,
        rows_per_shard=3,
        parts=dict(train=part),
        versions={},
    )
    return Description(**{**settings, **changes})


@pytest.fixture
def write(tmp_path):
    """Write a whole store; returns its folder."""

    def write_store(dtype: str = 'float32'):
        stated = description(dtype)
        for shard in stated.shards():
            path = tmp_path / shard.path
            path.parent.mkdir(parents=True, exist_ok=True)
            rows = FEATURES[shard.view, shard.first : shard.last]
            path.write_bytes(shard_bytes(dict(target=as_stored(rows, dtype))))
        weights = {'head.fc.weight': torch.ones(3, 4), 'head.fc.bias': torch.zeros(3)}
        (tmp_path / 'classifier.safetensors').write_bytes(save(weights))
        (tmp_path / 'store.json').write_text(stated.as_json())
        return tmp_path

    return write_store


@pytest.mark.parametrize('dtype', ['float32', 'float16', 'bfloat16'])
def test_rows_come_back(write, dtype):
    store = TeacherStore(str(write(dtype)))
    for again in (store, pickle.loads(pickle.dumps(store))):
        for view in range(2):
            for image in range(7):
                row = again.features('train', image, view)['target']
                expected = FEATURES[view, image].to(getattr(torch, dtype)).float()
                assert row.equal(expected)
                assert row.dtype == torch.float32
    weight, bias = store.classifier()
    assert weight.shape == (3, 4)
    assert bias.shape == (3,)


def test_shards_cover_each_row_once():
    rows = [(s.view, row) for s in description().shards() for row in range(s.first, s.last)]
    assert rows == [(view, row) for view in range(2) for row in range(7)]
    assert Shard('val', 2, 13, 0, 1).path == 'val/view_002/00013.safetensors'
    assert description('bfloat16').num_bytes == 2 * 7 * 4 * 2


def test_a_row_that_does_not_exist_is_an_error(write):
    store = TeacherStore(str(write()))
    for image, view in ((7, 0), (-1, 0), (0, 2), (0, -1)):
        with pytest.raises(IndexError, match=f'no view {view} of image {image}'):
            store.features('train', image, view)


def test_equal_features_have_equal_bytes():
    rows = dict(cls_token=FEATURES[0], pooled=FEATURES[1])
    assert len({shard_bytes(dict(reversed(rows.items()))) for _ in range(5)}) == 1


def damaged_value(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


FAULTS = {
    'missing': (lambda path: path.unlink(), r'1 of 6 shards are missing, the first train/view_001'),
    'truncated': (
        lambda path: path.write_bytes(path.read_bytes()[:-3]),
        r'00001.safetensors is truncated or damaged',
    ),
    'empty': (lambda path: path.write_bytes(b''), r'is truncated or damaged'),
    'no safetensors': (lambda path: path.write_bytes(b'<html>' * 50), r'truncated or damaged'),
    'other rows': (
        lambda path: path.write_bytes(shard_bytes(dict(target=torch.ones(2, 4)))),
        r'holds target \(2, 4\) float32, but the store states target \(3, 4\) float32',
    ),
    'other type': (
        lambda path: path.write_bytes(shard_bytes(dict(target=torch.ones(3, 4).half()))),
        r'float16',
    ),
}


@pytest.mark.fault('Stores', 'a shard is missing, truncated or another', 'error')
@pytest.mark.parametrize('fault', FAULTS)
def test_a_wrong_shard_is_an_error_at_once(write, fault):
    folder = write()
    spoil, message = FAULTS[fault]
    spoil(folder / 'train/view_001/00001.safetensors')
    with pytest.raises(StoreError, match=message) as error:
        TeacherStore(str(folder))
    assert 'gendd-store-teacher' in str(error.value)
    assert '\n' not in str(error.value)


@pytest.mark.fault('Stores', 'a bit of a shard has flipped', 'error')
def test_a_flipped_bit_is_an_error_when_the_shard_is_first_read(write):
    folder = write()
    damaged_value(folder / 'train/view_001/00001.safetensors')
    store = TeacherStore(str(folder))
    store.features('train', 0, 1)
    with pytest.raises(StoreError, match='its checksum is wrong. Run gendd-store-teacher again'):
        store.features('train', 3, 1)


def test_a_shard_is_verified_once(write, monkeypatch):
    store = TeacherStore(str(write()))
    seen = []
    read = __import__('gendd_mm.teacher_store.reader', fromlist=['x'])
    original = read.read_shard
    monkeypatch.setattr(
        read, 'read_shard', lambda *args: (seen.append(args[3]), original(*args))[1]
    )
    for _ in range(2):
        store._forget()
        store.features('train', 0, 0)
    assert seen == [True, False]


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ('{', 'store.json is damaged'),
        ('[]', 'is of no teacher store'),
        (json.dumps(dict(format='gendd_mm teacher store', version=9)), 'is of version 9'),
        (json.dumps(dict(format='gendd_mm teacher store', version=1)), 'store.json is damaged'),
    ],
)
def test_a_wrong_description_is_an_error(tmp_path, content, message):
    (tmp_path / 'store.json').write_text(content)
    with pytest.raises(StoreError, match=message):
        read_description(str(tmp_path))


def test_a_folder_that_is_no_store_is_an_error(tmp_path):
    with pytest.raises(StoreError, match='does not exist .from .*; give the folder'):
        read_description(str(tmp_path / 'nowhere'))
    with pytest.raises(StoreError, match=r'is no store: it has no store.json'):
        read_description(str(tmp_path))


def test_what_a_type_cannot_hold_is_an_error():
    with pytest.raises(StoreError, match='a feature of 1e.05 does not fit into float16; store'):
        as_stored(torch.tensor([1e5]), 'float16')
    with pytest.raises(StoreError, match='not finite; check its weights'):
        as_stored(torch.tensor([float('nan')]), 'float32')
    assert as_stored(torch.tensor([1e5]), 'bfloat16').isfinite()
