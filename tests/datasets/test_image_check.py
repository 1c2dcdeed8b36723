"""image_fault: what is cut off or no image is found; what is good passes."""

import io

import pytest
import tar_shards
from PIL import Image

from gendd_mm.datasets.image_check import image_fault


@pytest.mark.parametrize('progressive', [False, True])
def test_no_cut_of_a_jpeg_passes(progressive):
    data = tar_shards.jpeg(0, size=24, progressive=progressive)
    assert image_fault(data) is None
    for length in range(0, len(data), 13):
        assert image_fault(data[:length]), length
    assert image_fault(data[:-1])


@pytest.mark.parametrize('kind', ['JPEG', 'PNG', 'WEBP'])
@pytest.mark.parametrize('size', [1, 40])
def test_a_good_image_of_any_kind_and_size_passes(kind, size):
    file = io.BytesIO()
    Image.new('L', (size, size)).save(file, kind)
    assert image_fault(file.getvalue()) is None


def test_a_fault_has_the_same_words_every_time():
    """Two processes write the same index."""
    for data in (b'', b'not an image', tar_shards.jpeg(0, size=64)[:-9]):
        assert image_fault(data) == image_fault(data)
        assert image_fault(data).startswith('undecodable: ')
        assert image_fault(data, None) is None
