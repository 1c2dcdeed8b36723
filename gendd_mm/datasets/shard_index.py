"""Where the images of a tar shard are, and which of them can be read."""

import hashlib
import itertools
import json
import os
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

from mmengine.dist import get_dist_info

from .image_check import MAX_PIXELS, image_fault
from .tar_members import Member, list_members

IMAGE_EXTENSIONS = ('jpg', 'jpeg', 'png', 'webp')
# Raise it when the format of the file or the check of an image changes.
FORMAT = 2
# Between the stamp and the index in the file.
INDEX_KEY = b', "index": '


@dataclass
class ShardIndex:
    """The samples of a shard, in the order of the shard.

    Attributes:
        images: Name, offset and size in bytes of every good image that is read.
        skipped: The reasons for what is not read: by the sample's key, if it has no good
            image; by name, for the other images of a sample; and by ``''`` for the
            shard itself, if it is damaged.
    """

    images: list[tuple[str, int, int]] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)


def scan_shard(
    shard: str, verify: str | None = 'decode', max_pixels: int = MAX_PIXELS
) -> ShardIndex:
    """Read a shard once and index its samples.

    As webdataset reads it, a sample is the members one after the other whose names are
    equal up to the first dot, and an image has one of ``IMAGE_EXTENSIONS`` behind the
    last dot. Of several images in a sample, ``KEY.jpg`` goes before ``KEY.input.jpg``;
    among equals, the first good one is read.

    Args:
        shard: A tar file.
        verify: See :func:`~gendd_mm.datasets.image_check.image_fault`.
        max_pixels: See the same.

    Raises:
        ValueError: If the file is compressed.
    """
    members, damage = list_members(shard)
    index = ShardIndex()
    # Keys of members without an image beside them.
    alone: dict[str, Member] = {}
    with_image = set()
    with open(shard, 'rb') as file:
        for key, sample in itertools.groupby(members, lambda member: _split(member.name)[0]):
            group = list(sample)
            images = [member for member in group if _is_image(member.name)]
            if not key.rpartition('/')[2]:
                # As webdataset does: they are files of the system, such as ._0.jpg.
                for member in images:
                    _note(index, member.name, 'hidden file', member)
                continue
            if not images:
                alone.setdefault(key, group[0])
                continue
            with_image.add(key)
            # The sort is stable: among equals, the order of the shard.
            images.sort(key=lambda member: '.' in _split(member.name)[1])
            chosen = None
            faults = []
            for member in images:
                if chosen is not None:
                    faults.append((member, f'another image of its sample: {chosen.name} is read'))
                    continue
                fault = member.fault
                if fault is None:
                    file.seek(member.offset)
                    fault = image_fault(file.read(member.size), verify, max_pixels)
                if fault is None:
                    chosen = member
                    index.images.append((member.name, member.offset, member.size))
                else:
                    faults.append((member, fault))
            if chosen is None:
                _note(index, key, faults[0][1], faults.pop(0)[0])
            for member, fault in faults:
                _note(index, member.name, fault, member)
    for key, member in alone.items():
        if key not in with_image:
            _note(index, key, 'no image', member)
    if damage:
        index.skipped[''] = damage
    return index


def _split(name: str) -> tuple[str, str]:
    """The key of a member and the rest: ``a.b/0.input.jpg`` gives a.b/0, input.jpg."""
    folder, slash, base = name.rpartition('/')
    stem, _, rest = base.partition('.')
    return folder + slash + stem, rest


def _is_image(name: str) -> bool:
    return _split(name)[1].rpartition('.')[2].lower() in IMAGE_EXTENSIONS


def _note(index: ShardIndex, place: str, reason: str, member: Member) -> None:
    if place in index.skipped:  # a shard may hold a name twice
        place = f'{place} (byte {member.offset})'
    index.skipped[place] = reason


def index_path(shard: str, verify: str | None, folder: str | None) -> Path:
    """The file that holds the index of a shard."""
    path = Path(shard).resolve()
    name = f'{path.stem}.{verify}.index.json'
    if folder is None:
        return path.with_name(name)
    # Shards of different folders may have the same name.
    place = hashlib.sha256(os.fsencode(path)).hexdigest()[:8]
    return Path(folder).expanduser() / f'{place}-{name}'


def load_index(
    shard: str, verify: str | None, folder: str | None, max_pixels: int = MAX_PIXELS
) -> ShardIndex:
    """Read the index of a shard from its file, and write the file if needed.

    A shard is indexed again if its size, its modification time or ``max_pixels`` has
    changed, or the file is not as it was written. Several processes may do so at once:
    each replaces the file as a whole, by the same content.

    Raises:
        OSError: If the index cannot be written.
        ValueError: If the shard is compressed.
    """
    path = index_path(shard, verify, folder)
    stat = os.stat(shard)
    stamp = [FORMAT, stat.st_size, stat.st_mtime_ns, max_pixels]
    try:
        saved = _unpacked(path.read_bytes(), stamp)
    except FileNotFoundError:
        saved = None
    if saved is not None:
        return saved

    draft = path.with_name(f'{path.name}.{uuid.uuid4().hex}')
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Opened first, so that a read-only folder fails before the work is done.
        with draft.open('w') as file:
            index = scan_shard(shard, verify, max_pixels)
            file.write(_packed(index, stamp))
        draft.replace(path)
    except PermissionError as error:
        raise PermissionError(
            f'{error}: the index of {shard} cannot be written there; set index_dir of the '
            'dataset to a folder that you can write to.'
        ) from error
    finally:
        draft.unlink(missing_ok=True)
    return index


def _packed(index: ShardIndex, stamp: list[int]) -> str:
    """A JSON file whose index is known by its digest, as it is spelled."""
    text = json.dumps(asdict(index))
    head = json.dumps(dict(stamp=stamp, sha256=hashlib.sha256(text.encode()).hexdigest()))
    return f'{head[:-1]}{INDEX_KEY.decode()}{text}}}'


def _unpacked(data: bytes, stamp: list[int]) -> ShardIndex | None:
    """The index in a file, or None if the file is not just what this shard needs."""
    head, _, body = data.partition(INDEX_KEY)
    text = body[:-1]
    expected = dict(stamp=stamp, sha256=hashlib.sha256(text).hexdigest())
    if head != json.dumps(expected)[:-1].encode() or body[-1:] != b'}':
        return None
    # The digest keeps out accidents; what someone made up ends here.
    try:
        saved = json.loads(text)
        images = [(str(name), int(offset), int(size)) for name, offset, size in saved['images']]
        skipped = {str(place): str(reason) for place, reason in saved['skipped'].items()}
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return None
    if not isinstance(saved['images'], list):
        return None
    if not all(offset >= 0 and 0 <= size <= stamp[1] - offset for _, offset, size in images):
        return None
    return ShardIndex(images, skipped)


def index_shards(
    shards: Sequence[str],
    verify: str | None = 'decode',
    folder: str | None = None,
    num_threads: int = 4,
    max_pixels: int = MAX_PIXELS,
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
        found = pool.map(lambda shard: load_index(shard, verify, folder, max_pixels), order)
        by_shard = dict(zip(order, found, strict=True))
    return [by_shard[shard] for shard in shards]
