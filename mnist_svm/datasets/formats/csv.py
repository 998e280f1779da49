"""Images as rows of a CSV file, one pixel a column, as Kaggle's digit-recognizer has them.

The first line names the columns (``label,pixel0,...,pixel783``) or is an image already; then a
label, if there is one, comes first. The file may be gzip-compressed as a whole. It is read block by
block: what it becomes is all that stays in memory.
"""

from __future__ import annotations

import csv
import gzip
import os
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from mnist_svm._io import atomic_write
from mnist_svm.constants import IMAGE_SHAPE, N_PIXELS, WHITE, Images, Labels
from mnist_svm.datasets.arrays import Growing, Labelled, Progress, shown
from mnist_svm.datasets.formats.idx import GZIP_LEVEL, FilePath, open_payload
from mnist_svm.exceptions import FormatError

# Bytes read at a time.
BLOCK = 1 << 20

# Longer than any line of 785 numbers; without an end, a "line" could be the whole file.
MAX_LINE = 1 << 16

# How the column of labels may be called; those of pixels may be called anything else.
LABEL_NAMES = frozenset({"label", "labels", "class", "target", "digit", "y"})

# A column called so counts or names the rows.
ROW_NAMES = frozenset({"", "unnamed: 0", "index", "id", "imageid"})

# No label beyond it is kept, and none is meant.
MAX_LABEL = np.iinfo(np.int32).max

_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
_WHOLE = re.compile(r"\s*\+?(\d{1,12})(\.0*)?\s*", re.ASCII)


@dataclass(frozen=True)
class _Columns:
    """Which column holds what, and how errors call them; the others are passed over."""

    names: tuple[str, ...]
    label: int | None
    pixels: list[int]


@dataclass(frozen=True)
class _Lines:
    """Some lines, the first one's number in the file counted from 1."""

    first: int
    texts: list[str]


def read_csv(path: FilePath, *, progress: Progress = lambda done, total: None) -> Labelled:
    """Read images, and their labels if there are any, from a CSV file.

    Parameters
    ----------
    path : path of the file, plain or gzip-compressed
    progress : callable, optional
        Told the number of images done, and 0 for that of all, which nobody knows yet.

    Returns
    -------
    Labelled

    Raises
    ------
    FormatError
        If there is no image in it, or a line is none: the error tells file, line and column.
    OSError
        If the file cannot be opened or read.
    """
    name = os.fspath(path)
    images, labels = Growing(N_PIXELS, np.uint8), Growing(None, np.int64)
    columns: _Columns | None = None
    with open_payload(path) as stream:
        for lines in _blocks(stream, name):
            if columns is None:
                columns, lines = _begin(lines, name)
            if lines.texts:
                values = _values(lines, columns, name)
                images.append(values[:, columns.pixels])
                if columns.label is not None:
                    labels.append(values[:, columns.label])
                progress(len(images), 0)
    if not len(images):
        msg = f"{name}: no images in it; expected lines of a label and {N_PIXELS} pixels"
        raise FormatError(msg)
    labelled = columns is not None and columns.label is not None
    return Labelled(images.array().reshape(-1, *IMAGE_SHAPE), labels.array() if labelled else None)


def write_csv(path: FilePath, images: Images, labels: Labels | None) -> None:
    """Write images as Kaggle's digit-recognizer has them, gzip-compressed if named ``.gz``.

    Parameters
    ----------
    path : path of the file, which appears only when complete
    images : uint8 ndarray of shape (n, 28, 28)
    labels : int64 ndarray of shape (n,), or None for a file without a column of labels

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    with atomic_write(path) as file:
        if Path(path).suffix == ".gz":
            with gzip.GzipFile("", "wb", GZIP_LEVEL, file, mtime=0) as packed:
                packed.writelines(_rows(images, labels))
        else:
            file.writelines(_rows(images, labels))


def _rows(images: Images, labels: Labels | None) -> Iterator[bytes]:
    names = ["label"] if labels is not None else []
    yield ",".join([*names, *(f"pixel{i}" for i in range(N_PIXELS))]).encode() + b"\n"
    # Looked up, a number is written ten times as fast.
    told = [str(value) for value in range(WHITE + 1)]
    for index, image in enumerate(images):
        text = ",".join([told[value] for value in image.ravel().tolist()])
        yield (text if labels is None else f"{labels[index]},{text}").encode() + b"\n"


def _blocks(stream: BinaryIO, name: str) -> Iterator[_Lines]:
    """The file's lines, without the blank ones at its end, a few megabytes at a time."""
    rest, first, blank = b"", 1, 0
    while block := stream.read(BLOCK):
        # No text has it, and most other files do.
        if b"\0" in block:
            msg = f"{name}: not a CSV file, nor another that is known"
            raise FormatError(msg)
        head, newline, rest = (rest + block).rpartition(b"\n")
        if len(rest) > MAX_LINE:
            raise _too_long(name, first + head.count(b"\n") + len(newline))
        if not newline:
            continue
        lines = _lines(head, first, name)
        first += len(lines.texts)
        # Whether blank lines end the file shows with what follows.
        texts = [""] * blank + lines.texts
        blank = _blank_at_end(texts)
        yield _Lines(first - len(texts), texts[: len(texts) - blank])
    if rest.strip():
        yield _Lines(first - blank, [""] * blank + _lines(rest, first, name).texts)


def _blank_at_end(texts: list[str]) -> int:
    blank = 0
    while blank < len(texts) and not texts[-1 - blank].strip():
        blank += 1
    return blank


def _lines(block: bytes, first: int, name: str) -> _Lines:
    """Lines of text; those too long are refused before anybody looks into them."""
    lines = block.split(b"\n")
    for index, line in enumerate(lines):
        if len(line) > MAX_LINE:
            raise _too_long(name, first + index)
        if not line.isascii() and (first + index > 1):
            msg = f"{name}: line {first + index}: not text of numbers and commas"
            raise FormatError(msg)
    return _Lines(first, [line.decode("utf-8", "replace").rstrip("\r") for line in lines])


def _too_long(name: str, line: int) -> FormatError:
    return FormatError(
        f"{name}: line {line}: longer than any of {N_PIXELS + 1} numbers; not a CSV file of images"
    )


def _begin(lines: _Lines, name: str) -> tuple[_Columns, _Lines]:
    """What the first line says of the columns, and the lines of images after it."""
    first, *others = lines.texts or [""]
    first = first.removeprefix("\ufeff")
    try:
        fields = [field.strip() for field in next(csv.reader([first]), [])]
    except csv.Error:
        fields = []
    if fields and all(_NUMBER.fullmatch(field) for field in fields):
        # Columns may be called by their numbers.
        images = _Lines(1, [first, *others])
        counted = fields == [str(column) for column in range(len(fields))]
        return _nameless(len(fields), name), _Lines(2, others) if counted else images
    called = [field.lower() for field in fields]
    labels = [column for column, field in enumerate(called) if field in LABEL_NAMES]
    no_pixels = LABEL_NAMES | ROW_NAMES
    pixels = [column for column, field in enumerate(called) if field not in no_pixels]
    if len(labels) > 1 or len(pixels) != N_PIXELS:
        raise _no_header(fields, name)
    columns = _Columns(tuple(fields), labels[0] if labels else None, pixels)
    _require_order(columns, name)
    return columns, _Lines(2, others)


def _nameless(width: int, name: str) -> _Columns:
    """The columns of a file whose first line is an image."""
    pixels = tuple(f"pixel{i}" for i in range(N_PIXELS))
    if width == N_PIXELS:
        return _Columns(pixels, None, list(range(N_PIXELS)))
    if width == N_PIXELS + 1:
        return _Columns(("label", *pixels), 0, list(range(1, N_PIXELS + 1)))
    msg = (
        f"{name}: line 1: expected {N_PIXELS} pixels, with or without a label, found {width} values"
    )
    raise FormatError(msg)


def _no_header(fields: list[str], name: str) -> FormatError:
    columns = "column" if len(fields) == 1 else "columns"
    found = f"{len(fields)} {columns}, first '{shown(fields[0])}'" if fields else "nothing"
    return FormatError(
        f"{name}: line 1: expected the names of {N_PIXELS} columns of pixels and one called label, "
        f"found {found}"
    )


def _require_order(columns: _Columns, name: str) -> None:
    """Refuse columns that are numbered, but in another order than row by row."""
    named = [re.fullmatch(r"\D*(\d{1,9})", columns.names[column]) for column in columns.pixels]
    numbers = [int(match[1]) for match in named if match]
    if len(numbers) == N_PIXELS and numbers != sorted(numbers):
        msg = f"{name}: line 1: the columns of pixels are not in the order of their numbers"
        raise FormatError(msg)


def _values(lines: _Lines, columns: _Columns, name: str) -> npt.NDArray[np.int64]:
    """The numbers of some lines, of shape (lines, columns)."""
    try:
        with warnings.catch_warnings():
            # What is no whole number at sight is looked at more closely.
            warnings.simplefilter("error")
            values = np.loadtxt(
                lines.texts, np.int64, delimiter=",", comments=None, ndmin=2, encoding=None
            )
    except (ValueError, OverflowError, Warning):
        values = None
    # A blank line would be passed over.
    if values is None or values.shape != (len(lines.texts), len(columns.names)):
        return _one_by_one(lines, columns, name)
    if values.min() < 0 or values[:, columns.pixels].max() > WHITE or values.max() > MAX_LABEL:
        return _one_by_one(lines, columns, name)
    return values


def _one_by_one(lines: _Lines, columns: _Columns, name: str) -> npt.NDArray[np.int64]:
    """The same, slowly: whole numbers may be written with a point, and a fault is told."""
    values = np.zeros((len(lines.texts), len(columns.names)), np.int64)
    largest = {} if columns.label is None else {columns.label: MAX_LABEL}
    largest |= dict.fromkeys(columns.pixels, WHITE)
    for row, text in enumerate(lines.texts):
        where = f"{name}: line {lines.first + row}"
        fields = text.split(",")
        if len(fields) != len(columns.names):
            found = f"{len(fields)} values" if text.strip() else "a blank line"
            msg = f"{where}: expected {len(columns.names)} values, found {found}"
            raise FormatError(msg)
        for column, most in largest.items():
            whole = _WHOLE.fullmatch(fields[column])
            if whole is None or int(whole[1]) > most:
                msg = (
                    f"{where}, column {column + 1} ({shown(columns.names[column])}): expected a "
                    f"whole number from 0 to {most:,}, found '{shown(fields[column].strip())}'"
                )
                raise FormatError(msg)
            values[row, column] = int(whole[1])
    return values
