"""Find straight thin lines in a mask of ink, of any length, across what is written over them.

A nearly horizontal line is made of vertical runs of ink that are short. Runs beside each other make
a segment, which ends where a stroke crosses the line; segments that continue each other make a
line. Vertical lines are found in the transposed mask.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import ndimage

from mnist_svm._types import Array, BoolArray, Float64Array, IntArray, Mask
from mnist_svm.pictures.runs import Runs, run_pixels

# Shortest segment, in pixels and in thicknesses; greatest slope of lines, rows per column.
MIN_SEGMENT, MIN_SEGMENT_RATIO, MAX_SLOPE = 5, 1.5, 0.2
# Greatest root mean square distance from a straight line: the larger of pixels and thicknesses.
MAX_RMS, MAX_RMS_RATIO = 0.6, 0.22
# More segments than this, straight or bent, the longest, are not looked at: they are noise; nor
# are more lines.
MAX_SEGMENTS, MAX_BENT, MAX_LINES = 4000, 300, 1500
# Straight parts that a bent segment is cut into, if it is as long as this multiple of the height of
# the writing: shorter ones are strokes.
MAX_PARTS, MIN_BENT = 6, 1.0
# Columns that a straight part of a bent segment may lack.
MAX_HOLE = 4
# Gap between segments of a line that has no ink in it, in thicknesses and pixels, and in heights of
# the writing; and the fraction of a longer gap that must be filled.
MAX_GAP_RATIO, MAX_GAP, MAX_GAP_HEIGHT, MIN_FILLED = 4, 4, 0.25, 0.8
# Longest gap that strokes may fill, in heights of the writing.
MAX_CROSSED = 8
# Distance of the ends of a segment from the line that it continues: pixels, thicknesses, and
# fraction of the distance along the line.
OFF, OFF_RATIO, OFF_ALONG = 1.0, 0.6, 0.015
# Length of a run along a line, in thicknesses and pixels, up to which it is no crossing stroke.
MAX_RUN_RATIO, MAX_RUN = 1.35, 1.5
# Dashes of a line: least number, greatest length in heights of the writing, greatest difference of
# lengths and of gaps, as a fraction, and the fraction that must be so alike: those at corners and
# crossings are not.
MIN_DASHES, MAX_DASH, SAME_DASH, MIN_ALIKE = 3, 0.4, 0.3, 0.6


@dataclass(frozen=True)
class Lines:
    """Straight lines in a mask: ``row = at + slope * column`` for ``start <= column < stop``.

    All arrays have the shape (n,).

    Attributes
    ----------
    thickness : mean length of the vertical runs.
    filled : fraction of the columns with ink on the line.
    is_dashed : whether it is made of dashes at regular distances.
    members : indices of the runs of each line.
    thin : the runs that members are of.
    shape : of the mask.
    """

    start: IntArray
    stop: IntArray
    at: Float64Array
    slope: Float64Array
    thickness: Float64Array
    filled: Float64Array
    is_dashed: BoolArray
    members: list[IntArray]
    thin: Runs
    shape: tuple[int, int]

    def __len__(self) -> int:
        return len(self.members)

    @property
    def length(self) -> IntArray:
        """Number of columns."""
        return self.stop - self.start

    def end(self, last: int) -> tuple[Float64Array, IntArray]:
        """Row and column of the first end, or of the last (1)."""
        column = self.stop - 1 if last else self.start
        return self.at + self.slope * column, column

    def take(self, which: IntArray) -> Lines:
        """Some of the lines."""
        members = [self.members[k] for k in which]
        return Lines(*(part[which] for part in self._arrays()), members, self.thin, self.shape)

    def with_lines(self, others: Lines) -> Lines:
        """These lines and others of the same runs."""
        pairs = zip(self._arrays(), others._arrays(), strict=True)
        members = self.members + others.members
        return Lines(*(np.concatenate(pair) for pair in pairs), members, self.thin, self.shape)

    def _arrays(self) -> tuple[Array, ...]:
        ends = self.start, self.stop, self.at, self.slope
        return *ends, self.thickness, self.filled, self.is_dashed

    def curvature(self, line: int) -> float:
        """Common curvature of the segments of a line, per pixel: arcs of digits have one."""
        runs = self.thin.take(self.members[line])
        order = np.argsort(runs.columns, kind="stable")
        columns, rows = runs.columns[order], runs.middles[order]
        bend, square = 0.0, 1.0
        for part in np.split(np.arange(len(order)), np.flatnonzero(np.diff(columns) > 1) + 1):
            off = columns[part] - columns[part].mean()
            parabola = off * off / 2
            # Without what a straight line has of it.
            parabola -= parabola.mean()
            bend += float(parabola @ rows[part])
            square += float(parabola @ parabola)
        return bend / square

    def runs(self, line: int, *, extended: bool = False) -> Runs:
        """The runs along a line, without crossing strokes; beyond its ends as well, if extended."""
        start, stop = int(self.start[line]), int(self.stop[line])
        columns = np.arange(0, self.shape[1]) if extended else np.arange(start, stop)
        rows = np.rint(self.at[line] + self.slope[line] * columns).astype(int)
        keys = self.thin.columns * self.shape[0] + self.thin.tops
        found = np.full(len(columns), -1)
        for shift in (0, -1, 1):
            shifted = rows + shift
            k = np.searchsorted(keys, columns * self.shape[0] + shifted, side="right") - 1
            is_run = (found < 0) & (k >= 0) & (shifted >= 0) & (shifted < self.shape[0])
            is_run &= self.thin.columns[k] == columns
            is_run &= shifted < self.thin.tops[k] + self.thin.lengths[k]
            found[is_run] = k[is_run]
        if extended:
            found[~self._is_reached(columns, found >= 0, line)] = -1
        # A line that is bent leaves the straight one.
        numbers = np.union1d(found[found >= 0], self.members[line])
        runs = self.thin.take(numbers)
        return runs.take(runs.lengths <= MAX_RUN_RATIO * self.thickness[line] + MAX_RUN)

    def _is_reached(self, columns: IntArray, is_run: BoolArray, line: int) -> BoolArray:
        """Whether from a line, its continuation to each column has only short gaps."""
        gap = self.thickness[line] + 2
        last = np.maximum.accumulate(np.where(is_run, columns, int(self.start[line])))
        before = np.flatnonzero((columns - last > gap) & (columns >= self.stop[line]))
        following = np.where(is_run, columns, int(self.stop[line]))[::-1]
        following = np.minimum.accumulate(following)[::-1]
        behind = np.flatnonzero((following - columns > gap) & (columns < self.start[line]))
        end = before[0] if len(before) else len(columns)
        first = behind[-1] if len(behind) else -1
        return np.asarray((columns > first) & (columns < end))


def find_straight_lines(mask: Mask, runs: Runs, max_thickness: float, height: float) -> Lines:
    """Find nearly horizontal straight lines.

    `runs` are the `vertical_runs` of the mask; longer ones than `max_thickness` belong to no line.
    `height` is that of the writing.
    """
    thin = runs.take(runs.lengths <= max_thickness)
    segments, members = _find_segments(mask.shape, thin, height)
    chains = _chains(mask, segments, height)
    spans = [segments[chain[-1], 1] - segments[chain[0], 0] for chain in chains]
    chains = [chains[k] for k in np.argsort(spans)[::-1][:MAX_LINES]]
    table = np.array([[*segments[chain[0]], 1.0] for chain in chains]).reshape(-1, 6)
    dashed = np.zeros(len(chains), dtype=bool)
    for k, chain in enumerate(chains):
        if len(chain) > 1:
            table[k] = _join(mask, thin.take(np.concatenate([members[j] for j in chain])))
            dashed[k] = _are_dashes(segments[chain], height)
    of_lines = [np.concatenate([members[j] for j in chain]) for chain in chains]
    first, last, at, slope, thickness, filled = table.T
    ends = first.astype(int), last.astype(int) + 1
    return Lines(
        *ends, at, slope, thickness, filled, dashed, of_lines, thin, (mask.shape[0], mask.shape[1])
    )


def _join(mask: Mask, runs: Runs) -> list[float]:
    """First and last column, start, slope, thickness, and filled fraction of a line."""
    slope, at = _fit(runs.columns, runs.middles)
    first, last = int(runs.columns.min()), int(runs.columns.max())
    filled = float(on_line(mask, at, slope, first, last + 1).mean())
    return [first, last, at, slope, float(runs.lengths.mean()), filled]


def _fit(columns: IntArray, rows: Float64Array) -> tuple[float, float]:
    """Slope and start of the line through points, by least squares."""
    middle, mean = float(columns.mean()), float(rows.mean())
    off = columns - middle
    slope = float(off @ (rows - mean)) / max(float(off @ off), 1.0)
    return slope, mean - slope * middle


def on_line(mask: Mask, at: float, slope: float, start: int, stop: int) -> BoolArray:
    """Whether there is ink on a line, or one pixel above or below it, in each column."""
    columns = np.arange(start, stop)
    rows = np.rint(at + slope * columns).astype(int)
    around = np.clip(rows + np.array([[0], [-1], [1]]), 0, len(mask) - 1)
    return np.asarray(mask[around, columns].any(axis=0))


# --- segments ----------------------------------------------------------------------------


def _find_segments(
    shape: tuple[int, ...], thin: Runs, height: float
) -> tuple[Float64Array, list[IntArray]]:
    """Straight segments: first and last column, start, slope and thickness, of shape (n, 5).

    Also the indices of the runs of each.
    """
    if not len(thin.columns):
        return np.empty((0, 5)), []
    labels = _label_runs(thin, shape)
    counts = np.bincount(labels)
    fits = _fit_all(labels, thin, counts)
    least = np.maximum(MIN_SEGMENT, MIN_SEGMENT_RATIO * fits[4])
    is_straight = (fits[5] <= 1) & (np.abs(fits[3]) <= MAX_SLOPE)
    # Strokes above each other have several runs in a column.
    is_straight &= (counts >= least) & (counts <= 1.2 * (fits[1] - fits[0] + 1))
    is_bent = ~is_straight & (fits[1] - fits[0] + 1 >= MIN_BENT * height) & (counts >= least)
    limits = (is_straight, MAX_SEGMENTS), (is_bent, MAX_BENT)
    chosen = np.concatenate(
        [
            np.argsort(-counts * part, kind="stable")[: min(part.sum(), limit)]
            for part, limit in limits
        ]
    )
    order = np.argsort(labels, kind="stable")
    firsts = np.cumsum(counts) - counts
    found: list[Float64Array] = []
    members: list[IntArray] = []
    for label in chosen:
        of_label = order[firsts[label] : firsts[label] + counts[label]]
        if is_straight[label]:
            found.append(fits[:5, label])
            members.append(of_label)
            continue
        for part in _straight_parts(thin, of_label, float(least[label])):
            runs = thin.take(part)
            slope, at = _fit(runs.columns, runs.middles)
            ends = runs.columns.min(), runs.columns.max()
            found.append(np.array([*ends, at, slope, runs.lengths.mean()]))
            members.append(part)
    return np.array(found).reshape(-1, 5), members


def _label_runs(runs: Runs, shape: tuple[int, ...]) -> IntArray:
    """Number of the connected component of each run."""
    image = np.zeros(shape[::-1], dtype=bool)
    image.ravel()[run_pixels(runs, shape[0])] = True
    labels, _ = ndimage.label(image, structure=np.ones((3, 3)))
    return np.asarray(labels.ravel()[runs.columns * shape[0] + runs.tops])


def _fit_all(labels: IntArray, runs: Runs, counts: IntArray) -> Float64Array:
    """First and last column, start, slope, thickness and error of all components of runs.

    The error is that of a straight line, as a multiple of what is tolerated; shape (6, n).
    """
    n, count = len(counts), np.maximum(counts, 1)
    x, y = runs.columns.astype(float), runs.middles
    x_mean, y_mean, thickness = (
        np.bincount(labels, values, n) / count for values in (x, y, runs.lengths)
    )
    x, y = x - x_mean[labels], y - y_mean[labels]
    xx, xy, yy = (np.bincount(labels, values, n) for values in (x * x, x * y, y * y))
    slope = xy / np.maximum(xx, 1)
    rms = np.sqrt(np.maximum(yy - slope * xy, 0) / count)
    first, last = np.full(n, np.inf), np.full(n, -np.inf)
    np.minimum.at(first, labels, runs.columns)
    np.maximum.at(last, labels, runs.columns)
    error = rms / np.maximum(MAX_RMS, MAX_RMS_RATIO * thickness)
    return np.stack([first, last, y_mean - slope * x_mean, slope, thickness, error])


def _straight_parts(runs: Runs, members: IntArray, least: float) -> list[IntArray]:
    """The straight parts of a bent component of runs, the longest first."""
    parts: list[IntArray] = []
    for _ in range(MAX_PARTS):
        if len(members) < least:
            break
        rest = runs.take(members)
        tolerance = max(MAX_RMS, MAX_RMS_RATIO * float(np.median(rest.lengths)))
        is_near = _vote(rest.columns, rest.middles, 2 * tolerance)
        near = members[is_near]
        if len(near) < least:
            break
        # On a ring, both sides may be near one line.
        near = near[np.argsort(runs.columns[near], kind="stable")]
        stretches = np.split(near, np.flatnonzero(np.diff(runs.columns[near]) > MAX_HOLE) + 1)
        longest = max(stretches, key=len)
        if len(longest) >= least:
            parts.append(longest)
        members = members[~is_near]
    return parts


# Slopes that are voted for, and points that vote.
_SLOPES = np.linspace(-MAX_SLOPE, MAX_SLOPE, 81)
_N_VOTERS = 200


def _vote(columns: IntArray, rows: Float64Array, tolerance: float) -> BoolArray:
    """Which points are near the line through most of them (Hough transform)."""
    step = -(-len(columns) // _N_VOTERS)
    x, y = columns[::step], rows[::step]
    starts = y - _SLOPES[:, None] * (x - columns[0])
    bins = np.rint((starts - starts.min()) / tolerance).astype(int)
    n_bins = int(bins.max()) + 2
    indices = bins + n_bins * np.arange(len(_SLOPES))[:, None]
    votes = np.bincount(indices.ravel(), minlength=n_bins * len(_SLOPES)).reshape(-1, n_bins)
    both = votes[:, :-1] + votes[:, 1:]
    slope, start = np.unravel_index(both.argmax(), both.shape)
    at = starts.min() + tolerance * (start + 0.5)
    near = np.abs(rows - at - _SLOPES[slope] * (columns - columns[0])) <= 1.5 * tolerance
    if np.count_nonzero(near) > 2:
        fitted, begin = _fit(columns[near], rows[near])
        near = np.abs(rows - begin - fitted * columns) <= tolerance
    return np.asarray(near)


# --- lines -------------------------------------------------------------------------------


def _chains(mask: Mask, segments: Float64Array, height: float) -> list[list[int]]:
    """Indices of the segments of each line, from left to right."""
    following = _links(mask, segments, height)
    is_first = np.ones(len(segments), dtype=bool)
    is_first[following[following >= 0]] = False
    chains = []
    for first in np.flatnonzero(is_first):
        chain = [int(first)]
        while following[chain[-1]] >= 0:
            chain.append(int(following[chain[-1]]))
        chains.append(chain)
    return chains


def _links(mask: Mask, segments: Float64Array, height: float) -> IntArray:
    """Index of the segment that continues each; -1 where there is none."""
    following = np.full(len(segments), -1)
    order = np.argsort(segments[:, 0], kind="stable")
    starts, ends = segments[order, 0], segments[:, 1]
    low = np.searchsorted(starts, ends - 1)
    high = np.searchsorted(starts, ends + max(MAX_CROSSED * height, 10.0), side="right")
    counts = high - low
    left = np.repeat(np.arange(len(segments)), counts)
    offsets = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    right = order[np.repeat(low, counts) + offsets]
    is_pair = _continue(segments[left], segments[right])
    left, right = left[is_pair], right[is_pair]
    # Near segments continue each other; rather long ones than a bit of a stroke beside them.
    lengths = segments[:, 1] - segments[:, 0]
    gaps = segments[right, 0] - segments[left, 1] - np.minimum(lengths[left], lengths[right])
    for k in np.argsort(gaps, kind="stable"):
        one, other = int(left[k]), int(right[k])
        is_free = following[one] < 0 and not (following == other).any()
        if is_free and _is_bridged(mask, segments[one], segments[other], height):
            following[one] = other
    return following


def _continue(left: Float64Array, right: Float64Array) -> BoolArray:
    """Whether segments continue others, by the line of the longer one of both."""
    is_left = (left[:, 1] - left[:, 0] >= right[:, 1] - right[:, 0])[:, None]
    longer, shorter = np.where(is_left, left, right), np.where(is_left, right, left)
    is_alike = np.abs(np.log2((left[:, 4] + 1) / (right[:, 4] + 1))) <= 1
    gap = right[:, 0] - left[:, 1]
    along = gap + shorter[:, 1] - shorter[:, 0]
    tolerance = np.maximum(OFF, OFF_RATIO * longer[:, 4]) + OFF_ALONG * along
    for end in (0, 1):
        place = shorter[:, end]
        off = shorter[:, 2] - longer[:, 2] + (shorter[:, 3] - longer[:, 3]) * place
        is_alike &= np.abs(off) <= tolerance
    return np.asarray(is_alike)


def _is_bridged(mask: Mask, left: Float64Array, right: Float64Array, height: float) -> bool:
    """Whether the gap between two segments is short or filled with ink."""
    start, stop = int(left[1]) + 1, int(right[0])
    limit = min(MAX_GAP_RATIO * min(left[4], right[4]) + MAX_GAP, MAX_GAP_HEIGHT * height + 2)
    if stop <= start:
        return True
    first, last = left[2] + left[3] * left[1], right[2] + right[3] * right[0]
    slope = (last - first) / (right[0] - left[1])
    filled = on_line(mask, first - slope * left[1], slope, start, stop)
    gaps = np.diff(np.flatnonzero(np.concatenate([[True], filled, [True]]))) - 1
    is_filled = filled.mean() >= MIN_FILLED or len(filled) <= 2 * limit
    return bool(is_filled and gaps.max() <= limit + 1)


def _are_dashes(chain: Float64Array, height: float) -> bool:
    """Whether segments are dashes of one length at regular distances."""
    if len(chain) < MIN_DASHES:
        return False
    lengths = chain[:, 1] - chain[:, 0] + 1
    gaps = np.array([right[0] - left[1] for left, right in pairwise(chain)])
    usual = float(np.median(lengths))
    alike = [
        np.mean(np.abs(values - np.median(values)) <= SAME_DASH * np.median(values) + 1)
        for values in (lengths, gaps)
    ]
    return bool(usual <= MAX_DASH * height and min(alike) >= MIN_ALIKE)
