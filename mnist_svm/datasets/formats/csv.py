"""Images as CSV files with one image per row, the format of Kaggle's digit-recognizer.

The first line has the column names (``label,pixel0,...,pixel783``). A file without column names
has the label, if any, in the first column. The file may be gzip-compressed. It is parsed block by
block, so that memory holds only the resulting arrays.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import BinaryIO, NamedTuple

import numpy as np

from mnist_svm._types import Images, Labels
from mnist_svm.constants import IMAGE_SHAPE, N_PIXELS, WHITE
from mnist_svm.datasets.arrays import MAX_LABEL, MAX_QUOTE, GrowableArray
from mnist_svm.datasets.formats.idx import BYTES_PER_BLOCK, open_payload, write_payload
from mnist_svm.datasets.types import FilePath, LabelledImages, Progress, no_progress
from mnist_svm.exceptions import FormatError, sanitize

# Longest line to read, in bytes. A binary file may be one line.
MAX_LINE = 1 << 16

# Names of a column of labels, in lower case.
LABEL_NAMES = frozenset({"label", "labels", "class", "target", "digit", "y"})

# Names of a column that numbers or names the rows.
INDEX_NAMES = frozenset({"", "unnamed: 0", "index", "id", "imageid"})

_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
_WHOLE_NUMBER = re.compile(r"\s*\+?(\d{1,12})(\.0*)?\s*", re.ASCII)


class _Columns(NamedTuple):
    """Names of all columns, and the indices of those to read."""

    names: tuple[str, ...]
    label: int | None
    pixels: list[int]


class _Lines(NamedTuple):
    """Consecutive lines; `first` is the line number of the first one, from 1."""

    first: int
    texts: list[str]


def read_csv(path: FilePath, progress: Progress = no_progress) -> LabelledImages:
    """Read images, and their labels if present, from a CSV file, plain or gzip-compressed.

    Raises FormatError, with file, line and column, if there are no images or a line is not valid.
    """
    name = os.fspath(path)
    images, labels = GrowableArray(N_PIXELS, np.uint8), GrowableArray(None, np.int64)
    columns: _Columns | None = None
    with open_payload(path) as stream:
        for lines in _read_blocks(stream, name):
            if columns is None:
                columns, lines = _parse_header(lines, name)
            if lines.texts:
                values = _parse(lines, columns, name)
                images.append(values[:, columns.pixels])
                if columns.label is not None:
                    labels.append(values[:, columns.label])
                progress(len(images), 0)
    if not len(images):
        msg = f"{name}: no images in it; expected lines of a label and {N_PIXELS} pixels"
        raise FormatError(msg)
    pixels = images.to_array().reshape(-1, *IMAGE_SHAPE)
    return LabelledImages(pixels, labels.to_array() if len(labels) else None)


def write_csv(path: FilePath, images: Images, labels: Labels | None) -> None:
    """Write images in the format of Kaggle's digit-recognizer, without labels if they are None.

    The file appears only when complete, gzip-compressed if the name ends in ``.gz``.
    """
    with write_payload(path) as file:
        file.writelines(_format_rows(images, labels))


def _format_rows(images: Images, labels: Labels | None) -> Iterator[bytes]:
    names = ["label"] if labels is not None else []
    yield ",".join([*names, *(f"pixel{i}" for i in range(N_PIXELS))]).encode() + b"\n"
    # A table is ten times as fast as formatting each pixel.
    digits = [str(value) for value in range(WHITE + 1)]
    for index, image in enumerate(images):
        row = ",".join([digits[value] for value in image.ravel().tolist()])
        yield (row if labels is None else f"{labels[index]},{row}").encode() + b"\n"


def _read_blocks(stream: BinaryIO, name: str) -> Iterator[_Lines]:
    """Yield the lines of a file block by block, without blank lines at the end of the file."""
    rest, first, n_blank = b"", 1, 0
    while block := stream.read(BYTES_PER_BLOCK):
        # Most binary files have a zero byte; text has none.
        if b"\0" in block:
            msg = f"{name}: not a CSV file, and not another known format"
            raise FormatError(msg)
        head, newline, rest = (rest + block).rpartition(b"\n")
        if len(rest) > MAX_LINE:
            raise _line_too_long(name, first + head.count(b"\n") + len(newline))
        if not newline:
            continue
        lines = _split_lines(head, first, name)
        first += len(lines.texts)
        # Hold blank lines back until a later line shows that they do not end the file.
        texts = [""] * n_blank + lines.texts
        n_blank = next((n for n, text in enumerate(reversed(texts)) if text.strip()), len(texts))
        yield _Lines(first - len(texts), texts[: len(texts) - n_blank])
    if rest.strip():
        yield _Lines(first - n_blank, [""] * n_blank + _split_lines(rest, first, name).texts)


def _split_lines(block: bytes, first: int, name: str) -> _Lines:
    """Decode lines; raise FormatError if one is too long or not ASCII (names may be)."""
    lines = block.split(b"\n")
    for number, line in enumerate(lines, start=first):
        if len(line) > MAX_LINE:
            raise _line_too_long(name, number)
        if not line.isascii() and number > 1:
            msg = f"{name}: line {number}: not text of numbers and commas"
            raise FormatError(msg)
    return _Lines(first, [line.decode("utf-8", "replace").rstrip("\r") for line in lines])


def _line_too_long(name: str, number: int) -> FormatError:
    return FormatError(
        f"{name}: line {number}: longer than {N_PIXELS + 1} numbers can be; "
        "not a CSV file of images"
    )


def _parse_header(lines: _Lines, name: str) -> tuple[_Columns, _Lines]:
    """Find the columns from the first line; return them and the lines of images."""
    first, *others = lines.texts or [""]
    first = first.removeprefix("\ufeff")
    try:
        fields = [field.strip() for field in next(csv.reader([first]), [])]
    except csv.Error:
        fields = []
    if fields and all(_NUMBER.fullmatch(field) for field in fields):
        columns = _default_columns(len(fields), name)
        # Column names may be the numbers 0, 1, 2 ...
        is_header = fields == [str(column) for column in range(len(fields))]
        return columns, _Lines(2, others) if is_header else _Lines(1, [first, *others])
    lower = [field.lower() for field in fields]
    labels = [column for column, field in enumerate(lower) if field in LABEL_NAMES]
    not_pixels = LABEL_NAMES | INDEX_NAMES
    pixels = [column for column, field in enumerate(lower) if field not in not_pixels]
    if len(labels) > 1 or len(pixels) != N_PIXELS:
        noun = "column" if len(fields) == 1 else "columns"
        found = f"{len(fields)} {noun}, first '{sanitize(fields[0], MAX_QUOTE)}'" if fields else ""
        msg = (
            f"{name}: line 1: expected the names of {N_PIXELS} pixel columns and a label column, "
            f"found {found or 'nothing'}"
        )
        raise FormatError(msg)
    columns = _Columns(tuple(fields), labels[0] if labels else None, pixels)
    _require_order(columns, name)
    return columns, _Lines(2, others)


def _default_columns(n_columns: int, name: str) -> _Columns:
    """Return the columns of a file without column names."""
    pixels = tuple(f"pixel{i}" for i in range(N_PIXELS))
    if n_columns == N_PIXELS:
        return _Columns(pixels, None, list(range(N_PIXELS)))
    if n_columns == N_PIXELS + 1:
        return _Columns(("label", *pixels), 0, list(range(1, N_PIXELS + 1)))
    msg = (
        f"{name}: line 1: expected {N_PIXELS} pixels, with or without a label, "
        f"found {n_columns} values"
    )
    raise FormatError(msg)


def _require_order(columns: _Columns, name: str) -> None:
    """Raise FormatError if the pixel columns are numbered, but not in row-major order."""
    matches = [re.fullmatch(r"\D*(\d{1,9})", columns.names[column]) for column in columns.pixels]
    numbers = [int(match[1]) for match in matches if match]
    if len(numbers) == N_PIXELS and numbers != sorted(numbers):
        msg = f"{name}: line 1: the pixel columns are not in the order of their numbers"
        raise FormatError(msg)


def _parse(lines: _Lines, columns: _Columns, name: str) -> Labels:
    """Parse lines to an array of shape (n_lines, n_columns)."""
    text = "".join(lines.texts).encode()
    # NumPy takes other notations of numbers, and warns of large integers and of no lines.
    if text.strip() and not text.translate(None, b"0123456789, "):
        with suppress(ValueError):
            values = np.loadtxt(
                lines.texts, np.float64, delimiter=",", comments=None, ndmin=2, encoding=None
            )
            # NumPy skips blank lines.
            is_whole = values.shape == (len(lines.texts), len(columns.names))
            if is_whole and values.max() <= MAX_LABEL and values[:, columns.pixels].max() <= WHITE:
                return values.astype(np.int64)
    return _parse_strictly(lines, columns, name)


def _parse_strictly(lines: _Lines, columns: _Columns, name: str) -> Labels:
    """Parse lines one by one, with whole numbers such as "7.0"; name the invalid value."""
    values = np.zeros((len(lines.texts), len(columns.names)), np.int64)
    maxima = {} if columns.label is None else {columns.label: MAX_LABEL}
    maxima |= dict.fromkeys(columns.pixels, WHITE)
    for row, text in enumerate(lines.texts):
        where = f"{name}: line {lines.first + row}"
        fields = text.split(",")
        if len(fields) != len(columns.names):
            found = f"{len(fields)} values" if text.strip() else "a blank line"
            msg = f"{where}: expected {len(columns.names)} values, found {found}"
            raise FormatError(msg)
        for column, maximum in maxima.items():
            match = _WHOLE_NUMBER.fullmatch(fields[column])
            if match is None or int(match[1]) > maximum:
                msg = (
                    f"{where}, column {column + 1} ({sanitize(columns.names[column], MAX_QUOTE)}): "
                    f"expected a whole number from 0 to {maximum:,}, "
                    f"found '{sanitize(fields[column].strip(), MAX_QUOTE)}'"
                )
                raise FormatError(msg)
            values[row, column] = int(match[1])
    return values
