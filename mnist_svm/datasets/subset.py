"""Stratified subsets of a data set."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def stratified_subset(
    labels: npt.NDArray[np.int64], size: int, random_state: int
) -> npt.NDArray[np.intp]:
    """Indices of a random subset in which each class has its proportion, to the nearest one.

    Parameters
    ----------
    labels : int64 ndarray of shape (n,)
    size : int
        From the number of classes to n.
    random_state : int

    Returns
    -------
    intp ndarray of shape (size,), ascending

    Raises
    ------
    ValueError
        If ``size`` is less than the number of classes.
    """
    classes, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if size < len(classes):
        msg = f"a subset of {size} images cannot hold {len(classes)} classes"
        raise ValueError(msg)
    order = np.random.default_rng(random_state).permutation(len(labels))
    shuffled = codes[order]
    # Each image's place in its class, from 0 to 1: the smallest places are a fair share of all.
    by_class = np.argsort(shuffled, kind="stable")
    first = np.cumsum(counts) - counts
    place = np.empty(len(labels))
    place[by_class] = (np.arange(len(labels)) - np.repeat(first, counts) + 0.5) / np.repeat(
        counts, counts
    )
    return np.sort(order[np.argsort(place, kind="stable")[:size]])
