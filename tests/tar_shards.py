"""Tar shards with broken samples; what is read and trained on of them."""

import io
import tarfile
from pathlib import Path
from urllib.parse import parse_qs

import numpy as np
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from PIL import Image

from gendd_mm.datasets import UnlabeledShards


def jpeg(seed: int, size: int = 8, **options) -> bytes:
    """Encode a noise image."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size, size, 3))
    file = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(file, 'JPEG', **options)
    return file.getvalue()


def add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def write_shard(path: Path, images: dict) -> None:
    """Write samples as img2dataset does; None is a sample without image."""
    with tarfile.open(path, 'w') as tar:
        for key, image in images.items():
            if image is not None:
                add(tar, f'{key}.jpg', image)
            add(tar, f'{key}.txt', f'caption of {key}'.encode())
            add(tar, f'{key}.json', b'{}')


def write_shards(folder: Path, good: int = 40) -> set:
    """Write four shards of good samples and ten bad ones.

    Returns:
        The keys of the good samples.
    """
    shards = [{f'{s:05}{i:04}': jpeg(100 * s + i) for i in range(good // 4)} for s in range(4)]
    keys = set().union(*shards)
    whole = jpeg(999, size=64)
    bad = [
        None,
        None,
        b'',
        b'not an image',
        whole[:20],
        whole[:-2],
        whole[: len(whole) // 2],
        jpeg(999, size=64, progressive=True)[:-40],
    ]
    for number, image in enumerate(bad):
        # In the middle, so that what follows must still be found.
        shard = list(shards[number % 4].items())
        shard.insert(3, (f'bad{number}', image))
        shards[number % 4] = dict(shard)
    shards[3].update(bad8=whole, bad9=whole)
    for number, shard in enumerate(shards):
        write_shard(folder / f'{number:05}.tar', shard)
    cut(folder / '00003.tar', 'bad8.jpg')
    return keys


def cut(path: Path, name: str) -> None:
    """Cut a shard off in the middle of a member."""
    with tarfile.open(path) as tar:
        member = tar.getmember(name)
    data = path.read_bytes()
    path.write_bytes(data[: member.offset_data + member.size // 2])


# Reading them.
def key_of(address: str) -> str:
    return parse_qs(address.rpartition('?')[2])['member'][0].split('.')[0]


def keys_of(dataset) -> list:
    return [key_of(dataset.get_data_info(i)['img_path']) for i in range(len(dataset))]


def build_in(folder: Path, **options) -> UnlabeledShards:
    return UnlabeledShards(
        '*.tar',
        data_root=str(folder),
        pipeline=[dict(type='LoadImageFromFile', imdecode_backend='pillow')],
        **options,
    )


def index_files(folder: Path) -> dict:
    return {p.name: p.read_text() for p in folder.glob('*.index.json')}


@HOOKS.register_module(force=True)
class NoteSamplesHook(Hook):
    """Write epoch and address of every training sample, a file a process."""

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        path = Path(runner.work_dir) / f'samples_{get_rank()}.txt'
        with path.open('a') as file:
            for sample in data_batch['data_samples']:
                file.write(f'{runner.epoch} {sample.img_path}\n')
