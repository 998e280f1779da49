"""Decode a picture file of any common kind, without trusting it, to an array of greys."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from mnist_svm.errors import PictureError

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP")
SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp"})

# More than any phone takes, and 200 MB when decoded to RGB; a bomb promises far more.
MAX_PIXELS = 64_000_000
MAX_BYTES = 256 << 20

# What Pillow's decoders raise on damaged files.
_DECODING_ERRORS = (
    OSError,
    SyntaxError,
    ArithmeticError,
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    EOFError,
    MemoryError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)

UINT16_TO_UINT8 = 257


def decode(file: BinaryIO) -> npt.NDArray[np.uint8]:
    """Decode a PNG, JPEG, BMP, GIF, TIFF or WebP picture to greys.

    Turned upright as its EXIF orientation says; transparent parts over white; of an
    animation or a document of several pages the first; 16 bits scaled to 8.

    Parameters
    ----------
    file : binary file object, read to its end

    Returns
    -------
    uint8 ndarray of shape (height, width)
        0 black to 255 white, as in the picture.

    Raises
    ------
    PictureError
        If the bytes are no such picture, are damaged, or promise too many pixels.
    OSError
        If reading fails.
    """
    data = file.read(MAX_BYTES + 1)
    if not data:
        msg = "empty file, expected a picture"
        raise PictureError(msg)
    if len(data) > MAX_BYTES:
        msg = f"over the limit of {MAX_BYTES >> 20} MiB for a picture file"
        raise PictureError(msg)
    try:
        with warnings.catch_warnings():
            # Our own limit, below, is the stricter.
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                _require_size(image)
                return _grey(ImageOps.exif_transpose(image))
    except PictureError:
        raise
    except UnidentifiedImageError as error:
        msg = f"not a picture in a format that is read here ({', '.join(FORMATS)})"
        raise PictureError(msg) from error
    except _DECODING_ERRORS as error:
        msg = f"damaged picture ({str(error) or type(error).__name__})"
        raise PictureError(msg) from error


def _require_size(image: Image.Image) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        msg = f"{width:,} x {height:,} pixels, over the limit of {MAX_PIXELS:,} in all"
        raise PictureError(msg)


def _grey(image: Image.Image) -> npt.NDArray[np.uint8]:
    if image.mode.startswith("I") or image.mode == "F":
        return _grey_from_wide(np.asarray(image, dtype=np.float64))
    if image.has_transparency_data:
        colours = image.convert("RGBA")
        paper = Image.new("RGBA", colours.size, "white")
        image = Image.alpha_composite(paper, colours)
    return np.array(image.convert("L"))


def _grey_from_wide(values: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """Greys of more than 8 bits: floats up to 1, else 8-bit values, else 16-bit values."""
    if not np.isfinite(values).all():
        msg = "damaged picture (greys that are not finite)"
        raise PictureError(msg)
    top = values.max()
    scale = 255.0 if top <= 1 else 1.0 if top <= 255 else 1 / UINT16_TO_UINT8
    return np.rint(np.clip(values * scale, 0, 255)).astype(np.uint8)
