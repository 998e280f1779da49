"""Stratified subsets of a data set."""

from __future__ import annotations

import numpy as np

from mnist_svm._types import IntArray, Labels


def stratified_subset(labels: Labels, size: int, random_state: int) -> IntArray:
    """Select a random subset with the class proportions of the whole, to within one image.

    Returns `size` indices, ascending. With the same seed, a smaller subset is part of a larger one.
    Raises ValueError if `size` is less than the number of classes.
    """
    classes, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if size < len(classes):
        msg = f"a subset of {size} images cannot hold {len(classes)} classes"
        raise ValueError(msg)
    order = np.random.default_rng(random_state).permutation(len(labels))
    shuffled = codes[order]
    # Rank of each image in its class, scaled to 0-1: the smallest have the class proportions.
    by_class = np.argsort(shuffled, kind="stable")
    first = np.cumsum(counts) - counts
    rank = np.empty(len(labels))
    rank[by_class] = (np.arange(len(labels)) - np.repeat(first, counts) + 0.5) / np.repeat(
        counts, counts
    )
    return np.sort(order[np.argsort(rank, kind="stable")[:size]])
