"""Where the images of a tar shard lie, and which of them can be read."""

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
# To be raised when what is written, or what counts as good, changes.
FORMAT = 1


@dataclass
class ShardIndex:
    """The samples of a shard, in its order.

    Attributes:
        images: Name, offset and size in bytes of every good image.
        skipped: Reason by key of every sample without a good image, and of
            the shard itself (key ``''``) where its end is missing.
    """

    images: list[tuple[str, int, int]] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)


def scan_shard(shard: str, verify: str | None = 'decode') -> ShardIndex:
    """Read a shard once.

    Args:
        shard: A tar file as img2dataset writes it: the members of a sample
            share the name up to the first dot.
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
        for key, member in samples.items():
            if member is None:
                index.skipped[key] = 'no image'
                continue
            file.seek(member.offset_data)
            data = file.read(member.size)
            # A tar file may end anywhere; its headers still tell the sizes.
            fault = 'cut off' if len(data) < member.size else image_fault(data, verify)
            if fault:
                index.skipped[key] = fault
            else:
                index.images.append((member.name, member.offset_data, member.size))
    if damage:
        index.skipped[''] = damage
    return index


def _list_members(shard: str) -> tuple[list[tarfile.TarInfo], str | None]:
    """The files of a tar, and what is wrong with its end."""
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
        # tarfile takes a broken header for the end; a true end is zeros.
        file.seek(end)
        if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
            return members, f'damaged shard: no end mark at byte {end}'
    return members, None


def index_path(shard: str, verify: str | None, folder: str | None) -> Path:
    """The file that keeps the index of a shard."""
    path = Path(shard).resolve()
    name = f'{path.stem}.{verify}.index.json'
    if folder is None:
        return path.with_name(name)
    # Shards of several folders may have the same name.
    place = hashlib.sha256(str(path).encode()).hexdigest()[:8]
    return Path(folder) / f'{place}-{name}'


def load_index(shard: str, verify: str | None, folder: str | None) -> ShardIndex:
    """The index of a shard from its file, which is written if need be.

    A shard of another size or time than at the writing is indexed anew.
    Several processes may do this at once: each replaces the file as a whole,
    and by the same content.

    Raises:
        OSError: If the index cannot be written.
    """
    path = index_path(shard, verify, folder)
    stat = os.stat(shard)
    stamp = [FORMAT, stat.st_size, stat.st_mtime_ns]
    try:
        saved = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):  # none, or not of ours
        saved = {}
    if saved.get('stamp') == stamp:
        return ShardIndex(**saved['index'])

    draft = path.with_name(f'{path.name}.{uuid.uuid4().hex}')
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Opened first: a folder that is read-only is known before the work.
        with draft.open('w') as file:
            index = scan_shard(shard, verify)
            json.dump(dict(stamp=stamp, index=asdict(index)), file)
        draft.replace(path)
    except PermissionError as error:
        raise PermissionError(
            f'{error}: the index of {shard} cannot be written there; set '
            'index_dir of the dataset to a folder that can be.'
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
    """The indices of shards, in their order.

    Every process of a distributed run starts at a shard of its own and later
    skips what another has written, so that they share the work without
    waiting for each other.
    """
    rank, world_size = get_dist_info()
    first = len(shards) * rank // world_size
    order = [*shards[first:], *shards[:first]]
    # Decoding releases Python's lock, so that threads help.
    with ThreadPoolExecutor(num_threads) as pool:
        found = pool.map(lambda shard: load_index(shard, verify, folder), order)
        by_shard = dict(zip(order, found, strict=True))
    return [by_shard[shard] for shard in shards]
