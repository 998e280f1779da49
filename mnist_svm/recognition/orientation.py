"""Find out whether the images of a data set are turned or mirrored, as EMNIST's files are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mnist_svm._types import Images, Labels
from mnist_svm.datasets.orientation import (
    DESCRIPTIONS,
    ORIENTATIONS,
    UPRIGHT,
    UPSIDE_DOWN,
    turn_upright,
)
from mnist_svm.datasets.subset import stratified_subset
from mnist_svm.recognition.recognizer import Recognizer

# Images that are read in every orientation, at most.
SAMPLE_SIZE = 500

# Accuracy as stored from which no other orientation is tried. Half of the images that are upside
# down, or mirrored, are read right: 0, 1 and 8 look the same.
MIN_AS_STORED = 0.6

# What another orientation must reach to be told: its accuracy, as a multiple of that as stored, and
# the number of images that are right only so: fewer may be chance.
MIN_ACCURACY, MIN_RATIO, MIN_GAIN = 0.6, 1.4, 8

# Upside down, these digits are digits too: a 6 and a 9 may as well have each other's label.
SYMMETRIC = frozenset({0, 1, 6, 8, 9})


@dataclass(frozen=True)
class Orientation:
    """How the images of a data set lie, as a model reads them.

    Attributes
    ----------
    name : key of `ORIENTATIONS`; "upright" unless another one is read several times better
    accuracy : fraction of the sample that is read right once it is turned upright, 0 to 1
    as_stored : the same of the sample as it is stored, 0 to 1
    n : images in the sample; both accuracies are 0 if it has none
    """

    name: str
    accuracy: float
    as_stored: float
    n: int

    @property
    def description(self) -> str:
        """The orientation in words, after "the images are"."""
        return DESCRIPTIONS[self.name]


def find_orientation(recognizer: Recognizer, images: Images, labels: Labels) -> Orientation:
    """Find the orientation in which a model reads images several times better than as stored.

    A stratified sample of at most `SAMPLE_SIZE` images is read as stored, and only if less than
    `MIN_AS_STORED` of it is right, in the seven other orientations. Images with labels that the
    model does not know are left out, so that this may be called with any classes.

    Parameters
    ----------
    recognizer : Recognizer
    images : uint8 ndarray of shape (n, 28, 28), 0-255, bright ink on a dark background
    labels : int64 ndarray of shape (n,)

    Returns
    -------
    Orientation

    Raises
    ------
    FormatError
        If most images of the sample have dark ink on a bright background.
    """
    known = np.flatnonzero(np.isin(labels, recognizer.classes))
    if len(known) > SAMPLE_SIZE:
        known = known[stratified_subset(labels[known], SAMPLE_SIZE, random_state=0)]
    n = len(known)
    if not n:
        return Orientation(UPRIGHT, 0.0, 0.0, 0)
    sample, expected = images[known], labels[known]

    def count_right(name: str) -> int:
        readings = recognizer.classify(turn_upright(sample, name), range="0-255")
        return int(np.count_nonzero(readings.labels == expected))

    as_stored = count_right(UPRIGHT)
    upright = Orientation(UPRIGHT, as_stored / n, as_stored / n, n)
    if as_stored >= MIN_AS_STORED * n:
        return upright
    counts = {name: count_right(name) for name in ORIENTATIONS if name != UPRIGHT}
    best = max(counts, key=lambda name: counts[name])
    is_better = (
        counts[best] >= max(MIN_ACCURACY * n, MIN_RATIO * as_stored)
        and counts[best] - as_stored >= MIN_GAIN
    )
    if not is_better or (best == UPSIDE_DOWN and SYMMETRIC.issuperset(expected.tolist())):
        return upright
    return Orientation(best, counts[best] / n, as_stored / n, n)
