"""Bounding boxes, and the border of a picture."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mnist_svm._types import Array, IntegerArray, Mask


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


def bounding_box(mask: Mask) -> Box:
    """Bounding box of the true pixels of a mask, which must have at least one."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    return Box(int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1)


def component_boxes(labels: IntegerArray) -> list[Box]:
    """Bounding boxes of the components that `scipy.ndimage.label` found, by label 1, 2, ..."""
    # Pictures in MNIST form do without scipy.ndimage, whose import takes long.
    from scipy import ndimage

    return [
        Box(rows.start, rows.stop, columns.start, columns.stop)
        for rows, columns in ndimage.find_objects(labels)
    ]


def label_components(mask: Mask) -> tuple[IntegerArray, list[Box]]:
    """Label the connected components of a mask 1, 2, ..., diagonals included; and their boxes.

    The labels, of the mask's shape, are those of `scipy.ndimage.label`; background is 0.
    """
    from scipy import ndimage

    labels = np.zeros(mask.shape, dtype=np.int32)
    if not mask.any():
        return labels, []
    # Most of a picture is empty, and labelling takes long.
    around = bounding_box(mask)
    inside, _ = ndimage.label(mask[around.window], structure=np.ones((3, 3)))
    labels[around.window] = inside
    return labels, [box.shift(around.top, around.left) for box in component_boxes(inside)]


def border_pixels(image: Array) -> Array:
    """Pixels of the four sides, clockwise from the upper left corner; corners appear twice."""
    return np.concatenate([image[0], image[:, -1], image[-1, ::-1], image[::-1, 0]])
