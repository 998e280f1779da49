"""Which end of the rows of a table without names has the label, told by the values."""

from __future__ import annotations

import numpy as np

from mnist_svm._types import Float64Array, Images, Labels
from mnist_svm.constants import N_PIXELS, WHITE
from mnist_svm.datasets.arrays import ROWS_PER_BLOCK
from mnist_svm.datasets.rows import Cells, label_problem
from mnist_svm.exceptions import FormatError

# A corner pixel is as near to its neighbour as this is to the next one, in at least this share of
# the images that have the next one near (less what chance explains), and a label in fewer.
MIN_ALIKE, MAX_ALIKE = 0.9, 0.5

# Where the corner has one level in nearly all images, a pixel has it in this share at least. Labels
# of two classes do not.
MIN_FLAT, MIN_SAME = 0.99, 0.97

# Ten images may be one of each digit; values that are different in more rows number or name them.
MAX_DIFFERENT = 10


def place_labels(
    images: Images, first: Cells, last: Cells, scale: int, source: str
) -> tuple[Labels, dict[int, str], tuple[str, ...]]:
    """Take the labels out of the end of the rows that has them; put the pixels of the other in.

    Parameters
    ----------
    images : uint8 ndarray of shape (n, 28, 28)
        As if the labels were first, without the last pixel of each image; completed in place.
    first, last : Cells
        The columns at the two ends.
    scale : {1, 255}
        What the pixels were multiplied by.
    source : str
        What error messages call the table.

    Returns
    -------
    labels, class_names, notices

    Raises
    ------
    FormatError
        If it is not certain which end has the labels, or both have others than pixels and labels.
    """
    rows = images.reshape(-1, N_PIXELS)
    first_pixels, last_pixels = (_to_pixels(cells, scale) for cells in (first, last))
    # Columns of pixels near both ends, outermost first.
    first_fits = _fits(first_pixels, rows[:, 0], rows[:, 1])
    last_fits = _fits(last_pixels, rows[:, N_PIXELS - 2], rows[:, N_PIXELS - 3])
    if first_fits is False and last_fits:
        _require_label(first, 1, source)
        _require_pixels(last, last_pixels, N_PIXELS + 1, source)
        rows[:, -1] = last_pixels
        return *first.to_labels(source), ()
    if last_fits is False and first_fits and len(last.texts) > 1:
        _require_label(last, N_PIXELS + 1, source)
        _require_pixels(first, first_pixels, 1, source)
        for start in range(0, len(rows), ROWS_PER_BLOCK):
            block = rows[start : start + ROWS_PER_BLOCK]
            block[:, 1:] = block[:, :-1].copy()
        rows[:, 0] = first_pixels
        return *last.to_labels(source), ("has no header and its labels in the last column",)
    if first_fits and last_fits:
        reason = "both may be pixels of the background"
    elif first_fits is False and last_fits is False:
        reason = "neither is like the pixels beside it"
    else:
        reason = "the values do not tell"
    raise _unclear(source, reason)


def _to_pixels(cells: Cells, scale: int) -> Float64Array:
    """Return values as pixels, 0-255; nan where one cannot be a pixel."""
    values = cells.to_numbers() * scale
    valid = (values >= 0) & (values <= WHITE) & ((scale > 1) | (values == np.rint(values)))
    return np.where(valid, np.rint(values), np.nan)


def _fits(values: Float64Array, beside: Images, next_to_it: Images) -> bool | None:
    """Whether values are as near to the pixels beside them as these are to the next.

    Returns None if that is not clear.
    """
    usual = np.abs(beside.astype(np.float64) - next_to_it)
    tolerance = np.median(usual)
    base = float(np.mean(usual <= tolerance))
    # Comparisons with nan are false.
    share = float(np.mean(np.abs(values - beside) <= tolerance))
    if base >= MIN_FLAT:
        return share >= MIN_SAME
    if share < MAX_ALIKE * base:
        return False
    return True if share >= MIN_ALIKE * base - len(values) ** -0.5 else None


def _require_label(cells: Cells, column: int, source: str) -> None:
    """Raise FormatError if a value is no label, or the column numbers or names the rows."""
    for text, line in cells.first_lines.items():
        if problem := label_problem(text):
            msg = f"{source}: line {line}, column {column}: expected {problem}, found '{text}'"
            raise FormatError(msg)
    if len(cells) > MAX_DIFFERENT and len(cells.texts) == len(cells):
        end = "first" if column == 1 else "last"
        raise _unclear(source, f"the {end} is different in each row; remove it if it numbers them")


def _require_pixels(cells: Cells, values: Float64Array, column: int, source: str) -> None:
    if np.isnan(values).any():
        text = cells.texts[cells.codes[int(np.isnan(values).argmax())]]
        msg = (
            f"{source}: line {cells.first_lines[text]}, column {column}: expected a pixel, a whole "
            f"number from 0 to {WHITE}, found '{text}'"
        )
        raise FormatError(msg)


def _unclear(source: str, reason: str) -> FormatError:
    return FormatError(
        f"{source}: has no column names, and its labels may be in the first or the last column "
        f"({reason}); add a first line: label,pixel0,...,pixel783 or pixel0,...,pixel783,label"
    )
