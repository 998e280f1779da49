"""Find the cells of ruled tables, closed or without an outer border."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mnist_svm._types import BoolArray, Float64Array, IntArray
from mnist_svm.pictures.boxes import Box
from mnist_svm.pictures.straight import Lines

# Distance, in heights of the writing, up to which lines still cross, and below which two are one
# double line; least length of a line, as a fraction of the table's side.
REACH, DOUBLE, MIN_SPAN = 0.3, 0.35, 0.4
# Least length, in heights of the writing, by which lines go on beyond the outermost one across them
# where a table has no border.
MIN_OPEN = 0.5
# Least height and width of cells, in heights of the writing: squared paper has smaller ones; and
# least number of rows: a comb has one.
MIN_HEIGHT, MIN_WIDTH, MIN_ROWS = 1.1, 0.7, 2


@dataclass(frozen=True)
class Grid:
    """A ruled table.

    Attributes
    ----------
    cells : row and column, from 0, and box in pixels of the mask, of each cell, row by row.
    n_rows, n_columns : number of rows and columns.
    """

    cells: tuple[tuple[int, int, Box], ...]
    n_rows: int
    n_columns: int


def find_grids(
    horizontal: Lines, vertical: Lines, chosen: tuple[BoolArray, BoolArray], height: float
) -> list[Grid]:
    """Find the tables that lines make, from top to bottom.

    `chosen` tells which horizontal and which vertical lines are rulings; `height` is that of the
    writing. Vertical lines are those of the transposed mask.
    """
    rows, columns = (np.flatnonzero(part) for part in chosen)
    if not (len(rows) and len(columns)):
        return []
    crosses = _crossings(horizontal, vertical, rows, columns, REACH * height)
    grids = []
    for of_rows, of_columns in _groups(crosses):
        grid = _grid(horizontal, vertical, rows[of_rows], columns[of_columns], height)
        if grid is not None:
            grids.append(grid)
    return sorted(grids, key=lambda grid: grid.cells[0][2].top)


def _crossings(
    horizontal: Lines, vertical: Lines, rows: IntArray, columns: IntArray, reach: float
) -> BoolArray:
    """Whether lines cross or meet, of shape (n_rows, n_columns)."""
    row, column = _meet(
        _values(horizontal, rows)[:, :, None], _values(vertical, columns)[:, None, :]
    )
    across = (column >= horizontal.start[rows][:, None] - reach) & (
        column <= horizontal.stop[rows][:, None] + reach
    )
    along = (row >= vertical.start[columns] - reach) & (row <= vertical.stop[columns] + reach)
    return np.asarray(across & along)


def _values(lines: Lines, which: IntArray) -> Float64Array:
    """Start and slope of lines, of shape (2, n)."""
    return np.stack([lines.at[which], lines.slope[which]])


def _meet(row_line: Float64Array, column_line: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Row and column where nearly horizontal lines meet nearly vertical ones."""
    row = (row_line[0] + row_line[1] * column_line[0]) / (1 - row_line[1] * column_line[1])
    return row, column_line[0] + column_line[1] * row


def _groups(crosses: BoolArray) -> list[tuple[IntArray, IntArray]]:
    """Rows and columns of the connected parts of a matrix of crossings."""
    is_free = np.asarray(crosses.any(axis=1))
    groups = []
    while is_free.any():
        in_rows = np.arange(len(is_free)) == is_free.argmax()
        count = 0
        while count != (count := int(in_rows.sum())):
            in_columns = np.asarray(crosses[in_rows].any(axis=0))
            in_rows = np.asarray(crosses[:, in_columns].any(axis=1))
        is_free &= ~in_rows
        groups.append((np.flatnonzero(in_rows), np.flatnonzero(in_columns)))
    return groups


def _grid(
    horizontal: Lines, vertical: Lines, rows: IntArray, columns: IntArray, height: float
) -> Grid | None:
    """The table of lines that cross; None if they make none."""
    row_lines = _borders(horizontal, rows, vertical, columns, height)
    column_lines = _borders(vertical, columns, horizontal, rows, height)
    n_rows, n_columns = len(row_lines) - 1, len(column_lines) - 1
    if n_rows < MIN_ROWS or n_columns < 1:
        return None
    row, column = _meet(row_lines.T[:, :, None], column_lines.T[:, None, :])
    high, wide = np.median(np.diff(row, axis=0)), np.median(np.diff(column, axis=1))
    if high < MIN_HEIGHT * height or wide < MIN_WIDTH * height:
        return None
    cells = []
    for i, j in np.ndindex(n_rows, n_columns):
        corners = np.ix_((i, i + 1), (j, j + 1))
        top, bottom = np.rint(row[corners].mean(axis=1)).astype(int)
        left, right = np.rint(column[corners].mean(axis=0)).astype(int)
        cells.append((i, j, Box(*(max(int(side), 0) for side in (top, bottom, left, right)))))
    return Grid(tuple(cells), n_rows, n_columns)


def _borders(
    lines: Lines, which: IntArray, across: Lines, others: IntArray, height: float
) -> Float64Array:
    """Start and slope of the lines between cells, in order, of shape (n, 2).

    `lines` are those in one direction, `across` the others. Where these go on beyond the outermost
    line, the table is open, and ends where they do. In a pattern, no line may run all along it.
    """
    first, last = lines.start[which].min(), lines.stop[which].max()
    is_long = lines.length[which] >= MIN_SPAN * (last - first)
    span = across.stop[others].max() - across.start[others].min()
    # The lines across, which run from the first of these lines to the last.
    long_others = others[across.length[others] >= MIN_SPAN * span]
    if not (is_long.any() and len(long_others)):
        return np.empty((0, 2))
    middle = (first + last) / 2
    values = _values(lines, which[is_long]).T
    places = values @ (1, middle)
    order = np.argsort(places)
    values, places = values[order], places[order]
    starts = np.flatnonzero(np.diff(places, prepend=-np.inf) > DOUBLE * height)
    stops = [*starts[1:], len(values)]
    merged = [values[one:other].mean(axis=0) for one, other in zip(starts, stops, strict=True)]
    slope = float(np.median(values[:, 1]))
    for end, sides in ((0, across.start), (-1, across.stop - 1)):
        at, _ = across.end(-end)
        # Start of the line of the same slope through each end.
        opened = float(np.median(sides[long_others] - slope * at[long_others]))
        beyond = (opened + slope * middle) - merged[end] @ (1, middle)
        if beyond * (1 if end else -1) >= MIN_OPEN * height:
            merged.insert(0 if end == 0 else len(merged), np.array([opened, slope]))
    return np.array(merged)
