"""Images as NumPy archives, with the array names of Keras: x_train, y_train, x_test, y_test."""

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
from mnist_svm._types import Array
from mnist_svm.constants import IMAGE_SHAPE
from mnist_svm.datasets.arrays import MAX_QUOTE, to_labels
from mnist_svm.datasets.formats.idx import MAX_BYTES
from mnist_svm.datasets.types import FilePath, LabelledImages, Progress, no_progress
from mnist_svm.exceptions import FormatError, sanitize
from mnist_svm.pictures.images import shape_error, to_mnist_images

# Names of the arrays of images and labels, in lower case; the first pair is used to write.
ARRAY_NAMES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "train": (("x_train", "y_train"), ("train_images", "train_labels")),
    "test": (("x_test", "y_test"), ("test_images", "test_labels")),
    "all": (("images", "labels"), ("x", "y"), ("data", "target"), ("arr_0", "arr_1")),
}

# Name of the array of class names, one for each label from 0.
NAMES = "class_names"

# Largest header of an array to read, in bytes.
MAX_HEADER = 1 << 14

# Exceptions that zipfile and NumPy raise for damaged archives.
_READING_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    LookupError,
    MemoryError,
    OverflowError,
    RuntimeError,
    SyntaxError,
    tokenize.TokenError,
    TypeError,
    ValueError,
)


def find_npz_parts(path: FilePath) -> Mapping[str, tuple[str, str]]:
    """Return the names of the arrays of images and labels, which may be missing, of each part.

    Raises FormatError if the file is not a NumPy archive, or has no arrays of known names.
    """
    with _open(path) as archive:
        names = {name.lower(): name for name in _list_arrays(archive)}
        members = archive.namelist()
    parts = {
        part: (names[images], names.get(labels, labels))
        for part, candidates in ARRAY_NAMES.items()
        for images, labels in reversed(candidates)
        if images in names
    }
    if not parts:
        found = sanitize(", ".join(sorted(names.values()) or members), MAX_QUOTE) or "none"
        msg = (
            f"{os.fspath(path)}: expected arrays called x_train, y_train, x_test and y_test, or "
            f"images and labels; found {found}"
        )
        raise FormatError(msg)
    return parts


def read_npz(
    path: FilePath, images_name: str, labels_name: str, progress: Progress = no_progress
) -> LabelledImages:
    """Read one part of an archive from the arrays of these names; labels may be missing.

    Raises FormatError if the archive is damaged, or the arrays are not images, as
    `to_mnist_images` accepts them, and their labels.
    """
    name = os.fspath(path)
    with _open(path) as archive:
        members = _list_arrays(archive)
        values = _read_array(archive, members[images_name], name)
        source = f"{name}: {images_name}"
        if values.ndim < 2 or values.shape == IMAGE_SHAPE or not len(values):
            raise shape_error(source, values.shape)
        images = to_mnist_images(values, source=source)
        labels = None
        class_names: dict[int, str] = {}
        if labels_name in members:
            values = _read_array(archive, members[labels_name], name)
            source = f"{name}: {labels_name}"
            if values.dtype.kind == "U" and values.ndim == 1:
                words, values = np.unique(values, return_inverse=True)
                class_names = dict(enumerate(words.tolist()))
            elif NAMES in members:
                class_names = _read_names(_read_array(archive, members[NAMES], name), name)
            labels = to_labels(values, source, len(images))
            if class_names and not set(np.unique(labels).tolist()) <= class_names.keys():
                last = len(class_names) - 1
                msg = f"{source}: expected labels that {NAMES} has names for, 0 to {last}"
                raise FormatError(msg)
    progress(len(images), len(images))
    return LabelledImages(images, labels, class_names)


def _read_names(values: Array, name: str) -> dict[int, str]:
    """Return the name of each label, from an array of strings with one for each from 0."""
    if values.dtype.kind != "U" or values.ndim != 1:
        msg = f"{name}: {NAMES}: expected strings, found {values.dtype} of shape {values.shape}"
        raise FormatError(msg)
    return dict(enumerate(values.tolist()))


def write_npz(path: FilePath, parts: Mapping[str, LabelledImages]) -> None:
    """Write parts named "train", "test" or "all" as Keras does; the file appears when complete."""
    arrays: dict[str, Array] = {}
    for part, content in parts.items():
        images_name, labels_name = ARRAY_NAMES[part][0]
        arrays[images_name] = content.images
        if content.labels is not None:
            fits_byte = content.labels.max() <= np.iinfo(np.uint8).max
            arrays[labels_name] = content.labels.astype(np.uint8 if fits_byte else np.int64)
        if content.class_names:
            labels = range(1 + max(content.class_names))
            arrays[NAMES] = np.array([content.class_names.get(x, str(x)) for x in labels])
    with atomic_write(path) as file:
        np.savez_compressed(file, **cast("Any", arrays))


@contextmanager
def _open(path: FilePath) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except FormatError:
        raise
    except (*_READING_ERRORS, OSError) as error:
        # EINVAL means that the archive points before its own start; other errors are the system's.
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise
        reason = sanitize(f"{type(error).__name__}: {error}", MAX_QUOTE)
        msg = f"{os.fspath(path)}: damaged NumPy archive ({reason})"
        raise FormatError(msg) from error


def _list_arrays(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    return {
        info.filename.removesuffix(".npy"): info
        for info in archive.infolist()
        if info.filename.endswith(".npy")
    }


def _read_array(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str) -> Array:
    """Read an array, after a check of the type and size that its header declares."""
    with archive.open(info) as member:
        head = io.BytesIO(member.read(MAX_HEADER))
    version = npy.read_magic(head)
    read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = read_header(head)
    declared = math.prod(shape) * dtype.itemsize
    if dtype.hasobject or declared > MAX_BYTES:
        content = sanitize(f"{info.filename}: declares {declared:,} bytes of {dtype}", MAX_QUOTE)
        msg = f"{name}: {content}; expected numbers, of at most {MAX_BYTES:,} bytes"
        raise FormatError(msg)
    with archive.open(info) as member:
        array: Array = npy.read_array(member, allow_pickle=False)
    return array
