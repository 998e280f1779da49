"""Decode picture files from untrusted sources to arrays of grey levels."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import io
import logging
import struct
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError, _imaging

from mnist_svm._types import GreyImage, Images
from mnist_svm.exceptions import PictureError, TooLargeError, error_text
from mnist_svm.pictures.colour import to_grey
from mnist_svm.pictures.formats import MAX_BYTES, detect_format
from mnist_svm.pictures.modes import make_thumbnail, to_grey_or_rgb

# More pixels than any phone's camera has; as RGB, they take 256 MB. Decompression bombs have more.
MAX_PIXELS = 64_000_000
# Shortest side, in pixels, that a digit fits in.
MIN_SIDE = 3
# Maximum number of pages counted for the note; a file may have millions.
MAX_PAGES = 100

# Exceptions of Pillow's decoders on damaged files: those raised by 400,000 mutated files (made as
# in tests/support/hostile.py).
_DECODING_ERRORS = (
    OSError,
    SyntaxError,
    ArithmeticError,
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    AssertionError,
    EOFError,
    struct.error,
    zlib.error,
)

# Transformations to upright, by EXIF orientation.
_UPRIGHT = {
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: pixels.swapaxes(0, 1)[:, ::-1],
    7: lambda pixels: pixels[::-1, ::-1].swapaxes(0, 1),
    8: lambda pixels: pixels.swapaxes(0, 1)[::-1],
}

# Without a handler, Python prints Pillow's log messages about damage on stderr.
logging.getLogger("PIL").addHandler(logging.NullHandler())


@dataclass(frozen=True)
class Picture:
    """A decoded picture.

    Attributes
    ----------
    grey : uint8 ndarray of shape (height, width), 0 black to 255 white.
    note : the part of the file that was decoded, such as "the first of 3 pages"; None if all of it.
    thumbnail : uint8 ndarray of shape (height, width, 3), a small copy in the picture's colours;
        None if it was not requested.
    """

    grey: GreyImage
    note: str | None = None
    thumbnail: Images | None = None


def decode(
    file: BinaryIO, *, thumbnail: int | None = None, max_pixels: int = MAX_PIXELS
) -> Picture:
    """Decode a PNG, JPEG, BMP, GIF, TIFF, WebP, PPM, PGM or PBM picture to grey levels.

    The picture is turned upright by its EXIF orientation. Of an animation or a document of several
    pages, the first is decoded. Colours become luminance, or weights in which coloured ink has much
    more contrast: see `mnist_svm.pictures.colour`. Transparent parts become white, or black if only
    that makes visible what is drawn.

    Grey levels of more than 8 bits are scaled to 0-255 so that the contrast is kept. Black is 0 and
    white is the highest value of the least number of bits, 8 or more, that holds all levels: those
    up to 4,095 are taken for 12 bits. If all are below 2, as in most floating-point files, white is
    1. If some are negative, the lowest is black and the highest is white.

    Parameters
    ----------
    file : binary file object
        Read to its end.
    thumbnail : int, optional
        Longer side in pixels of a copy in the picture's own colours. By default, no copy is made.
    max_pixels : int, default=64,000,000
        Limit for the number of pixels, checked before decoding.

    Raises
    ------
    PictureError
        If the file has another format or is damaged, or if the picture is too large or too narrow.
    OSError
        If reading fails.
    """
    data = file.read(MAX_BYTES + 1)
    kind = detect_format(data)
    try:
        # Pillow's warnings are about damage that does not matter here.
        with warnings.catch_warnings(action="ignore"), _open(data, kind) as image:
            _require_size(image, max_pixels)
            image.load()
            to_upright = _UPRIGHT.get(_orientation(image), np.asarray)
            converted = to_grey_or_rgb(image)
            grey = np.ascontiguousarray(to_upright(to_grey(converted)))
            small = None if thumbnail is None else to_upright(make_thumbnail(converted, thumbnail))
            return Picture(grey, _note(image), small)
    except PictureError:
        raise
    except MemoryError as error:
        msg = "not enough memory for this picture"
        raise PictureError(msg) from error
    except Image.DecompressionBombError as error:
        msg = f"the size in its header is far over the limit of {max_pixels:,} pixels"
        raise TooLargeError(msg) from error
    except UnidentifiedImageError as error:
        msg = f"damaged picture ({kind} with an invalid header)"
        raise PictureError(msg) from error
    except _DECODING_ERRORS as error:
        msg = f"damaged picture ({kind}: {error_text(error)})"
        raise PictureError(msg) from error


@contextlib.contextmanager
def _open(data: bytes, kind: str) -> Iterator[Image.Image]:
    if kind == "TIFF":
        _silence_libtiff()
    try:
        image = Image.open(io.BytesIO(data), formats=(kind,))
    except UnidentifiedImageError:
        # Pillow reads the resolution from a JPEG's EXIF block, and fails if the block is damaged.
        if kind != "JPEG":
            raise
        image = Image.open(io.BytesIO(data.replace(b"Exif\0\0", b"Gone\0\0")), formats=(kind,))
    with image:
        yield image


@functools.cache
def _silence_libtiff() -> None:
    """Keep libtiff from printing errors on stderr; Pillow raises its own."""
    # Not every system finds the function among the libraries that Pillow has loaded.
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler(None)


def _require_size(image: Image.Image, max_pixels: int) -> None:
    width, height = image.size
    if width * height > max_pixels:
        msg = f"{width:,} x {height:,} pixels, over the limit of {max_pixels:,} in all"
        raise TooLargeError(msg)
    if min(width, height) < MIN_SIDE:
        msg = f"{width:,} x {height:,} pixels, too narrow for a digit"
        raise PictureError(msg)


def _orientation(image: Image.Image) -> int:
    """EXIF orientation; 1, upright, if there is no valid one."""
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation)
    except _DECODING_ERRORS:
        return 1
    return orientation if isinstance(orientation, int) else 1


def _note(image: Image.Image) -> str | None:
    """The part of the file that was decoded; None if all of it."""
    # The other pictures in a phone's MPO are previews and depth maps.
    if image.format == "MPO":
        return None
    unit = "pages" if image.format == "TIFF" else "frames"
    try:
        count = _count_pages(image)
    except (*_DECODING_ERRORS, Image.DecompressionBombError):
        return f"the first of several {unit}"
    if count > MAX_PAGES:
        return f"the first of more than {MAX_PAGES} {unit}"
    return f"the first of {count} {unit}" if count > 1 else None


def _count_pages(image: Image.Image) -> int:
    if image.format != "TIFF":
        frames: int = getattr(image, "n_frames", 1)
        return frames
    for page in range(1, MAX_PAGES + 1):
        try:
            image.seek(page)
        except EOFError:
            return page
    return MAX_PAGES + 1
