"""From the decision values of all pairs of classes to one answer and a confidence in it.

A one-vs-one machine has a decision function for each pair of classes (a, b), a < b, positive
where it favours a. Pairs are ordered (0, 1), (0, 2), ..., (1, 2), ..., as in scikit-learn.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import numpy.typing as npt

from mnist_svm.constants import Float64Array

# Log loss on training images that a machine trained on 6,000 others had not seen is least, and
# flat, from 6 to 8.
STEEPNESS = 6

# Beyond it, odds would overflow.
MAX_VALUE = 100


def class_scores(values: Float64Array, n_classes: int) -> Float64Array:
    """One score a class: its votes, and below one vote, the sum of its decision values.

    The class of the highest score is the one that `sklearn.svm.SVC` predicts with
    ``break_ties=True``, and the scores are its ``decision_function``.

    Parameters
    ----------
    values : float64 ndarray of shape (n, k (k - 1) / 2)
        In units of the margin: 1 and -1 are the margin's edges.
    n_classes : int
        k, at least 2.

    Returns
    -------
    float64 ndarray of shape (n, k)
        Votes from 0 to k - 1, plus a part strictly between -1/3 and 1/3.
    """
    sums = np.zeros((len(values), n_classes))
    for pair, (a, b) in enumerate(combinations(range(n_classes), 2)):
        sums[:, a] += values[:, pair]
        sums[:, b] -= values[:, pair]
    return np.asarray(votes(values >= 0, n_classes) + sums / (3 * (np.abs(sums) + 1)))


def votes(for_first: npt.NDArray[np.bool_], n_classes: int) -> Float64Array:
    """How many pairs each class wins.

    Parameters
    ----------
    for_first : bool ndarray of shape (n, k (k - 1) / 2)
        Whether the first class of each pair wins it.
    n_classes : int
        k, at least 2.

    Returns
    -------
    float64 ndarray of shape (n, k), 0 to k - 1
    """
    won = np.zeros((len(for_first), n_classes))
    for pair, (a, b) in enumerate(combinations(range(n_classes), 2)):
        won[:, a] += for_first[:, pair]
        won[:, b] += ~for_first[:, pair]
    return won


def class_confidences(values: Float64Array, n_classes: int) -> Float64Array:
    """One confidence a class, from 0 to 1 and adding up to 1.

    Each decision value f becomes the odds exp(`STEEPNESS` f) of its pair, and the pairs are
    coupled in closed form: p_a proportional to 1 / (1 + sum over b of exp(-STEEPNESS f_ab)),
    so that a class is about as sure as its narrowest duel. One factor for every pair and every
    problem makes this a score that ranks answers from doubtful to sure;
    `mnist_svm.svm.calibration.Calibrated` makes a probability of it.

    Parameters
    ----------
    values : float64 ndarray of shape (n, k (k - 1) / 2)
        In units of the margin: 1 and -1 are the margin's edges.
    n_classes : int
        k, at least 2.

    Returns
    -------
    float64 ndarray of shape (n, k)

    References
    ----------
    D. Price, S. Knerr, L. Personnaz, G. Dreyfus, "Pairwise neural network classifiers with
    probabilistic outputs", NIPS 7 (1995), equation 4.
    """
    first, second = np.triu_indices(n_classes, 1)
    against = np.zeros((len(values), n_classes, n_classes))
    odds = np.exp(-STEEPNESS * np.clip(values, -MAX_VALUE, MAX_VALUE))
    against[:, first, second] = odds
    against[:, second, first] = 1 / odds
    confidence = 1 / (1 + against.sum(axis=2))
    return np.asarray(confidence / confidence.sum(axis=1, keepdims=True))
