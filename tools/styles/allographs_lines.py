"""Lines, curves and arcs that strokes are made of, and what a hand adds to them.

A stroke is a float array of shape (k, 2), the way of the pen from where it is set down to where it
is lifted: x to the right, y down. Angles are in degrees.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Stroke = npt.NDArray[np.float64]
Point = tuple[float, float]

# Distance of the points of a stroke, as a fraction of the digit's height.
STEP = 0.01

# Length over which a hand's drift keeps its direction, as a fraction of the digit's height.
DRIFT_LENGTH = 0.35


def ray(start: Point, degrees: float, length: float) -> Point:
    """The point at a distance from another, in a direction: 0 right, 90 down, 180 left."""
    angle = np.radians(degrees)
    return start[0] + length * float(np.cos(angle)), start[1] + length * float(np.sin(angle))


def line(*points: Point) -> Stroke:
    """Straight from point to point."""
    return np.array(points, dtype=np.float64)


def curve(*points: Point) -> Stroke:
    """Smoothly through all points."""
    fixed = np.array(points, dtype=np.float64)
    chords = np.linalg.norm(np.diff(fixed, axis=0), axis=1)
    # Centripetal: a curve through points at uneven distances makes no loops of its own.
    times = np.concatenate([[0], np.cumsum(np.sqrt(np.maximum(chords, 1e-6)))])
    return _interpolate(np.linspace(0, times[-1], 24 * len(fixed)), times, fixed)


def arc(centre: Point, radii: Point, start: float, stop: float, *, shrink: float = 0) -> Stroke:
    """Along an ellipse, or a spiral that ends smaller by the fraction `shrink`.

    Angle 0 is at the right, 90 at the bottom, 180 at the left; growing is clockwise.
    """
    n_points = max(int(abs(stop - start) / 6), 2)
    angles = np.radians(np.linspace(start, stop, n_points))
    unit = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    unit *= np.linspace(1, 1 - shrink, n_points)[:, None]
    return np.asarray(np.array(centre) + np.array(radii) * unit)


def join(*pieces: Stroke) -> Stroke:
    """One stroke along all pieces, straight from the end of one to the start of the next."""
    return np.concatenate(pieces)


def smooth(*pieces: Stroke, corner: float = 0.1) -> Stroke:
    """One stroke along all pieces, with corners rounded over about a length."""
    dense = resample(join(*pieces), STEP)
    width = min(max(int(corner / STEP), 1), len(dense) - 1)
    padded = np.concatenate(
        [
            2 * dense[0] - dense[1 : width + 1][::-1],
            dense,
            2 * dense[-1] - dense[-width - 1 : -1][::-1],
        ]
    )
    window = np.hanning(2 * width + 3)[1:-1]
    window /= window.sum()
    return np.stack([np.convolve(axis, window, mode="valid") for axis in padded.T], axis=1)


def resample(stroke: Stroke, step: float) -> Stroke:
    """Points at equal distances along a stroke, its two ends among them."""
    lengths = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(stroke, axis=0), axis=1))])
    at = np.linspace(0, lengths[-1], max(int(lengths[-1] / step), 1) + 1)
    return np.stack([np.interp(at, lengths, axis) for axis in stroke.T], axis=1)


def slant(strokes: Sequence[Stroke], degrees: float) -> list[Stroke]:
    """Lean strokes to the right, around the base line."""
    lean = np.tan(np.radians(degrees))
    return [np.stack([s[:, 0] + lean * (1 - s[:, 1]), s[:, 1]], axis=1) for s in strokes]


def turn(stroke: Stroke, degrees: float, centre: Point = (0, 0)) -> Stroke:
    """Turn a stroke clockwise around a point."""
    angle = np.radians(degrees)
    rows = [[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]
    return np.asarray((stroke - np.array(centre)) @ np.array(rows) + np.array(centre))


def wander(n_points: int, period: float, rng: np.random.Generator) -> Stroke:
    """Smooth random displacements of mean square about 1, shape (n_points, 2)."""
    n_knots = max(int(n_points / period), 1) + 3
    knots = rng.normal(size=(n_knots, 2))
    return _interpolate(
        np.linspace(1, n_knots - 2, n_points), np.arange(n_knots, dtype=np.float64), knots
    )


def by_hand(stroke: Stroke, care: float, rng: np.random.Generator) -> Stroke:
    """Draw a stroke as a hand does: it drifts, starts early or late, ends so, and may hook.

    Parameters
    ----------
    care : 0 for exactly as given, 1 for as careless as is still legible.
    """
    dense = resample(stroke, STEP)
    dense = dense + 0.012 * care * wander(len(dense), DRIFT_LENGTH / STEP, rng)
    middle = dense.mean(axis=0)
    dense = turn(dense - middle, 3 * care * rng.normal()) * (1 + 0.03 * care * rng.normal())
    dense = dense + middle + 0.01 * care * rng.normal(size=2)
    if rng.uniform() < 0.25 * care:
        dense = np.concatenate([dense, _hook(dense, rng)])
    return dense


def _interpolate(
    at: npt.NDArray[np.float64], times: npt.NDArray[np.float64], knots: Stroke
) -> Stroke:
    """Values of the smooth curve that has the values `knots` at `times`, cubic in between."""
    tangents = np.gradient(knots, times, axis=0)
    left = np.clip(np.searchsorted(times, at, side="right") - 1, 0, len(times) - 2)
    step = np.diff(times)[left][:, None]
    t = (at - times[left])[:, None] / step
    start, stop = knots[left], knots[left + 1]
    return np.asarray(
        start * (1 + 2 * t) * (1 - t) ** 2
        + stop * t**2 * (3 - 2 * t)
        + step * (tangents[left] * t * (1 - t) ** 2 - tangents[left + 1] * t**2 * (1 - t))
    )


def _hook(stroke: Stroke, rng: np.random.Generator) -> Stroke:
    """A short hook that the pen makes when it is lifted."""
    direction = stroke[-1] - stroke[-min(6, len(stroke))]
    norm = float(np.linalg.norm(direction))
    if norm == 0:
        return stroke[-1:]
    back = turn(direction[None] / norm, rng.choice([-1, 1]) * rng.uniform(60, 150))
    return np.asarray(stroke[-1] + rng.uniform(0.03, 0.08) * back)
