"""Images as Parquet files, the format of data hubs (extra: [parquet]).

Rows have either an encoded picture, in a column of bytes or of ``{bytes, path}``, and a label; or
one column per pixel, and a label. A split may consist of several files, named
``train-00000-of-00002.parquet`` and so on.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mnist_svm._optional import require_extra
from mnist_svm._types import Array, Images, Labels
from mnist_svm.constants import IMAGE_SHAPE, N_PIXELS, WHITE
from mnist_svm.datasets.arrays import (
    MAX_QUOTE,
    ROWS_PER_BLOCK,
    GrowableArray,
    to_integers,
    to_labels,
)
from mnist_svm.datasets.columns import LABEL_NAMES
from mnist_svm.datasets.picture_set import read_picture
from mnist_svm.datasets.types import LabelledImages, Progress, no_progress
from mnist_svm.exceptions import FormatError, sanitize

if TYPE_CHECKING:
    import pyarrow as pa


def find_parquet_parts(folder: Path) -> dict[str, list[Path]]:
    """Return the Parquet files of each split, from a folder or one of its sub-folders."""
    for place in (folder, *sorted(path for path in folder.iterdir() if path.is_dir())):
        files = {split: sorted(place.glob(f"{split}*.parquet")) for split in ("train", "test")}
        if any(files.values()):
            return {split: paths for split, paths in files.items() if paths}
    return {}


def read_parquet(paths: Sequence[Path], progress: Progress = no_progress) -> LabelledImages:
    """Read images, and their labels if present, from the files of one part.

    Raises MissingExtraError without pyarrow, and FormatError if a file is damaged, has other
    columns, or a row is not a valid image.
    """
    parquet = require_extra("pyarrow.parquet", "reading Parquet needs pyarrow", "parquet")
    import pyarrow as pa

    images, labels = GrowableArray(N_PIXELS, np.uint8), GrowableArray(None, np.int64)
    for path in paths:
        with path.open("rb") as file:
            try:
                source = parquet.ParquetFile(file, memory_map=False)
                for image_block, label_block in _read_blocks(source, str(path)):
                    images.append(image_block.reshape(len(image_block), -1))
                    if label_block is not None:
                        labels.append(label_block)
                    progress(len(images), 0)
            # pyarrow raises OSError for invalid content.
            except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
                msg = f"{path}: damaged Parquet file ({sanitize(str(error), MAX_QUOTE)})"
                raise FormatError(msg) from error
    if not len(images):
        msg = f"{os.fspath(paths[0])}: no images in it"
        raise FormatError(msg)
    if len(labels) not in (0, len(images)):
        msg = f"{os.fspath(paths[0])}: has other columns than the other files of its split"
        raise FormatError(msg)
    pixels = images.to_array().reshape(-1, *IMAGE_SHAPE)
    return LabelledImages(pixels, labels.to_array() if len(labels) else None)


def _read_blocks(source: Any, name: str) -> Iterator[tuple[Images, Labels | None]]:
    """Yield images and labels, some rows at a time."""
    schema: pa.Schema = source.schema_arrow
    label = [column for column in schema.names if column.lower() in LABEL_NAMES]
    pictures = [column for column in schema.names if _has_pictures(schema.field(column).type)]
    pixels = [column for column in schema.names if column not in label]
    if len(label) > 1 or not (len(pictures) == 1 or len(pixels) == N_PIXELS):
        found = sanitize(", ".join(schema.names), MAX_QUOTE) or "none"
        msg = (
            f"{name}: expected a column of pictures or {N_PIXELS} of pixels, and a label column; "
            f"found the columns {found}"
        )
        raise FormatError(msg)
    columns = (pictures or pixels) + label
    first = 1
    for batch in source.iter_batches(ROWS_PER_BLOCK, columns=columns, use_threads=False):
        if pictures:
            images = _decode_pictures(batch.column(pictures[0]), name, first)
        else:
            values = [_to_numbers(batch.column(column), name, column) for column in pixels]
            # Fractions of 0 to 1 could be told from others by the whole file only.
            images = to_integers(np.column_stack(values), name, np.uint8, WHITE, first)
        labels = None
        if label:
            numbers = _to_numbers(batch.column(label[0]), name, label[0])
            labels = to_labels(numbers, f"{name}: {label[0]}", len(images), first=first)
        yield images, labels
        first += len(images)


def _has_pictures(column_type: pa.DataType) -> bool:
    from pyarrow import types

    if types.is_struct(column_type):
        return any(field.name == "bytes" and _has_pictures(field.type) for field in column_type)
    return bool(types.is_binary(column_type) or types.is_large_binary(column_type))


def _decode_pictures(column: pa.Array, name: str, first: int) -> Images:
    images = np.empty((len(column), *IMAGE_SHAPE), np.uint8)
    for index, value in enumerate(column):
        row = f"{name}: row {first + index:,}"
        data = value.as_py()
        if isinstance(data, Mapping):
            data = data.get("bytes")
        if not data:
            msg = f"{row}: no picture in it"
            raise FormatError(msg)
        images[index] = read_picture(io.BytesIO(data), row)
    return images


def _to_numbers(column: pa.Array, name: str, column_name: str) -> Array:
    """Convert a column of numbers, of strings of digits, or of categories."""
    import pyarrow as pa
    from pyarrow import types

    if column.null_count:
        msg = f"{name}: a value is missing in the column {sanitize(column_name, MAX_QUOTE)}"
        raise FormatError(msg)
    if types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if types.is_string(column.type) or types.is_large_string(column.type):
        try:
            column = column.cast(pa.int64())
        except pa.ArrowInvalid as error:
            quoted = sanitize(column_name, MAX_QUOTE)
            msg = f"{name}: expected numbers in the column {quoted}, found words"
            raise FormatError(msg) from error
    array: Array = column.to_numpy(zero_copy_only=False)
    return array
