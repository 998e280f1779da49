"""Find the lines of writing on a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from mnist_svm._types import Float32Array, GreyImage, IntegerArray
from mnist_svm.pictures.background import Ink, find_ink
from mnist_svm.pictures.boxes import Box, label_components
from mnist_svm.pictures.lines import LineImage, line_image
from mnist_svm.pictures.polarity import BlankPictureError, ink_is_dark
from mnist_svm.pictures.rows import Row, group_cells, group_rows
from mnist_svm.pictures.rulings import find_rulings
from mnist_svm.pictures.texture import find_textured_ink

# Longer side, in pixels, to which a page is reduced; shorter side to which a line of small digits
# is enlarged.
MAX_SIDE, MIN_SIDE = 2000, 96
# Fraction of a side of the page above which a component that covers it is a desk or a frame.
MIN_SIDE_COVERED = 0.6
# Least height of a digit in pixels of the picture: lower ones are specks. Area of a line of writing
# in squared heights of its digits above which it is noise.
MIN_HEIGHT, MAX_AREA = 8, 4000


@dataclass(frozen=True, eq=False)
class Layout:
    """A page, reduced or enlarged, and its lines of writing.

    Attributes
    ----------
    coverage : float32 ndarray of shape (height, width), 0 background to 1 full ink.
    labels : int32 ndarray of that shape, connected component of each pixel from 1, or 0.
    boxes : bounding box of each component.
    rows : components in the cells of tables, and in other lines.
    tables : number of rows and columns of each ruled table.
    scale : pixels of ``coverage`` per pixel of the picture.
    size : height and width of the picture, in pixels.
    is_dark : whether ink is darker than the background.
    """

    coverage: Float32Array
    labels: IntegerArray
    boxes: Sequence[Box]
    rows: Sequence[Row]
    tables: Sequence[tuple[int, int]]
    scale: float
    size: tuple[int, int]
    is_dark: bool

    def line(self, row: Row) -> LineImage:
        """The image of a line."""
        box = self.boxes[row.members[0]]
        for k in row.members[1:]:
            box = box.union(self.boxes[k])
        numbers = [k + 1 for k in row.members]
        return line_image(self.coverage, self.labels, numbers, box, row.height)

    def picture_box(self, box: Box) -> Box:
        """A box of ``coverage`` in pixels of the picture."""
        # The last pixel of a reduced picture may stand for fewer than the others.
        limits = self.size[0], self.size[0], self.size[1], self.size[1]
        sides = zip(box, limits, strict=True)
        return Box(*(min(max(round(side / self.scale), 0), limit) for side, limit in sides))


def find_layout(
    grey: GreyImage,
    *,
    is_line: bool = False,
    smoothing: float | None = None,
    is_dark: bool | None = None,
) -> Layout:
    """Find the lines of writing on a picture.

    Parameters
    ----------
    grey : uint8 ndarray of shape (height, width), 0 black to 255 white
        Dark ink on a light background or light on dark, unevenly lit.
    is_line : bool, default=False
        Whether the picture shows a single line.
    smoothing : float, optional
        Separate the ink from a printed pattern; see `mnist_svm.pictures.texture`. By default, only
        if it does not stand out otherwise.
    is_dark : bool, optional
        Whether ink is darker than the background. By default, what is more plausible.

    Raises
    ------
    PictureError
        If the picture is blank.
    """
    image, scale = _resize(grey)
    if is_dark is None:
        is_dark = ink_is_dark(image)
    ink = _find_page_ink(image, is_dark, smoothing)
    rulings = find_rulings(ink.mask, ink.faint_mask)
    mask = ink.mask & ~rulings.lines
    labels, boxes = label_components(mask)
    kept = _inside(labels, boxes)
    areas = np.bincount(labels.ravel(), minlength=len(boxes) + 1)[1:]
    tables = [] if is_line else rulings.grids
    rows, free = group_cells([boxes[k] for k in kept], areas[kept], tables)
    others = group_rows(
        [boxes[kept[k]] for k in free], areas[kept][free], is_line=is_line, combs=rulings.combs
    )
    rows += [replace(row, members=[free[k] for k in row.members]) for row in others]
    rows = [replace(row, members=[kept[k] for k in row.members]) for row in rows]
    rows = [row for row in rows if _may_be_written(row, boxes, scale)]
    shapes = [(grid.n_rows, grid.n_columns) for grid in tables]
    size = grey.shape[0], grey.shape[1]
    return Layout(ink.coverage, labels, boxes, rows, shapes, scale, size, is_dark)


def _may_be_written(row: Row, boxes: Sequence[Box], scale: float) -> bool:
    """Whether the digits of a row are high enough, and it is no field of specks."""
    top, bottom, left, right = np.array([boxes[k] for k in row.members]).T
    area = float((bottom.max() - top.min()) * (right.max() - left.min()))
    is_high = row.height >= MIN_HEIGHT * max(scale, 1.0)
    return is_high and area <= MAX_AREA * row.height**2


def _resize(grey: GreyImage) -> tuple[GreyImage, float]:
    """Reduce a large page, enlarge a small one; return the scale too."""
    longer, shorter = max(grey.shape), min(grey.shape)
    image = Image.fromarray(grey)
    if longer > MAX_SIDE:
        factor = -(-longer // MAX_SIDE)
        return np.asarray(image.reduce(factor)), 1 / factor
    if shorter < MIN_SIDE:
        scale = min(MIN_SIDE / shorter, max(1.0, MAX_SIDE / longer))
        size = [round(side * scale) for side in image.size]
        return np.asarray(image.resize(size, Image.Resampling.BICUBIC)), scale
    return grey, 1.0


def _find_page_ink(grey: GreyImage, is_dark: bool, smoothing: float | None) -> Ink:
    if smoothing is not None:
        return find_textured_ink(grey, is_dark, smoothing)
    try:
        return find_ink(grey, is_dark)
    except BlankPictureError:
        # Ink stands out from a printed pattern less than from noise.
        return find_textured_ink(grey, is_dark)


def _inside(labels: IntegerArray, boxes: Sequence[Box]) -> list[int]:
    """Components that do not cover a side of the page."""
    n = len(boxes)
    covered = np.zeros(n)
    for side in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        covered = np.maximum(covered, np.bincount(side, minlength=n + 1)[1:] / len(side))
    inside = np.flatnonzero(covered <= MIN_SIDE_COVERED).tolist()
    return inside or list(range(n))
