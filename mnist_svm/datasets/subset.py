"""Stratified subsets of a data set."""

from __future__ import annotations

import numpy as np

from mnist_svm._types import Float64Array, IntArray, Labels


def stratified_subset(
    labels: Labels, size: int, random_state: int, parts: IntArray | None = None
) -> IntArray:
    """Select a random subset with the class proportions of the whole, to within one image.

    With `parts`, a number for each image, the images of a class come from each part in proportion
    too. Returns `size` indices, ascending. With the same seed, a smaller subset is part of a larger
    one. Raises ValueError if `size` is less than the number of classes.
    """
    classes, codes = np.unique(labels, return_inverse=True)
    if size < len(classes):
        msg = f"a subset of {size} images cannot hold {len(classes)} classes"
        raise ValueError(msg)
    order = np.random.default_rng(random_state).permutation(len(labels))
    if parts is not None:
        # In this order, the parts of a class take turns.
        strata = codes * (parts.max() + 1) + parts
        order = order[np.argsort(_relative_ranks(strata[order]), kind="stable")]
    # The smallest ranks have the class proportions.
    return np.sort(order[np.argsort(_relative_ranks(codes[order]), kind="stable")[:size]])


def _relative_ranks(codes: IntArray) -> Float64Array:
    """Return the position of each element among those of the same code, 0-1."""
    codes, counts = np.unique(codes, return_inverse=True, return_counts=True)[1:]
    by_code, first = np.argsort(codes, kind="stable"), np.cumsum(counts) - counts
    ranks = np.empty(len(codes))
    ranks[by_code] = (np.arange(len(codes)) - np.repeat(first, counts) + 0.5) / np.repeat(
        counts, counts
    )
    return ranks
