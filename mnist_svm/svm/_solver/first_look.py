"""Which pairs to solve on all of their samples at once, from a first solution on few of them."""

from __future__ import annotations

from math import sqrt

import numpy as np

from mnist_svm._types import Float64Array

# Pairs that are expected to have this share of support vectors are solved on all samples: a working
# set would have to hold most of them, and each round would repeat most of the work. Of few samples,
# a whole Gram matrix is computed, not only the rows of the support vectors, so that they repay it
# later.
MANY_SUPPORT_VECTORS = 0.1
MANY_OF_FEW_SAMPLES = 0.3
FEW_SAMPLES = 2048


def expected_share(coef: Float64Array, box: Float64Array, n: int) -> float:
    """The share of support vectors among n samples, from the solution for m < n random ones.

    `coef` and `box` have shape (m,). Samples at their upper bound are noise, or lie where the
    classes overlap: their share stays. The others only mark the boundary, and become rarer, by
    experience with the square root of n. From 600 samples, the shares of
    ``benchmarks/svm_suite.md`` are predicted within a factor of 1.6.
    """
    m = len(coef)
    bounded = np.count_nonzero(np.abs(coef) >= box) / m
    free = np.count_nonzero(coef) / m - bounded
    return float(bounded + free * sqrt(m / n))


def has_many_support_vectors(share: float, n: int) -> bool:
    """Whether to solve a pair of n samples on all of them, from its share of support vectors."""
    return share >= (MANY_SUPPORT_VECTORS if n > FEW_SAMPLES else MANY_OF_FEW_SAMPLES)
