"""Find straight segments of short vertical runs of ink, which end where a stroke crosses them."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from mnist_svm._types import BoolArray, Float64Array, IntArray
from mnist_svm.pictures.runs import Runs, run_pixels

# Shortest segment, in pixels and in thicknesses; greatest slope of lines, rows per column.
MIN_SEGMENT, MIN_SEGMENT_RATIO, MAX_SLOPE = 5, 1.5, 0.2
# Greatest root mean square distance from a straight line: the larger of pixels and thicknesses.
MAX_RMS, MAX_RMS_RATIO = 0.6, 0.22
# More segments than this, straight or bent, the longest, are not looked at: they are noise.
MAX_SEGMENTS, MAX_BENT = 4000, 300
# Straight parts that a bent segment is cut into, if it is as long as this multiple of the height of
# the writing: shorter ones are strokes.
MAX_PARTS, MIN_BENT = 6, 1.0
# Thickness of lines that are finer than strokes, as a fraction of it, and their least length in
# heights of the writing.
MAX_FINE, MIN_FINE = 0.8, 0.25
# Columns that a straight part of a bent segment may lack.
MAX_HOLE = 4


def fit_line(columns: IntArray, rows: Float64Array) -> tuple[float, float]:
    """Slope and start of the line through points, by least squares."""
    middle, mean = float(columns.mean()), float(rows.mean())
    off = columns - middle
    slope = float(off @ (rows - mean)) / max(float(off @ off), 1.0)
    return slope, mean - slope * middle


def find_segments(
    shape: tuple[int, ...], thin: Runs, stroke: float, height: float
) -> tuple[Float64Array, list[IntArray]]:
    """The segments of lines finer than strokes, and those of what is left; as `_segments_of`.

    Else a stroke that touches a fine line would be one bent segment with it.
    """
    of_fine = np.flatnonzero(thin.lengths <= MAX_FINE * stroke)
    segments, members = _segments_of(shape, thin.take(of_fine), height)
    is_long = segments[:, 1] - segments[:, 0] >= MIN_FINE * height
    segments = segments[is_long]
    members = [of_fine[part] for part, kept in zip(members, is_long, strict=True) if kept]
    is_left = np.ones(len(thin.columns), dtype=bool)
    for part in members:
        is_left[part] = False
    of_rest = np.flatnonzero(is_left)
    others, of_others = _segments_of(shape, thin.take(of_rest), height)
    return np.concatenate([segments, others]), members + [of_rest[part] for part in of_others]


def _segments_of(
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
            slope, at = fit_line(runs.columns, runs.middles)
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
        fitted, begin = fit_line(columns[near], rows[near])
        near = np.abs(rows - begin - fitted * columns) <= tolerance
    return np.asarray(near)
