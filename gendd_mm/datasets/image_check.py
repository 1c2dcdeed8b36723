"""Tell good image files from broken ones, from their bytes."""

import io

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

# None trusts every file. 'header' finds files that are no image. 'decode' also
# finds images that are cut off.
VERIFY = (None, 'header', 'decode')


def image_fault(data: bytes, verify: str | None = 'decode') -> str | None:
    """What is wrong with an encoded image.

    Args:
        data: The bytes of the file.
        verify: One of ``VERIFY``.

    Returns:
        None for a good image, else ``'undecodable: ...'``.
    """
    if verify is None:
        return None
    try:
        with Image.open(io.BytesIO(data)) as image:
            if verify == 'header':
                return None
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
    # Decoders raise anything, from SyntaxError to struct.error.
    except Exception as error:
        return f'undecodable: {error}'
    return None if pixels is not None else 'undecodable: OpenCV refuses it'
