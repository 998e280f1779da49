"""Training and held-out images of a search: one held-out part, or folds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import StratifiedKFold

from mnist_svm._types import IntArray, Labels
from mnist_svm.datasets.subset import stratified_subset
from mnist_svm.datasets.types import Dataset

# Proportions of the training images in the stages before the last one. A stage is left out if it
# would have fewer than MIN_IMAGES_PER_CLASS images per class on average.
EARLY_STAGES = (1 / 25, 1 / 5)
MIN_IMAGES_PER_CLASS = 20

# Without folds, 1 / HOLDOUT_DIVISOR of the images is held out: the last 10,000 of MNIST's 60,000.
HOLDOUT_DIVISOR = 6


@dataclass(frozen=True)
class EvaluationProtocol:
    """Images that trials are trained and evaluated on; never test images.

    Attributes
    ----------
    images : number of images used.
    folds : number of folds; None if one part of the images is held out.
    splits : row indices of the training images and of the held-out images, for each fold.
    train_sizes : number of training images of each stage, ascending.
    random_state : seed of subsets, folds, SVMs and networks.
    epochs : for networks, the number of epochs after each stage, ascending: they are trained on
        all images from the first stage on. Empty for SVMs.
    """

    images: int
    folds: int | None
    splits: tuple[tuple[IntArray, IntArray], ...]
    train_sizes: tuple[int, ...]
    random_state: int
    epochs: tuple[int, ...] = ()

    @property
    def stages(self) -> tuple[int, ...]:
        """Size of each stage, ascending: training images, or epochs."""
        return self.epochs or self.train_sizes

    def describe_stage(self, size: int) -> str:
        """Return how much a stage trains."""
        return f"for {size} epochs" if self.epochs else f"on {size:,} images"

    @property
    def n(self) -> int:
        """Number of held-out images, over all folds."""
        return sum(len(held_out) for _, held_out in self.splits)

    def __str__(self) -> str:
        if self.folds:
            return f"{self.folds} folds of {self.images:,} images"
        return f"{self.n:,} of {self.images:,} images held out"


def make_protocol(
    dataset: Dataset,
    *,
    folds: int | None = None,
    limit: int | None = None,
    random_state: int = 0,
    epochs: int | None = None,
) -> EvaluationProtocol:
    """Split a data set into training images and held-out images.

    Parameters
    ----------
    dataset : Dataset
        The training images.
    folds : int, optional
        Number of cross-validation folds. By default, the last sixth of the images is held out, or
        a stratified sixth if a class is missing from the last one (images sorted by class). Data
        sets that were joined are split one by one.
    limit : int, optional
        Use a stratified subset of this many images.
    random_state : int, default=0
        Seed of subsets, folds, SVMs and networks.
    epochs : int, optional
        Epochs of a network, for stages of a ninth, a third and all of them; None for SVMs, whose
        stages are parts of the images.

    Returns
    -------
    EvaluationProtocol

    Raises
    ------
    ValueError
        If a class is missing from a part of a split.
    """
    y = dataset.labels
    rows = np.arange(len(y))
    if limit is not None and limit < len(y):
        rows = stratified_subset(y, limit, random_state, dataset.part_indices)
    by_part = []
    for number in np.unique(dataset.part_indices[rows]):
        part = rows[dataset.part_indices[rows] == number]
        if folds is None:
            by_part.append([_hold_out(part, y[part], random_state)])
        else:
            by_part.append(_make_folds(part, y[part], folds, random_state))
    # For each fold, the training and the held-out images of all data sets.
    splits = [
        (np.concatenate(training), np.concatenate(held_out))
        for training, held_out in (
            zip(*pieces, strict=True) for pieces in zip(*by_part, strict=True)
        )
    ]
    n_classes = len(np.unique(y))
    for part in (part for split in splits for part in split):
        if n_classes < 2 or len(np.unique(y[part])) < n_classes:
            msg = (
                f"{len(rows):,} images of {dataset.name} are too few for each part of them to hold "
                f"all {n_classes} classes"
            )
            raise ValueError(msg)
    largest = min(len(training) for training, _ in splits)
    minimum = MIN_IMAGES_PER_CLASS * n_classes
    smaller = [size for part in EARLY_STAGES if (size := int(largest * part)) >= minimum]
    by_epoch = sorted({max(epochs // 9, 1), max(epochs // 3, 1), epochs}) if epochs else ()
    sizes = (largest,) if epochs else (*smaller, largest)
    return EvaluationProtocol(len(rows), folds, tuple(splits), sizes, random_state, tuple(by_epoch))


def _hold_out(rows: IntArray, labels: Labels, random_state: int) -> tuple[IntArray, IntArray]:
    n, n_classes = len(rows) // HOLDOUT_DIVISOR, len(np.unique(labels))
    is_held_out = np.arange(len(rows)) >= len(rows) - n
    if len(np.unique(labels[is_held_out])) < n_classes <= n:
        is_held_out[:] = False
        is_held_out[stratified_subset(labels, n, random_state)] = True
    return rows[~is_held_out], rows[is_held_out]


def _make_folds(
    rows: IntArray, labels: Labels, folds: int, random_state: int
) -> list[tuple[IntArray, IntArray]]:
    smallest_class = np.unique(labels, return_counts=True)[1].min()
    if smallest_class < folds:
        msg = (
            f"{folds} folds need at least {folds} images of each class, "
            f"the smallest class has {smallest_class}"
        )
        raise ValueError(msg)
    split = StratifiedKFold(folds, shuffle=True, random_state=random_state).split(rows, labels)
    return [(rows[training], rows[held_out]) for training, held_out in split]
