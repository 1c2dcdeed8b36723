"""Tell good image files from broken ones, from their bytes."""

import io
import sys

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

# None trusts every file. 'header' finds files that are no image. 'decode' also
# finds images that are cut off.
VERIFY = (None, 'header', 'decode')
# Pillow's own limit: 268 MB of pixels. A file of some kilobytes can claim any number of
# them. gendd_mm/__init__.py gives OpenCV the same.
MAX_PIXELS = 89_478_485


def image_fault(
    data: bytes, verify: str | None = 'decode', max_pixels: int = MAX_PIXELS
) -> str | None:
    """What is wrong with an encoded image.

    Args:
        data: The bytes of the file.
        verify: One of ``VERIFY``.
        max_pixels: Most pixels of an image, by its header: more are not decoded.

    Returns:
        None for a good image, else ``'undecodable: ...'`` or ``'too large: ...'``.
    """
    if verify is None:
        return None
    try:
        with Image.open(io.BytesIO(data)) as image:
            fault = _too_large(image, max_pixels)
            if fault or verify == 'header':
                return fault
            # Decode a JPEG at an eighth of its size: that reads all of its
            # bytes and makes few pixels.
            image.draft('L', (1, 1))
            # Pillow first: OpenCV fills the missing part of a JPEG with grey.
            image.load()
        # OpenCV second: the training pipelines decode with it.
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except UnidentifiedImageError:
        # Its message contains a memory address, which differs each time.
        return 'undecodable: not an image'
    except Image.DecompressionBombError as error:
        return f'too large: {error}'
    # Decoders raise anything, from SyntaxError to struct.error.
    except Exception as error:
        return f'undecodable: {error}'
    return None if pixels is not None else 'undecodable: OpenCV refuses it'


def size_fault(data: bytes, max_pixels: int = MAX_PIXELS) -> str | None:
    """``'too large: ...'`` if the header claims too many pixels; nothing is decoded.

    None for what is no image to Pillow: another decoder has to say what it is.
    """
    try:
        with Image.open(io.BytesIO(data)) as image:
            return _too_large(image, max_pixels)
    except Image.DecompressionBombError as error:
        return f'too large: {error}'
    except Exception:  # decoders raise anything
        return None


def is_cut_off(data: bytes) -> bool:
    """Whether a JPEG ends before its end mark, as Pillow has it; False for other files.

    OpenCV 4 fills what is missing with grey and says nothing.
    """
    if not data.startswith(b'\xff\xd8') or data.endswith(b'\xff\xd9'):
        return False
    # Neither mark is inside of the pixels' bytes; an end before them is a thumbnail's.
    if data.rfind(b'\xff\xd9') > data.rfind(b'\xff\xda'):
        return False
    # Or there are other data behind the image, as the film of a phone's motion photo.
    return image_fault(data, max_pixels=sys.maxsize) is not None


def _too_large(image: Image.Image, max_pixels: int) -> str | None:
    width, height = image.size
    if width * height <= max_pixels:
        return None
    return f'too large: {width} x {height} pixels, more than max_pixels={max_pixels}'
