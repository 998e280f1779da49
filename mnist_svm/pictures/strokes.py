"""Which of the blobs on a picture are the strokes of one digit."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from mnist_svm.constants import Mask
from mnist_svm.pictures.ruled_lines import find_both_directions

# A separate blob of less than this part of the largest's area is a speck.
MIN_STROKE = 0.02

# Strokes further apart than this part of the digit's longer side, and of the picture's, are not
# of one digit.
REACH = 0.35
MIN_REACH = 0.06

# What the picture's edge cuts off is the digit less likely than what is whole, by this factor.
CUT_OFF = 0.4

# What takes so much of a side of the picture is the desk or a frame, if there is a digit of this
# part of the picture's longer side that touches none.
ALONG_A_SIDE = 0.6
MIN_DIGIT = 0.05

# Ruled lines go on beyond the digit at both ends, at least this part of the picture's longer side.
MARGIN = 0.015


class Box(NamedTuple):
    """Rows from ``top`` to before ``bottom``, columns from ``left`` to before ``right``."""

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

    def to_dict(self) -> dict[str, int]:
        """Corner, width and height, as machines are told them."""
        return {
            "left": self.left,
            "top": self.top,
            "width": self.width,
            "height": self.height,
        }

    def union(self, other: Box) -> Box:
        """The smallest box around both."""
        return Box(
            min(self.top, other.top),
            max(self.bottom, other.bottom),
            min(self.left, other.left),
            max(self.right, other.right),
        )

    def extends_beyond(self, other: Box, axis: int, least: float) -> bool:
        """Whether it exceeds the other box at both ends of an axis (0 rows, 1 columns)."""
        low, high = 2 * axis, 2 * axis + 1
        return min(other[low] - self[low], self[high] - other[high]) >= least

    def gaps(self, other: Box) -> tuple[int, int]:
        """Rows and columns between both; negative as far as they overlap."""
        return (
            max(self.top, other.top) - min(self.bottom, other.bottom),
            max(self.left, other.left) - min(self.right, other.right),
        )


def component_boxes(labels: npt.NDArray[np.int32]) -> list[Box]:
    """The box around each labelled blob, in the order of their labels 1, 2, ...

    Parameters
    ----------
    labels : int32 ndarray of shape (height, width), from `scipy.ndimage.label`

    Returns
    -------
    list of Box
    """
    return [
        Box(rows.start, rows.stop, columns.start, columns.stop)
        for rows, columns in ndimage.find_objects(labels)
    ]


def bounding_box(mask: Mask) -> Box:
    """The box around all that is true, of which there must be some."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    return Box(int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1)


def select_digit(mask: Mask, faint_mask: Mask | None = None) -> Mask:
    """The strokes of the digit on a picture of one: no specks, ruled lines, frames or desks.

    Parameters
    ----------
    mask : bool ndarray of shape (height, width), where strokes are; some
    faint_mask : bool ndarray of shape (height, width), optional
        Where there is any ink, ruled lines too. Without it, no lines are looked for.

    Returns
    -------
    bool ndarray of shape (height, width)
    """
    if faint_mask is None:
        return _largest_cluster(mask)
    level, upright = find_both_directions(faint_mask)
    # A tall digit may look like a line among the lines of its frame.
    outer = [lines[:1] + lines[1:][-1:] for lines in (level, upright)]
    for horizontal, vertical in ((level, upright), outer, (level, []), ([], upright)):
        if (digit := _without(mask, horizontal, vertical)) is not None:
            return digit
    return _largest_cluster(mask)


def _without(mask: Mask, horizontal: list[Mask], vertical: list[Mask]) -> Mask | None:
    """The digit when lines are taken away, if that leaves one and they go on beyond it."""
    lines = horizontal + vertical
    rest = mask & ~np.logical_or.reduce(lines) if lines else mask
    if not lines or not rest.any():
        return None
    digit = _largest_cluster(rest)
    box = bounding_box(digit)
    margin = MARGIN * max(mask.shape)
    beyond = all(
        bounding_box(line).extends_beyond(box, axis, margin)
        for axis, lines in ((1, horizontal), (0, vertical))
        for line in lines
    )
    large = max(box.height, box.width) > MIN_DIGIT * max(mask.shape)
    return digit if beyond and large else None


def _largest_cluster(mask: Mask) -> Mask:
    """The largest blob and those that belong to it."""
    labels, n = ndimage.label(mask, structure=np.ones((3, 3)))
    areas = np.bincount(labels.ravel(), minlength=n + 1)[1:].astype(float)
    boxes = component_boxes(labels)
    sides = labels[0], labels[-1], labels[:, 0], labels[:, -1]
    on_sides = np.stack([np.bincount(side, minlength=n + 1)[1:] / len(side) for side in sides])
    touching = np.asarray(on_sides.any(axis=0))
    tall = np.array([max(box.height, box.width) for box in boxes])
    likely = areas.copy()
    if (~touching & (tall > MIN_DIGIT * max(mask.shape))).any():
        areas[(on_sides > ALONG_A_SIDE).any(axis=0)] = 0
        likely = np.where(touching, CUT_OFF * areas, areas)
    first = int(likely.argmax())
    if not touching[first]:
        areas[touching] = 0
    joined, box = {first}, boxes[first]
    candidates = {int(k) for k in np.flatnonzero(areas >= MIN_STROKE * areas[first])} - joined
    least = MIN_REACH * max(mask.shape)
    while near := {k for k in candidates if _belongs(boxes[k], box, least)}:
        joined |= near
        candidates -= near
        for k in near:
            box = box.union(boxes[k])
    return np.isin(labels, [k + 1 for k in joined])


def _belongs(part: Box, digit: Box, least: float) -> bool:
    """Whether a blob is near enough to a digit to be a stroke of it."""
    return max(digit.gaps(part)) <= max(REACH * max(digit.height, digit.width), least)
