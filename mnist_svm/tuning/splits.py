"""What a search trains on, and what it reads: images held out, or folds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import StratifiedKFold

from mnist_svm.datasets.load import Dataset
from mnist_svm.datasets.subset import stratified_subset

# Parts of the images that a trial trains on, one after the other ...
PARTS = (1 / 25, 1 / 5, 1.0)
# ... where they have so many images of a class, on average.
ENOUGH = 20

# Without folds, one image in so many is held out: of MNIST's 60,000, the last 10,000.
HELD_OUT = 6

Rows = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Protocol:
    """What trials are trained and measured on. The test set has no part in it.

    Attributes
    ----------
    images : of the data set that take part.
    folds : number of folds; None if one part of the images is held out.
    splits : rows to train on and rows to read, of each fold.
    sizes : of the training sets, one after the other; the last is all there is of a fold.
    random_state : seed of subsets, folds and machines.
    """

    images: int
    folds: int | None
    splits: tuple[tuple[Rows, Rows], ...]
    sizes: tuple[int, ...]
    random_state: int

    @property
    def n(self) -> int:
        """Images that are read."""
        return sum(len(held) for _, held in self.splits)

    def __str__(self) -> str:
        if self.folds:
            return f"{self.folds} folds of {self.images:,} images"
        return f"{self.n:,} of {self.images:,} images held out"


def protocol_for(
    dataset: Dataset, *, folds: int | None = None, limit: int | None = None, random_state: int = 0
) -> Protocol:
    """What to train and measure on.

    Parameters
    ----------
    dataset : Dataset
        The training images.
    folds : int, optional
        Read each image once, by a machine trained on the other folds. Without, the last sixth is
        read by a machine trained on the rest; or, where a class is missing there, as in images
        sorted by class, any sixth of each class.
    limit : int, optional
        Take so many images, each class in its proportion.
    random_state : int, default=0

    Returns
    -------
    Protocol

    Raises
    ------
    ValueError
        If not all of the classes would be in each part.
    """
    y = dataset.labels
    rows = np.arange(len(y))
    if limit is not None and limit < len(y):
        rows = stratified_subset(y, limit, random_state)
    if folds is None:
        splits = [_held_out(rows, y[rows], random_state)]
    else:
        splits = _folds(rows, y[rows], folds, random_state)
    classes = len(np.unique(y))
    for part in (part for split in splits for part in split):
        if classes < 2 or len(np.unique(y[part])) < classes:
            msg = (
                f"{len(rows):,} images of {dataset.name} are too few for each part of them to hold "
                f"all {classes} classes"
            )
            raise ValueError(msg)
    most = min(len(known) for known, _ in splits)
    sizes = [size for part in PARTS[:-1] if (size := int(most * part)) >= ENOUGH * classes]
    return Protocol(len(rows), folds, tuple(splits), (*sizes, most), random_state)


def _held_out(rows: Rows, labels: npt.NDArray[np.int64], random_state: int) -> tuple[Rows, Rows]:
    n, classes = len(rows) // HELD_OUT, len(np.unique(labels))
    held = np.arange(len(rows)) >= len(rows) - n
    if len(np.unique(labels[held])) < classes <= n:
        held[:] = False
        held[stratified_subset(labels, n, random_state)] = True
    return rows[~held], rows[held]


def _folds(
    rows: Rows, labels: npt.NDArray[np.int64], folds: int, random_state: int
) -> list[tuple[Rows, Rows]]:
    if np.unique(labels, return_counts=True)[1].min() < folds:
        msg = f"{folds} folds need as many images of each class"
        raise ValueError(msg)
    split = StratifiedKFold(folds, shuffle=True, random_state=random_state).split(rows, labels)
    return [(rows[known], rows[held]) for known, held in split]
