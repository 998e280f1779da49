"""Decision functions of all pairs of classes, with one kernel value per support vector."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations

import numpy as np

from mnist_svm._types import Array, Float64Array, FloatArray, IntArray, IntegerArray
from mnist_svm.parallel.threads import Workers, delayed
from mnist_svm.svm.kernels import InputTransform, Kernel, kernel_dtype, squared_norms

# BLAS may sum the edges of a block in another order than its middle, so that the last digits of a
# row would depend on its position. So blocks are padded with zero rows on both sides, to a multiple
# of the tiles of BLAS.
PADDING_ROWS = 8
ROWS_PER_BLOCK = 304


class DecisionFunctions:
    """Kernel expansions of the decision functions of all pairs, without intercepts.

    All that does not depend on the samples to predict is computed once, from the fitted attributes
    of a `KernelSVC`. `n_samples` is the number of samples that it was fitted to.
    """

    def __init__(
        self,
        kernel: Kernel,
        support_vectors: Array,
        n_support: IntegerArray,
        dual_coef: Float64Array,
        n_samples: int,
    ) -> None:
        # Columns that are zero in all support vectors do not affect inner products.
        nonzero = None if kernel.name == "rbf" else np.flatnonzero(support_vectors.any(axis=0))
        ends = np.cumsum(n_support)[:-1]
        vectors = np.split(support_vectors, ends)
        sums = [of_class.sum(axis=0, dtype=np.float64) for of_class in vectors]
        centre = np.sum(sums, axis=0) / len(support_vectors)
        self._input_transform = InputTransform(kernel, centre, nonzero, kernel_dtype(n_samples))
        self._terms = []
        for of_class, coef in zip(vectors, np.split(dual_coef, ends, axis=1), strict=True):
            points = self._input_transform.transform(of_class)
            left = kernel.left_factor(points, squared_norms(points))
            self._terms.append((np.ascontiguousarray(coef), left))

    def values(self, rows: Array, workers: Workers) -> Float64Array:
        """Decision values without intercepts: float64 ndarray of shape (n, k (k - 1) / 2)."""
        starts = range(0, len(rows), ROWS_PER_BLOCK)
        blocks = (rows[start : start + ROWS_PER_BLOCK] for start in starts)
        task = delayed(_block_values)
        values = workers(task(self._input_transform, block, self._terms) for block in blocks)
        return np.concatenate(list(values))


def _block_values(
    input_transform: InputTransform, rows: Array, terms: list[tuple[Float64Array, FloatArray]]
) -> Float64Array:
    kernel, points = input_transform.kernel, input_transform.transform(rows)
    inner = slice(PADDING_ROWS, PADDING_ROWS + len(rows))
    n_padded = 2 * PADDING_ROWS + len(rows) + -len(rows) % PADDING_ROWS
    padded = np.zeros((n_padded, points.shape[1]), points.dtype)
    padded[inner] = points
    right = kernel.right_factor(padded, squared_norms(padded))
    sums = [kernel.weighted_sum(coef, left, right) for coef, left in terms]
    return sum_pairs([part[:, inner].T.astype(np.float64) for part in sums])


def sum_pairs(parts: Sequence[Float64Array]) -> Float64Array:
    """Sums for all pairs, of shape (n, k (k - 1) / 2).

    `parts` are the contributions of each class to its pairs with the others, of shape (n, k - 1).
    """
    first, second = pair_columns(len(parts))
    columns = np.concatenate(parts, axis=1)
    return columns.take(first, axis=1) + columns.take(second, axis=1)


@lru_cache
def pair_columns(n_classes: int) -> tuple[IntArray, IntArray]:
    """Columns of the contributions of a and of b to each pair (a, b), in concatenated parts.

    See `sum_pairs`. Two intp ndarrays of shape (k (k - 1) / 2,).
    """
    a, b = np.transpose(list(combinations(range(n_classes), 2)))
    return a * (n_classes - 1) + b - 1, b * (n_classes - 1) + a
