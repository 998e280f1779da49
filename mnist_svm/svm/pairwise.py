"""Class scores, votes and confidences from the decision values of all pairs of classes.

A one-vs-one classifier has a decision function for each pair of classes (a, b), a < b, positive for
a. Pairs are ordered (0, 1), (0, 2), ..., (1, 2), ..., as in scikit-learn. Values of n samples and k
classes have shape (n, k (k - 1) / 2), and results have shape (n, k).
"""

from __future__ import annotations

from itertools import combinations

import numpy as np

from mnist_svm._types import Array, BoolArray, Float64Array

# Factor of decision values in log odds. Log loss on held-out images of an SVM trained on 6,000
# others is least, and flat, from 6 to 8.
STEEPNESS = 6

# Larger decision values are clipped: their odds would overflow.
MAX_VALUE = 100


def class_scores(values: Float64Array, n_classes: int) -> Float64Array:
    """One score per class: its votes, plus a term below one vote from its decision values.

    The scores are the ``decision_function`` of `sklearn.svm.SVC`, and the class of the highest
    score is its prediction with ``break_ties=True``. The term is strictly between -1/3 and 1/3.
    """
    sums = _sum_by_class(values, -values, n_classes)
    return np.asarray(count_votes(values >= 0, n_classes) + sums / (3 * (np.abs(sums) + 1)))


def count_votes(first_wins: BoolArray, n_classes: int) -> Float64Array:
    """The number of pairs that each class wins, 0 to k - 1."""
    return _sum_by_class(first_wins, ~first_wins, n_classes)


def _sum_by_class(of_first: Array, of_second: Array, n_classes: int) -> Float64Array:
    """Add up what each pair gives to its first and to its second class."""
    sums = np.zeros((len(of_first), n_classes))
    for pair, (a, b) in enumerate(combinations(range(n_classes), 2)):
        sums[:, a] += of_first[:, pair]
        sums[:, b] += of_second[:, pair]
    return sums


def class_confidences(values: Float64Array, n_classes: int) -> Float64Array:
    """One confidence per class, 0 to 1, adding up to 1: pairwise odds, coupled in closed form.

    A decision value f is taken as log odds `STEEPNESS` f, and p_a is proportional to
    1 / (1 + sum over b of exp(-STEEPNESS f_ab)), so that the closest decision of a class dominates.
    The fixed factor makes it a score that ranks predictions, not a probability;
    `mnist_svm.svm.calibration.Calibrated` turns it into one.

    References
    ----------
    D. Price, S. Knerr, L. Personnaz, G. Dreyfus, "Pairwise neural network classifiers with
    probabilistic outputs", NIPS 7 (1995), equation 4.
    """
    first, second = np.triu_indices(n_classes, 1)
    inverse_odds = np.zeros((len(values), n_classes, n_classes))
    of_pairs = np.exp(-STEEPNESS * np.clip(values, -MAX_VALUE, MAX_VALUE))
    inverse_odds[:, first, second] = of_pairs
    inverse_odds[:, second, first] = 1 / of_pairs
    confidences = 1 / (1 + inverse_odds.sum(axis=2))
    return np.asarray(confidences / confidences.sum(axis=1, keepdims=True))
