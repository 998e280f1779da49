"""How straight lines meet: corners, lines between two others, and teeth at regular distances.

Lines and those across them have rows and columns swapped: a point of one is (row, column), the same
point of the other (column, row).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mnist_svm._types import BoolArray, Float64Array, IntArray, Mask
from mnist_svm.pictures.boxes import Box
from mnist_svm.pictures.straight import Lines, on_line

# Distance at which an end of a line is on another: in thicknesses, and heights of the writing more.
REACH_THICKNESS, REACH_HEIGHT = 2.0, 0.06
# Greatest difference from a right angle, as a slope; ends may be off by pixels.
MAX_SKEW, END_ERROR = 0.04, 1.5
# Greatest ratio of the thicknesses of lines of one form, and pixels more.
SAME_THICKNESS, THICKNESS_ERROR = 1.6, 1.0
# Difference of the lengths of two sides of a box, as a fraction; least height of what is in it.
SAME_LENGTH, MIN_CONTENT = 0.15, 0.35
# Differences of teeth: of their lengths, of their distances from multiples of the least one, and of
# their thickness; least number of them, and least fraction that is found.
SAME_TOOTH, SAME_PITCH, SAME_TOOTH_THICKNESS = 0.12, 0.1, 1.35
MIN_TEETH, MIN_TEETH_FOUND = 3, 0.6
# Fraction of one side of a line that must be outside of a frame.
MIN_OUTSIDE = 0.8
# Filled fraction of lines from which ink joins them to those at their ends, but for so many pixels.
MIN_JOINED, MAX_JOIN = 0.9, 2


def junctions(lines: Lines, others: Lines, height: float) -> tuple[BoolArray, BoolArray]:
    """Whether the first end, and the last, of lines is on others across them, at a right angle.

    Both of shape (n_lines, n_others). `height` is that of the writing.
    """
    if not (len(lines) and len(others)):
        return (np.zeros((len(lines), len(others)), dtype=bool),) * 2
    slopes = np.abs(lines.slope[:, None] + others.slope)
    shortest = np.minimum(lines.length[:, None], others.length)
    is_right = slopes <= MAX_SKEW + END_ERROR / shortest
    thin = np.minimum(lines.thickness[:, None], others.thickness)
    thick = np.maximum(lines.thickness[:, None], others.thickness)
    is_right &= thick <= SAME_THICKNESS * thin + THICKNESS_ERROR
    reach = reaches(lines, others, height)
    found = []
    for end in (0, 1):
        column, row = (side[:, None] for side in lines.end(end))
        is_on = np.abs(row - others.at - others.slope * column) <= reach
        is_on &= (column >= others.start - reach) & (column < others.stop + reach)
        found.append(is_on & is_right)
    return found[0], found[1]


def reaches(lines: Lines, others: Lines, height: float) -> Float64Array:
    """Distances at which lines still are on others, of shape (n_lines, n_others)."""
    thick = np.maximum(lines.thickness[:, None], others.thickness)
    return np.asarray(REACH_THICKNESS * thick + REACH_HEIGHT * height)


def find_sides(
    lines: Lines, across: Lines, on: tuple[BoolArray, BoolArray], mask: Mask, height: float
) -> list[tuple[int, int, int]]:
    """Lines with two across their ends that are sides of one box, and have ink between them.

    `on` is `junctions(across, lines)`. Returns indices of a line and of those at its first and its
    last end.
    """
    reach = reaches(across, lines, height)
    corners = {}
    for end in (0, 1):
        column = across.end(end)[0][:, None]
        for side, place in enumerate((lines.start, lines.stop - 1)):
            corners[side, end] = on[end] & (np.abs(column - place) <= reach)
    boxes = []
    for end in (0, 1):
        for k in np.flatnonzero(corners[0, end].any(axis=0) & corners[1, end].any(axis=0)):
            pairs = np.ix_(*(np.flatnonzero(corners[side, end][:, k]) for side in (0, 1)))
            for left, right in np.broadcast(*pairs):
                lengths = across.length[left], across.length[right]
                is_box = left != right
                is_box &= abs(lengths[0] - lengths[1]) <= SAME_LENGTH * max(lengths)
                if is_box and _has_content(across, int(left), int(right), mask):
                    boxes.append((int(k), int(left), int(right)))
                    break
    return boxes


def _has_content(across: Lines, left: int, right: int, mask: Mask) -> bool:
    """Whether between two lines across there is ink, apart from them."""
    pair = [left, right]
    margin = 2 * round(float(across.thickness[pair].max())) + 1
    top, bottom = int(across.start[pair].max()), int(across.stop[pair].min())
    rows = np.stack([across.end(end)[0][pair] for end in (0, 1)])
    first, last = round(rows[:, 0].max()) + margin, round(rows[:, 1].min()) - margin
    inside = mask[max(top + margin, 0) : max(bottom - margin, 0), max(first, 0) : max(last, 0)]
    inked = np.flatnonzero(inside.any(axis=1))
    return len(inked) > 0 and inked[-1] - inked[0] + 1 >= MIN_CONTENT * (bottom - top)


def regular_teeth(lines: Lines, teeth: IntArray, base: Lines, number: int) -> IntArray:
    """Those of some lines on a base line that are its teeth, by index.

    Teeth have one length, and divide the whole base line into cells of one width. Two are enough at
    its ends.
    """
    thickness = float(base.thickness[number])
    thin, thick = np.sort([lines.thickness[teeth], np.full(len(teeth), thickness)], axis=0)
    skew = np.abs(lines.slope[teeth] + base.slope[number])
    is_tooth = thick <= SAME_TOOTH_THICKNESS * thin + THICKNESS_ERROR / 2
    is_tooth &= skew <= MAX_SKEW / 2 + END_ERROR / lines.length[teeth]
    teeth = teeth[is_tooth]
    if len(teeth) < 2:
        return teeth[:0]
    lengths = lines.length[teeth]
    usual = float(np.median(lengths))
    teeth = teeth[np.abs(lengths - usual) <= SAME_TOOTH * usual + END_ERROR]
    if len(teeth) < 2:
        return teeth[:0]
    places = lines.end(0)[0][teeth]
    order = np.argsort(places)
    teeth, places = teeth[order], places[order]
    distances = np.diff(places)
    pitch = max(float(distances.min()), 1.0)
    before, behind = places[0] - base.start[number], base.stop[number] - 1 - places[-1]
    reach = REACH_THICKNESS * thickness + 1
    is_alternating = len(distances) > 2 and all(
        np.ptp(part) <= SAME_PITCH * part.max() for part in (distances[::2], distances[1::2])
    )
    multiples = distances / pitch
    is_regular = is_alternating or (np.abs(multiples - np.rint(multiples)) <= SAME_PITCH).all()
    if len(teeth) < MIN_TEETH or not is_regular:
        return teeth if before <= reach and behind <= reach else teeth[:0]
    # The sides of open boxes have two distances. Else a digit may hide a tooth here and there.
    cells = (before + behind + distances.sum()) / pitch
    if is_alternating:
        cells, pitch = len(teeth) + 1.0, float(distances.max())
    is_whole = max(before, behind) <= (1 + SAME_PITCH) * pitch + reach
    return teeth if is_whole and len(teeth) >= MIN_TEETH_FOUND * (cells - 1) else teeth[:0]


def is_outline(lines: Lines, k: int, outside: Mask, place: Box) -> bool:
    """Whether beside a line, on one of its sides, all is outside of a frame."""
    columns = np.arange(lines.start[k], lines.stop[k])
    rows = np.rint(lines.at[k] + lines.slope[k] * columns).astype(int) - place.top
    off = int(lines.thickness[k] / 2) + 3
    columns = np.clip(columns - place.left, 0, outside.shape[1] - 1)
    above, below = (
        outside[np.clip(rows + side, 0, len(outside) - 1), columns].mean() for side in (-off, off)
    )
    return bool(max(above, below) > MIN_OUTSIDE)


def is_joined(
    lines: Lines, number: int, others: Lines, across: Sequence[BoolArray], mask: Mask
) -> bool:
    """Whether ink joins a line to others at both ends; a stroke may only be near them.

    `across` tells which of the others are at its first end, and at its last.
    """
    if lines.filled[number] < MIN_JOINED:
        return True
    at, slope = lines.at[number], lines.slope[number]
    for end, chosen in enumerate(across):
        row, column = (float(side[number]) for side in lines.end(end))
        gaps = []
        for place in (others.at + others.slope * row)[chosen].tolist():
            first, stop = (round(max(side, 0)) for side in sorted((column, place)))
            ink = on_line(mask, at, slope, first, min(stop, mask.shape[1]))
            gaps.append(np.count_nonzero(~ink))
        if min(gaps) > MAX_JOIN:
            return False
    return True
