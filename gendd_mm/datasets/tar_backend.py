"""Read a member of a tar file by its address, as if it were a file."""

import os
from urllib.parse import parse_qs, quote, unquote, urlencode

from mmengine.fileio import BaseStorageBackend, register_backend

PREFIX = 'tar'


def member_uri(shard: str, name: str, offset: int, size: int) -> str:
    """The address of a member, in ASCII; the name in it is only for people to read."""
    query = urlencode(dict(member=name, offset=offset, size=size), errors='surrogateescape')
    return f'{PREFIX}://{quote(shard, errors="surrogateescape")}?{query}'


def parse_uri(uri: str) -> tuple[str, int, int]:
    """The tar file, offset and size of an address.

    Raises:
        ValueError: If :func:`member_uri` did not make the address.
    """
    # A query contains no question mark, so the last one starts it.
    head, _, query = uri.rpartition('?')
    scheme, _, shard = head.partition('://')
    values = parse_qs(query, errors='surrogateescape')
    numbers = [values.get(key, [''])[0] for key in ('offset', 'size')]
    # isdecimal() keeps out negative ones.
    if scheme != PREFIX or not all(map(str.isdecimal, numbers)):
        raise ValueError(
            f'{uri} is not the address of a member of a tar file; expected '
            f'{PREFIX}://SHARD?member=NAME&offset=N&size=N.'
        )
    return unquote(shard, errors='surrogateescape'), int(numbers[0]), int(numbers[1])


@register_backend('gendd_mm.tar', prefixes=PREFIX)
class TarBackend(BaseStorageBackend):
    """MMEngine's file backend for ``tar://`` addresses.

    With it, ``LoadImageFromFile`` reads from tar shards as from folders. No file stays
    open, so worker processes share and inherit nothing.
    """

    def get(self, filepath: str) -> bytes:
        """The bytes of the member at an address of :func:`member_uri`.

        Raises:
            EOFError: If the tar file ends before the member does.
        """
        shard, offset, size = parse_uri(str(filepath))
        with open(shard, 'rb') as file:
            # Before reading: Python makes room for as many bytes as are asked for.
            there = max(os.fstat(file.fileno()).st_size - offset, 0)
            if there < size:
                raise EOFError(
                    f'{filepath}: only {there} of {size} bytes are there; the shard has changed '
                    'since it was indexed. Build the dataset again.'
                )
            file.seek(offset)
            return file.read(size)

    def get_text(self, filepath: str, encoding: str = 'utf-8') -> str:
        """The text of the member, such as a caption."""
        return self.get(filepath).decode(encoding)
