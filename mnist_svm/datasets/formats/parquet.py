"""Images as Parquet files, the format of data hubs (extra: [parquet]).

Rows have an encoded picture, in a column of bytes or of ``{bytes, path}``; or a list of 784 pixels,
also as 28 lists of 28; or one column per pixel. A column has the label. `parquet_files` knows how
files are named.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mnist_svm._optional import require_extra
from mnist_svm._types import Array, Labels
from mnist_svm.constants import N_PIXELS
from mnist_svm.datasets.arrays import MAX_QUOTE, ROWS_PER_BLOCK, GrowableArray, to_labels
from mnist_svm.datasets.columns import list_columns
from mnist_svm.datasets.formats.arrow_file import SIGNATURES as ARROW_SIGNATURES
from mnist_svm.datasets.formats.arrow_file import ArrowFile
from mnist_svm.datasets.formats.idx import MAX_BYTES
from mnist_svm.datasets.formats.parquet_columns import Found, find_columns, label_names
from mnist_svm.datasets.picture_set import PictureSet
from mnist_svm.datasets.rows import (
    Cells,
    InvalidPixelError,
    PixelRows,
    declared_names,
    label_problem,
    quote,
)
from mnist_svm.datasets.types import LabelledImages, Progress, no_progress
from mnist_svm.exceptions import FormatError, sanitize

if TYPE_CHECKING:
    import pyarrow as pa

# Label of images that have none, in data sets of a hub.
NO_LABEL = -1


def read_parquet(
    paths: Sequence[Path],
    progress: Progress = no_progress,
    *,
    class_names: Sequence[str] = (),
    notices: tuple[str, ...] = (),
) -> LabelledImages:
    """Read images, and their labels if present, from the files of one part.

    Parameters
    ----------
    paths : sequence of Path
    progress : callable, optional
    class_names : sequence of str, default=()
        Names of the classes 0, 1, ... where the files' schema has none.
    notices : tuple of str, default=()
        Notices of the caller.

    Raises
    ------
    MissingExtraError
        Without pyarrow.
    FormatError
        If a file is damaged or has other columns, or a row is not a valid image.
    """
    source = os.fspath(paths[0])
    part = _PartReader(class_names)
    for path in paths:
        with _open(path) as file:
            part.add(file, path, progress)
    content = part.finish(source, progress)
    return replace(content, notices=notices + content.notices)


class _PartReader:
    """Collects the images and labels of the files of one part."""

    def __init__(self, class_names: Sequence[str]) -> None:
        self._labels = _Labels(class_names)
        self._rows = PixelRows()
        self._pictures: PictureSet | None = None
        self._found: Found | None = None

    def add(self, file: Any, path: Path, progress: Progress) -> None:
        """Add the rows of an open file; raise FormatError if its columns are not the same."""
        found, name = find_columns(file, str(path)), str(path)
        if self._found and (found.kind, found.label) != (self._found.kind, self._found.label):
            msg = f"{path}: has other columns than the other files of its split"
            raise FormatError(msg)
        self._found = found
        self._labels.declare(label_names(file.schema_arrow, found.label), name)
        if self._pictures is None:
            self._pictures = PictureSet(self._labels.class_names)
        first = 1
        for batch in _batches(file, found):
            if found.kind == "pictures":
                _add_pictures(batch.column(found.pixels[0]), self._pictures, name, first)
            else:
                _add_pixels(batch, found, self._rows, name, first)
            if found.label is not None:
                self._labels.append(batch.column(found.label), found.label, name, first)
            first += len(batch)
            progress(len(self._pictures) + len(self._rows), 0)

    def finish(self, source: str, progress: Progress) -> LabelledImages:
        """Return all images; add no more after this."""
        if not self._found or not (self._pictures or len(self._rows)):
            msg = f"{source}: no images in it"
            raise FormatError(msg)
        notices: tuple[str, ...] = ()
        if self._pictures:
            images, notices = self._pictures.finish(progress)
        else:
            images = self._rows.finish(source)
        labels, names, more = self._labels.finish(source)
        return LabelledImages(
            images,
            labels,
            names,
            notices=self._found.notices + notices + more,
            pictures=self._pictures.sources if self._pictures else None,
        )


def read_class_names(paths: Sequence[Path], class_names: Sequence[str] = ()) -> Mapping[int, str]:
    """Return the class names of a part, from its schema or its column of labels alone."""
    labels = _Labels(class_names)
    for path in paths:
        with _open(path) as file:
            found = find_columns(file, str(path))
            if found.label is None:
                return {}
            labels.declare(label_names(file.schema_arrow, found.label), str(path))
            first = 1
            only_labels = found._replace(pixels=[])
            for batch in _batches(file, only_labels):
                labels.append(batch.column(found.label), found.label, str(path), first)
                first += len(batch)
    return labels.finish(os.fspath(paths[0]))[1]


@contextmanager
def _open(path: Path) -> Iterator[Any]:
    """Open a Parquet or Arrow file; damage found in the ``with`` block raises FormatError."""
    parquet = require_extra("pyarrow.parquet", "reading Parquet needs pyarrow", "parquet")
    import pyarrow as pa

    with path.open("rb") as file:
        is_arrow = file.peek(6).startswith(ARROW_SIGNATURES)
        kind = "Arrow" if is_arrow else "Parquet"
        try:
            yield ArrowFile(file) if is_arrow else parquet.ParquetFile(file, memory_map=False)
        # pyarrow raises OSError for invalid content.
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            msg = f"{path}: damaged {kind} file ({sanitize(str(error), MAX_QUOTE)})"
            raise FormatError(msg) from error


def _batches(file: Any, found: Found) -> Iterator[pa.RecordBatch]:
    """Yield some rows at a time of the columns to be read."""
    columns = found.pixels + ([] if found.label is None else [found.label])
    n_bytes = file.metadata.num_rows * N_PIXELS
    if n_bytes > MAX_BYTES:
        msg = f"{found.source}: declares {n_bytes:,} pixels, over the limit of {MAX_BYTES:,}"
        raise FormatError(msg)
    yield from file.iter_batches(ROWS_PER_BLOCK, columns=columns, use_threads=False)


def _add_pictures(column: pa.Array, pictures: PictureSet, name: str, first: int) -> None:
    for index, value in enumerate(column):
        row = f"{name}: row {first + index:,}"
        data = value.as_py()
        if isinstance(data, Mapping):
            data = data.get("bytes")
        if not data:
            msg = f"{row}: no picture in it"
            raise FormatError(msg)
        pictures.add(io.BytesIO(data), row)


def _add_pixels(
    batch: pa.RecordBatch, found: Found, rows: PixelRows, name: str, first: int
) -> None:
    if found.kind == "lists":
        values = _flatten(batch.column(found.pixels[0]), name, found.pixels[0], first)
    else:
        columns = [_to_numbers(batch.column(column), name, column) for column in found.pixels]
        values = np.column_stack(columns)
    if values.dtype.kind not in "buif":
        msg = f"{name}: expected pixels that are numbers, found {sanitize(str(values.dtype))}"
        raise FormatError(msg)
    try:
        rows.append(values)
    except InvalidPixelError as error:
        column = "" if found.kind == "lists" else f"column {quote(found.pixels[error.column])}, "
        msg = (
            f"{name}: image {first + error.row:,}: {column}pixel {error.column}: expected "
            f"{error.expected}, found {values[error.row, error.column]:g}"
        )
        raise FormatError(msg) from error


def _flatten(column: pa.Array, name: str, column_name: str, first: int) -> Array:
    """Return lists of 784 numbers, or of 28 lists of 28, as an array of shape (n, 784)."""
    import pyarrow as pa
    from pyarrow import compute

    n_rows, per_row = len(column), 1
    while _is_list(column.type):
        if isinstance(column, pa.ExtensionArray):
            column = column.storage
        lengths = compute.list_value_length(column).to_numpy(zero_copy_only=False)
        wrong = lengths != (lengths[0] if len(lengths) else 0)
        length = 0 if not len(lengths) or not lengths[0] > 0 else int(lengths[0])
        if column.null_count or wrong.any() or (n_rows and N_PIXELS % (per_row * length or 1)):
            row = first + int(wrong.argmax()) // per_row
            msg = (
                f"{name}: row {row:,}: expected a list of {N_PIXELS} pixels, or 28 lists of 28, in "
                f"the column {quote(column_name)}, found lists of other lengths"
            )
            raise FormatError(msg)
        per_row *= length
        column = column.flatten()
    if n_rows and per_row != N_PIXELS:
        msg = (
            f"{name}: row {first:,}: expected a list of {N_PIXELS} pixels, or 28 lists of 28, in "
            f"the column {quote(column_name)}, found {per_row:,}"
        )
        raise FormatError(msg)
    return _to_numbers(column, name, column_name).reshape(n_rows, N_PIXELS)


def _is_list(column_type: pa.DataType) -> bool:
    from mnist_svm.datasets.formats.parquet_columns import is_list

    return is_list(column_type)


class _Labels:
    """Collects the labels of a part: numbers, or words."""

    def __init__(self, class_names: Sequence[str]) -> None:
        self.class_names = list(class_names)
        self._numbers, self._words = GrowableArray(None, np.int64), Cells()
        self._is_declared = False

    def declare(self, names: Sequence[str], source: str) -> None:
        """Set the names that a schema gives to the labels 0, 1, ..."""
        if names and self._is_declared and list(names) != self.class_names:
            listed = list_columns(names)
            msg = f"{source}: the class names {listed} differ from those of the other files"
            raise FormatError(msg)
        if names:
            self.class_names, self._is_declared = list(names), True

    def append(self, column: pa.Array, column_name: str, name: str, first: int) -> None:
        """Add a column of numbers, of strings, or of categories."""
        from pyarrow import types

        if types.is_dictionary(column.type):
            if _is_text(column.type.value_type):
                self._words.declare(x.strip() for x in column.dictionary.to_pylist() if x)
            column = column.dictionary_decode()
        if not _is_text(column.type):
            numbers = _to_numbers(column, name, column_name)
            source = f"{name}: {column_name}"
            is_missing = numbers == NO_LABEL if numbers.dtype.kind == "i" else np.zeros(1, bool)
            if is_missing.all() and len(numbers):
                self._numbers.append(numbers)
            else:
                self._numbers.append(to_labels(numbers, source, len(numbers), first=first))
            return
        _require_values(column, name, column_name)
        texts = [text.strip() for text in column.to_pylist()]
        for text in self._words.append(texts, range(first, first + len(texts))):
            if problem := label_problem(text):
                msg = (
                    f"{name}: row {self._words.first_lines[text]:,}: expected {problem} in the "
                    f"column {quote(column_name)}, found {quote(text)}"
                )
                raise FormatError(msg)

    def finish(self, source: str) -> tuple[Labels | None, Mapping[int, str], tuple[str, ...]]:
        """Return labels, class names and notices."""
        if len(self._numbers) and len(self._words):
            msg = f"{source}: labels are numbers in some files of its split, and words in others"
            raise FormatError(msg)
        if len(self._words):
            return *self._words.to_labels(source), ()
        if not len(self._numbers):
            return None, {}, ()
        labels: Labels = self._numbers.to_array()
        if labels.min() == NO_LABEL:
            if labels.max() > NO_LABEL:
                msg = f"{source}: some labels are -1, which stands for none"
                raise FormatError(msg)
            return None, {}, ("has the label -1 throughout, which stands for none",)
        names = declared_names(self.class_names)
        if self.class_names and labels.max() >= len(self.class_names):
            msg = (
                f"{source}: expected labels from 0 to {len(self.class_names) - 1}, for which there "
                f"are class names, found {labels.max()}"
            )
            raise FormatError(msg)
        return labels, names, ()


def _is_text(column_type: pa.DataType) -> bool:
    from pyarrow import types

    return bool(types.is_string(column_type) or types.is_large_string(column_type))


def _require_values(column: pa.Array, name: str, column_name: str) -> None:
    if column.null_count:
        msg = f"{name}: a value is missing in the column {sanitize(column_name, MAX_QUOTE)}"
        raise FormatError(msg)


def _to_numbers(column: pa.Array, name: str, column_name: str) -> Array:
    """Convert a column of numbers, of strings of digits, or of categories."""
    import pyarrow as pa
    from pyarrow import types

    _require_values(column, name, column_name)
    if types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if _is_text(column.type) or types.is_decimal(column.type):
        try:
            column = column.cast(pa.float64())
        except pa.ArrowInvalid as error:
            quoted = sanitize(column_name, MAX_QUOTE)
            msg = f"{name}: expected numbers in the column {quoted}, found words"
            raise FormatError(msg) from error
    array: Array = column.to_numpy(zero_copy_only=False)
    return array
