"""Candidates for digits in a line: runs of neighbouring pieces, as images for the classifiers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from PIL import Image

from mnist_svm._types import Float32Array, Float64Array, GreyImage
from mnist_svm.constants import IMAGE_SIDE, WHITE
from mnist_svm.pictures.boxes import Box, bounding_box
from mnist_svm.pictures.lines import HEIGHT, LineImage, Piece
from mnist_svm.pictures.normalize import CENTRE, DIGIT_SIDE

# Pieces that a digit may consist of.
MAX_PIECES = 6
# Limits of a candidate, as multiples of the usual height: its height and width, and the gaps
# between its pieces.
MIN_HEIGHT, MAX_HEIGHT, MAX_WIDTH = 0.3, 2.2, 1.6
MAX_GAP_BESIDE, MAX_GAP_ABOVE = 0.2, 0.3

# Pixels of a line's image per pixel of the image that shows a candidate's place.
REDUCTION = 3
# Coverage of a pixel that counts for height and width of a digit.
MIN_COVERAGE = 0.3


@dataclass(frozen=True, eq=False)
class Candidate:
    """A run of neighbouring pieces as one digit.

    Attributes
    ----------
    box : bounding box in pixels of the line's image.
    image : uint8 ndarray of shape (28, 28), 0-255, in MNIST form.
    own, others : uint8 ndarray of shape (28, 28), 0-255: its ink in its line, whose usual height is
        16 pixels, and the other ink there.
    """

    box: Box
    image: GreyImage
    own: GreyImage
    others: GreyImage


Run = tuple[Piece, ...]


class LinePieces:
    """The pieces of a line, of which runs may be digits.

    Parameters
    ----------
    line : LineImage
    pieces : pieces from left to right; all ink of the line that may belong to a digit.
    """

    def __init__(self, line: LineImage, pieces: Sequence[Piece]) -> None:
        self.line = line
        self.pieces = tuple(pieces)
        self._centre = CentreLine([piece.box for piece in pieces])
        self._reduced = {piece: _reduce(piece) for piece in pieces}
        # All ink, with a margin for candidates at its sides.
        shape = [-(-side // REDUCTION) + 2 * IMAGE_SIDE for side in line.coverage.shape]
        self._ink = np.zeros(shape, dtype=np.float32)
        for box, ink in self._reduced.values():
            self._ink[box.shift(IMAGE_SIDE, IMAGE_SIDE).window] += ink

    def runs(self) -> list[tuple[int, int]]:
        """Ranges of pieces that may be a digit by their size."""
        runs = []
        boxes = [piece.box for piece in self.pieces]
        for start, box in enumerate(boxes):
            for stop in range(start + 1, min(start + MAX_PIECES, len(boxes)) + 1):
                rows, columns = box.gaps(boxes[stop - 1])
                box = box.union(boxes[stop - 1])
                if columns > MAX_GAP_BESIDE * HEIGHT or box.width > MAX_WIDTH * HEIGHT:
                    break
                is_apart = stop > start + 1 and rows > MAX_GAP_ABOVE * HEIGHT
                is_small = box.longer_side < MIN_HEIGHT * HEIGHT
                if not (is_apart or is_small or box.height > MAX_HEIGHT * HEIGHT):
                    runs.append((start, stop))
        return runs

    def candidate(self, run: Run) -> Candidate:
        """Draw pieces as a digit."""
        box = reduce(Box.union, (piece.box for piece in run))
        ink = np.zeros((box.height, box.width), dtype=np.float32)
        for piece in run:
            ink[piece.box.shift(-box.top, -box.left).window] += piece.ink
        return Candidate(box, mnist_form(ink), *self._place(run, box))

    def _place(self, run: Run, box: Box) -> tuple[GreyImage, GreyImage]:
        """Ink of a run, and other ink, in a square around its middle on the line's centre."""
        column = (box.left + box.right) / 2
        top = round(self._centre.row(column) / REDUCTION + IMAGE_SIDE / 2)
        left = round(column / REDUCTION + IMAGE_SIDE / 2)
        height, width = self._ink.shape
        # A line that slopes, or a candidate far from its centre, may exceed the margin.
        top = min(max(top, 0), height - IMAGE_SIDE)
        left = min(max(left, 0), width - IMAGE_SIDE)
        square = Box(top, top + IMAGE_SIDE, left, left + IMAGE_SIDE)
        own = np.zeros_like(self._ink[square.window])
        for piece in run:
            reduced, ink = self._reduced[piece]
            _add(own, ink, reduced.shift(IMAGE_SIDE - top, IMAGE_SIDE - left))
        others = self._ink[square.window] - own
        return _to_uint8(own), _to_uint8(others)


def _add(target: Float32Array, ink: Float32Array, box: Box) -> None:
    """Add ink at a box, of which a part may be outside of the target."""
    rows = slice(max(box.top, 0), max(min(box.bottom, len(target)), 0))
    columns = slice(max(box.left, 0), max(min(box.right, target.shape[1]), 0))
    part = target[rows, columns]
    part += ink[rows.start - box.top :, columns.start - box.left :][: len(part), : part.shape[1]]


def _to_uint8(ink: Float32Array) -> GreyImage:
    return np.asarray((WHITE * ink).clip(0, WHITE).round(), dtype=np.uint8)


def mnist_form(ink: Float32Array) -> GreyImage:
    """Draw ink, 0 to 1, in MNIST form: longer side of 20 pixels, centre of mass at (14, 14)."""
    visible = ink > min(MIN_COVERAGE, 0.9 * float(ink.max()))
    top, bottom, left, right = bounding_box(visible)
    scale = DIGIT_SIDE / max(bottom - top, right - left)
    size = max(round((right - left) * scale), 1), max(round((bottom - top) * scale), 1)
    area = (left, top, right, bottom)
    small = np.asarray(Image.fromarray(ink).resize(size, Image.Resampling.BICUBIC, box=area))
    small = small.clip(0, None)
    image = np.zeros((IMAGE_SIDE, IMAGE_SIDE), dtype=np.uint8)
    down, across = small.sum(axis=1), small.sum(axis=0)
    total = float(down.sum())
    places = []
    for sums in (down, across):
        mean = float(sums @ np.arange(len(sums))) / total
        places.append(min(max(round(CENTRE - mean), 0), IMAGE_SIDE - len(sums)))
    top, left = places
    image[top : top + len(small), left : left + small.shape[1]] = np.rint(
        small * (WHITE / float(small.max()))
    )
    return image


class CentreLine:
    """The straight line through the middles of a line's tall pieces."""

    def __init__(self, boxes: Sequence[Box]) -> None:
        tall = [box for box in boxes if 0.6 * HEIGHT <= box.height <= 1.5 * HEIGHT]
        tall = tall or [box for box in boxes if box.longer_side >= MIN_HEIGHT * HEIGHT]
        tall = tall or list(boxes)
        rows = np.array([(box.top + box.bottom) / 2 for box in tall])
        columns = np.array([(box.left + box.right) / 2 for box in tall])
        is_long = len(tall) >= 3 and np.ptp(columns) > 2 * HEIGHT
        self._slope = _median_slope(rows, columns) if is_long else 0.0
        self._row = float(np.median(rows - self._slope * columns))

    def row(self, column: float) -> float:
        """Row of the line at a column."""
        return self._row + self._slope * column


def _median_slope(rows: Float64Array, columns: Float64Array) -> float:
    """Median slope of all pairs that are apart (H. Theil, P. K. Sen)."""
    i, j = np.triu_indices(len(rows), 1)
    apart = np.abs(columns[j] - columns[i]) > HEIGHT
    if not apart.any():
        return 0.0
    return float(np.median((rows[j] - rows[i])[apart] / (columns[j] - columns[i])[apart]))


def _reduce(piece: Piece) -> tuple[Box, Float32Array]:
    """A piece, reduced by `REDUCTION` on the grid of its line, and its box on that grid."""
    box = piece.box
    top, left = box.top // REDUCTION, box.left // REDUCTION
    bottom, right = -(-box.bottom // REDUCTION), -(-box.right // REDUCTION)
    padded = np.zeros(((bottom - top) * REDUCTION, (right - left) * REDUCTION), np.float32)
    padded[box.shift(-top * REDUCTION, -left * REDUCTION).window] = piece.ink
    blocks = padded.reshape(bottom - top, REDUCTION, right - left, REDUCTION)
    return Box(top, bottom, left, right), blocks.mean(axis=(1, 3))
