"""Damaged shards, indices and annotation files: read right, or one error of ours.

Few cases by default; all of them with ``-m slow``.
"""

import hashlib
import io
import json
import logging
import random
import re
import resource
import signal
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import tar_shards
from mmengine.config import Config
from mmpretrain.datasets import BaseDataset, CustomDataset

from gendd_mm.annotations import AnnotationError, check_annotations, check_labels
from gendd_mm.datasets import UnlabeledShards
from gendd_mm.datasets.image_check import image_fault
from gendd_mm.datasets.tar_backend import TarBackend

CASES = [40, pytest.param(1000, marks=pytest.mark.slow)]
SECONDS = 10
MOST_MEMORY = 400 * 2**20
BLOCK = tarfile.BLOCKSIZE
IMAGES = {f'{i:04}': tar_shards.jpeg(i) for i in range(8)}


@pytest.fixture(autouse=True)
def bounds():
    """No case may hang, and all of them together take little memory."""

    def hang(*args) -> None:
        pytest.fail('it hangs')

    before = signal.signal(signal.SIGALRM, hang)
    logging.disable(logging.CRITICAL)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    logging.disable(logging.NOTSET)
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory
    assert grown * 1024 < MOST_MEMORY


def shard_of(images: dict, form: int) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode='w', format=form) as tar:
        for key, image in images.items():
            # Now and then a name that takes headers of its own.
            name = key if int(key) % 4 else f'{"folder/" * 20}{key}'
            tar_shards.add(tar, f'{name}.jpg', image)
            tar_shards.add(tar, f'{name}.json', b'{}')
    return file.getvalue()


SHARDS = [shard_of(IMAGES, form) for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)]


# Each gives the damaged bytes, and where from on what follows may be lost.
def flipped(data: bytearray, draw: random.Random) -> tuple[bytes, int]:
    places = [draw.randrange(len(data)) for _ in range(draw.randint(1, 8))]
    for place in places:
        data[place] ^= 1 << draw.randrange(8)
    return bytes(data), min(places)


def cut(data: bytearray, draw: random.Random) -> tuple[bytes, int]:
    end = draw.randrange(len(data))
    return bytes(data[:end]), end


def header_of(data: bytearray, draw: random.Random) -> int:
    starts = [i for i in range(0, len(data), BLOCK) if data[i + 257 : i + 262] == b'ustar']
    return draw.choice(starts)


def absurd_header(data: bytearray, draw: random.Random) -> tuple[bytes, int]:
    """Some fields of a header are nonsense, with a checksum that is right, mostly."""
    start = header_of(data, draw)
    # Name, mode, size, time, kind, link.
    fields = [(0, 100), (100, 8), (124, 12), (136, 12), (156, 1), (157, 100)]
    for first, size in draw.sample(fields, draw.randint(1, 3)):
        value = draw.choice(
            [
                b'\xff' * size,
                b'\x80' + b'\x7f' * (size - 1),
                b'\xff' * (size - 2) + b'\0\0',  # negative
                b'7' * size,
                b'-1'.ljust(size, b'\0'),
                b'\0' * size,
                draw.randbytes(size),
                draw.choice(b'123456KLSxgVMD7').to_bytes(1, 'big') * size,
                (b'%o' % draw.randrange(10**6)).zfill(size),
            ]
        )
        data[start + first : start + first + size] = value[:size].ljust(size, b'\0')
    if draw.random() < 0.9:
        block = tarfile.calc_chksums(bytes(data[start : start + BLOCK]))[0]
        data[start + 148 : start + 156] = b'%06o\0 ' % block
    return bytes(data), start


def joined(data: bytearray, draw: random.Random) -> tuple[bytes, int]:
    other = draw.choice(SHARDS)
    middle = draw.choice([b'', b'\0' * BLOCK, draw.randbytes(BLOCK)])
    return bytes(data) + middle + other, len(data)


def cut_out(data: bytearray, draw: random.Random) -> tuple[bytes, int]:
    start = draw.randrange(len(data))
    del data[start : start + draw.randrange(1, 3000)]
    return bytes(data), start


def filled_in(data: bytearray, draw: random.Random) -> tuple[bytes, int]:
    start = draw.randrange(len(data))
    data[start:start] = draw.randbytes(draw.randrange(1, 3000))
    return bytes(data), start


def error_of(call: Callable, *kinds: type[Exception]) -> str | None:
    """What one of these errors says, if the call raises it in time."""
    signal.alarm(SECONDS)
    try:
        call()
    except kinds as error:
        return str(error)
    finally:
        signal.alarm(0)
    return None


def read(folder: Path) -> tuple[list[bytes], list[str]] | str:
    """The images of the only shard and their addresses; or an error."""
    found = []

    def build() -> None:
        # Serialised, it would collect garbage for a good part of a second.
        dataset = UnlabeledShards('0.tar', data_root=str(folder), serialize_data=False)
        found.extend(dataset.get_data_info(i)['img_path'] for i in range(len(dataset)))

    error = error_of(build, ValueError, OSError)
    return error or ([TarBackend().get(address) for address in found], found)


@pytest.mark.fault(
    'Data', '1,000 damaged tars', 'what is whole is read, or one error names the tar'
)
@pytest.mark.parametrize('cases', CASES)
def test_damaged_shards(cases, tmp_path):
    draw = random.Random(0)
    damages: list[Callable] = [flipped, cut, absurd_header, joined, cut_out, filled_in]
    outcomes = dict(read=0, refused=0)
    for case in range(cases):
        damage = damages[case % len(damages)]
        original = draw.choice(SHARDS)
        data, first = damage(bytearray(original), draw)
        (tmp_path / '0.tar').write_bytes(data)
        (tmp_path / '0.decode.index.json').unlink(missing_ok=True)
        label = f'case {case}: {damage.__name__} at {first}'
        # Those that end before the damage.
        whole = [image for image in IMAGES.values() if end_of(original, image) <= first]
        found = read(tmp_path)
        if isinstance(found, str):
            assert '0.tar' in found, label
            assert not whole, label
            outcomes['refused'] += 1
            continue
        images, _ = found
        outcomes['read'] += 1
        assert [image for image in images if image in whole][: len(whole)] == whole, label
        assert not any(map(image_fault, images)), label
        if damage is joined:
            assert images == 2 * list(IMAGES.values()), label
        # A second time from the index.
        assert read(tmp_path) == found, label
    assert outcomes['read'] > cases / 2
    assert outcomes['refused'] or cases < 100


def end_of(shard: bytes, image: bytes) -> int:
    return shard.index(image) + len(image)


def resealed(text: bytes, draw: random.Random) -> bytes:
    """An index that someone changed, with a digest that fits."""
    head, _, body = text.partition(b', "index": ')
    stated = json.loads(head + b'}')
    content = json.loads(body[:-1])
    junk = [
        None,
        {},
        'a',
        -1,
        2**70,
        1e308,
        float('nan'),
        [1],
        ['a', 'b', 'c'],
        ['a', 0, 2**40],
    ]
    value = draw.choice(junk)
    place = draw.randrange(4)
    if place == 0:
        content = value
    elif place == 1:
        content[draw.choice(['images', 'skipped'])] = value
    elif place == 2:
        content['images'][0] = value
    else:
        content['images'][0][draw.randrange(1, 3)] = value
    body = json.dumps(content).encode()
    stated['sha256'] = hashlib.sha256(body).hexdigest()
    return json.dumps(stated).encode()[:-1] + b', "index": ' + body + b'}'


@pytest.mark.fault('Data', '400 damaged or forged indices', 'indexed again')
@pytest.mark.parametrize('cases', [40, pytest.param(400, marks=pytest.mark.slow)])
def test_damaged_indices(cases, tmp_path):
    draw = random.Random(1)
    (tmp_path / '0.tar').write_bytes(SHARDS[0])
    expected = read(tmp_path)
    assert expected[0] == list(IMAGES.values())
    index = tmp_path / '0.decode.index.json'
    good = index.read_bytes()
    for case in range(cases):
        if case % 2:
            index.write_bytes(resealed(good, draw))
        else:
            damage = draw.choice([flipped, cut, cut_out, filled_in])
            index.write_bytes(damage(bytearray(good), draw)[0])
        assert read(tmp_path) == expected, f'case {case}'


# Annotation files.
def config(kind: str, folder: Path, name: str) -> Config:
    dataset = dict(type=kind, data_root=str(folder), ann_file=name)
    return Config(dict(default_scope='mmpretrain', train_dataloader=dict(dataset=dataset)))


LINES = [f'folder {i}/\u00e9t\u00e9_{i}.jpg {i % 5}' for i in range(30)]
ENTRIES = [dict(img_path=f'{i}.jpg', gt_label=i % 5) for i in range(10)]
INSERTED = [b'\n', b'\r\n', b'\t', b' ', b'dog', b'1.0', b'\xff', b'\xef\xbb\xbf', b'\0', b'9' * 30]
INSERTED += [
    b'"',
    b'{',
    b']',
    b'null',
    b'-',
    b',',
    b'true',
    b'[1, 2]',
    b'\x0c',
    b'\xc2\x85',
    b'1e9',
]


def damaged_text(data: bytes, draw: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(draw.randint(1, 3)):
        place = draw.randrange(len(changed))
        kind = draw.randrange(4)
        if kind == 0:
            changed[place : place + draw.randint(1, 12)] = b''
        elif kind == 1:
            changed[place] ^= 1 << draw.randrange(8)
        elif kind == 2:
            changed[place:place] = draw.choice(INSERTED)
        else:
            found = [m.start() for m in re.finditer(rb'\d', changed)] or [place]
            place = draw.choice(found)
            changed[place : place + 1] = draw.choice(INSERTED)
        if not changed:
            break
    return bytes(changed)


@pytest.mark.fault(
    'Data', '600 damaged annotation files', 'read as they are, or one error names the file'
)
@pytest.mark.parametrize('cases', [60, pytest.param(300, marks=pytest.mark.slow)])
@pytest.mark.parametrize('name', ['a.txt', 'a.json'])
def test_damaged_annotation_files(name, cases, tmp_path):
    draw = random.Random(2)
    entries = json.dumps(dict(metainfo=dict(dataset='a'), data_list=ENTRIES), indent=1)
    good = (entries if name == 'a.json' else '\n'.join(LINES) + '\n').encode()
    kind = BaseDataset if name == 'a.json' else CustomDataset
    refused = 0
    for case in range(cases):
        data = damaged_text(good, draw)
        (tmp_path / name).write_bytes(data)
        cfg = config(kind.__name__, tmp_path, name)
        error = error_of(lambda: check_annotations(cfg, ('train',)), AnnotationError)  # noqa: B023
        if error is not None:
            assert f'{tmp_path}/{name}' in error, case
            refused += 1
            continue
        dataset = kind(data_root=str(tmp_path), ann_file=name, serialize_data=False)
        found = {info['img_path']: info for info in map(dataset.get_data_info, range(len(dataset)))}
        if name == 'a.txt':
            for line in set(LINES) & set(re.split('[\r\n]+', data.decode())):
                path, _, label = line.rpartition(' ')
                assert found[f'{tmp_path}/{path}']['gt_label'] == int(label), case
        error = error_of(lambda: check_labels(dataset, num_classes=5), ValueError)  # noqa: B023
        assert error is None or re.match(r'\d+ labels of .* at sample \d+ \(', error), case
    assert cases / 5 < refused < cases
