"""Where the images of a tar shard are, and which of them can be read."""

import hashlib
import json
import os
import tarfile
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

from mmengine.dist import get_dist_info

from .image_check import image_fault

IMAGE_EXTENSIONS = ('jpg', 'jpeg', 'png', 'webp')
# Raise it when the format of the file or the check of an image changes.
FORMAT = 1


@dataclass
class ShardIndex:
    """The samples of a shard, in the order of the shard.

    Attributes:
        images: Name, offset and size in bytes of every good image.
        skipped: The reasons, by key, for every sample without a good image, and for the
            shard itself (key ``''``) if its end is missing.
    """

    images: list[tuple[str, int, int]] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)


def scan_shard(shard: str, verify: str | None = 'decode') -> ShardIndex:
    """Read a shard once and index its samples.

    Args:
        shard: A tar file as img2dataset writes it: the names of a sample's members are
            equal up to the first dot.
        verify: See :func:`~gendd_mm.datasets.image_check.image_fault`.
    """
    members, damage = _list_members(shard)
    samples: dict[str, tarfile.TarInfo | None] = {}
    for member in members:
        folder, slash, name = member.name.rpartition('/')
        stem, _, extension = name.partition('.')
        is_image = extension.lower() in IMAGE_EXTENSIONS
        key = folder + slash + stem
        samples[key] = member if is_image else samples.get(key)

    index = ShardIndex()
    with open(shard, 'rb') as file:
        for key, image in samples.items():
            if image is None:
                index.skipped[key] = 'no image'
                continue
            file.seek(image.offset_data)
            data = file.read(image.size)
            # A tar file may be cut off anywhere; its headers still state the sizes.
            fault = 'cut off' if len(data) < image.size else image_fault(data, verify)
            if fault:
                index.skipped[key] = fault
            else:
                index.images.append((image.name, image.offset_data, image.size))
    if damage:
        index.skipped[''] = damage
    return index


def _list_members(shard: str) -> tuple[list[tarfile.TarInfo], str | None]:
    """The files of a tar, and what is wrong with its end, if anything."""
    members: list[tarfile.TarInfo] = []
    with open(shard, 'rb') as file:
        try:
            with tarfile.open(fileobj=file, mode='r:') as tar:
                for member in tar:
                    if member.isfile():
                        members.append(member)
                end = tar.offset
        except tarfile.TarError as error:
            return members, f'damaged shard: {error}'
        # tarfile takes a broken header for the end; the true end is zeros.
        file.seek(end)
        if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
            return members, f'damaged shard: no end mark at byte {end}'
    return members, None


def index_path(shard: str, verify: str | None, folder: str | None) -> Path:
    """The file that holds the index of a shard."""
    path = Path(shard).resolve()
    name = f'{path.stem}.{verify}.index.json'
    if folder is None:
        return path.with_name(name)
    # Shards of different folders may have the same name.
    place = hashlib.sha256(str(path).encode()).hexdigest()[:8]
    return Path(folder) / f'{place}-{name}'


def load_index(shard: str, verify: str | None, folder: str | None) -> ShardIndex:
    """Read the index of a shard from its file, and write the file if needed.

    A shard whose size or modification time has changed is indexed again. Several
    processes may do so at once: each replaces the file as a whole, by the same content.

    Raises:
        OSError: If the index cannot be written.
    """
    path = index_path(shard, verify, folder)
    stat = os.stat(shard)
    stamp = [FORMAT, stat.st_size, stat.st_mtime_ns]
    try:
        saved = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):  # no file, or not one of ours
        saved = {}
    if saved.get('stamp') == stamp:
        return ShardIndex(**saved['index'])

    draft = path.with_name(f'{path.name}.{uuid.uuid4().hex}')
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Opened first, so that a read-only folder fails before the work is done.
        with draft.open('w') as file:
            index = scan_shard(shard, verify)
            json.dump(dict(stamp=stamp, index=asdict(index)), file)
        draft.replace(path)
    except PermissionError as error:
        raise PermissionError(
            f'{error}: the index of {shard} cannot be written there; set index_dir of the '
            'dataset to a folder that you can write to.'
        ) from error
    finally:
        draft.unlink(missing_ok=True)
    return index


def index_shards(
    shards: Sequence[str],
    verify: str | None = 'decode',
    folder: str | None = None,
    num_threads: int = 4,
) -> list[ShardIndex]:
    """The indices of shards, in the order of the shards.

    Each process of a distributed run starts at a different shard and later reads what
    the others have written. So they share the work without waiting for each other.
    """
    rank, world_size = get_dist_info()
    first = len(shards) * rank // world_size
    order = [*shards[first:], *shards[:first]]
    # Decoding releases Python's global lock, so threads help.
    with ThreadPoolExecutor(num_threads) as pool:
        found = pool.map(lambda shard: load_index(shard, verify, folder), order)
        by_shard = dict(zip(order, found, strict=True))
    return [by_shard[shard] for shard in shards]
