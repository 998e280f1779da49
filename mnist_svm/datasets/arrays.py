"""Growing arrays, and validation of whole numbers of any type."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mnist_svm._types import Array, Labels
from mnist_svm.exceptions import FormatError, sanitize

# Rows to check at once, to bound the memory for wide element types.
ROWS_PER_BLOCK = 2048

# Characters of a file's content that an error message quotes.
MAX_QUOTE = 100

MAX_LABEL = np.iinfo(np.int32).max


class GrowableArray:
    """Array that grows by blocks of rows.

    It grows by 1/16, which wastes little memory; realloc remaps large blocks instead of copying.
    `n_columns` is None for a vector.
    """

    def __init__(self, n_columns: int | None, dtype: npt.DTypeLike) -> None:
        self._rows = np.empty((0,) if n_columns is None else (0, n_columns), dtype)
        self._n_rows = 0

    def __len__(self) -> int:
        return self._n_rows

    def append(self, block: Array) -> None:
        """Add rows at the end."""
        end = self._n_rows + len(block)
        if end > len(self._rows):
            self._resize(max(end, len(self._rows) * 17 // 16))
        self._rows[self._n_rows : end] = block
        self._n_rows = end

    def so_far(self) -> Array:
        """Return the rows so far; append no more while they are in use."""
        return self._rows[: self._n_rows]

    def to_array(self) -> Array:
        """Return the rows without a copy; append no more after this."""
        self._resize(self._n_rows)
        return self._rows

    def _resize(self, n_rows: int) -> None:
        # Safe without a reference check: the array has not been handed out yet.
        self._rows.resize((n_rows, *self._rows.shape[1:]), refcheck=False)


def to_labels(array: Array, source: str, n_images: int, *, first: int = 1) -> Labels:
    """Validate labels, whole numbers of any type and shape (n_images,) or (n_images, 1).

    `source` names the file and array in error messages, and `first` is the number of the first
    label there. Raises FormatError if the shape is different or a value is not valid.
    """
    if array.shape not in {(n_images,), (n_images, 1)}:
        msg = (
            f"{source}: expected {n_images:,} labels, one for each image, found shape {array.shape}"
        )
        raise FormatError(msg)
    return to_integers(array, source, np.int64, MAX_LABEL, first).reshape(n_images)


def to_integers(array: Array, source: str, dtype: npt.DTypeLike, maximum: int, first: int) -> Array:
    """Convert the type; raise FormatError unless all values are whole and 0 to `maximum`."""
    if array.dtype.kind not in "buif":
        msg = f"{source}: expected numbers, found {sanitize(str(array.dtype), MAX_QUOTE)}"
        raise FormatError(msg)
    integers = np.empty(array.shape, dtype)
    for start in range(0, len(array), ROWS_PER_BLOCK):
        block = array[start : start + ROWS_PER_BLOCK]
        # Comparisons with nan are false.
        valid = (block >= 0) & (block <= maximum)
        if block.dtype.kind == "f":
            valid &= block == np.floor(block)
        if not valid.all():
            row, *_ = np.unravel_index(np.argmin(valid), valid.shape)
            msg = (
                f"{source}: image {first + start + row:,}: expected whole numbers from 0 to "
                f"{maximum:,}, found {block[~valid].flat[0]:g}"
            )
            raise FormatError(msg)
        integers[start : start + ROWS_PER_BLOCK] = block
    return integers
