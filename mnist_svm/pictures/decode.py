"""Decode pictures from untrusted sources to arrays of grey levels."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import io
import logging
import os
import struct
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from mnist_svm._types import Array, GreyImage, Images
from mnist_svm.exceptions import PictureError, TooLargeError, error_text
from mnist_svm.pictures.colour import to_grey
from mnist_svm.pictures.formats import FORMATS, MAX_BYTES, detect_format
from mnist_svm.pictures.modes import from_array, make_thumbnail, to_grey_or_rgb

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

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        height, width = self.grey.shape
        return height, width


# Sources of a picture.
Content = bytes | bytearray | memoryview
Source = str | os.PathLike[str] | Content | BinaryIO | Image.Image | Array | Picture


def decode(
    source: Source, *, thumbnail: int | None = None, max_pixels: int = MAX_PIXELS
) -> Picture:
    """Decode a PNG, JPEG, BMP, GIF, TIFF, WebP, PPM, PGM or PBM picture to grey levels.

    The picture is turned upright by its EXIF orientation. Of an animation or a document of several
    pages, the first is decoded. Colours become luminance, or weights in which coloured ink has much
    more contrast: see `mnist_svm.pictures.colour`. Transparent parts become white, or black if only
    that makes visible what is drawn.

    Grey levels other than of 8 bits are scaled to 0-255 so that the contrast is kept. Black is 0
    and white is the highest value of the least number of bits, 8 or more, that holds all levels:
    those up to 4,095 are taken for 12 bits. If all are below 2, as in most floating-point files,
    white is 1. If some are negative, the lowest is black and the highest is white.

    Parameters
    ----------
    source : str, os.PathLike, bytes-like, binary file object, PIL.Image.Image or ndarray
        A path, ``-`` for standard input; the content of a file; an open file, read to its end; an
        image, of which the current frame is taken; or an array of numbers of shape (height, width)
        or (height, width, n_channels): 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA. A `Picture` is
        returned as it is.
    thumbnail : int, optional
        Longer side in pixels of a copy in the picture's own colours. By default, no copy is made.
    max_pixels : int, default=64,000,000
        Limit for the number of pixels, checked before decoding.

    Returns
    -------
    Picture

    Raises
    ------
    PictureError
        If the source cannot be read, is of another kind or format, or is damaged, or if the picture
        is too large or too narrow.

    Warns
    -----
    UserWarning
        If Pillow passes over damage, such as that of EXIF data. Where filters make that an error, a
        PictureError.
    """
    if isinstance(source, Picture):
        return source
    if isinstance(source, Image.Image):
        kind = f"{source.format or source.mode}, or its file is closed"
        return _decode(contextlib.nullcontext(source), kind, thumbnail, max_pixels)
    if isinstance(source, np.ndarray):
        return _decode(_open_array(source, max_pixels), "array", thumbnail, max_pixels)
    data = _read(source)
    kind = detect_format(data)
    return _decode(_open(data, kind), kind, thumbnail, max_pixels)


def source_name(source: object) -> str:
    """Return a name for messages: the path, the name of a file or image, or its kind."""
    if isinstance(source, (str, os.PathLike)):
        return os.fsdecode(source)
    name = getattr(source, "filename" if isinstance(source, Image.Image) else "name", None)
    if name and isinstance(name, (str, os.PathLike)):
        return os.fsdecode(name)
    if isinstance(source, np.ndarray):
        return "<array>"
    return "<image>" if isinstance(source, Image.Image) else f"<{type(source).__name__}>"


def _read(source: Any) -> bytes:
    """Return the content of a file, given as a path, bytes or open file."""
    is_content = isinstance(source, Content)
    is_path = isinstance(source, (str, os.PathLike))
    if not is_content and not is_path and not hasattr(source, "read"):
        msg = (
            "expected a path, bytes, an open binary file, a Pillow image or a numpy array, "
            f"found {type(source).__name__}"
        )
        raise PictureError(msg)
    try:
        if is_content:
            return bytes(source)
        if source == "-":
            source = sys.stdin.buffer if sys.stdin else io.BytesIO()
        elif is_path:
            with Path(os.fsdecode(source)).open("rb") as file:
                return file.read(MAX_BYTES + 1)
        data = source.read(MAX_BYTES + 1)
    except UnicodeDecodeError:
        data = ""
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or f"cannot be read ({error_text(error)})"
        raise PictureError(reason) from error
    if not isinstance(data, bytes):
        msg = "file opened as text, expected a binary file: open it with mode 'rb'"
        raise PictureError(msg)
    return data


def _decode(
    opened: contextlib.AbstractContextManager[Image.Image],
    kind: str,
    thumbnail: int | None,
    max_pixels: int,
) -> Picture:
    try:
        with opened as image:
            _require_size(*image.size, max_pixels)
            image.load()
            to_upright = _UPRIGHT.get(_orientation(image), np.asarray)
            converted = to_grey_or_rgb(image)
            grey = np.ascontiguousarray(to_upright(to_grey(converted)))
            small = None if thumbnail is None else to_upright(make_thumbnail(converted, thumbnail))
            # Counting the pages would move an image that was passed to another page.
            return Picture(grey, _note(image) if kind in FORMATS else None, small)
    except PictureError:
        raise
    except MemoryError as error:
        msg = "not enough memory for this picture"
        raise PictureError(msg) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        msg = f"the size in its header is far over the limit of {max_pixels:,} pixels"
        raise TooLargeError(msg) from error
    except UnidentifiedImageError as error:
        msg = f"damaged picture ({kind} with an invalid header)"
        raise PictureError(msg) from error
    except (*_DECODING_ERRORS, Warning) as error:
        # Pillow warns of damage that it passes over; the caller's filters may make that an error.
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


@contextlib.contextmanager
def _open_array(array: Array, max_pixels: int) -> Iterator[Image.Image]:
    if array.dtype.kind not in "buif":
        msg = f"array of {array.dtype}, expected integers, floats or booleans"
        raise PictureError(msg)
    if array.ndim != 2 and not (array.ndim == 3 and 1 <= array.shape[2] <= 4):
        msg = (
            f"array of shape {array.shape}, expected (height, width) or (height, width, n_channels)"
            " with 1 to 4 channels"
        )
        raise PictureError(msg)
    _require_size(array.shape[1], array.shape[0], max_pixels)
    yield from_array(array)


@functools.cache
def _silence_libtiff() -> None:
    """Keep libtiff from printing errors on stderr, once for the process; Pillow raises its own."""
    # Not every system finds the function among the libraries that Pillow has loaded.
    with contextlib.suppress(ImportError, OSError, AttributeError):
        ctypes.CDLL(cast(Any, Image).core.__file__).TIFFSetErrorHandler(None)


def _require_size(width: int, height: int, max_pixels: int) -> None:
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
    except (*_DECODING_ERRORS, Warning, Image.DecompressionBombError):
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
