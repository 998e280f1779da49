"""Candidates for digits in a line: runs of neighbouring pieces, as images for the classifiers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, reduce

import numpy as np

from mnist_svm._types import (
    Array,
    BoolArray,
    Float32Array,
    Float64Array,
    GreyImage,
    Images,
    IntArray,
)
from mnist_svm.constants import IMAGE_SIDE, WHITE
from mnist_svm.features.blocks import blocks
from mnist_svm.pictures.boxes import Box
from mnist_svm.pictures.lines import HEIGHT, LineImage, Piece
from mnist_svm.pictures.mnist_form import CENTRE, DIGIT_SIDE

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

    @property
    def images(self) -> tuple[GreyImage, GreyImage, GreyImage]:
        """What classifiers see of it."""
        return self.image, self.own, self.others


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
        ink = np.zeros((1, *(_round_up(side) for side in line.coverage.shape)), dtype=np.float32)
        for piece in pieces:
            ink[0][piece.box.window] += piece.ink
        # All ink, with a margin for candidates at its sides.
        self._ink = np.pad(_reduce(ink)[0], IMAGE_SIDE)

    @cached_property
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

    def candidates(self, runs: Sequence[Run]) -> list[Candidate]:
        """Draw runs of pieces as digits."""
        return draw_candidates([(self, run) for run in runs])

    def square(self, box: Box) -> tuple[tuple[int, int], Float32Array]:
        """The square around the middle of a box on the line's centre: corner, and all ink in it.

        It is on the grid of the reduced line, whose margin is `IMAGE_SIDE`.
        """
        column = (box.left + box.right) / 2
        top = round(self._centre.row(column) / REDUCTION + IMAGE_SIDE / 2)
        left = round(column / REDUCTION + IMAGE_SIDE / 2)
        height, width = self._ink.shape
        # A line that slopes, or a candidate far from its centre, may exceed the margin.
        top = min(max(top, 0), height - IMAGE_SIDE)
        left = min(max(left, 0), width - IMAGE_SIDE)
        return (top, left), self._ink[top : top + IMAGE_SIDE, left : left + IMAGE_SIDE]


def draw_candidates(runs: Sequence[tuple[LinePieces, Run]]) -> list[Candidate]:
    """Draw runs of pieces, each with its line, as digits."""
    found = []
    for block in blocks(len(runs)):
        found += _draw(runs[block])
    return found


def _draw(runs: Sequence[tuple[LinePieces, Run]]) -> list[Candidate]:
    """Draw a block of runs together: each operation takes long on a single one."""
    boxes = [reduce(Box.union, (piece.box for piece in run)) for _, run in runs]
    # On the grid of the reduced line, which starts at 0.
    corners = [(box.top // REDUCTION, box.left // REDUCTION) for box in boxes]
    shape = np.max([(box.height, box.width) for box in boxes], axis=0) + REDUCTION - 1
    ink = np.zeros((len(runs), *(_round_up(side) for side in shape.tolist())), np.float32)
    for target, (_, run), (row, column) in zip(ink, runs, corners, strict=True):
        for piece in run:
            part = target[piece.box.shift(-REDUCTION * row, -REDUCTION * column).window]
            part += piece.ink
    squares = [line.square(box) for (line, _), box in zip(runs, boxes, strict=True)]
    offsets = np.array([corner for corner, _ in squares]) - np.array(corners) - IMAGE_SIDE
    own = _shifted(_reduce(ink), offsets)
    others = np.stack([all_ink for _, all_ink in squares]) - own
    drawn = zip(boxes, mnist_forms(ink), _to_uint8(own), _to_uint8(others), strict=True)
    return [Candidate(*each) for each in drawn]


def _round_up(length: int) -> int:
    """The least multiple of `REDUCTION` that is not less."""
    return -(-length // REDUCTION) * REDUCTION


def _reduce(ink: Float32Array) -> Float32Array:
    """Means of squares of `REDUCTION` pixels, of images of shape (n, height, width)."""
    rows = reduce(np.add, [ink[:, k::REDUCTION] for k in range(REDUCTION)])
    sums = reduce(np.add, [rows[:, :, k::REDUCTION] for k in range(REDUCTION)])
    return np.asarray(sums / REDUCTION**2)


def _shifted(images: Array, offsets: IntArray) -> Array:
    """Squares of `IMAGE_SIDE` of images, each at another offset, of shape (n, 2); zero outside."""
    n, height, width = images.shape
    rows, columns = (offsets[:, axis, None] + np.arange(IMAGE_SIDE) for axis in (0, 1))
    # One row and one column more, of zeros, stand for all that is outside.
    rows = np.where((rows < 0) | (rows >= height), height, rows)
    columns = np.where((columns < 0) | (columns >= width), width, columns)
    padded = np.pad(images, ((0, 0), (0, 1), (0, 1)))
    index = (np.arange(n)[:, None] * (height + 1) + rows)[:, :, None] * (width + 1)
    return np.asarray(padded.take(index + columns[:, None, :]))


def _to_uint8(ink: Float32Array) -> Images:
    return np.asarray((WHITE * ink).clip(0, WHITE).round(), dtype=np.uint8)


def mnist_forms(ink: Float32Array) -> Images:
    """Draw ink in MNIST form: longer side of 20 pixels, centre of mass at (14, 14).

    Parameters
    ----------
    ink : float32 ndarray of shape (n, height, width), 0 to 1, some of it in each image

    Returns
    -------
    uint8 ndarray of shape (n, 28, 28), 0-255
    """
    fullest = ink.max(axis=2), ink.max(axis=1)
    least = np.minimum(MIN_COVERAGE, 0.9 * fullest[0].max(axis=1))
    visible = [part > least[:, None] for part in fullest]
    starts = np.stack([part.argmax(axis=1) for part in visible], axis=1)
    stops = np.stack([part.shape[1] - part[:, ::-1].argmax(axis=1) for part in visible], axis=1)
    lengths = stops - starts
    scale = DIGIT_SIDE / lengths.max(axis=1, keepdims=True)
    sizes = np.maximum(np.rint(lengths * scale), 1)
    by_row, by_column = (
        _resampling(starts[:, k], lengths[:, k], sizes[:, k], fullest[k] > 0) for k in (0, 1)
    )
    small = np.maximum(by_row @ ink @ by_column.transpose(0, 2, 1), 0)
    sums = np.stack([small.sum(axis=2), small.sum(axis=1)], axis=1)
    means = (sums @ np.arange(DIGIT_SIDE)) / sums.sum(axis=2)
    places = np.rint(CENTRE - means).clip(0, IMAGE_SIDE - sizes).astype(np.intp)
    small *= WHITE / small.max(axis=(1, 2), keepdims=True)
    images = np.zeros((len(ink), IMAGE_SIDE, IMAGE_SIDE), dtype=np.uint8)
    sides = zip(places.tolist(), sizes.astype(np.intp).tolist(), strict=True)
    for image, part, ((top, left), (height, width)) in zip(
        images, np.rint(small), sides, strict=True
    ):
        image[top : top + height, left : left + width] = part[:height, :width]
    return images


def _resampling(
    starts: IntArray, lengths: IntArray, sizes: Float64Array, has_ink: BoolArray
) -> Float32Array:
    """Weights with which an axis is resampled by a bicubic filter (R. G. Keys).

    `lengths` pixels from `starts` become `sizes`. The pixels around count too, as far as there is
    ink: `has_ink`, of shape (n, length). The result has shape (n, `DIGIT_SIDE`, length).
    """
    n, length = has_ink.shape
    steps = (lengths / sizes)[:, None, None]
    widths = np.maximum(steps, 1)
    numbers, sizes = np.arange(DIGIT_SIDE)[:, None], sizes[:, None, None]
    # Those beyond the last pixel repeat it, and are set to zero in the end.
    centres = starts[:, None, None] + (np.minimum(numbers, sizes - 1) + 0.5) * steps
    firsts = np.ceil(centres - 2 * widths - 0.5)
    places = firsts + np.arange(int(4 * widths.max()) + 2)
    x = (np.abs(places + 0.5 - centres) / widths).astype(np.float32)
    near, far = (1.5 * x - 2.5) * x * x + 1, ((-0.5 * x + 2.5) * x - 4) * x + 2
    weights = np.where(x < 1, near, np.where(x < 2, far, 0))
    first, stop = has_ink.argmax(axis=1), length - has_ink[:, ::-1].argmax(axis=1)
    weights *= (places >= first[:, None, None]) & (places < stop[:, None, None])
    weights /= weights.sum(axis=2, keepdims=True)
    weights *= numbers < sizes
    # What is outside of the image goes to one column more.
    outside = (places < 0) | (places >= length)
    full = np.zeros((n, DIGIT_SIDE, length + 1), dtype=np.float32)
    np.put_along_axis(full, np.where(outside, length, places).astype(np.intp), weights, axis=2)
    return full[:, :, :-1]


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
        # A line whose ink is too faint has no pieces.
        self._row = float(np.median(rows - self._slope * columns)) if tall else 0.0

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
