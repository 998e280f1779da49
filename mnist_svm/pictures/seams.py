"""Seams along which ink is cut into pieces: paths from top to bottom that cross little of it."""

from __future__ import annotations

import numpy as np

from mnist_svm._types import Array, Float32Array, Float64Array, IntArray

# Distance of the starting points of seams, half the width of the band that a seam stays in, and
# least distance of two cuts, as fractions of the usual height of digits.
STEP, BAND, MIN_DISTANCE = 0.08, 0.16, 0.16
# The same for cuts from a notch in the upper outline to one in the lower: least depth of a notch,
# width of its slopes, greatest distance of both, and least distance of two cuts.
MIN_DEPTH, SLOPE, MAX_LEAN, MIN_NOTCH_DISTANCE = 0.05, 0.35, 0.4, 0.08
# Half the width of the band of a seam that starts at a single notch.
NOTCH_BAND = 0.08
# Extra cost of a step to the side, in pixels of ink.
SIDE_STEP = 0.05
# Ink that a seam may cross, and a cut between notches, as multiples of the pen's width.
MAX_CROSSED, MAX_NOTCH_CROSSED = 3.2, 7.0


def cut_positions(
    ink: Float32Array, height: float, pen: float, slant: float = 0.0, *, upright: bool = False
) -> list[IntArray]:
    """Find the seams along which ink may be cut.

    Parameters
    ----------
    ink : float32 ndarray of shape (n_rows, n_columns), 0 to 1
    height : usual height of a digit in pixels
    pen : width of the pen in pixels
    slant : lean of the writing to the right, columns per row upwards
    upright : whether of cuts that cross, those that lean as the writing does are preferred, or
        those that cross the least ink

    Returns
    -------
    list of int ndarray of shape (n_rows,)
        For each seam, the first column in each row that is to the right of it; from left to right.
        No two of them cross.
    """
    n_rows = len(ink)
    # Columns of a slanted line through the middle of the ink, relative to its own middle.
    lean = np.rint(slant * ((n_rows - 1) / 2 - np.arange(n_rows))).astype(np.intp)
    rows, columns = np.nonzero(ink > 0.5)
    if not len(rows):
        return []
    places = columns - lean[rows]
    left, right = int(places.min()), int(places.max())
    chosen: list[IntArray] = []
    notches = _notches(rows, places - left, height)
    cuts, costs = _notch_cuts(ink, notches, left, lean, height)
    allowed = costs <= MAX_NOTCH_CROSSED * pen
    cuts, costs = cuts[allowed], costs[allowed]
    order = np.ptp(cuts - lean, axis=1) if upright else costs
    _choose(chosen, cuts, order, MIN_NOTCH_DISTANCE * height)
    starts = np.arange(left + 0.14 * height, right - 0.1 * height, STEP * height)
    if len(starts):
        band = max(round(BAND * height), 2)
        cuts, costs = _cheapest_seams(ink, np.rint(starts).astype(np.intp), band, lean)
        allowed = costs <= MAX_CROSSED * pen
        _choose(chosen, cuts[allowed], costs[allowed], MIN_DISTANCE * height)
    return sorted(chosen, key=lambda seam: float(seam.mean()))


def _choose(chosen: list[IntArray], seams: IntArray, costs: Array, distance: float) -> None:
    """Append the cheapest seams that are apart from those chosen."""
    for k in np.argsort(costs, kind="stable"):
        if not chosen or _is_apart(seams[k], np.array(chosen), distance):
            chosen.append(seams[k])


def _notches(rows: IntArray, columns: IntArray, height: float) -> list[list[tuple[int, int]]]:
    """Notches (row, column) in the upper outline and in the lower, of the pixels of ink."""
    n = int(columns.max()) + 1
    top, bottom = np.full(n, 10**6), np.full(n, -1)
    np.minimum.at(top, columns, rows)
    np.maximum.at(bottom, columns, rows)
    # Columns without ink are as deep as all of it.
    middle = int(rows.max()) // 2
    top, bottom = np.where(top > 10**5, middle, top), np.where(bottom < 0, middle, bottom)
    depth, width = MIN_DEPTH * height, max(round(SLOPE * height), 2)
    return [
        [(int(outline[k]), k) for k in _valleys(sign * outline, depth, width)]
        for sign, outline in ((1, top), (-1, bottom))
    ]


def _valleys(outline: IntArray, depth: float, width: int) -> list[int]:
    """Middles of the local maxima that exceed the lowest value on both sides by `depth`."""
    found, k, n = [], 1, len(outline)
    while k < n - 1:
        stop = k
        while stop < n - 1 and outline[stop + 1] == outline[k]:
            stop += 1
        left, right = outline[max(k - width, 0) : k], outline[stop + 1 : stop + 1 + width]
        value = outline[k]
        is_peak = len(left) and len(right) and left[-1] < value and right[0] < value
        if is_peak and value - left.min() >= depth and value - right.min() >= depth:
            found.append((k + stop) // 2)
        k = stop + 1
    return found


def _notch_cuts(
    ink: Float32Array,
    notches: list[list[tuple[int, int]]],
    left: int,
    lean: IntArray,
    height: float,
) -> tuple[IntArray, Float64Array]:
    """Straight cuts between upper and lower notches, and narrow seams from single ones."""
    n_rows, n_columns = ink.shape
    rows = np.arange(n_rows)
    cuts = [
        np.rint(np.interp(rows, [row, below], [column, other])).astype(np.intp) + left + lean
        for row, column in notches[0]
        for below, other in notches[1]
        if below > row and abs(column - other) <= MAX_LEAN * height
    ]
    lines = np.array(cuts, dtype=np.intp).reshape(-1, n_rows)
    padded = np.pad(ink, ((0, 0), (0, 1)))
    places = np.where((lines < 0) | (lines > n_columns), n_columns, lines)
    costs = padded[rows, places].sum(axis=1, dtype=np.float64)
    middles = np.array([column + left for notch in notches for _, column in notch], dtype=np.intp)
    if not len(middles):
        return lines, costs
    band = max(round(NOTCH_BAND * height), 2)
    seams, seam_costs = _cheapest_seams(ink, middles, band, lean)
    return np.concatenate([lines, seams]), np.concatenate([costs, seam_costs])


def _is_apart(seam: IntArray, others: IntArray, distance: float) -> bool:
    """Whether a seam crosses none of the others, of shape (n, n_rows), and is not close to them."""
    differences = seam - others
    crosses = (differences.min(axis=1) < 0) & (differences.max(axis=1) > 0)
    return not crosses.any() and float(np.abs(differences.mean(axis=1)).min()) >= distance


def _cheapest_seams(
    ink: Float32Array, middles: IntArray, band: int, lean: IntArray
) -> tuple[IntArray, Float64Array]:
    """Column in each row of the cheapest path within a band around each middle; and its ink.

    S. Avidan, A. Shamir, "Seam carving for content-aware image resizing", ACM Transactions on
    Graphics 26 (2007), equation 5, with a small extra cost for each step to the side. All bands
    are searched at once.
    """
    n_rows, n_columns = ink.shape
    columns = middles[:, None] + np.arange(-band, band + 1)
    places = columns + lean[:, None, None]
    cost = np.pad(ink, ((0, 0), (0, 1)))[
        np.arange(n_rows)[:, None, None], np.where(places < 0, n_columns, places).clip(0, n_columns)
    ]
    total = cost[0].astype(np.float64)
    steps = np.zeros((n_rows, *columns.shape), dtype=np.int8)
    wide = np.full((3, *columns.shape), np.inf)
    for row in range(1, n_rows):
        wide[0] = total
        wide[1, :, 1:] = total[:, :-1] + SIDE_STEP
        wide[2, :, :-1] = total[:, 1:] + SIDE_STEP
        best = wide.argmin(axis=0)
        steps[row] = np.array([0, -1, 1], dtype=np.int8)[best]
        total = wide.min(axis=0) + cost[row]
    seams = np.empty((len(middles), n_rows), dtype=np.intp)
    each = np.arange(len(middles))
    position = total.argmin(axis=1)
    costs = total.min(axis=1)
    for row in range(n_rows - 1, -1, -1):
        seams[:, row] = columns[each, position] + lean[row]
        position = position + steps[row, each, position]
    return seams, costs
