"""Tell good image files from broken ones, from their bytes."""

import io

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

# None trusts every file. 'header' finds what is no image. 'decode' also finds
# images that are cut off.
VERIFY = (None, 'header', 'decode')


def image_fault(data: bytes, verify: str | None = 'decode') -> str | None:
    """Say what is wrong with an encoded image.

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
            # A JPEG at an eighth of its size: all of its bytes are read, but
            # few pixels are made.
            image.draft('L', (1, 1))
            # Pillow first: OpenCV paints what is missing of a JPEG in grey.
            image.load()
        # OpenCV second: it is what the training pipelines decode with.
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except UnidentifiedImageError:
        # Its message holds an address, which differs each time.
        return 'undecodable: not an image'
    # Decoders raise what they like, from SyntaxError to struct.error.
    except Exception as error:
        return f'undecodable: {error}'
    return None if pixels is not None else 'undecodable: OpenCV refuses it'
