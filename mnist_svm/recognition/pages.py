"""Reading a page: segment it into blobs, then join and split them as the classifier prefers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import inf
from typing import TypeVar

import numpy as np

from mnist_svm._types import Float64Array, Images, Labels
from mnist_svm.exceptions import PictureError
from mnist_svm.pictures.segment import Blob, Page, segment_page, split_blob
from mnist_svm.recognition.results import Digit, Row

Item = TypeVar("Item")
Proba = Callable[[Images], Float64Array]

# A blob is split if it is less probably a single digit than this, and wider than this multiple of
# its height.
MAX_SINGLE_PROBA = 0.2
MIN_SPLIT_ASPECT = 0.45

# Rounds of splitting, and blobs split per round: noise has thousands of ambiguous blobs.
SPLIT_ROUNDS = 4
SPLITS_PER_ROUND = 100

# Neighbours may be joined if the gap between them is at most this multiple of their height.
MAX_JOIN_GAP = 0.15

# Weights in the score of a split, which adds to the log confidences of both halves: their log
# probabilities of being single digits, and the smaller height as a fraction of the whole's. Fitted
# by logistic regression on 300 pairs of training digits.
SINGLE_WEIGHT = 0.1
HEIGHT_WEIGHT = 0.6

# Probabilities are clipped here before their logarithm is taken.
MIN_PROBA = 1e-6


@dataclass(eq=False)
class _Candidate:
    """A blob with its image, class probabilities and probability of being a single digit.

    ``halves`` is empty, or the two candidates that replace this one.
    """

    blob: Blob
    image: Images
    probabilities: Float64Array
    single_proba: float
    halves: tuple[_Candidate, ...] = ()

    @property
    def log_confidence(self) -> float:
        """Logarithm of the highest class probability."""
        return float(np.log(max(self.probabilities.max(), MIN_PROBA)))

    @property
    def log_single_proba(self) -> float:
        """Logarithm of the probability of being a single digit."""
        return float(np.log(max(self.single_proba, MIN_PROBA)))

    def digits(self) -> Iterator[_Candidate]:
        """Yield this candidate, or those that it was split into, from left to right."""
        if not self.halves:
            yield self
        for half in self.halves:
            yield from half.digits()


Classify = Callable[[list[Blob]], list[_Candidate]]


class PageReader:
    """Reader of all digits on a picture.

    `predict_proba` maps images to the probabilities of `classes`, of shape (n, k), and
    `single_digit_proba` to those of a single digit, not several touching ones, of shape (n,).
    """

    def __init__(self, classes: Labels, predict_proba: Proba, single_digit_proba: Proba) -> None:
        self._classes = classes
        self._predict_proba = predict_proba
        self._single_digit_proba = single_digit_proba

    def read(self, grey: Images, *, deadline: float = inf) -> tuple[Row, ...]:
        """Read the rows of a decoded picture, from top to bottom, each from left to right.

        Raises PictureError if the picture is blank, shows nothing that could be a digit, or is not
        read before `time.monotonic` reaches the deadline.
        """
        page = segment_page(grey)
        rows = [row for row in page.rows if row]
        if not rows:
            msg = "no digits found on this picture"
            raise PictureError(msg)

        def classify(blobs: list[Blob]) -> list[_Candidate]:
            return self._classify(page, blobs, deadline)

        # Each stage classifies the blobs of all rows together: a call has a high fixed cost.
        candidates = classify([blob for row in rows for blob in row])
        joined = _join_neighbours(_group(candidates, [len(row) for row in rows]), classify)
        level = [candidate for row in joined for candidate in row]
        for _ in range(SPLIT_ROUNDS):
            level = _split_touching(page, level, classify, deadline)
        return tuple(
            tuple(self._digit(page, part) for candidate in row for part in candidate.digits())
            for row in joined
        )

    def _classify(self, page: Page, blobs: list[Blob], deadline: float) -> list[_Candidate]:
        if not blobs:
            return []
        images = np.stack([page.render(blob) for blob in _until(deadline, blobs)])
        probabilities = self._predict_proba(images)
        singles = self._single_digit_proba(images)
        return [
            _Candidate(blob, image, row, float(single))
            for blob, image, row, single in zip(blobs, images, probabilities, singles, strict=True)
        ]

    def _digit(self, page: Page, candidate: _Candidate) -> Digit:
        probabilities = candidate.probabilities
        best = int(probabilities.argmax())
        label, confidence = int(self._classes[best]), float(probabilities[best])
        box = page.picture_box(candidate.blob.box)
        return Digit(label, confidence, box, candidate.image, probabilities)


def _join_neighbours(rows: list[list[_Candidate]], classify: Classify) -> list[list[_Candidate]]:
    """Join neighbours where the whole has a higher log confidence than both parts together."""
    pairs = [(left, right) for row in rows for left, right in pairwise(row) if _near(left, right)]
    wholes = classify([left.blob.union(right.blob) for left, right in pairs])
    # The accepted joins, by their left part.
    joins = {
        left: whole
        for (left, right), whole in zip(pairs, wholes, strict=True)
        if whole.single_proba > MAX_SINGLE_PROBA
        and whole.log_confidence > left.log_confidence + right.log_confidence
    }
    return [_apply_joins(row, joins) for row in rows]


def _apply_joins(row: list[_Candidate], joins: dict[_Candidate, _Candidate]) -> list[_Candidate]:
    """Replace pairs by their joins, from right to left, using each candidate at most once."""
    joined: list[_Candidate] = []
    index = len(row) - 1
    while index >= 0:
        if index > 0 and row[index - 1] in joins:
            joined.append(joins[row[index - 1]])
            index -= 2
        else:
            joined.append(row[index])
            index -= 1
    return joined[::-1]


def _split_touching(
    page: Page, level: list[_Candidate], classify: Classify, deadline: float
) -> list[_Candidate]:
    """Set the best halves of each candidate that seems to be several digits, and return them."""
    several = [candidate for candidate in level if _may_be_several(candidate)]
    likeliest = set(sorted(several, key=lambda each: each.single_proba)[:SPLITS_PER_ROUND])
    several = [candidate for candidate in several if candidate in likeliest]
    splits = [
        (candidate, blobs)
        for candidate in _until(deadline, several)
        for blobs in split_blob(page, candidate.blob)
    ]
    halves = classify([blob for _, blobs in splits for blob in blobs])
    best_scores: dict[_Candidate, float] = {}
    for (candidate, _), left, right in zip(splits, halves[0::2], halves[1::2], strict=True):
        score = _split_score(candidate, left, right)
        if score > best_scores.get(candidate, -inf):
            best_scores[candidate] = score
            candidate.halves = (left, right)
    return [half for candidate in several for half in candidate.halves]


def _split_score(whole: _Candidate, left: _Candidate, right: _Candidate) -> float:
    """Return the score of a split; the highest of a blob's splits is chosen."""
    halves = (left, right)
    confidence = sum(half.log_confidence for half in halves)
    single = sum(half.log_single_proba for half in halves)
    height = min(half.blob.box.height for half in halves) / whole.blob.box.height
    return confidence + SINGLE_WEIGHT * single + HEIGHT_WEIGHT * height


def _near(left: _Candidate, right: _Candidate) -> bool:
    """Whether the gap between two neighbours is small enough to join them."""
    a, b = left.blob.box, right.blob.box
    return a.gaps(b)[1] <= MAX_JOIN_GAP * a.union(b).height


def _may_be_several(candidate: _Candidate) -> bool:
    box = candidate.blob.box
    return candidate.single_proba < MAX_SINGLE_PROBA and box.width > MIN_SPLIT_ASPECT * box.height


def _until(deadline: float, items: list[Item]) -> Iterator[Item]:
    """Yield the items; raise PictureError when the deadline has passed."""
    for item in items:
        if time.monotonic() > deadline:
            msg = "not read in time: the picture has far more marks than a page of numbers"
            raise PictureError(msg)
        yield item


def _group(items: list[Item], sizes: list[int]) -> list[list[Item]]:
    """Split a list into consecutive lists of the given sizes."""
    return [items[end - size : end] for size, end in zip(sizes, accumulate(sizes), strict=True)]
