"""Images in Parquet files, as the common hubs publish them (extra: [parquet]).

Either each row has an encoded picture, in a column of bytes or of ``{bytes, path}``, and a label;
or a column for each pixel, and one for the label. A set may be parted into several files, named
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
from mnist_svm.constants import IMAGE_SHAPE, N_PIXELS, Array, Images, Labels
from mnist_svm.datasets.arrays import Growing, Labelled, Progress, shown, to_images, to_labels
from mnist_svm.datasets.formats.csv import LABEL_NAMES
from mnist_svm.datasets.formats.folder import image_of
from mnist_svm.exceptions import FormatError

if TYPE_CHECKING:
    import pyarrow as pa

# Rows looked at at a time.
ROWS = 2048

PARTS: Mapping[str, str] = {"train": "train*.parquet", "test": "test*.parquet"}


def parquet_parts(folder: Path) -> dict[str, list[Path]]:
    """Which parts a folder has as Parquet files.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    dict of "train" or "test" to the files, in their order; empty if there are none
    """
    # As downloaded from a hub, they may lie in a sub-folder.
    for place in (folder, *sorted(path for path in folder.iterdir() if path.is_dir())):
        found = {part: sorted(place.glob(pattern)) for part, pattern in PARTS.items()}
        if any(found.values()):
            return {part: files for part, files in found.items() if files}
    return {}


def read_parquet(
    paths: Sequence[Path], *, progress: Progress = lambda done, total: None
) -> Labelled:
    """Read images, and their labels if there are any, from the files of one part.

    Parameters
    ----------
    paths : sequence of Path, at least one
    progress : callable, optional
        Told the number of images done, and of all.

    Returns
    -------
    Labelled

    Raises
    ------
    MissingExtraError
        If pyarrow is not installed.
    FormatError
        If a file is damaged, its columns are others, or a row is no image.
    OSError
        If a file cannot be opened or read.
    """
    parquet = _pyarrow()
    import pyarrow as pa

    images, labels = Growing(N_PIXELS, np.uint8), Growing(None, np.int64)
    for path in paths:
        with path.open("rb") as file:
            try:
                source = parquet.ParquetFile(file, memory_map=False)
                for image, label in _batches(source, str(path)):
                    images.append(image.reshape(len(image), -1))
                    if label is not None:
                        labels.append(label)
                    progress(len(images), 0)
            # Its OSError is of the format, not of the file system.
            except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
                if isinstance(error, FormatError):
                    raise
                msg = f"{path}: damaged Parquet file ({shown(str(error))})"
                raise FormatError(msg) from error
    if not len(images):
        msg = f"{os.fspath(paths[0])}: no images in it"
        raise FormatError(msg)
    if len(labels) not in (0, len(images)):
        msg = f"{os.fspath(paths[0])}: has other columns than the files that go with it"
        raise FormatError(msg)
    return Labelled(
        images.array().reshape(-1, *IMAGE_SHAPE), labels.array() if len(labels) else None
    )


def _pyarrow() -> Any:
    return require_extra("pyarrow.parquet", "reading Parquet needs pyarrow", "parquet")


def _batches(source: Any, name: str) -> Iterator[tuple[Images, Labels | None]]:
    """Images and labels, some rows at a time."""
    schema: pa.Schema = source.schema_arrow
    label = [column for column in schema.names if column.lower() in LABEL_NAMES]
    pictures = [column for column in schema.names if _holds_pictures(schema.field(column).type)]
    pixels = [column for column in schema.names if column not in label]
    if len(label) > 1 or not (len(pictures) == 1 or len(pixels) == N_PIXELS):
        found = shown(", ".join(schema.names)) or "none"
        msg = (
            f"{name}: expected a column of pictures or {N_PIXELS} of pixels, and one called label; "
            f"found the columns {found}"
        )
        raise FormatError(msg)
    columns = (pictures or pixels) + label
    first = 1
    for batch in source.iter_batches(ROWS, columns=columns, use_threads=False):
        if pictures:
            images = _decoded(batch.column(pictures[0]), name, first)
        else:
            values = [_numbers(batch.column(column), name, column) for column in pixels]
            images = to_images(np.column_stack(values), name, first=first)
        if label:
            labels = _numbers(batch.column(label[0]), name, label[0])
            yield images, to_labels(labels, f"{name}: {label[0]}", len(images), first=first)
        else:
            yield images, None
        first += len(images)


def _holds_pictures(kind: pa.DataType) -> bool:
    from pyarrow import types

    if types.is_struct(kind):
        return any(field.name == "bytes" and _holds_pictures(field.type) for field in kind)
    return bool(types.is_binary(kind) or types.is_large_binary(kind))


def _decoded(column: pa.Array, name: str, first: int) -> Images:
    """Pictures, decoded."""
    images = np.empty((len(column), *IMAGE_SHAPE), np.uint8)
    for index, value in enumerate(column):
        row = f"{name}: row {first + index:,}"
        data = value.as_py()
        if isinstance(data, Mapping):
            data = data.get("bytes")
        if not data:
            msg = f"{row}: no picture in it"
            raise FormatError(msg)
        images[index] = image_of(io.BytesIO(data), row)
    return images


def _numbers(column: pa.Array, name: str, called: str) -> Array:
    """A column's numbers, which may be written as words."""
    import pyarrow as pa
    from pyarrow import types

    if column.null_count:
        msg = f"{name}: a value is missing in the column {shown(called)}"
        raise FormatError(msg)
    if types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if types.is_string(column.type) or types.is_large_string(column.type):
        try:
            column = column.cast(pa.int64())
        except pa.ArrowInvalid as error:
            msg = f"{name}: expected numbers in the column {shown(called)}, found words"
            raise FormatError(msg) from error
    array: Array = column.to_numpy(zero_copy_only=False)
    return array
