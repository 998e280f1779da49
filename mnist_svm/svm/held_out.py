"""Predictions for held-out samples, and for samples made of them that are of no class."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from mnist_svm._types import Array, Float64Array, IntArray
from mnist_svm.svm.log import log_stage, logger
from mnist_svm.svm.novelty import predict_with_novelty

N_FOLDS = 3

# Folds are held out until they have this many samples in all: a good classifier makes so few errors
# that fewer samples would give a poor estimate.
MIN_HELD_OUT = 10_000

# Runs of consecutive samples that a fold has of each source: sources may be ordered by kind, so
# that a single run would be of one kind.
RUNS_PER_SOURCE = 8

# Chimeras of a fold at most.
MAX_CHIMERAS = 3000


@dataclass(frozen=True)
class Fold:
    """Ascending indices of the training and the test part, and a name such as "1/3"."""

    name: str
    train: IntArray
    test: IntArray


def calibration_folds(
    codes: IntArray,
    weights: Float64Array | None = None,
    sources: npt.ArrayLike | None = None,
) -> list[Fold]:
    """The folds that hold out as many samples as a temperature needs.

    `codes` are the class indices of all samples, 0 to k - 1; samples of weight 0 are left out;
    `sources` are those of `Calibrated.fit`. If a class has fewer than three samples, there are no
    folds, because a training part could lack it.
    """
    used = np.arange(len(codes)) if weights is None else np.flatnonzero(weights)
    if np.bincount(codes[used], minlength=1).min() < N_FOLDS:
        return []
    n_folds = min(ceil(MIN_HELD_OUT * N_FOLDS / len(used)), N_FOLDS)
    if sources is None:
        parts = consecutive_parts(codes[used], N_FOLDS)
    else:
        # Folds take turns with parts of a source.
        n_parts = N_FOLDS * RUNS_PER_SOURCE
        parts = consecutive_parts(codes[used], n_parts, np.asarray(sources)[used]) % N_FOLDS
    return [Fold(f"{i + 1}/{n_folds}", used[parts != i], used[parts == i]) for i in range(n_folds)]


def consecutive_parts(codes: IntArray, n_parts: int, sources: Array | None = None) -> IntArray:
    """Part of each sample, 0 to `n_parts` - 1: consecutive ones of each class, and source of it.

    The parts are those of scikit-learn's StratifiedKFold, which has no sources, and would warn of,
    or refuse, strata of fewer samples than parts.
    """
    _, first, strata = np.unique(codes, return_index=True, return_inverse=True)
    # Classes are numbered by first appearance, as there.
    strata = np.argsort(np.argsort(first))[strata]
    if sources is not None:
        kinds, numbers = np.unique(sources, return_inverse=True)
        strata = strata * len(kinds) + numbers
    ordered, n = np.sort(strata), strata.max() + 1
    # In this order, samples are counted for the parts in turn: sizes differ by one at most, and a
    # class of three samples has one in each of three parts, whatever their sources.
    counts = [np.bincount(ordered[i::n_parts], minlength=n) for i in range(n_parts)]
    parts = np.empty(len(codes), np.intp)
    in_order = np.tile(np.arange(n_parts), n)
    parts[np.argsort(strata, kind="stable")] = np.repeat(in_order, np.transpose(counts).ravel())
    return parts


def predict_held_out(
    fold: Fold,
    fit: Callable[[IntArray], Any],
    X: Any,
    codes: IntArray,
    *,
    pairwise: bool = False,
) -> Float64Array:
    """Predict the test part of a fold, and chimeras of it, by a classifier fitted to the rest.

    `fit` is called with indices of samples, and returns a classifier fitted to them. `codes` are
    the class indices of all samples. If `pairwise`, ``X`` has kernel values, of shape (n, n).
    Returns one row for each sample of the test part, then one for each chimera: the confidences in
    the k classes, and in a last column the novelty. Without novelty that column is NaN, and there
    are no chimeras.
    """
    with log_stage(f"calibrating {fold.name}"):
        fitted = fit(fold.train)
    logger.info("calibrating, predicting %s held-out samples", f"{len(fold.test):,}")
    held_out = X[fold.test][:, fold.train] if pairwise else X[fold.test]
    confidences, novelty = predict_with_novelty(fitted, held_out)
    if novelty is None:
        return np.column_stack([confidences, np.full(len(fold.test), np.nan)])
    parts: list[Any] = [(confidences, novelty)]
    chimeras = make_chimeras(held_out, codes[fold.test])
    if chimeras.shape[0]:
        parts.append(predict_with_novelty(fitted, chimeras))
    return np.concatenate([np.column_stack(part) for part in parts])


def make_chimeras(X: Any, codes: IntArray) -> Any:
    """Join the first half of the features of samples to the second half of others.

    The two are of different classes, chosen at random, and always the same. Features that are
    neighbours should be in neighbouring columns, as in images, so that each half makes sense.
    """
    first, second = np.random.default_rng(0).integers(len(codes), size=(2, MAX_CHIMERAS))
    different = codes[first] != codes[second]
    half = X.shape[1] // 2
    parts = X[first[different], :half], X[second[different], half:]
    return sparse.hstack(parts, format="csr") if sparse.issparse(X) else np.hstack(parts)
