"""Bring a line of writing to one size and pen, and cut its ink into pieces of digits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from PIL import Image
from scipy import ndimage

from mnist_svm._types import Float32Array, IntArray, IntegerArray, Mask
from mnist_svm.pictures.background import stroke_width
from mnist_svm.pictures.boxes import Box, bounding_box
from mnist_svm.pictures.filters import maximum_filter
from mnist_svm.pictures.seams import Cuts, find_cuts

# Usual height of a line's digits, and margin around them, in pixels of the line's image.
HEIGHT, MARGIN = 48, 6
# Widths of pens that digits are classified with, as fractions of the usual height: those of nine
# in ten MNIST digits.
MIN_PEN, MAX_PEN = 1.7 / 20, 3.6 / 20
# Coverage above which a pixel next to a stroke is its soft edge.
SOFT_EDGE = 0.05
# Width of a component, as a multiple of the usual height, above which it is no writing.
MAX_CUT_WIDTH = 12.0
# Slants of writing, in columns per row.
SLANTS = np.arange(-0.4, 0.91, 0.1)


@dataclass(frozen=True, eq=False)
class Piece:
    """A part of the ink of a line: a connected component, or a part of one that was cut.

    Attributes
    ----------
    component : number of the component that it belongs to.
    box : bounding box in pixels of the line's image.
    ink : float32 ndarray of shape (box.height, box.width), coverage 0 to 1, without other pieces.
    """

    component: int
    box: Box
    ink: Float32Array


@dataclass(frozen=True, eq=False)
class LineImage:
    """A line of writing whose digits are `HEIGHT` pixels high.

    Attributes
    ----------
    coverage : float32 ndarray of shape (height, width), 0 background to 1 ink of this line.
    labels : int32 ndarray of that shape, component of each pixel from 1, and 0 where there is none.
    boxes : bounding boxes of the components.
    scale : pixels of this image per pixel of the page.
    origin : row and column of the page at the upper left corner of this image; may be negative.
    pen : mean width of its strokes, as a fraction of the usual height.
    slant : lean of its strokes to the right, columns per row upwards.
    """

    coverage: Float32Array
    labels: IntegerArray
    boxes: tuple[Box, ...]
    scale: float
    origin: tuple[float, float]
    pen: float
    slant: float
    _parts: dict[Piece, _Parts] = field(default_factory=dict, init=False, repr=False)

    def page_box(self, box: Box) -> Box:
        """A box of this image in pixels of the page."""
        top, left = self.origin
        rows = [round(top + side / self.scale) for side in box[:2]]
        columns = [round(left + side / self.scale) for side in box[2:]]
        return Box(max(rows[0], 0), rows[1], max(columns[0], 0), columns[1])

    def component_piece(self, number: int) -> Piece | None:
        """A component as a single piece; None if nothing of it is visible."""
        box = self.boxes[number]
        ink = np.where(self.labels[box.window] == number + 1, self.coverage[box.window], 0)
        return _crop(number, box, ink)

    def cut(self, piece: Piece, n_ways: int = 1) -> list[list[Piece]]:
        """Cut a piece wherever a digit may end, in several ways; each from left to right.

        See `Cuts.choose`. Pieces between the same seams are one object. A piece that is too wide
        for writing is not cut.
        """
        if piece.box.width > MAX_CUT_WIDTH * HEIGHT:
            return [[piece]] * n_ways
        if piece not in self._parts:
            cuts = find_cuts(piece.ink, HEIGHT, self.pen * HEIGHT, self.slant)
            self._parts[piece] = _Parts(piece, cuts)
        return self._parts[piece].choose(n_ways)

    def in_order(self, pieces: Sequence[Piece]) -> list[Piece]:
        """Sort pieces from left to right, by their middles in upright writing."""
        return sorted(
            pieces,
            key=lambda piece: (
                (piece.box.left + piece.box.right) + self.slant * (piece.box.top + piece.box.bottom)
            ),
        )


class _Parts:
    """The parts of a piece between seams, each of which is made once."""

    def __init__(self, piece: Piece, cuts: Cuts) -> None:
        self._piece = piece
        self._cuts = cuts
        self._made: dict[tuple[bytes, bytes], Piece | None] = {}

    def choose(self, n_ways: int) -> list[list[Piece]]:
        """Parts between the seams of several ways to cut, from left to right."""
        height, width = self._piece.ink.shape
        first, last = np.zeros(height, dtype=np.intp), np.full(height, width)
        ways = []
        for seams in self._cuts.choose(n_ways):
            parts = [self._between(*pair) for pair in pairwise([first, *seams, last])]
            ways.append([part for part in parts if part is not None])
        return ways

    def _between(self, left: IntArray, right: IntArray) -> Piece | None:
        """The part between two seams, or None if nothing of it is visible."""
        key = left.tobytes(), right.tobytes()
        if key not in self._made:
            columns = np.arange(self._piece.box.width)
            inside = (columns >= left[:, None]) & (columns < right[:, None])
            ink = np.where(inside, self._piece.ink, 0)
            self._made[key] = _crop(self._piece.component, self._piece.box, ink)
        return self._made[key]


def _crop(number: int, box: Box, ink: Float32Array) -> Piece | None:
    """The visible ink of a component in a box, or None if there is none."""
    visible = ink > SOFT_EDGE
    if not visible.any():
        return None
    inner = bounding_box(visible)
    return Piece(number, inner.shift(box.top, box.left), ink[inner.window])


def line_image(
    coverage: Float32Array, labels: IntegerArray, numbers: Sequence[int], box: Box, height: float
) -> LineImage:
    """Cut a line out of a page, and bring it to one size and pen.

    Parameters
    ----------
    coverage : float32 ndarray of shape (height, width), 0 background to 1 full ink of the page
    labels : int ndarray of that shape, the page's components, numbered from 1
    numbers : the components that are in the line
    box : their bounding box
    height : usual height of the line's digits, in pixels of the page
    """
    scale = HEIGHT / height
    around = -(-MARGIN // scale)
    window = Box(
        max(int(box.top - around), 0),
        min(int(box.bottom + around), coverage.shape[0]),
        max(int(box.left - around), 0),
        min(int(box.right + around), coverage.shape[1]),
    )
    lookup = np.zeros(int(labels[window.window].max()) + 1, dtype=np.int32)
    lookup[list(numbers)] = np.arange(1, len(numbers) + 1)
    own = lookup[labels[window.window]]
    near = maximum_filter(own > 0, 3)
    soft = np.where(near, coverage[window.window], 0).astype(np.float32)
    size = [max(round(side * scale), 1) for side in (window.width, window.height)]
    enlarged = np.asarray(Image.fromarray(soft).resize(size, Image.Resampling.BICUBIC)).clip(0, 1)
    if scale > 1:
        # Enlarged edges are soft over as many pixels.
        enlarged = ((enlarged - 0.5) * min(scale, 3.0) + 0.5).clip(0, 1)
    pen = stroke_width(enlarged) / HEIGHT
    enlarged = _adjust_pen(enlarged, pen)
    resized = np.asarray(
        Image.fromarray(own.astype(np.int32), mode="I").resize(size, Image.Resampling.NEAREST)
    )
    pad = MARGIN + 2
    enlarged, resized = (np.pad(part, pad) for part in (enlarged, resized))
    grown = _grow(resized, enlarged > SOFT_EDGE)
    origin = window.top - pad / scale, window.left - pad / scale
    boxes = _boxes(grown, len(numbers))
    pen = float(np.clip(pen, MIN_PEN, MAX_PEN))
    return LineImage(enlarged, grown, boxes, scale, origin, pen, _estimate_slant(enlarged))


def _estimate_slant(coverage: Float32Array) -> float:
    """Slant at which columns are fullest and emptiest: the highest sum of squares of their ink."""
    rows, columns = np.nonzero(coverage > 0.5)
    if not len(rows):
        return 0.0
    shifts = np.rint(SLANTS[:, None] * np.arange(len(coverage))).astype(np.intp)
    n_places = coverage.shape[1] + int(np.ptp(shifts))
    starts = n_places * np.arange(len(SLANTS))[:, None] - int(shifts.min())
    places = columns + (shifts + starts)[:, rows]
    counts = np.bincount(places.ravel(), minlength=n_places * len(SLANTS))
    fullness = (counts.reshape(len(SLANTS), n_places) ** 2).sum(axis=1)
    return float(SLANTS[int(fullness.argmax())])


def _boxes(labels: IntegerArray, n: int) -> tuple[Box, ...]:
    found = ndimage.find_objects(labels, max_label=n)
    return tuple(
        Box(rows.start, rows.stop, columns.start, columns.stop)
        if (rows, columns)
        else Box(0, 0, 0, 0)
        for rows, columns in (pair or (slice(0, 0), slice(0, 0)) for pair in found)
    )


def _grow(labels: IntegerArray, ink: Mask) -> IntegerArray:
    """Give soft edges the label of the nearest stroke."""
    for _ in range(3):
        free = ink & (labels == 0)
        if not free.any():
            break
        labels = np.where(free, maximum_filter(labels, 3), labels)
    return labels


def _adjust_pen(coverage: Float32Array, pen: float) -> Float32Array:
    """Move the outline of strokes so that their mean width is within MNIST's."""
    target = float(np.clip(pen, MIN_PEN, MAX_PEN))
    if target == pen or pen == 0:
        return coverage
    shift = HEIGHT * (target - pen) / 2
    outline = np.pad(coverage > 0.5, 2)
    distance = ndimage.distance_transform_edt(outline) - ndimage.distance_transform_edt(~outline)
    # Limit the shift, so that thin strokes do not vanish.
    ridge = maximum_filter(distance, 2 * round(MAX_PEN * HEIGHT / 2) + 1)
    shifted = distance + np.maximum(shift, -0.4 * np.maximum(ridge, 0)) + 0.5
    return np.asarray(shifted[2:-2, 2:-2].clip(0, 1), dtype=np.float32)
