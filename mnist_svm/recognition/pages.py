"""A page of digits: blobs joined and cut so that the classifier is surest of what it reads."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import inf
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from mnist_svm.constants import Images
from mnist_svm.exceptions import PictureError
from mnist_svm.pictures.segment import Blob, Page, segment_page, split_blob
from mnist_svm.recognition.results import Digit, Row

Part = TypeVar("Part")

# From uint8 images of shape (n, 28, 28) to probabilities: of shape (n, k), one a class, and of
# shape (n,), that it is one digit and not two or more that touch.
Classify = Callable[[Images], npt.NDArray[np.float64]]

# A blob that is narrower than this part of its height is not cut.
WIDE = 0.45

# Blots that are one digit with less probability are cut: most are, whatever they look like.
ONE = 0.2

# Digits that touch are cut again and again, so often, and on a page so many at a time: noise has
# thousands of blobs that might be anything.
DEPTH = 4
CUT = 100

# Blots nearer than this part of their height may be parts of one digit.
NEAR = 0.15

# What else than the classifier's sureness speaks for a cut: that the parts are one digit each, and
# as high as the whole. Weights from a logistic regression on 300 pairs of training digits.
PER_ONE = 0.1
PER_HEIGHT = 0.6

# Probabilities below it are not told apart.
TINY = 1e-6


@dataclass(frozen=True, eq=False)
class _Reading:
    """A blob, what the classifier saw of it and says, and whether it is one digit."""

    blob: Blob
    image: Images
    probabilities: npt.NDArray[np.float64]
    one: float

    @property
    def log_confidence(self) -> float:
        """Logarithm of the best class's probability."""
        return float(np.log(max(self.probabilities.max(), TINY)))


class PageReader:
    """Reads all digits of a picture.

    Parameters
    ----------
    classes : int64 ndarray of shape (k,)
        The labels of the classifier's classes.
    classify : callable
        From uint8 images of shape (n, 28, 28), 0-255, to probabilities of shape (n, k).
    is_one : callable
        From such images to probabilities of shape (n,) that each is one digit, and not two or
        more that touch.
    """

    def __init__(
        self, classes: npt.NDArray[np.int64], classify: Classify, is_one: Classify
    ) -> None:
        self._classes = classes
        self._classify = classify
        self._is_one = is_one

    def read(self, grey: Images, *, until: float = inf) -> tuple[Row, ...]:
        """Read a picture.

        Parameters
        ----------
        grey : uint8 ndarray of shape (height, width), 0 black to 255 white
        until : float, optional
            When to give up, by `time.monotonic`.

        Returns
        -------
        tuple of rows from top to bottom, each a tuple of Digit from left to right

        Raises
        ------
        PictureError
            If the picture is blank, shows nothing that could be a digit, or is not read in time.
        """
        page = segment_page(grey)
        rows = [row for row in page.rows if row]
        if not rows:
            msg = "no digits found on this picture"
            raise PictureError(msg)
        # All rows at once: to ask the classifier takes a while, however much it is asked.
        readings = iter(self._readings(page, [blob for row in rows for blob in row], until))
        whole = self._joined(page, [[next(readings) for _ in row] for row in rows], until)
        parts = iter(self._cut(page, [reading for row in whole for reading in row], DEPTH, until))
        return tuple(
            tuple(self._digit(page, part) for _ in row for part in next(parts)) for row in whole
        )

    def _digit(self, page: Page, part: _Reading) -> Digit:
        probabilities = part.probabilities
        best = int(probabilities.argmax())
        box = page.picture_box(part.blob.box)
        return Digit(
            int(self._classes[best]), float(probabilities[best]), box, part.image, probabilities
        )

    def _readings(self, page: Page, blobs: list[Blob], until: float) -> list[_Reading]:
        if not blobs:
            return []
        images = np.stack([page.render(blob) for blob in _in_time(blobs, until)])
        probabilities, ones = self._classify(images), self._is_one(images)
        return [_Reading(*parts) for parts in zip(blobs, images, probabilities, ones, strict=True)]

    def _joined(self, page: Page, rows: list[list[_Reading]], until: float) -> list[list[_Reading]]:
        """Neighbours joined where the classifier is surer of the whole than of the parts."""
        pairs = [[pair for pair in pairwise(row) if _are_near(*pair)] for row in rows]
        blobs = [one.blob.union(two.blob) for of_row in pairs for one, two in of_row]
        wholes = iter(self._readings(page, blobs, until))
        result = []
        for row, of_row in zip(rows, pairs, strict=True):
            joined = list(row)
            for (one, two), whole in reversed([(pair, next(wholes)) for pair in of_row]):
                surer = whole.log_confidence > one.log_confidence + two.log_confidence
                # The one to the right may have been joined to the next.
                if whole.one > ONE and surer and two in joined:
                    at = joined.index(two)
                    joined[at - 1 : at + 1] = [whole]
            result.append(joined)
        return result

    def _cut(
        self, page: Page, readings: list[_Reading], depth: int, until: float
    ) -> list[list[_Reading]]:
        """The digits of each blob, cut between them if they are several."""
        several = [reading for reading in readings if depth and _may_be_more(reading)]
        surest = set(sorted(several, key=lambda reading: reading.one)[:CUT])
        ways = [
            split_blob(page, reading.blob) if reading in surest else []
            for reading in _in_time(readings, until)
        ]
        pieces = [piece for of_blot in ways for pair in of_blot for piece in pair]
        read = iter(self._readings(page, pieces, until))
        pairs = [
            max(
                ([next(read), next(read)] for _ in of_blot),
                key=lambda pair: _worth(pair, reading),
                default=[],
            )
            for reading, of_blot in zip(readings, ways, strict=True)
        ]
        if not pieces:
            return [[reading] for reading in readings]
        again = iter(self._cut(page, [part for pair in pairs for part in pair], depth - 1, until))
        return [
            [digit for _ in pair for digit in next(again)] or [reading]
            for reading, pair in zip(readings, pairs, strict=True)
        ]


def _in_time(parts: list[Part], until: float) -> Iterator[Part]:
    """The parts one by one, as long as there is time."""
    for part in parts:
        if time.monotonic() > until:
            msg = "not read in time: far more on it than a page of numbers has"
            raise PictureError(msg)
        yield part


def _are_near(one: _Reading, two: _Reading) -> bool:
    """Whether two neighbours may be parts of one digit."""
    boxes = one.blob.box, two.blob.box
    return boxes[0].gaps(boxes[1])[1] <= NEAR * boxes[0].union(boxes[1]).height


def _may_be_more(reading: _Reading) -> bool:
    box = reading.blob.box
    return reading.one < ONE and box.width > WIDE * box.height


def _worth(parts: list[_Reading], whole: _Reading) -> float:
    """How good a cut is."""
    sure = sum(part.log_confidence for part in parts)
    ones = sum(float(np.log(max(part.one, TINY))) for part in parts)
    height = min(part.blob.box.height for part in parts) / whole.blob.box.height
    return sure + PER_ONE * ones + PER_HEIGHT * height

