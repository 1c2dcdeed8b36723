"""The members of a tar file, however damaged, joined or hostile it is."""

import io
import os
import tarfile
from dataclasses import dataclass

# Most bytes that a header may take: long names are far shorter. A header that claims
# more would have them read into memory.
MAX_HEADER = 2**20
ZEROS = bytes(tarfile.BLOCKSIZE)
# First bytes of a compressed file, and what undoes it.
COMPRESSIONS = {
    b'\x1f\x8b': ('gzip', 'gunzip'),
    b'BZh': ('bzip2', 'bunzip2'),
    b'\xfd7zXZ\x00': ('xz', 'unxz'),
    b'\x28\xb5\x2f\xfd': ('zstd', 'unzstd'),
    b'\x04\x22\x4d\x18': ('lz4', 'unlz4'),
    b'PK\x03\x04': ('zip', 'unzip'),
}
NOT_READ = {
    tarfile.LNKTYPE: 'hard link',
    tarfile.SYMTYPE: 'symbolic link',
    tarfile.CHRTYPE: 'device',
    tarfile.BLKTYPE: 'device',
    tarfile.FIFOTYPE: 'pipe',
}


@dataclass
class Member:
    """A member of a tar file that is no folder.

    Attributes:
        name: Its name; bytes that are not UTF-8 are surrogates, as in file names.
        offset: Where its bytes begin.
        size: How many bytes it has, all of them inside the tar file if there is no fault.
        fault: Why it cannot be read, or None.
    """

    name: str
    offset: int
    size: int
    fault: str | None = None


def list_members(path: str) -> tuple[list[Member], str | None]:
    """The members of a tar file, and what is wrong with the file, if anything.

    As with ``tar --ignore-zeros``, several tar files joined into one are read to the end,
    and reading goes on behind a block that is no header. No claim of a header is
    believed: sizes are compared with the file's own.

    Raises:
        ValueError: If the file is compressed, which has no place for an image to be read
            from.
    """
    size = os.path.getsize(path)
    members: list[Member] = []
    faults: list[str] = []
    ended = False
    garbage = -1  # where the last run of blocks that are no headers ended
    with _HeaderFile(path) as file, _Headers(fileobj=file) as tar:
        while tar.offset < size:
            start = tar.offset
            file.seek(start)
            block = file.read(tarfile.BLOCKSIZE)
            if block == ZEROS:
                ended, tar.offset = True, _end_of_zeros(file, start)
                continue
            file.seek(start)
            try:
                info = tarfile.TarInfo.fromtarfile(tar)
            except OSError as error:
                error.filename = path
                raise
            # tarfile raises anything on a hostile header, from IndexError to
            # RecursionError.
            except Exception as error:
                if start == 0:
                    _refuse_compressed(path, block)
                if start != garbage:
                    faults.append(f'no header at byte {start} ({error})')
                tar.offset = garbage = start + tarfile.BLOCKSIZE
                continue
            ended = False
            member = Member(info.name, info.offset_data, info.size, _not_read(info))
            if info.isreg() and not (info.size >= 0 and tar.offset - size < tarfile.BLOCKSIZE):
                member.fault = f'cut off: it claims {info.size} bytes'
            elif member.fault is None and member.offset + member.size > size:
                member.fault = 'cut off'
            if member.fault and member.fault.startswith('cut off'):
                faults.append(f'the member at byte {start} goes beyond the end')
                tar.offset = garbage = info.offset_data
            # Whatever a header says, the next one is behind it.
            tar.offset = max(tar.offset, start + tarfile.BLOCKSIZE)
            if not info.isdir():
                members.append(member)
    if not ended:
        faults.append(f'no end mark at byte {size}')
    if not faults:
        return members, None
    more = f', and {len(faults) - 1} more faults' if len(faults) > 1 else ''
    return members, f'damaged shard: {faults[0]}{more}'


class _HeaderFile(io.BufferedReader):
    """The tar file as tarfile sees it: no read is longer than a header may be."""

    def __init__(self, path: str) -> None:
        super().__init__(io.FileIO(path))

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or not 0 <= size <= MAX_HEADER:
            raise tarfile.ReadError(f'a header that claims {size} bytes')
        return super().read(size)


class _Headers(tarfile.TarFile):
    """What ``TarInfo.fromtarfile`` reads from; nothing is read ahead."""

    def next(self) -> None:
        return None


def _not_read(info: tarfile.TarInfo) -> str | None:
    if info.issparse():
        return 'sparse file'
    if info.isreg():
        return None
    kind = NOT_READ.get(info.type, f'unknown kind {info.type!r}')
    return f'{kind}: to {info.linkname}' if info.linkname else kind


def _end_of_zeros(file: _HeaderFile, start: int) -> int:
    """Where the blocks of zeros end that begin at a byte."""
    file.seek(start)
    while chunk := file.read(MAX_HEADER):
        rest = len(chunk.lstrip(b'\0'))
        if rest:
            # Back to the start of the block.
            return start + (len(chunk) - rest) // tarfile.BLOCKSIZE * tarfile.BLOCKSIZE
        start += len(chunk)
    return start


def _refuse_compressed(path: str, block: bytes) -> None:
    for magic, (name, command) in COMPRESSIONS.items():
        if block.startswith(magic):
            raise ValueError(
                f'{path} is compressed ({name}), so its images cannot be read in place; '
                f'decompress it once: {command} {path}'
            )
