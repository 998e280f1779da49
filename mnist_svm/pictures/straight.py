"""Find straight thin lines in a mask of ink, of any length, across what is written over them.

A nearly horizontal line is made of vertical runs of ink that are short. Runs beside each other make
a segment, which ends where a stroke crosses the line; segments that continue each other make a
line. Vertical lines are found in the transposed mask.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from mnist_svm._types import BoolArray, Float64Array, IntArray, Mask
from mnist_svm.pictures.runs import Runs
from mnist_svm.pictures.segments import find_segments, fit_line

# More lines than this, the longest, are not looked at: they are noise.
MAX_LINES = 1500
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
        return replace(
            self,
            start=self.start[which],
            stop=self.stop[which],
            at=self.at[which],
            slope=self.slope[which],
            thickness=self.thickness[which],
            filled=self.filled[which],
            is_dashed=self.is_dashed[which],
            members=[self.members[k] for k in which],
        )

    def with_lines(self, others: Lines) -> Lines:
        """These lines and others of the same runs."""
        return replace(
            self,
            start=np.append(self.start, others.start),
            stop=np.append(self.stop, others.stop),
            at=np.append(self.at, others.at),
            slope=np.append(self.slope, others.slope),
            thickness=np.append(self.thickness, others.thickness),
            filled=np.append(self.filled, others.filled),
            is_dashed=np.append(self.is_dashed, others.is_dashed),
            members=self.members + others.members,
        )

    def made(self, ends: IntArray, values: Float64Array) -> Lines:
        """Lines in the same runs that have none as members.

        `ends` holds start and stop, of shape (n, 2), `values` the next four attributes, (n, 4).
        """
        none = [np.empty(0, dtype=np.intp)] * len(ends)
        is_dashed = np.zeros(len(ends), dtype=bool)
        start, stop = ends.T
        at, slope, thickness, filled = values.T
        return replace(
            self,
            start=start,
            stop=stop,
            at=at,
            slope=slope,
            thickness=thickness,
            filled=filled,
            is_dashed=is_dashed,
            members=none,
        )

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


def find_straight_lines(
    mask: Mask, runs: Runs, max_thickness: float, stroke: float, height: float
) -> Lines:
    """Find nearly horizontal straight lines.

    `runs` are the `vertical_runs` of the mask; longer ones than `max_thickness` belong to no line.
    `stroke` is the thickness of strokes, `height` that of the writing.
    """
    thin = runs.take(runs.lengths <= max_thickness)
    segments, members = find_segments(mask.shape, thin, stroke, height)
    chains = _chains(mask, segments, height)
    # A bit of a stroke beside a line may have taken the place of a segment.
    lines = np.array([_whole(segments, members, chain, thin) for chain in chains]).reshape(-1, 5)
    chains = [[k for part in parts for k in chains[part]] for parts in _chains(mask, lines, height)]
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


def _whole(
    segments: Float64Array, members: list[IntArray], chain: list[int], thin: Runs
) -> Float64Array:
    """A chain of segments as one segment."""
    if len(chain) == 1:
        return np.asarray(segments[chain[0]])
    runs = thin.take(np.concatenate([members[k] for k in chain]))
    slope, at = fit_line(runs.columns, runs.middles)
    ends = runs.columns.min(), runs.columns.max()
    return np.array([*ends, at, slope, runs.lengths.mean()])


def _join(mask: Mask, runs: Runs) -> list[float]:
    """First and last column, start, slope, thickness, and filled fraction of a line."""
    slope, at = fit_line(runs.columns, runs.middles)
    first, last = int(runs.columns.min()), int(runs.columns.max())
    filled = float(on_line(mask, at, slope, first, last + 1).mean())
    return [first, last, at, slope, float(np.median(runs.lengths)), filled]


def on_line(mask: Mask, at: float, slope: float, start: int, stop: int) -> BoolArray:
    """Whether there is ink on a line, or one pixel above or below it, in each column."""
    columns = np.arange(start, stop)
    rows = np.rint(at + slope * columns).astype(int)
    around = np.clip(rows + np.array([[0], [-1], [1]]), 0, len(mask) - 1)
    return np.asarray(mask[around, columns].any(axis=0))


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
