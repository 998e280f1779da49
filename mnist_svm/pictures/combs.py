"""Find the cells of combs, and of separate boxes or underscores in a row, by their pitch."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from mnist_svm._types import BoolArray, Float64Array, IntArray, Mask
from mnist_svm.pictures.boxes import Box
from mnist_svm.pictures.junctions import REACH_THICKNESS
from mnist_svm.pictures.straight import Lines, on_line

# Least number of teeth that tell where others are; difference of their distances from multiples of
# the pitch, as a fraction of it.
MIN_TEETH, SAME_PITCH = 3, 0.12
# Where a stroke hides a tooth: least filled fraction, of that of the others, and least fraction
# that no stroke covers.
MIN_FILLED, MIN_FREE = 0.85, 0.2
# A cell for one digit, in heights of the writing: least and greatest width, also of closed ones,
# greatest gap to the next, greatest and least height; and distance up to which lines meet, or are
# one. Greatest width over height of closed ones.
MIN_WIDTH, MAX_WIDTH, MAX_CLOSED_WIDTH, MAX_GAP = 0.3, 1.8, 2.8, 1.2
MAX_HEIGHT, MIN_HEIGHT, REACH, MAX_ASPECT = 3.2, 0.7, 0.2, 1.3
# Gap without ink between two underscores, in thicknesses.
MIN_BREAK = 1.0
# Differences of cells of one number: of rows, in heights of the writing; of widths and pitches, as
# fractions.
SAME_ROW, SAME_WIDTH = 0.15, 0.2

# First and last column of a cell, and row of its upper or lower side.
_Cell = tuple[float, float, float]


def hidden_teeth(lines: Lines, teeth: IntArray, base: Lines, number: int, mask: Mask) -> Lines:
    """The teeth of a base line that strokes hide: where the pitch of the others has one.

    Parameters
    ----------
    lines, teeth : lines across the base line, and those that are teeth on it, by index
    base, number : lines, and the index of the base line
    mask : bool ndarray, in which `lines` are nearly horizontal
    """
    found = []
    known = lines.end(0)[0][teeth]
    for place in _missing(known, base, number) if len(teeth) >= MIN_TEETH else ():
        # Beside the tooth that is nearest, in a picture taken at a slant.
        nearest = teeth[np.abs(known - place).argmin()]
        start, stop, slope = lines.start[nearest], lines.stop[nearest], lines.slope[nearest]
        at, thickness = place - slope * start, float(np.median(lines.thickness[teeth]))
        filled = float(on_line(mask, at, slope, start, stop).mean())
        if filled >= MIN_FILLED * np.median(lines.filled[teeth]):
            found.append((start, stop, at, slope, thickness, filled))
    values = np.array(found).reshape(-1, 6)
    new = lines.made(values[:, :2].astype(int), values[:, 2:])
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


def find_combs(
    horizontal: Lines,
    vertical: Lines,
    chosen: tuple[BoolArray, BoolArray],
    mask: Mask,
    height: float,
) -> list[tuple[Box, ...]]:
    """Cells for the digits of one number, at one pitch: comb cells, boxes, room above underscores.

    `chosen` tells which horizontal and which vertical lines are rulings; `height` is that of the
    writing. Vertical lines are those of the transposed mask.
    """
    cells = _cells(horizontal, vertical, chosen, mask, height)
    groups: list[list[_Cell]] = []
    for cell in sorted(cells):
        for group in groups:
            if _goes_on(group, cell, height):
                group.append(cell)
                break
        else:
            groups.append([cell])
    groups = sorted((group for group in groups if len(group) > 1), key=lambda group: group[0][2])
    combs, is_bottom = [], [False] * len(groups)
    for k, group in enumerate(groups):
        if is_bottom[k]:
            continue
        row = group[0][2]
        top, bottom = row - MAX_HEIGHT * height, row
        below = [j for j in range(k + 1, len(groups)) if _is_below(group, groups[j], height)]
        if below:
            is_bottom[below[0]] = True
            top, bottom = row, groups[below[0]][0][2]
        width = group[0][1] - group[0][0]
        if width > (MAX_ASPECT * (bottom - top) if below else MAX_WIDTH * height):
            continue
        sides = [(top, bottom, left, right) for left, right, _ in group]
        combs.append(tuple(Box(*(max(round(side), 0) for side in part)) for part in sides))
    return combs


def _cells(
    horizontal: Lines,
    vertical: Lines,
    chosen: tuple[BoolArray, BoolArray],
    mask: Mask,
    height: float,
) -> list[_Cell]:
    """First and last column, and row, of the parts of horizontal lines that are as wide as cells.

    Parts are between vertical lines, if there are any.
    """
    columns = np.flatnonzero(chosen[1])
    at, slope = vertical.at[columns], vertical.slope[columns]
    reach = REACH * height
    cells = []
    for k in np.flatnonzero(chosen[0]):
        start, stop = float(horizontal.start[k]), float(horizontal.stop[k])
        row = horizontal.at[k] + horizontal.slope[k] * (at + slope * horizontal.at[k])
        column = at + slope * row
        meets = (column >= start - reach) & (column <= stop + reach)
        meets &= (row >= vertical.start[columns] - reach) & (row <= vertical.stop[columns] + reach)
        edges = np.sort(column[meets])
        edges = edges[np.diff(edges, prepend=-np.inf) > reach]
        parts = list(pairwise(edges.tolist())) or _parts(mask, horizontal, int(k))
        for left, right in parts:
            if MIN_WIDTH * height <= right - left <= MAX_CLOSED_WIDTH * height:
                middle = (left + right) / 2
                cells.append((left, right, float(horizontal.at[k] + horizontal.slope[k] * middle)))
    return cells


def _parts(mask: Mask, lines: Lines, line: int) -> list[tuple[float, float]]:
    """First and last column of the parts of a line between gaps without ink."""
    start, stop = int(lines.start[line]), int(lines.stop[line])
    inked = np.flatnonzero(on_line(mask, lines.at[line], lines.slope[line], start, stop))
    if not len(inked):
        return []
    breaks = np.flatnonzero(np.diff(inked) > MIN_BREAK * lines.thickness[line] + 2)
    firsts, lasts = np.append(0, breaks + 1), np.append(breaks, len(inked) - 1)
    return [
        (float(start + inked[first]), float(start + inked[last]))
        for first, last in zip(firsts, lasts, strict=True)
    ]


def _goes_on(group: list[_Cell], cell: _Cell, height: float) -> bool:
    """Whether a cell is the next of a group."""
    left, right, row = group[-1]
    step, width = cell[0] - left, right - left
    is_next = abs(cell[2] - row) <= SAME_ROW * height
    is_next &= abs(cell[1] - cell[0] - width) <= SAME_WIDTH * width
    is_next &= -REACH * height <= cell[0] - right <= MAX_GAP * height
    if len(group) > 1:
        pitch = left - group[-2][0]
        is_next &= abs(step - pitch) <= SAME_PITCH * pitch
    return is_next


def _is_below(
    group: list[_Cell],
    other: list[_Cell],
    height: float,
) -> bool:
    """Whether another group has the lower sides of the cells."""
    distance = other[0][2] - group[0][2]
    shared = min(group[-1][1], other[-1][1]) - max(group[0][0], other[0][0])
    is_beside = shared >= 0.5 * (group[-1][1] - group[0][0])
    return is_beside and MIN_HEIGHT * height <= distance <= MAX_HEIGHT * height
