"""Leave-one-out: how samples would be read by SVMs that had not learned them.

Without a sample of one class, an SVM of k classes differs in the k - 1 pairs of that class only,
and each pair depends on its support vectors only. So each is fitted again to few samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from itertools import combinations
from typing import Self

import numpy as np
from sklearn.metrics.pairwise import pairwise_kernels
from sklearn.svm import SVC

from mnist_svm._types import Array, BoolArray, Float64Array, IntArray, Labels
from mnist_svm.parallel.threads import delayed, threads
from mnist_svm.svm.classifier import KernelSVC
from mnist_svm.svm.pairwise import class_confidences

# Of no group.
NO_GROUP = -1


@dataclass(frozen=True)
class FittedSamples:
    """Samples that an SVM was fitted to.

    Attributes
    ----------
    X : ndarray of shape (n, n_features)
    y : int64 ndarray of shape (n,)
    weights : float64 ndarray of shape (n,), factor of C for each sample
    groups : integer ndarray of shape (n,): samples of one number, a sample and its copies, are
        left out together; those of `NO_GROUP` never are
    """

    X: Array
    y: Labels
    weights: Float64Array
    groups: IntArray

    @classmethod
    def of(
        cls,
        X: Array,
        y: Labels,
        weights: Float64Array | None = None,
        groups: IntArray | None = None,
    ) -> Self:
        """Build one; by default, all weights are 1 and no sample has a group."""
        return cls(
            X,
            y,
            np.ones(len(y)) if weights is None else weights,
            np.full(len(y), NO_GROUP) if groups is None else groups,
        )

    def joined(self, other: Self) -> Self:
        """Return these samples with others behind them."""
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return type(self)(*(np.concatenate(pair) for pair in pairs))

    def rows(self, index: IntArray | BoolArray) -> Self:
        """Return some of the samples."""
        return type(self)(*(values[index] for values in vars(self).values()))


def predict_left_out(
    svcs: Sequence[tuple[KernelSVC, FittedSamples, Array]],
    groups: IntArray,
    y: Labels,
    n_jobs: int | None = -1,
) -> Labels:
    """Predict the labels of n samples, each by SVMs fitted to all other groups than its own.

    `svcs` has SVMs of the same classes, whose confidences are averaged; the samples that each
    depends on; and the features of the n samples, of shape (n, n_features). `groups` and `y` have
    the number of the group, and the true label, of each of the n samples.
    """
    confidences = []
    for svc, samples, X in svcs:
        values = _pair_values(svc, X)
        changed = [
            (column, np.flatnonzero(np.isin(y, pair)), pair)
            for column, pair in enumerate(combinations(svc.classes_.tolist(), 2))
            if np.isin(y, pair).any()
        ]
        with threads(n_jobs) as parallel:
            refitted = parallel(
                delayed(_values_without)(svc, samples, pair, X[rows], groups[rows])
                for _, rows, pair in changed
            )
            for (column, rows, _), found in zip(changed, refitted, strict=True):
                values[rows, column] = found
        confidences.append(class_confidences(values, len(svc.classes_)))
    best = np.mean(confidences, axis=0).argmax(axis=1)
    return np.asarray(svcs[0][0].classes_[best])


def _pair_values(svc: KernelSVC, X: Array) -> Float64Array:
    """Return the decision value of each pair of classes, positive for the first of the two."""
    pairwise = copy(svc)
    pairwise.decision_function_shape = "ovo"
    values = pairwise.decision_function(X).reshape(len(X), -1)
    # With two classes, positive values are for the second.
    return -values if len(svc.classes_) == 2 else values


def _values_without(
    svc: KernelSVC, samples: FittedSamples, pair: tuple[int, int], X: Array, groups: IntArray
) -> list[float]:
    """Fit one pair of classes without each of the groups, and return its values for ``X``."""
    part = samples.rows(np.isin(samples.y, pair))
    # One matrix serves all fits, which would spend their time on its entries.
    known, others = (
        pairwise_kernels(
            rows.astype(np.float64),
            part.X.astype(np.float64),
            metric=svc.kernel,
            filter_params=True,
            gamma=svc.gamma_,
            degree=svc.degree,
            coef0=svc.coef0,
        )
        for rows in (part.X, X)
    )
    values = []
    for group, row in zip(groups, others, strict=True):
        kept = part.groups != group
        # Faster than KernelSVC for so few samples.
        fitted = SVC(C=svc.C, kernel="precomputed", tol=svc.tol)
        fitted.fit(known[np.ix_(kept, kept)], part.y[kept], part.weights[kept])
        values.append(-float(fitted.decision_function(row[None, kept])[0]))
    return values
