"""The file backend of tar members: addresses, and the bytes there."""

import pytest
from mmengine.fileio import get, get_text

from gendd_mm.datasets.tar_backend import member_uri, parse_uri


def test_an_address_is_read_back():
    address = member_uri('/a b?/c=1.tar', 'x/?&=#.jpg', 512, 7)
    assert parse_uri(address) == ('/a b?/c=1.tar', 512, 7)
    for wrong in ('/a/b.tar', 's3://a.tar?offset=1&size=2', 'tar://a?size=2'):
        with pytest.raises(ValueError, match='not the address of a member'):
            parse_uri(wrong)


def test_the_backend_reads_members_alone(tmp_path):
    path = tmp_path / 'a.tar'
    path.write_bytes(b'0123456789')
    assert get(member_uri(str(path), 'x', 2, 3)) == b'234'
    assert get_text(member_uri(str(path), 'x', 8, 2)) == '89'
    with pytest.raises(EOFError, match='2 of 5 bytes'):
        get(member_uri(str(path), 'x', 8, 5))
