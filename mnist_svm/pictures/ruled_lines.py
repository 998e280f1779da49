"""Find ruled lines, the grid of squared paper and the frames of forms."""

from __future__ import annotations

import numpy as np

from mnist_svm._types import IntegerArray, Mask

# Shorter side, in pixels, below which a picture is not searched for lines.
MIN_SIDE = 16

# Least length of a line, as a fraction of the picture's width, and its slopes, rows per column:
# up to 8 degrees, in steps of a quarter of a degree.
MIN_LENGTH = 0.6
SLOPES = np.tan(np.deg2rad(np.arange(-8, 8.01, 0.25)))

# Greatest thickness of a line, and the distance from the picture's border up to which it counts as
# crossing the whole picture, as fractions of the picture's side.
MAX_THICKNESS, MAX_END_GAP = 0.06, 0.04
# More lines than this are noise.
MAX_LINES = 100


def find_lines(mask: Mask) -> tuple[list[Mask], list[Mask]]:
    """Find horizontal lines and vertical lines; see `find_horizontal_lines`."""
    return find_horizontal_lines(mask), [line.T for line in find_horizontal_lines(mask.T)]


def find_horizontal_lines(mask: Mask) -> list[Mask]:
    """Find the straight, nearly horizontal lines in a mask of ink of shape (height, width).

    Returns a mask of that shape for each line, from top to bottom: True on the line, except where
    strokes cross it.
    """
    width = mask.shape[1]
    if min(mask.shape) < MIN_SIDE:
        return []
    upper_edges = mask.copy()
    upper_edges[1:] &= ~mask[:-1]
    candidates = _hough_lines(upper_edges)
    if not candidates:
        return []
    runs = vertical_runs(mask)
    max_thickness = max(MAX_THICKNESS * max(mask.shape), 2)
    crossing: list[Mask] = []
    ending_inside: list[Mask] = []
    for start, slope in candidates:
        pixels = trace_line(mask, *runs, start, slope, MIN_LENGTH, max_thickness)
        (columns,) = np.nonzero(pixels.any(axis=0))
        if len(columns):
            end_gap = max(columns[0], width - 1 - columns[-1])
            (crossing if end_gap <= MAX_END_GAP * width else ending_inside).append(pixels)
    # A single line that ends inside the picture is a stroke; two or more are a frame.
    lines = crossing + (ending_inside if len(ending_inside) > 1 else [])
    return sorted(lines, key=lambda line: int(line.any(axis=1).argmax()))


def _hough_lines(edges: Mask) -> list[tuple[float, float]]:
    """First row and slope of the lines with edge pixels in most columns (Hough transform)."""
    height, width = edges.shape
    rows, columns = np.nonzero(edges)
    if len(rows) < MIN_LENGTH * width:
        return []
    offset = int(np.ceil(SLOPES.max() * width)) + 2
    votes = np.stack(
        [
            np.bincount(
                np.rint(rows - slope * columns).astype(int) + offset, minlength=height + 2 * offset
            )
            for slope in SLOPES
        ]
    )
    votes = votes[:, :-2] + votes[:, 1:-1] + votes[:, 2:]
    lines: list[tuple[float, float]] = []
    while votes.max() >= MIN_LENGTH * width and len(lines) <= MAX_LINES:
        slope, start = np.unravel_index(votes.argmax(), votes.shape)
        lines.append((float(start + 1 - offset), float(SLOPES[slope])))
        # Remove the votes for lines that cross the middle column nearby.
        near = 3 + round(MAX_THICKNESS * height / 2)
        middle = start + SLOPES[slope] * width / 2
        for other, other_slope in enumerate(SLOPES):
            centre = round(middle - other_slope * width / 2)
            votes[other, max(centre - near, 0) : centre + near] = 0
    return lines


def vertical_runs(mask: Mask) -> tuple[IntegerArray, IntegerArray]:
    """First row and length of the vertical run of ink that each pixel belongs to."""
    height, _ = mask.shape
    rows = np.arange(height, dtype=np.int32)[:, None]
    first = np.maximum.accumulate(np.where(mask, -1, rows), axis=0) + 1
    last = np.minimum.accumulate(np.where(mask, height, rows)[::-1], axis=0)[::-1] - 1
    return first, np.where(mask, last - first + 1, 0)


def trace_line(
    mask: Mask,
    first: IntegerArray,
    lengths: IntegerArray,
    start: float,
    slope: float,
    min_length: float,
    max_thickness: float,
) -> Mask:
    """Pixels of the vertical runs along a line that are no longer than the line is thick.

    `first` and `lengths` are those of `vertical_runs`. There are none if the line covers less than
    `min_length` of the width, or is thicker than `max_thickness` pixels.
    """
    height, width = mask.shape
    columns = np.arange(width)
    line = np.zeros_like(mask)
    centres = np.rint(start + slope * columns).astype(int)
    rows = np.full(width, -1)
    for shift in (0, 1, -1, 2, -2):
        shifted = np.clip(centres + shift, 0, height - 1)
        is_hit = (rows < 0) & mask[shifted, columns]
        rows[is_hit] = shifted[is_hit]
    columns = columns[rows >= 0]
    if not len(columns) or len(columns) / width < min_length:
        return line
    rows = rows[columns]
    run_lengths = lengths[rows, columns]
    thickness = float(np.median(run_lengths))
    if thickness > max_thickness:
        return line
    for column, begin, length in zip(columns, first[rows, columns], run_lengths, strict=True):
        if length <= 1.5 * thickness + 1:
            line[begin : begin + length, column] = True
    return line
