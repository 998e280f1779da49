"""Find the cells of combs, and of separate boxes or underscores in a row, by their pitch."""

from __future__ import annotations

import numpy as np

from mnist_svm._types import Float64Array, IntArray, Mask
from mnist_svm.pictures.junctions import REACH_THICKNESS
from mnist_svm.pictures.straight import Lines, on_line

# Least number of teeth that tell where others are; difference of their distances from multiples of
# the pitch, as a fraction of it.
MIN_TEETH, SAME_PITCH = 3, 0.12
# Where a stroke hides a tooth: least filled fraction, of that of the others, and least fraction
# that no stroke covers.
MIN_FILLED, MIN_FREE = 0.85, 0.2


def hidden_teeth(lines: Lines, teeth: IntArray, base: Lines, number: int, mask: Mask) -> Lines:
    """The teeth of a base line that strokes hide: where the pitch of the others has one.

    Parameters
    ----------
    lines, teeth : lines across the base line, and those that are teeth on it, by index
    base, number : lines, and the index of the base line
    mask : bool ndarray, in which `lines` are nearly horizontal
    """
    places = _missing(lines.end(0)[0][teeth], base, number) if len(teeth) >= MIN_TEETH else []
    found = []
    for place in places:
        # Beside the tooth that is nearest, in a picture taken at a slant.
        nearest = teeth[np.abs(lines.end(0)[0][teeth] - place).argmin()]
        start, stop, slope = lines.start[nearest], lines.stop[nearest], lines.slope[nearest]
        at, thickness = place - slope * start, float(np.median(lines.thickness[teeth]))
        filled = float(on_line(mask, at, slope, start, stop).mean())
        if filled >= MIN_FILLED * np.median(lines.filled[teeth]):
            found.append((start, stop, at, slope, thickness, filled))
    start, stop, at, slope, thickness, filled = np.array(found).reshape(-1, 6).T
    ends = start.astype(int), stop.astype(int)
    none = [np.empty(0, dtype=np.intp)] * len(found)
    dashed = np.zeros(len(found), dtype=bool)
    new = Lines(*ends, at, slope, thickness, filled, dashed, none, lines.thin, lines.shape)
    free = [len(np.unique(new.runs(k).columns)) for k in range(len(new))]
    return new.take(np.flatnonzero(free >= MIN_FREE * new.length))


def _missing(places: Float64Array, base: Lines, number: int) -> Float64Array:
    """Where teeth are missing on a base line, if the others are at regular distances."""
    places = np.sort(places)
    steps = np.diff(places)
    steps = steps[steps > REACH_THICKNESS * base.thickness[number] + 1]
    if not len(steps):
        return places[:0]
    steps_taken = np.rint((places - places[0]) / steps.min())
    pitch, first = np.polyfit(steps_taken, places, 1)
    if (np.abs(places - first - pitch * steps_taken) > SAME_PITCH * pitch).any():
        return places[:0]
    reach = REACH_THICKNESS * base.thickness[number] + 1
    low = np.ceil((base.start[number] - reach - first) / pitch)
    high = np.floor((base.stop[number] + reach - first) / pitch)
    every = np.setdiff1d(np.arange(low, high + 1), steps_taken)
    return np.asarray(first + pitch * every)
