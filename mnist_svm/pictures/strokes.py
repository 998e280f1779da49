"""Bounding boxes, and the strokes of the one digit on a picture."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import ndimage

from mnist_svm._types import IntegerArray, Mask
from mnist_svm.pictures.ruled_lines import find_lines

# Smallest separate stroke, as a fraction of the area of the largest: less is a speck.
MIN_STROKE_AREA = 0.02
# Largest gap between strokes of a digit: the larger of a fraction of the digit's longer side and
# a fraction of the picture's.
MAX_GAP, MAX_GAP_OF_PICTURE = 0.35, 0.06
# Weight of the area of a component that the picture's border cuts off, when the largest is chosen.
CUT_OFF_WEIGHT = 0.4

# Fraction of a side of the picture above which a component that covers it is a desk or a frame.
MIN_SIDE_COVERED = 0.6
# Smallest digit, as a fraction of the picture's longer side.
MIN_DIGIT = 0.05
# Least length by which ruled lines extend beyond the digit at both ends, as a fraction of the
# picture's longer side.
MIN_OVERHANG = 0.015


class Box(NamedTuple):
    """Rows ``top`` to ``bottom`` and columns ``left`` to ``right``, the ends excluded."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def height(self) -> int:
        """Number of rows."""
        return self.bottom - self.top

    @property
    def width(self) -> int:
        """Number of columns."""
        return self.right - self.left

    @property
    def longer_side(self) -> int:
        """The larger of height and width."""
        return max(self.height, self.width)

    @property
    def window(self) -> tuple[slice, slice]:
        """Index of the box in an array of shape (height, width)."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def to_dict(self) -> dict[str, int]:
        """Left, top, width and height, for JSON."""
        return {"left": self.left, "top": self.top, "width": self.width, "height": self.height}

    def shift(self, rows: int, columns: int) -> Box:
        """The box moved down and to the right."""
        return Box(self.top + rows, self.bottom + rows, self.left + columns, self.right + columns)

    def union(self, other: Box) -> Box:
        """The smallest box around both."""
        return Box(
            min(self.top, other.top),
            max(self.bottom, other.bottom),
            min(self.left, other.left),
            max(self.right, other.right),
        )

    def extends_beyond(self, other: Box, axis: int, length: float) -> bool:
        """Whether it exceeds the other by `length` at both ends of an axis (0 rows, 1 columns)."""
        low, high = 2 * axis, 2 * axis + 1
        return min(other[low] - self[low], self[high] - other[high]) >= length

    def gaps(self, other: Box) -> tuple[int, int]:
        """Rows and columns between both; negative where they overlap."""
        return (
            max(self.top, other.top) - min(self.bottom, other.bottom),
            max(self.left, other.left) - min(self.right, other.right),
        )


def component_boxes(labels: IntegerArray) -> list[Box]:
    """Bounding boxes of the components that `scipy.ndimage.label` found, by label 1, 2, ..."""
    return [
        Box(rows.start, rows.stop, columns.start, columns.stop)
        for rows, columns in ndimage.find_objects(labels)
    ]


def bounding_box(mask: Mask) -> Box:
    """Bounding box of the true pixels of a mask, which must have at least one."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    return Box(int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1)


def select_digit(mask: Mask, faint_mask: Mask | None = None) -> Mask:
    """Select the strokes of one digit; leave out specks, ruled lines, frames and desks.

    Both masks have the picture's shape: `mask` is true for the pixels of strokes, at least one, and
    `faint_mask` for all above the noise. Without the latter, no ruled lines are looked for.
    """
    if faint_mask is None:
        return _largest_cluster(mask)
    horizontal, vertical = find_lines(faint_mask)
    # Among the lines of a frame, a tall digit may look like a line.
    outermost = [lines[:1] + lines[1:][-1:] for lines in (horizontal, vertical)]
    for lines in ((horizontal, vertical), outermost, (horizontal, []), ([], vertical)):
        if (digit := _digit_without_lines(mask, *lines)) is not None:
            return digit
    return _largest_cluster(mask)


def _digit_without_lines(mask: Mask, horizontal: list[Mask], vertical: list[Mask]) -> Mask | None:
    """The digit that is left without the lines; None unless all lines extend beyond it."""
    lines = horizontal + vertical
    rest = mask & ~np.logical_or.reduce(lines) if lines else mask
    if not lines or not rest.any():
        return None
    digit = _largest_cluster(rest)
    box, side = bounding_box(digit), max(mask.shape)
    all_extend = all(
        bounding_box(line).extends_beyond(box, axis, MIN_OVERHANG * side)
        for axis, lines in ((1, horizontal), (0, vertical))
        for line in lines
    )
    return digit if all_extend and box.longer_side > MIN_DIGIT * side else None


def _largest_cluster(mask: Mask) -> Mask:
    """The largest connected component, and those near enough to be strokes of the same digit."""
    side = max(mask.shape)
    labels, n = ndimage.label(mask, structure=np.ones((3, 3)))
    areas = np.bincount(labels.ravel(), minlength=n + 1)[1:].astype(float)
    boxes = component_boxes(labels)
    sides = labels[0], labels[-1], labels[:, 0], labels[:, -1]
    covered = np.stack([np.bincount(part, minlength=n + 1)[1:] / len(part) for part in sides])
    is_cut_off = np.asarray(covered.any(axis=0))
    is_large = np.array([box.longer_side for box in boxes]) > MIN_DIGIT * side
    weighted = areas.copy()
    if (~is_cut_off & is_large).any():
        areas[(covered > MIN_SIDE_COVERED).any(axis=0)] = 0
        weighted = np.where(is_cut_off, CUT_OFF_WEIGHT * areas, areas)
    first = int(weighted.argmax())
    if not is_cut_off[first]:
        areas[is_cut_off] = 0
    cluster, box = {first}, boxes[first]
    candidates = {int(k) for k in np.flatnonzero(areas >= MIN_STROKE_AREA * areas[first])} - cluster
    while near := {
        k
        for k in candidates
        if max(box.gaps(boxes[k])) <= max(MAX_GAP * box.longer_side, MAX_GAP_OF_PICTURE * side)
    }:
        cluster |= near
        candidates -= near
        for k in near:
            box = box.union(boxes[k])
    return np.isin(labels, [k + 1 for k in cluster])
