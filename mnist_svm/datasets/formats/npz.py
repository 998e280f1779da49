"""Images in a NumPy archive, named as Keras names them: x_train, y_train, x_test, y_test."""

from __future__ import annotations

import errno
import io
import math
import os
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

import numpy as np
from numpy.lib import format as npy

from mnist_svm._io import atomic_write
from mnist_svm.constants import WHITE, Array
from mnist_svm.datasets.arrays import Labelled, shown, to_images, to_labels
from mnist_svm.datasets.formats.idx import MAX_BYTES, FilePath
from mnist_svm.exceptions import FormatError

# What the arrays of a part are called, in small letters or capital ones: images, labels. The first
# is Keras's way.
PARTS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "train": (("x_train", "y_train"), ("train_images", "train_labels")),
    "test": (("x_test", "y_test"), ("test_images", "test_labels")),
    "all": (("images", "labels"), ("x", "y"), ("data", "target"), ("arr_0", "arr_1")),
}

# Bytes that the header of an array takes at most.
HEADER = 1 << 14

# What a damaged archive makes zipfile and NumPy raise.
_READING_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    LookupError,
    MemoryError,
    NotImplementedError,
    OverflowError,
    RecursionError,
    RuntimeError,
    SyntaxError,
    tokenize.TokenError,
    TypeError,
    ValueError,
)


def npz_parts(path: FilePath) -> Mapping[str, tuple[str, str]]:
    """Which parts an archive has, and what their arrays are called.

    Parameters
    ----------
    path : path of the file

    Returns
    -------
    mapping from "train", "test" or "all" to the names of images and labels
        There need not be an array of the latter name.

    Raises
    ------
    FormatError
        If it is no such archive, or has no arrays of known names.
    OSError
        If the file cannot be opened or read.
    """
    with _opened(path) as archive:
        there = {name.lower(): name for name in _arrays(archive)}
        members = archive.namelist()
    parts = {
        part: (there[images], there.get(labels, labels))
        for part, candidates in PARTS.items()
        for images, labels in reversed(candidates)
        if images in there
    }
    if not parts:
        found = shown(", ".join(sorted(there.values()) or members)) or "none"
        msg = (
            f"{os.fspath(path)}: expected arrays called x_train, y_train, x_test and y_test, or "
            f"images and labels; found {found}"
        )
        raise FormatError(msg)
    return parts


def read_npz(path: FilePath, images: str, labels: str) -> Labelled:
    """Read one part of an archive.

    Parameters
    ----------
    path : path of the file
    images, labels : names of the arrays

    Returns
    -------
    Labelled
        Without labels, if there is no array of that name.

    Raises
    ------
    FormatError
        If the archive is damaged or the arrays are not of images and their labels.
    OSError
        If the file cannot be opened or read.
    """
    name = os.fspath(path)
    with _opened(path) as archive:
        there = _arrays(archive)
        values = _read(archive, there[images], name)
        # Fractions of white, as networks are fed with; what is not a number fails the comparison.
        if values.dtype.kind == "f" and values.size and values.max() <= 1:
            values = np.rint(values * WHITE)
        pixels = to_images(values, f"{name}: {images}")
        if labels not in there:
            return Labelled(pixels, None)
        digits = _read(archive, there[labels], name)
    return Labelled(pixels, to_labels(digits, f"{name}: {labels}", len(pixels)))


def write_npz(path: FilePath, parts: Mapping[str, Labelled]) -> None:
    """Write parts as Keras names them.

    Parameters
    ----------
    path : path of the file, which appears only when complete
    parts : mapping from "train", "test" or "all" to what it holds

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    arrays: dict[str, Array] = {}
    for part, labelled in parts.items():
        images, labels = PARTS[part][0]
        arrays[images] = labelled.images
        if labelled.labels is not None:
            small = labelled.labels.max() <= np.iinfo(np.uint8).max
            arrays[labels] = labelled.labels.astype(np.uint8 if small else np.int64)
    with atomic_write(path) as file:
        np.savez_compressed(file, **cast("Any", arrays))


@contextmanager
def _opened(path: FilePath) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except FormatError:
        raise
    except (*_READING_ERRORS, OSError) as error:
        # Places before the file's beginning are its own fault, all else is the system's.
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise
        reason = f"{type(error).__name__}: {error}"
        msg = f"{os.fspath(path)}: damaged NumPy archive ({shown(reason)})"
        raise FormatError(msg) from error


def _arrays(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    return {
        info.filename.removesuffix(".npy"): info
        for info in archive.infolist()
        if info.filename.endswith(".npy")
    }


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str) -> Array:
    """An array, once its header has told that it is of numbers, and of a size that can be."""
    with archive.open(info) as member:
        head = io.BytesIO(member.read(HEADER))
    version = npy.read_magic(head)
    read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = read_header(head)
    promised = math.prod(shape) * dtype.itemsize
    if dtype.hasobject or promised > MAX_BYTES:
        told = shown(f"{info.filename}: promises {promised:,} bytes of {dtype}")
        msg = f"{name}: {told}, which is not read"
        raise FormatError(msg)
    with archive.open(info) as member:
        array: Array = npy.read_array(member, allow_pickle=False)
    return array
