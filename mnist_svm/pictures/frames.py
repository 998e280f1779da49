"""Find the box around a digit, of whatever size, and leave it out.

A box is measured by itself, not by the picture: its sides are straight, thin, and as long as it is
high and wide, and there is ink of its own in the middle. A digit of straight strokes, such as a
square 0, has no digit in it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from mnist_svm._types import Float64Array, IntegerArray, Mask
from mnist_svm.pictures.boxes import Box, bounding_box, label_components
from mnist_svm.pictures.ruled_lines import SLOPES, trace_line, vertical_runs

# Shortest side of a box, in pixels.
MIN_FRAME = 12
# Fractions of a side that must be straight: of each side of a closed box, on average over the four,
# and of each side of a box that is open at one side.
MIN_STRAIGHT, MIN_MEAN_STRAIGHT, MIN_OPEN_STRAIGHT = 0.45, 0.65, 0.8
# Distance of pixels from a straight line, and thickness of a line, as fractions of the box's
# shorter and longer side.
TOLERANCE, MAX_THICKNESS = 0.015, 0.16
# Length, as a fraction of the box's, by which a stroke may cross a side.
MAX_OVERSHOOT = 0.3
# Depth, as a fraction of the shorter side, up to which a remnant along the sides is a part of them.
MAX_REMNANT = 0.09
# Least height of a digit in a box, as a fraction of the box's; flatter and wide is a middle bar.
MIN_CONTENT, FLAT, WIDE = 0.2, 0.35, 0.6
# Boxes within each other that are taken away.
MAX_NESTED = 4
# Points of a side that vote for a line.
N_VOTERS = 96


@dataclass(frozen=True)
class _Side:
    """A side of a box in the view of it in which the side is the upper one.

    Its outer edge passes through row ``start + slope * column``; ``straight`` is the fraction of
    the width in which it does.
    """

    view: int
    start: float
    slope: float
    thickness: float
    straight: float

    def depths(self, rows: IntegerArray, columns: IntegerArray, box: Box) -> Float64Array:
        """How far pixels of the box lie within, from the inner edge of this side."""
        across, along = (rows, columns) if self.view < 2 else (columns, rows)
        if self.view % 2:
            across = (box.height if self.view < 2 else box.width) - 1 - across
        return np.asarray(across - self.start - self.slope * along - self.thickness)


def remove_frames(mask: Mask) -> Mask:
    """Return what is in the innermost box on a picture; the mask itself if there is no box.

    `mask` is True for the pixels of strokes, of shape (height, width). Strokes that touch a side of
    the box or cross it are kept, without the side.
    """
    for _ in range(MAX_NESTED):
        content = _largest_content(mask)
        if content is None:
            break
        mask = content
    return mask


def _largest_content(mask: Mask) -> Mask | None:
    """What is in the largest box that has something in it; None without a box."""
    labels, boxes = label_components(mask)
    for k in sorted(range(len(boxes)), key=lambda k: -boxes[k].height * boxes[k].width):
        box = boxes[k]
        if min(box.height, box.width) < MIN_FRAME:
            continue
        sides = _find_sides(labels[box.window] == k + 1)
        if sides and (content := _content(labels, k + 1, sides, box)) is not None:
            return content
    return None


def _views(array: Mask) -> tuple[Mask, Mask, Mask, Mask]:
    """Views in which the upper side is the upper, the lower, the left and the right one."""
    return array, array[::-1], array.T, array[:, ::-1].T


def _find_sides(component: Mask) -> list[_Side]:
    """The sides of a box: four, three of an open one; none if it is no box."""
    straight: list[_Side] = []
    for number, view in enumerate(_views(component)):
        # Most digits lack two sides, which is soon seen.
        if number - len(straight) > 1:
            return []
        if (side := _find_side(view, number)) is not None:
            straight.append(side)
    if len(straight) == 4 and np.mean([side.straight for side in straight]) >= MIN_MEAN_STRAIGHT:
        return straight
    straight = [side for side in straight if side.straight >= MIN_OPEN_STRAIGHT]
    return straight if len(straight) == 3 else []


def _find_side(view: Mask, number: int) -> _Side | None:
    """The straight thin line along the upper side of a component; None if there is none."""
    height, width = view.shape
    # A connected component has ink in every column of its box.
    columns, first = np.arange(width), view.argmax(axis=0)
    tolerance = max(TOLERANCE * min(height, width), 1.0)
    # All that is near a line which counts is above this row, and most strokes are below it.
    lowest = MAX_OVERSHOOT * height + SLOPES.max() * width / 2 + 5 * tolerance
    if np.count_nonzero(first <= lowest) < MIN_STRAIGHT * width:
        return None
    start, slope = _vote(columns, first, tolerance)
    for _ in range(2):
        near = np.abs(first - start - slope * columns) <= 1.5 * tolerance
        if np.count_nonzero(near) < MIN_STRAIGHT * width:
            return None
        slope, start = np.polyfit(columns[near], first[near], 1)
    rows = first[near] + np.arange(round(MAX_THICKNESS * max(height, width)) + 2)[:, None]
    ink = view[np.minimum(rows, height - 1), columns[near]] & (rows < height)
    thickness = float(np.median(np.where(ink.all(axis=0), len(rows), ink.argmin(axis=0))))
    is_far = start + slope * width / 2 > MAX_OVERSHOOT * height
    if is_far or thickness > len(rows) - 2 or abs(slope) > SLOPES.max():
        return None
    return _Side(number, start, slope, thickness, np.count_nonzero(near) / width)


def _vote(columns: IntegerArray, rows: IntegerArray, tolerance: float) -> tuple[float, float]:
    """Start and slope of the line through most points (Hough transform)."""
    step = -(-len(columns) // N_VOTERS)
    starts = rows[::step] - SLOPES[:, None] * columns[::step]
    bins = np.rint((starts - starts.min()) / tolerance).astype(int)
    n_bins = int(bins.max()) + 3
    offsets = n_bins * np.arange(len(SLOPES))[:, None] + 1
    votes = np.bincount((bins + offsets).ravel(), minlength=n_bins * len(SLOPES))
    votes = votes.reshape(len(SLOPES), n_bins)
    near = votes[:, :-2] + votes[:, 1:-1] + votes[:, 2:]
    slope, start = np.unravel_index(near.argmax(), near.shape)
    return float(starts.min() + tolerance * start), float(SLOPES[slope])


def _content(labels: IntegerArray, number: int, sides: list[_Side], box: Box) -> Mask | None:
    """The ink in the box of a component without its sides; None if that is no digit."""
    component = labels[box.window] == number
    attached = component.copy()
    # A bar of the digit may lie along one side, which is thick there.
    limit = 1.5 * float(np.median([side.thickness for side in sides])) + 1
    for side in sides:
        view = _views(component)[side.view]
        line = trace_line(view, *vertical_runs(view), side.start, side.slope, 0.0, limit)
        _views(attached)[side.view][line] = False
    least = max(MAX_REMNANT * min(box.height, box.width), 2.0)
    parts, _ = ndimage.label(attached, structure=np.ones((3, 3)))
    content = np.zeros(labels.shape, dtype=bool)
    content[box.window] = np.isin(parts, _deeper_than(least, parts, sides, box))
    others = np.where(component, 0, labels[box.window])
    content |= np.isin(labels, _deeper_than(0.0, others, sides, box))
    return content if _may_be_digit(content, box) else None


def _deeper_than(least: float, labels: IntegerArray, sides: list[_Side], box: Box) -> IntegerArray:
    """Labels of the components that reach deeper into a box than a number of pixels."""
    rows, columns = np.nonzero(labels)
    depth = np.min([side.depths(rows, columns, box) for side in sides], axis=0)
    return np.unique(labels[rows, columns][depth > least])


def _may_be_digit(content: Mask, box: Box) -> bool:
    """Whether what is in a box may be a digit, and is neither a speck nor a bar across it."""
    if not content.any():
        return False
    around = bounding_box(content)
    is_bar = around.height < FLAT * box.height and around.width > WIDE * box.width
    return around.height >= MIN_CONTENT * box.height and not is_bar
