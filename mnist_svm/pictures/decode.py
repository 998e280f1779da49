"""Decode a picture file of any common kind, without trusting it, to an array of greys."""

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

from mnist_svm.constants import GreyImage
from mnist_svm.exceptions import PictureError, TooLargeError, error_text
from mnist_svm.pictures.formats import MAX_BYTES, detect_format
from mnist_svm.pictures.modes import greys_of, make_thumbnail, to_grey_or_rgb

# More than any phone takes, and 256 MB when decoded to colours; a bomb promises far more.
MAX_PIXELS = 64_000_000
# A digit does not fit into less.
MIN_SIDE = 3
# Pages that are counted, for the note: following a chain of millions would take for ever.
MAX_PAGES = 100

# What Pillow's decoders raise on damaged files. Some 400,000, made as in tests/hostile.py, led to
# no other.
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

# What turns a picture upright, by its EXIF orientation.
_UPRIGHT = {
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: pixels.swapaxes(0, 1)[:, ::-1],
    7: lambda pixels: pixels[::-1, ::-1].swapaxes(0, 1),
    8: lambda pixels: pixels.swapaxes(0, 1)[::-1],
}

# Pillow logs some damage, which goes to stderr where nobody listens.
logging.getLogger("PIL").addHandler(logging.NullHandler())


@dataclass(frozen=True)
class Picture:
    """A picture, decoded.

    Attributes
    ----------
    grey : uint8 ndarray of shape (height, width), 0 black to 255 white, as in the picture.
    note : which part of the file it is, such as "the first of 3 pages"; None if it is all.
    thumbnail : uint8 ndarray of shape (height, width, 3), a small copy in colours or greys as they
        are; None if it was not asked for.
    """

    grey: GreyImage
    note: str | None = None
    thumbnail: GreyImage | None = None


def decode(
    file: BinaryIO, *, thumbnail: int | None = None, max_pixels: int = MAX_PIXELS
) -> Picture:
    """Decode a PNG, JPEG, BMP, GIF, TIFF, WebP, PPM, PGM or PBM picture to greys.

    Turned upright as its EXIF orientation says. Of an animation or a document of several pages,
    the first. Colours become luminance, or what shows coloured ink better by far: see
    `mnist_svm.pictures.colour`. Transparent parts are white, unless only black shows what is drawn.

    Greys of more than 8 bits keep their contrast, whatever part of the range they use: they are
    scaled so that the least whole number of bits that holds the largest, but no less than 8, comes
    to 255: values up to 4,095 are taken for those of 12 bits. If all are below 2, as floating-point
    greys mostly are, then 1 is white. If some are negative, the lowest is black and the highest
    white.

    Parameters
    ----------
    file : binary file object, read to its end
    thumbnail : int, optional
        Keep a copy too, in the picture's own colours, its longer side at most so many pixels long.
    max_pixels : int, default=64,000,000
        A picture of more is refused before it is decoded.

    Returns
    -------
    Picture

    Raises
    ------
    PictureError
        If the bytes are no such picture, are damaged, or promise too many pixels or too few.
    OSError
        If reading fails.
    """
    data = file.read(MAX_BYTES + 1)
    kind = detect_format(data)
    try:
        # Warnings tell of damage that does not matter here.
        with warnings.catch_warnings(action="ignore"), _opened(data, kind) as image:
            _require_size(image, max_pixels)
            image.load()
            turned = _UPRIGHT.get(_orientation(image), np.asarray)
            shown = to_grey_or_rgb(image)
            grey = np.ascontiguousarray(turned(greys_of(shown)))
            small = None if thumbnail is None else turned(make_thumbnail(shown, thumbnail))
            return Picture(grey, _note(image), small)
    except PictureError:
        raise
    except MemoryError as error:
        msg = "not enough memory for this picture"
        raise PictureError(msg) from error
    except Image.DecompressionBombError as error:
        msg = f"promises far over the limit of {max_pixels:,} pixels"
        raise TooLargeError(msg) from error
    except UnidentifiedImageError as error:
        msg = f"damaged picture ({kind} without a header that makes sense)"
        raise PictureError(msg) from error
    except _DECODING_ERRORS as error:
        msg = f"damaged picture ({kind}: {error_text(error)})"
        raise PictureError(msg) from error


@contextlib.contextmanager
def _opened(data: bytes, kind: str) -> Iterator[Image.Image]:
    if kind == "TIFF":
        _silence_libtiff()
    try:
        image = Image.open(io.BytesIO(data), formats=(kind,))
    except UnidentifiedImageError:
        # Pillow looks into a JPEG's EXIF for the resolution, and gives up if that is damaged.
        if kind != "JPEG":
            raise
        image = Image.open(io.BytesIO(data.replace(b"Exif\0\0", b"Gone\0\0")), formats=(kind,))
    with image:
        yield image


@functools.cache
def _silence_libtiff() -> None:
    """Keep libtiff from printing its errors on stderr by itself; Pillow raises its own."""
    # Found among the libraries that Pillow has loaded, where the system tells.
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler(None)


def _require_size(image: Image.Image, max_pixels: int) -> None:
    width, height = image.size
    if width * height > max_pixels:
        msg = f"{width:,} x {height:,} pixels, over the limit of {max_pixels:,} in all"
        raise TooLargeError(msg)
    if min(width, height) < MIN_SIDE:
        msg = f"{width:,} x {height:,} pixels, too narrow to show a digit"
        raise PictureError(msg)


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation; 1, upright, if there is none that can be read."""
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation)
    except _DECODING_ERRORS:
        return 1
    return orientation if isinstance(orientation, int) else 1


def _note(image: Image.Image) -> str | None:
    """Which part of the file was read, if there is more to it."""
    # The other pictures of a phone's MPO are its own: previews, maps of depth.
    if image.format == "MPO":
        return None
    what = "pages" if image.format == "TIFF" else "frames"
    try:
        count = _pages(image)
    except (*_DECODING_ERRORS, Image.DecompressionBombError):
        return f"the first of several {what}"
    if count > MAX_PAGES:
        return f"the first of more than {MAX_PAGES} {what}"
    return f"the first of {count} {what}" if count > 1 else None


def _pages(image: Image.Image) -> int:
    if image.format != "TIFF":
        frames: int = getattr(image, "n_frames", 1)
        return frames
    for page in range(1, MAX_PAGES + 1):
        try:
            image.seek(page)
        except EOFError:
            return page
    return MAX_PAGES + 1
