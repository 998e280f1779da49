"""Seams along which ink is cut into pieces: paths from top to bottom that cross little of it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from mnist_svm._types import Float32Array, Float64Array, IntArray

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


@dataclass(frozen=True, eq=False)
class Cuts:
    """Seams along which ink may be cut, of which some cross or are close to each other.

    Attributes
    ----------
    notches, others : int ndarrays of shape (n, n_rows), the first column in each row that is to the
        right of a seam: those at notches of the outline, and those found elsewhere.
    notch_costs, other_costs : ndarrays of shape (n,), the ink that each crosses.
    lean : int ndarray of shape (n_rows,), columns of a line that leans as the writing does.
    height : usual height of a digit in pixels.
    """

    notches: IntArray
    notch_costs: Float64Array
    others: IntArray
    other_costs: Float64Array
    lean: IntArray
    height: float

    def choose(self, n_ways: int = 1) -> list[list[IntArray]]:
        """Choose seams that are apart, in several ways; each from left to right.

        Where cuts cross, the first way prefers those through little ink, and the second those that
        lean as the writing does; every other begins with seams that none before has.
        """
        lean = np.ptp(self.notches - self.lean, axis=1)
        # Cuts at notches are better than all others.
        n_others = len(self.other_costs)
        by_ink = np.argsort(self.notch_costs, kind="stable"), np.argsort(lean, kind="stable")
        others = len(lean) + np.argsort(self.other_costs, kind="stable")
        seams = np.concatenate([self.notches, self.others])
        least = np.repeat([MIN_NOTCH_DISTANCE, MIN_DISTANCE], [len(lean), n_others]) * self.height
        is_chosen = np.zeros(len(seams), dtype=bool)
        ways = []
        for way in range(n_ways):
            order = np.concatenate([by_ink[way == 1], others])
            if way > 1:
                order = order[np.argsort(is_chosen[order], kind="stable")]
            chosen: list[int] = []
            for k in order.tolist():
                if not chosen or _is_apart(seams[k], seams[chosen], least[k]):
                    chosen.append(k)
            is_chosen[chosen] = True
            ways.append(sorted((seams[k] for k in chosen), key=lambda seam: float(seam.mean())))
        return ways


def find_cuts(ink: Float32Array, height: float, pen: float, slant: float = 0.0) -> Cuts:
    """Find the seams along which ink may be cut.

    Parameters
    ----------
    ink : float32 ndarray of shape (n_rows, n_columns), 0 to 1
    height : usual height of a digit in pixels
    pen : width of the pen in pixels
    slant : lean of the writing to the right, columns per row upwards
    """
    n_rows = len(ink)
    # Columns of a slanted line through the middle of the ink, relative to its own middle.
    lean = np.rint(slant * ((n_rows - 1) / 2 - np.arange(n_rows))).astype(np.intp)
    rows, columns = np.nonzero(ink > 0.5)
    if not len(rows):
        none = np.empty((0, n_rows), dtype=np.intp), np.empty(0)
        return Cuts(*none, *none, lean, height)
    places = columns - lean[rows]
    left, right = int(places.min()), int(places.max())
    notches = _notches(rows, places - left, height)
    lines, line_costs = _lines_between(ink, notches, left, lean, height)
    middles = [column + left for notch in notches for _, column in notch]
    starts = np.arange(left + 0.14 * height, right - 0.1 * height, STEP * height)
    bands = [max(round(band * height), 2) for band in (NOTCH_BAND, BAND)]
    seams, costs = _cheapest_seams(
        ink,
        np.concatenate([np.array(middles, dtype=np.intp), np.rint(starts).astype(np.intp)]),
        np.repeat(bands, [len(middles), len(starts)]),
        lean,
    )
    n = len(middles)
    cuts = np.concatenate([lines, seams[:n]]), np.concatenate([line_costs, costs[:n]])
    allowed = cuts[1] <= MAX_NOTCH_CROSSED * pen
    few = costs[n:] <= MAX_CROSSED * pen
    return Cuts(cuts[0][allowed], cuts[1][allowed], seams[n:][few], costs[n:][few], lean, height)


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
        [(int(outline[k]), k) for k in _valleys((sign * outline).tolist(), depth, width)]
        for sign, outline in ((1, top), (-1, bottom))
    ]


def _valleys(outline: list[int], depth: float, width: int) -> list[int]:
    """Middles of the local maxima that exceed the lowest value on both sides by `depth`."""
    found, k, n = [], 1, len(outline)
    while k < n - 1:
        stop = k
        while stop < n - 1 and outline[stop + 1] == outline[k]:
            stop += 1
        left, right = outline[max(k - width, 0) : k], outline[stop + 1 : stop + 1 + width]
        value = outline[k]
        is_peak = left and right and left[-1] < value and right[0] < value
        if is_peak and value - min(left) >= depth and value - min(right) >= depth:
            found.append((k + stop) // 2)
        k = stop + 1
    return found


def _lines_between(
    ink: Float32Array,
    notches: list[list[tuple[int, int]]],
    left: int,
    lean: IntArray,
    height: float,
) -> tuple[IntArray, Float64Array]:
    """Straight cuts between upper and lower notches; and their ink."""
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
    return lines, padded[rows, places].sum(axis=1, dtype=np.float64)


def _is_apart(seam: IntArray, others: IntArray, distance: float) -> bool:
    """Whether a seam crosses none of the others, of shape (n, n_rows), and is not close to them."""
    differences = seam - others
    crosses = (differences.min(axis=1) < 0) & (differences.max(axis=1) > 0)
    return not crosses.any() and float(np.abs(differences.mean(axis=1)).min()) >= distance


def _cheapest_seams(
    ink: Float32Array, middles: IntArray, bands: IntArray, lean: IntArray
) -> tuple[IntArray, Float64Array]:
    """Column in each row of the cheapest path within a band around each middle; and its ink.

    S. Avidan, A. Shamir, "Seam carving for content-aware image resizing", ACM Transactions on
    Graphics 26 (2007), equation 5, with a small extra cost for each step to the side. All bands
    are searched at once.
    """
    n_rows, n_columns = ink.shape
    if not len(middles):
        return np.empty((0, n_rows), dtype=np.intp), np.empty(0)
    # One column more on each side, which no path can reach.
    widest = int(bands.max()) + 1
    offsets = np.arange(-widest, widest + 1)
    columns = middles[:, None] + offsets
    places = columns + lean[:, None, None]
    padded = np.pad(ink.astype(np.float64), ((0, 0), (0, 1)))
    places = np.where((places < 0) | (places > n_columns), n_columns, places)
    totals = padded[np.arange(n_rows)[:, None, None], places]
    totals[:, np.abs(offsets) > bands[:, None]] = np.inf
    for above, total in pairwise(totals):
        best, sideways = above.copy(), above + SIDE_STEP
        np.minimum(best[:, 1:], sideways[:, :-1], out=best[:, 1:])
        np.minimum(best[:, :-1], sideways[:, 1:], out=best[:, :-1])
        total += best
    seams = np.empty((len(middles), n_rows), dtype=np.intp)
    each, steps = np.arange(len(middles)), np.array([0, -1, 1])
    position = totals[-1].argmin(axis=1)
    costs = totals[-1][each, position]
    seams[:, -1] = columns[each, position] + lean[-1]
    for row in range(n_rows - 2, -1, -1):
        around = totals[row][each[:, None], position[:, None] + steps]
        around[:, 1:] += SIDE_STEP
        position = position + steps[around.argmin(axis=1)]
        seams[:, row] = columns[each, position] + lean[row]
    return seams, costs
