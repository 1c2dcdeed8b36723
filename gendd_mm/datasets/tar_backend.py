"""Read a member of a tar file by its address, as if it were a file."""

from urllib.parse import parse_qs, urlencode

from mmengine.fileio import BaseStorageBackend, register_backend

PREFIX = 'tar'


def member_uri(shard: str, name: str, offset: int, size: int) -> str:
    """The address of a member; the name in it is only for people to read."""
    query = urlencode(dict(member=name, offset=offset, size=size))
    return f'{PREFIX}://{shard}?{query}'


def parse_uri(uri: str) -> tuple[str, int, int]:
    """The tar file, offset and size of an address.

    Raises:
        ValueError: If :func:`member_uri` did not make the address.
    """
    # A query contains no question mark, so the last one starts it.
    head, _, query = uri.rpartition('?')
    scheme, _, shard = head.partition('://')
    values = parse_qs(query)
    if scheme != PREFIX or not {'offset', 'size'} <= set(values):
        raise ValueError(
            f'{uri} is not the address of a member of a tar file; expected '
            f'{PREFIX}://SHARD?member=NAME&offset=N&size=N.'
        )
    return shard, int(values['offset'][0]), int(values['size'][0])


@register_backend('gendd_mm.tar', prefixes=PREFIX)
class TarBackend(BaseStorageBackend):
    """MMEngine's file backend for ``tar://`` addresses.

    With it, ``LoadImageFromFile`` reads from tar shards as from folders. No file stays
    open, so worker processes share and inherit nothing.
    """

    def get(self, filepath: str) -> bytes:
        """The bytes of the member at an address of :func:`member_uri`.

        Raises:
            EOFError: If the tar file has become shorter since.
        """
        shard, offset, size = parse_uri(str(filepath))
        with open(shard, 'rb') as file:
            file.seek(offset)
            data = file.read(size)
        if len(data) < size:
            raise EOFError(
                f'{filepath}: only {len(data)} of {size} bytes are there; the shard has changed '
                'since it was indexed. Build the dataset again.'
            )
        return data

    def get_text(self, filepath: str, encoding: str = 'utf-8') -> str:
        """The text of the member, such as a caption."""
        return self.get(filepath).decode(encoding)
