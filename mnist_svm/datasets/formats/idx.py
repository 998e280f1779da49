"""The IDX format of MNIST (LeCun, Cortes, Burges): strict reader and writer.

An IDX file has two zero bytes, one byte for the element type, one for the number of dimensions,
the dimensions as big-endian unsigned 32-bit integers, and the elements in big-endian byte order,
last index fastest. The whole file may be gzip-compressed.
"""

from __future__ import annotations

import gzip
import math
import os
import struct
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import numpy.typing as npt

from mnist_svm._io import atomic_write
from mnist_svm._types import Array, Images, Labels
from mnist_svm.constants import IMAGE_SHAPE
from mnist_svm.datasets.arrays import to_labels
from mnist_svm.datasets.formats.zstd import ZSTD_SIGNATURE, open_zstd
from mnist_svm.datasets.types import FilePath, Split
from mnist_svm.exceptions import FormatError
from mnist_svm.pictures.images import to_mnist_images

# Stored element type of each type code.
ELEMENT_TYPES: dict[int, np.dtype[Any]] = {
    0x08: np.dtype(">u1"),
    0x09: np.dtype(">i1"),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}
TYPE_CODES = {dtype: code for code, dtype in ELEMENT_TYPES.items()}

# Start of the file names of each split, as in "t10k-images-idx3-ubyte.gz".
FILE_PREFIXES: Mapping[Split, str] = {"train": "train", "test": "t10k"}

# Largest payload to read: 2 GiB, 45 times the MNIST training images.
MAX_BYTES = 2 << 30

# Columns of QMNIST's table of labels, of which the first is the class.
QMNIST_COLUMNS = 8

# The limit of numpy 2.
MAX_NDIM = 64

# Read in blocks, because a header may declare more bytes than the file has.
BYTES_PER_BLOCK = 1 << 20

# Nearly as small as level 9, in a fifth of the time.
GZIP_LEVEL = 6


def read_idx(path: FilePath, *, max_bytes: int = MAX_BYTES) -> Array:
    """Read an IDX file, plain or gzip-compressed.

    Parameters
    ----------
    path : str or os.PathLike
        Compression is detected from the first bytes, not from the name.
    max_bytes : int, default=2 GiB
        Largest size of the elements.

    Returns
    -------
    ndarray
        In native byte order: uint8, int8, int16, int32, float32 or float64.

    Raises
    ------
    FormatError
        If the file is empty, damaged, truncated, longer than its header declares, not IDX, has
        an unknown element type, or declares more than ``max_bytes``.
    OSError
        If the file cannot be opened or read.
    """
    with open_payload(path) as stream:
        return _decode(stream, os.fspath(path), max_bytes)


def write_idx(path: FilePath, array: npt.ArrayLike) -> None:
    """Write an array as an IDX file, gzip-compressed if the name ends in ``.gz``.

    The output is reproducible, and the file appears only when complete.

    Parameters
    ----------
    path : str or os.PathLike
    array : array-like of uint8, int8, int16, int32, float32 or float64
        Up to 64 dimensions.

    Raises
    ------
    ValueError
        If IDX has no such element type, or a dimension exceeds 32 bits.
    OSError
        If the file cannot be written.
    """
    array = np.asarray(array)
    header = encode_header(array)
    payload = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder(">"))
    with write_payload(path) as file:
        file.writelines([header, payload.data])


def read_images(path: FilePath) -> Images:
    """Read an IDX file of images: uint8 ndarray of shape (n_images, 28, 28), 0-255.

    Floating-point images are scaled, as `to_mnist_images` does. Raises FormatError if the file is
    damaged, has another shape or element type, or holds no images.
    """
    images = read_idx(path)
    if images.dtype.kind == "f" and images.shape[1:] == IMAGE_SHAPE and len(images):
        return to_mnist_images(images, source=os.fspath(path))
    require_images(images, path)
    return images


def read_images_and_labels(images_path: FilePath, labels_path: FilePath) -> tuple[Images, Labels]:
    """Read the IDX files of images, as `read_images` does, and of labels, of shape (n_images,).

    Labels may have any element type, or be the first column of QMNIST's table of 8. Raises
    FormatError if a file is damaged or has another shape, if a label is not a whole number, or if
    their lengths differ.
    """
    images, labels = read_images(images_path), read_idx(labels_path)
    if labels.dtype == np.int32 and labels.shape[1:] == (QMNIST_COLUMNS,):
        labels = labels[:, 0]
    if labels.ndim != 1 and labels.shape[1:] != (1,):
        msg = (
            f"{os.fspath(labels_path)}: expected labels of shape (n,), "
            f"found {labels.dtype} of shape {labels.shape}"
        )
        raise FormatError(msg)
    require_same_length(images, labels, images_path, labels_path)
    return images, to_labels(labels, os.fspath(labels_path), len(images))


def require_images(images: Array, path: FilePath) -> None:
    """Raise FormatError unless an array from ``path`` is uint8 of shape (n > 0, 28, 28)."""
    if images.dtype != np.uint8 or images.ndim != 3 or images.shape[1:] != IMAGE_SHAPE:
        msg = (
            f"{os.fspath(path)}: expected uint8 images of shape (n, 28, 28), "
            f"found {images.dtype} of shape {images.shape}"
        )
        raise FormatError(msg)
    if not len(images):
        msg = f"{os.fspath(path)}: no images in it"
        raise FormatError(msg)


def require_same_length(
    images: Array, labels: Array, images_path: FilePath, labels_path: FilePath
) -> None:
    """Raise FormatError unless there is one label for each image."""
    if len(images) != len(labels):
        msg = (
            f"{os.fspath(images_path)} holds {len(images):,} images, but {os.fspath(labels_path)} "
            f"holds {len(labels):,} labels; expected one for each image"
        )
        raise FormatError(msg)


def encode_header(array: Array) -> bytes:
    """Return the header of an array's IDX file; raises ValueError as `write_idx`."""
    code = TYPE_CODES.get(array.dtype.newbyteorder(">"))
    if code is None:
        names = ", ".join(dtype.name for dtype in TYPE_CODES)
        msg = f"IDX has no element type for {array.dtype}; convert to one of {names}"
        raise ValueError(msg)
    if max(array.shape, default=0) >= 1 << 32:
        msg = f"IDX dimensions have 32 bits, which shape {array.shape} exceeds"
        raise ValueError(msg)
    return struct.pack(f">HBB{array.ndim}I", 0, code, array.ndim, *array.shape)


@contextmanager
def open_payload(path: FilePath) -> Iterator[BinaryIO]:
    """Open a file for reading, and decompress it if it is gzip or Zstandard.

    Reading in the ``with`` block raises FormatError if the stream is damaged or truncated. Raises
    MissingExtraError if Zstandard needs a package that is not installed.
    """
    with Path(path).open("rb") as file:
        head = file.peek(4)
        if head.startswith(ZSTD_SIGNATURE):
            with open_zstd(file, os.fspath(path)) as stream:
                yield cast("BinaryIO", stream)
            return
        is_gzip = head.startswith(b"\x1f\x8b")
        try:
            yield cast("BinaryIO", gzip.GzipFile(fileobj=file)) if is_gzip else file
        except EOFError as error:
            msg = f"{os.fspath(path)}: truncated gzip file (no end marker)"
            raise FormatError(msg) from error
        except (gzip.BadGzipFile, zlib.error) as error:
            msg = f"{os.fspath(path)}: damaged gzip file ({error})"
            raise FormatError(msg) from error


@contextmanager
def write_payload(path: FilePath) -> Iterator[BinaryIO]:
    """Open a file for atomic writing, gzip-compressed if its name ends in ``.gz``.

    The output is reproducible: the gzip header has no name and no time.
    """
    with atomic_write(path) as file:
        if Path(path).suffix == ".gz":
            with gzip.GzipFile("", "wb", GZIP_LEVEL, file, mtime=0) as compressed:
                yield cast("BinaryIO", compressed)
        else:
            yield file


def _decode(stream: BinaryIO, name: str, max_bytes: int) -> Array:
    dtype, shape = _decode_header(stream, name)
    # Without the zero dimensions, because numpy also limits the shapes of empty arrays.
    declared = math.prod(length for length in shape if length) * dtype.itemsize
    if declared > max_bytes:
        msg = f"{name}: header declares {declared:,} bytes {shape}, over the limit of {max_bytes:,}"
        raise FormatError(msg)

    size = math.prod(shape) * dtype.itemsize
    payload = bytearray()
    while len(payload) < size:
        block = stream.read(min(BYTES_PER_BLOCK, size - len(payload)))
        if not block:
            msg = (
                f"{name}: truncated: header {shape} of {dtype.name} declares {size:,} bytes, "
                f"found {len(payload):,}"
            )
            raise FormatError(msg)
        payload += block
    if stream.read(1):
        msg = f"{name}: trailing bytes after the {size:,} that header {shape} declares"
        raise FormatError(msg)
    array = np.frombuffer(payload, dtype=dtype).reshape(shape)
    return array.astype(dtype.newbyteorder("="), copy=False)


def _decode_header(stream: BinaryIO, name: str) -> tuple[np.dtype[Any], tuple[int, ...]]:
    magic = stream.read(4)
    if not magic:
        msg = f"{name}: empty file, expected IDX"
        raise FormatError(msg)
    if len(magic) < 4 or magic[:2] != b"\0\0":
        msg = f"{name}: not an IDX file: expected first bytes 00 00, found {magic.hex(' ')}"
        raise FormatError(msg)
    code, ndim = magic[2:]
    dtype = ELEMENT_TYPES.get(code)
    if dtype is None:
        valid = ", ".join(f"{code:02x}" for code in ELEMENT_TYPES)
        msg = f"{name}: unknown IDX element type {code:02x}, expected one of {valid}"
        raise FormatError(msg)
    if ndim > MAX_NDIM:
        msg = f"{name}: IDX of {ndim} dimensions, expected at most {MAX_NDIM}"
        raise FormatError(msg)
    lengths = stream.read(4 * ndim)
    if len(lengths) < 4 * ndim:
        msg = (
            f"{name}: truncated: {ndim} dimensions take {4 * ndim} bytes of header, "
            f"found {len(lengths)}"
        )
        raise FormatError(msg)
    return dtype, struct.unpack(f">{ndim}I", lengths)
