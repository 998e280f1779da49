"""Probabilities of several classifiers as one, on arrays; `mnist_svm.svm.ensembles` fits them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mnist_svm._types import Float64Array
from mnist_svm.svm.temperature import softmax

# Smaller probabilities count as this much: one classifier that is sure cannot overrule all others.
MIN_PROBABILITY = 1e-6


def majority(parts: Sequence[Float64Array]) -> Float64Array:
    """Shares of the votes of classifiers, from the probabilities of each, of shape (n, k).

    The mean probabilities count as one more vote, which is divided: they decide between classes
    with as many votes.
    """
    votes = np.mean(parts, axis=0)
    rows = np.arange(len(votes))
    for probabilities in parts:
        votes[rows, probabilities.argmax(axis=1)] += 1
    return np.asarray(votes / (len(parts) + 1))


def logarithmic_pool(parts: Sequence[Float64Array], exponents: Float64Array) -> Float64Array:
    """Product of powers of the probabilities of classifiers, of shape (n, k), normalised."""
    return softmax(pooled_logs(parts, exponents))


def pooled_logs(parts: Sequence[Float64Array], exponents: Float64Array) -> Float64Array:
    """Logarithms of the products of `logarithmic_pool`, up to a constant of each sample."""
    logs = [np.log(np.maximum(part, MIN_PROBABILITY)) for part in parts]
    return np.asarray(np.tensordot(exponents, logs, axes=1))
