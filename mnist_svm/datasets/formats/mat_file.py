"""The MAT files of MATLAB 5 to 7.2: a strict reader of numeric arrays, also inside structures.

A file is a header of 128 bytes and elements, each with a tag of type and length; an element may be
compressed with zlib. Sizes are checked before memory is taken: files come from strangers.
"""

from __future__ import annotations

import math
import os
import struct
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mnist_svm._types import Array
from mnist_svm.datasets.arrays import MAX_QUOTE
from mnist_svm.datasets.formats.idx import MAX_BYTES
from mnist_svm.datasets.types import FilePath
from mnist_svm.exceptions import FormatError, sanitize

SIGNATURES = (b"MATLAB 5.0 MAT-file", b"MATLAB 7.3 MAT-file", b"# Created by Octave")

_HEADER_SIZE = 128
_MATRIX, _COMPRESSED = 14, 15
# Element types of numbers.
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4"}
_NUMBERS |= {7: "f4", 9: "f8", 12: "i8", 13: "u8"}
# Classes of matrices: a structure, and numbers from double to uint64.
_STRUCTURE, _NUMERIC = 2, range(6, 16)
_COMPLEX = 0x0800
# Structures in structures, dimensions, and elements of a file or of a structure.
MAX_DEPTH, MAX_DIMENSIONS, MAX_ELEMENTS = 4, 8, 10_000


class _DamageError(ValueError):
    """The bytes are not those of a MAT file."""


class _Element(NamedTuple):
    """The type and the bytes of an element."""

    kind: int
    data: memoryview


def read_mat(path: FilePath) -> dict[str, Array]:
    """Read the numeric arrays of a MAT file.

    Parameters
    ----------
    path : str or os.PathLike

    Returns
    -------
    dict of ndarray
        Keyed by name; a field of a structure by names with dots, as in MATLAB. Texts, cells and
        other classes are left out. Elements have the type that they are stored in.

    Raises
    ------
    FormatError
        If the file is damaged, or of a version that is not supported.
    OSError
        If it cannot be read.
    """
    name = os.fspath(path)
    if (size := Path(path).stat().st_size) > MAX_BYTES:
        msg = f"{name}: {size:,} bytes, over the limit of {MAX_BYTES:,}"
        raise FormatError(msg)
    content = Path(path).read_bytes()
    order = _byte_order(content, name)
    arrays: dict[str, Array] = {}
    try:
        reader = _Reader(order)
        for element in reader.elements(memoryview(content)[_HEADER_SIZE:]):
            arrays |= reader.matrix(reader.decompress(element))
    except (_DamageError, struct.error, zlib.error, UnicodeDecodeError) as error:
        msg = f"{name}: damaged or truncated MAT file ({sanitize(str(error), MAX_QUOTE)})"
        raise FormatError(msg) from error
    return arrays


def _byte_order(content: bytes, name: str) -> str:
    """Return the byte order, as `struct` has it; FormatError if the version is another."""
    if content.startswith(SIGNATURES[1:]):
        kind = "MATLAB 7.3 (HDF5)" if content.startswith(b"MATLAB") else "Octave (text)"
        msg = f"{name}: {kind} is not supported; load it there, and save it with: save -v7 FILE.mat"
        raise FormatError(msg)
    mark = content[_HEADER_SIZE - 2 : _HEADER_SIZE]
    if mark not in (b"IM", b"MI"):
        msg = f"{name}: damaged or truncated MAT file (expected a header of {_HEADER_SIZE} bytes)"
        raise FormatError(msg)
    return "<" if mark == b"IM" else ">"


class _Reader:
    """Reads elements in one byte order, and counts the bytes that are decompressed."""

    def __init__(self, order: str) -> None:
        self._order = order
        self._budget = MAX_BYTES

    def elements(self, data: memoryview) -> list[_Element]:
        """Return the elements that fill some bytes."""
        elements, position = [], 0
        while position < len(data):
            element, position = self._element(data, position)
            elements.append(element)
            if len(elements) > MAX_ELEMENTS:
                msg = f"more than {MAX_ELEMENTS:,} elements"
                raise _DamageError(msg)
        return elements

    def _element(self, data: memoryview, position: int) -> tuple[_Element, int]:
        if len(data) - position < 8:
            msg = f"{len(data) - position} bytes where an element begins"
            raise _DamageError(msg)
        kind, size = struct.unpack_from(f"{self._order}II", data, position)
        if kind >> 16:
            # A small element has its data in the tag.
            kind, size, start = kind & 0xFFFF, kind >> 16, position + 4
            end = position + 8
            if size > 4:
                msg = f"a small element of {size} bytes"
                raise _DamageError(msg)
        else:
            start = position + 8
            end = start + size
            if end > len(data):
                msg = f"an element of {size:,} bytes, of which there are {len(data) - start:,}"
                raise _DamageError(msg)
            end += 0 if kind == _COMPRESSED else -size % 8
        return _Element(kind, data[start : start + size]), end

    def decompress(self, element: _Element) -> _Element:
        """Return the element that a compressed one contains; another one as it is."""
        if element.kind != _COMPRESSED:
            return element
        stream = zlib.decompressobj()
        tag = stream.decompress(element.data, 8)
        if len(tag) < 8:
            msg = "a compressed element without content"
            raise _DamageError(msg)
        kind, size = struct.unpack(f"{self._order}II", tag)
        if size > self._budget:
            msg = f"arrays of more than {MAX_BYTES:,} bytes"
            raise _DamageError(msg)
        self._budget -= size
        data = stream.decompress(stream.unconsumed_tail, size) if size else b""
        # The checksum follows, after as many bytes as fill the last eight.
        stream.decompress(stream.unconsumed_tail, 8)
        if len(data) < size or not stream.eof:
            msg = f"a compressed element of {size:,} bytes, of which there are {len(data):,}"
            raise _DamageError(msg)
        return _Element(kind, memoryview(data)[:size])

    def matrix(self, element: _Element, prefix: str = "", depth: int = 0) -> dict[str, Array]:
        """Return the numeric arrays in a matrix, keyed by name."""
        if element.kind != _MATRIX or not element.data:
            return {}
        parts = self.elements(element.data) if depth < MAX_DEPTH else []
        if len(parts) < 3 or len(parts[0].data) < 8:
            return {}
        (flags,) = struct.unpack_from(f"{self._order}I", parts[0].data)
        shape = self._shape(parts[1])
        name = prefix or bytes(parts[2].data).decode("ascii")
        if flags & 0xFF == _STRUCTURE:
            return self._structure(parts, shape, name, depth)
        if flags & 0xFF in _NUMERIC and not flags & _COMPLEX:
            return {name: self._numbers(parts[3:], shape, name)}
        return {}

    def _shape(self, element: _Element) -> tuple[int, ...]:
        n = len(element.data) // 4
        shape = struct.unpack(f"{self._order}{n}i", element.data[: 4 * n])
        if not 2 <= n <= MAX_DIMENSIONS or min(shape) < 0:
            msg = f"an array of shape {shape}"
            raise _DamageError(msg)
        return shape

    def _numbers(self, parts: list[_Element], shape: tuple[int, ...], name: str) -> Array:
        kind = parts[0].kind if parts else 0
        if kind not in _NUMBERS:
            msg = f"{name}: an array without numbers"
            raise _DamageError(msg)
        dtype: np.dtype[Any] = np.dtype(self._order + _NUMBERS[kind])
        if len(parts[0].data) != math.prod(shape) * dtype.itemsize:
            msg = f"{name}: {len(parts[0].data):,} bytes for {dtype.name} of shape {shape}"
            raise _DamageError(msg)
        array = np.frombuffer(parts[0].data, dtype)
        return array.astype(dtype.newbyteorder("="), copy=False).reshape(shape, order="F")

    def _structure(
        self, parts: list[_Element], shape: tuple[int, ...], name: str, depth: int
    ) -> dict[str, Array]:
        """Return the arrays in the fields of one structure; several are left out."""
        if math.prod(shape) != 1 or len(parts) < 5 or len(parts[3].data) != 4:
            return {}
        (length,) = struct.unpack(f"{self._order}i", parts[3].data)
        texts = bytes(parts[4].data)
        if length <= 0 or len(texts) // length > MAX_ELEMENTS:
            msg = f"{name}: a structure of {len(texts):,} bytes of names"
            raise _DamageError(msg)
        fields = [texts[i : i + length].split(b"\0")[0] for i in range(0, len(texts), length)]
        if len(fields) != len(parts) - 5:
            msg = (
                f"{name}: a structure of {len(fields)} fields, of which there are {len(parts) - 5}"
            )
            raise _DamageError(msg)
        arrays: dict[str, Array] = {}
        for field, part in zip(fields, parts[5:], strict=True):
            arrays |= self.matrix(part, f"{name}.{field.decode('ascii')}", depth + 1)
        return arrays
