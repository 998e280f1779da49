"""The IDX format: multi-dimensional arrays in a few bytes of header, read and written strictly.

A file is two zero bytes, one byte for the element type, one for the rank, the dimensions as
big-endian unsigned 32-bit integers, and the elements, big-endian, last index fastest. It may
be gzip-compressed as a whole. Defined on the MNIST home page (LeCun, Cortes, Burges).
"""

from __future__ import annotations

import gzip
import math
import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import numpy.typing as npt

from mnist_svm._io import atomic_write
from mnist_svm.constants import Array
from mnist_svm.exceptions import FormatError

# The type byte and the element that it stands for, as stored.
ELEMENT_TYPES: dict[int, np.dtype[Any]] = {
    0x08: np.dtype(">u1"),
    0x09: np.dtype(">i1"),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}
TYPE_BYTES = {dtype: byte for byte, dtype in ELEMENT_TYPES.items()}

# The most that a header may promise: 2 GiB, 45 times the MNIST training images.
MAX_BYTES = 2 << 30

# numpy 2 has no array of more dimensions.
MAX_RANK = 64

# A header can promise what the file does not hold: memory grows only with what arrives.
CHUNK = 1 << 20

# Nearly as small as the highest level, in a fifth of the time.
GZIP_LEVEL = 6

FilePath = str | os.PathLike[str]


def read_idx(path: FilePath, *, max_bytes: int = MAX_BYTES) -> Array:
    """Read an IDX file, plain or gzip-compressed.

    Parameters
    ----------
    path : path of the file
        Compression is told from the first bytes, not from the name.
    max_bytes : int, default=2 GiB
        The largest payload that a header may promise.

    Returns
    -------
    ndarray
        Of the shape in the header, in native byte order: uint8, int8, int16, int32,
        float32 or float64.

    Raises
    ------
    FormatError
        If the file is empty, damaged, truncated, longer than its header says, of unknown
        element type, not IDX at all, or promises more than ``max_bytes``.
    OSError
        If the file cannot be opened or read.
    """
    with open_payload(path) as stream:
        return _decode(stream, os.fspath(path), max_bytes)


def write_idx(path: FilePath, array: npt.ArrayLike) -> None:
    """Write an array as an IDX file, gzip-compressed if the name ends in ``.gz``.

    The same array makes the same bytes every time; the file appears only when complete.

    Parameters
    ----------
    path : path of the file
    array : array-like of uint8, int8, int16, int32, float32 or float64
        Any shape of at most 64 dimensions.

    Raises
    ------
    ValueError
        If the format has no such element type, or a dimension exceeds 32 bits.
    OSError
        If the file cannot be written.
    """
    array = np.asarray(array)
    header = encode_header(array)
    payload = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder(">"))
    with atomic_write(path) as file:
        if Path(path).suffix == ".gz":
            with gzip.GzipFile("", "wb", GZIP_LEVEL, file, mtime=0) as packed:
                packed.write(header)
                packed.write(payload.data)
        else:
            file.write(header)
            file.write(payload.data)


def encode_header(array: Array) -> bytes:
    """The bytes before the elements of ``array`` in an IDX file.

    Parameters
    ----------
    array : ndarray

    Returns
    -------
    bytes

    Raises
    ------
    ValueError
        If the format has no such element type, or a dimension exceeds 32 bits.
    """
    byte = TYPE_BYTES.get(array.dtype.newbyteorder(">"))
    if byte is None:
        names = ", ".join(dtype.name for dtype in TYPE_BYTES)
        msg = f"IDX has no element type for {array.dtype}; convert to one of {names}"
        raise ValueError(msg)
    if max(array.shape, default=0) >= 1 << 32:
        msg = f"IDX dimensions have 32 bits, which shape {array.shape} exceeds"
        raise ValueError(msg)
    return struct.pack(f">HBB{array.ndim}I", 0, byte, array.ndim, *array.shape)


@contextmanager
def open_payload(path: FilePath) -> Iterator[BinaryIO]:
    """Open a file for reading what it holds, decompressed if it is gzip.

    Parameters
    ----------
    path : path of the file

    Yields
    ------
    binary file object

    Raises
    ------
    FormatError
        While the block reads: if the gzip stream is damaged or ends early.
    OSError
        If the file cannot be opened or read.
    """
    with Path(path).open("rb") as file:
        packed = file.peek(2)[:2] == b"\x1f\x8b"
        try:
            yield cast("BinaryIO", gzip.GzipFile(fileobj=file)) if packed else file
        except EOFError as error:
            msg = f"{os.fspath(path)}: truncated gzip file (it ends before its end marker)"
            raise FormatError(msg) from error
        except (gzip.BadGzipFile, zlib.error) as error:
            msg = f"{os.fspath(path)}: damaged gzip file ({error})"
            raise FormatError(msg) from error


def _decode(stream: BinaryIO, name: str, max_bytes: int) -> Array:
    dtype, shape = _decode_header(stream, name)
    # Zero dimensions are left out: even an empty array must have a shape that numpy can hold.
    promised = math.prod(dim for dim in shape if dim) * dtype.itemsize
    if promised > max_bytes:
        msg = f"{name}: header promises {promised:,} bytes {shape}, over the limit of {max_bytes:,}"
        raise FormatError(msg)

    size = math.prod(shape) * dtype.itemsize
    payload = bytearray()
    while len(payload) < size:
        chunk = stream.read(min(CHUNK, size - len(payload)))
        if not chunk:
            msg = (
                f"{name}: truncated: header {shape} of {dtype.name} promises {size:,} bytes, "
                f"found {len(payload):,}"
            )
            raise FormatError(msg)
        payload += chunk
    if stream.read(1):
        msg = f"{name}: trailing bytes after the {size:,} that header {shape} promises"
        raise FormatError(msg)
    array = np.frombuffer(payload, dtype=dtype).reshape(shape)
    return array.astype(dtype.newbyteorder("="), copy=False)


def _decode_header(stream: BinaryIO, name: str) -> tuple[np.dtype[Any], tuple[int, ...]]:
    magic = stream.read(4)
    if not magic:
        msg = f"{name}: empty file, expected IDX"
        raise FormatError(msg)
    if len(magic) < 4 or magic[:2] != b"\0\0":
        msg = (
            f"{name}: not an IDX file: expected it to begin with bytes 00 00, "
            f"found {magic.hex(' ')}"
        )
        raise FormatError(msg)
    byte, rank = magic[2:]
    dtype = ELEMENT_TYPES.get(byte)
    if dtype is None:
        known = ", ".join(f"{byte:02x}" for byte in ELEMENT_TYPES)
        msg = f"{name}: unknown IDX element type {byte:02x}, expected one of {known}"
        raise FormatError(msg)
    if rank > MAX_RANK:
        msg = f"{name}: IDX of rank {rank}, expected at most {MAX_RANK}"
        raise FormatError(msg)
    dims = stream.read(4 * rank)
    if len(dims) < 4 * rank:
        msg = (
            f"{name}: truncated: {rank} dimensions take {4 * rank} bytes of header, "
            f"found {len(dims)}"
        )
        raise FormatError(msg)
    return dtype, struct.unpack(f">{rank}I", dims)
