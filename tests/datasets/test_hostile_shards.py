"""Shards as people and tools make them: joined, dotted, compressed, odd names."""

import gzip
import io
import tarfile

import pytest
import tar_shards
from tar_shards import build_in

from gendd_mm.datasets import UnlabeledShards


def shapes(dataset) -> list:
    return [dataset[i]['img'].shape for i in range(len(dataset))]


def write(path, members: dict) -> None:
    with tarfile.open(path, 'w', format=tarfile.GNU_FORMAT) as tar:
        for name, data in members.items():
            tar_shards.add(tar, name, data)


@pytest.mark.fault('Data', 'tars joined into one', 'all of their images are read')
def test_joined_tars_are_read_to_the_end(tmp_path):
    for name in '01':
        write(tmp_path / name, {f'{name}.jpg': tar_shards.jpeg(0)})
    data = b''.join((tmp_path / name).read_bytes() for name in '01')
    (tmp_path / 'both.tar').write_bytes(data)
    dataset = build_in(tmp_path)
    assert len(shapes(dataset)) == 2
    assert not dataset.skipped


@pytest.mark.fault('Data', 'several images of a sample', 'the first good one is read')
def test_a_broken_second_image_does_not_lose_the_first(tmp_path):
    image = tar_shards.jpeg(0)
    write(tmp_path / '0.tar', {'0.jpg': image, '0.png': b'junk', '1.input.jpg': image})
    dataset = build_in(tmp_path)
    assert len(shapes(dataset)) == 2
    assert [place.rpartition(': ')[2] for place in dataset.skipped] == ['0.png']


@pytest.mark.fault('Data', 'names that are not UTF-8; brackets in the folder', 'read as any other')
def test_odd_names_are_read(tmp_path):
    folder = tmp_path / 'cc3m [v2]* \udce9t\udce9'
    folder.mkdir()
    write(folder / '0.tar', {'\udce9t\udce9.jpg': tar_shards.jpeg(0)})
    (folder / 'old.tar').mkdir()
    for _ in range(2):  # the second time from the index file
        dataset = build_in(folder)
        assert shapes(dataset) == [(8, 8, 3)]
    assert list(dataset.skipped.values()) == ['not a file']


@pytest.mark.fault('Data', 'a compressed shard', 'refused; names the command')
def test_a_compressed_shard_is_refused(tmp_path):
    write(tmp_path / '0.tar', {'0.jpg': tar_shards.jpeg(0)})
    (tmp_path / '0.tar.gz').write_bytes(gzip.compress((tmp_path / '0.tar').read_bytes()))
    with pytest.raises(ValueError, match='gunzip .*0.tar.gz'):
        UnlabeledShards('*.tar.gz', data_root=str(tmp_path))


@pytest.mark.fault('Data', 'links and sizes beyond the tar', 'left out with the reason')
def test_links_and_absurd_sizes_are_left_out(tmp_path):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode='w') as tar:
        tar_shards.add(tar, '0.jpg', tar_shards.jpeg(0))
        link = tarfile.TarInfo('1.jpg')
        link.type, link.linkname = tarfile.LNKTYPE, '0.jpg'
        tar.addfile(link)
    huge = tarfile.TarInfo('2.jpg')
    huge.size = 2**40
    (tmp_path / '0.tar').write_bytes(file.getvalue() + huge.tobuf(tarfile.GNU_FORMAT))
    dataset = build_in(tmp_path)
    assert shapes(dataset) == [(8, 8, 3)]
    reasons = {place.rpartition(': ')[2]: why for place, why in dataset.skipped.items()}
    assert reasons['1'] == 'hard link: to 0.jpg'
    assert reasons['2'].startswith('cut off')


def test_a_negative_size_does_not_send_the_reader_back(tmp_path):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode='w') as tar:
        tar_shards.add(tar, '0.jpg', tar_shards.jpeg(0))
        odd = tarfile.TarInfo('1.jpg')
        odd.type, odd.size = b'Z', -1024
        file.write(odd.tobuf(tarfile.GNU_FORMAT))
        tar.offset = file.tell()
        tar_shards.add(tar, '2.jpg', tar_shards.jpeg(2))
    (tmp_path / '0.tar').write_bytes(file.getvalue())
    dataset = build_in(tmp_path)
    assert len(dataset) == 2
    assert len(dataset.skipped) == 1


@pytest.mark.fault('Data', 'an image of too many pixels', 'left out before it is decoded')
def test_large_images_are_left_out(tmp_path):
    write(tmp_path / '0.tar', {'0.jpg': tar_shards.jpeg(0), '1.jpg': tar_shards.jpeg(0, size=16)})
    dataset = build_in(tmp_path, max_pixels=64)
    assert shapes(dataset) == [(8, 8, 3)]
    assert 'too large: 16 x 16' in ''.join(dataset.skipped.values())


def test_braces_stand_for_numbers(tmp_path):
    for number in range(9, 12):
        write(tmp_path / f'{number:03}.tar', {'0.jpg': tar_shards.jpeg(0)})
    assert len(UnlabeledShards('{009..011}.tar', data_root=str(tmp_path))) == 3
    with pytest.raises(FileNotFoundError, match='012.tar'):
        UnlabeledShards('{009..012}.tar', data_root=str(tmp_path))
