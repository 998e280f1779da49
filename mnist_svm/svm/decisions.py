"""Decision functions of all pairs of classes, with one kernel value per support vector.

The same kernel values tell how unlike everything known a sample is: its novelty is the distance in
feature space, as 1 - cosine, to the nearest support vector.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import combinations
from typing import NamedTuple, TypeVar

import numpy as np

from mnist_svm._types import Array, Float64Array, FloatArray, IntArray, IntegerArray
from mnist_svm.parallel.threads import Workers, delayed
from mnist_svm.svm.kernels import InputTransform, Kernel, kernel_dtype, squared_norms

T = TypeVar("T")

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
            factors = _unit_factors(self._input_transform, of_class)
            self._terms.append(_Term(np.ascontiguousarray(coef), left, factors))

    def values(self, rows: Array, workers: Workers) -> Float64Array:
        """Decision values without intercepts: float64 ndarray of shape (n, k (k - 1) / 2)."""
        return np.concatenate(self._compute(_block_values, rows, workers))

    def values_and_novelty(
        self, rows: Array, workers: Workers
    ) -> tuple[Float64Array, Float64Array]:
        """`values`, and the novelty of each sample: float64 ndarray of shape (n,), 0 to 2.

        The novelty is ``1 - max_j k(x, z_j) / sqrt(k(x, x) k(z_j, z_j))`` over the support vectors
        z_j. For ``rbf`` and ``poly`` of nonnegative features it is at most 1.
        """
        values, novelty = zip(*self._compute(_block_values_and_novelty, rows, workers), strict=True)
        return np.concatenate(values), np.concatenate(novelty)

    def _compute(self, function: Callable[..., T], rows: Array, workers: Workers) -> list[T]:
        """Call a function for blocks of rows."""
        starts = range(0, max(len(rows), 1), ROWS_PER_BLOCK)
        blocks = (rows[start : start + ROWS_PER_BLOCK] for start in starts)
        task = delayed(function)
        return list(workers(task(self._input_transform, block, self._terms) for block in blocks))


def values_from_kernel(
    values: FloatArray, n_support: IntegerArray, dual_coef: Float64Array
) -> Float64Array:
    """Decision values without intercepts, from kernel values of n samples and all support vectors.

    `values` has shape (n, n_SV). Returns a float64 ndarray of shape (n, k (k - 1) / 2).
    """
    ends = np.cumsum(n_support)[:-1]
    parts = zip(np.split(values, ends, axis=1), np.split(dual_coef, ends, axis=1), strict=True)
    return sum_pairs([of_class @ coef.T for of_class, coef in parts])


class _Term(NamedTuple):
    """The part of one class: coefficients, left factor, and ``k(z, z) ** -0.5`` of its vectors."""

    coef: Float64Array
    left: FloatArray
    factors: FloatArray


def _block_values(
    input_transform: InputTransform, rows: Array, terms: Sequence[_Term]
) -> Float64Array:
    kernel, (right, inner) = input_transform.kernel, _right_factor(input_transform, rows)
    return _sum_terms([kernel.weighted_sum(term.coef, term.left, right) for term in terms], inner)


def _block_values_and_novelty(
    input_transform: InputTransform, rows: Array, terms: Sequence[_Term]
) -> tuple[Float64Array, Float64Array]:
    kernel, (right, inner) = input_transform.kernel, _right_factor(input_transform, rows)
    sums, nearest = zip(
        *(kernel.weighted_sum_and_nearest(*term[:2], right, term.factors) for term in terms),
        strict=True,
    )
    cosines = np.max(nearest, axis=0)[inner] * _unit_factors(input_transform, rows)
    return _sum_terms(sums, inner), np.clip(1 - cosines.astype(np.float64), 0, 2)


def _right_factor(input_transform: InputTransform, rows: Array) -> tuple[FloatArray, slice]:
    """The right factor of a padded block, and where its rows are in it."""
    points = input_transform.transform(rows)
    inner = slice(PADDING_ROWS, PADDING_ROWS + len(rows))
    n_padded = 2 * PADDING_ROWS + len(rows) + -len(rows) % PADDING_ROWS
    padded = np.zeros((n_padded, points.shape[1]), points.dtype)
    padded[inner] = points
    return input_transform.kernel.right_factor(padded, squared_norms(padded)), inner


def _sum_terms(sums: Sequence[FloatArray], inner: slice) -> Float64Array:
    return sum_pairs([part[:, inner].T.astype(np.float64) for part in sums])


def _unit_factors(input_transform: InputTransform, rows: Array) -> FloatArray:
    """``k(x, x) ** -0.5`` of rows of ``X``, by which kernel values become cosines; 1 for ``rbf``.

    Of all columns: those that are zero in all support vectors make a sample less like them.
    """
    kernel, dtype = input_transform.kernel, input_transform.dtype
    if kernel.name == "rbf":
        return np.ones(len(rows), dtype)
    scale = 1 if kernel.name == "linear" else kernel.gamma
    norms = squared_norms(rows.astype(np.float64)) * scale
    smallest = np.finfo(np.float32).tiny
    factors = np.maximum(kernel.diagonal(norms), smallest) ** -0.5
    return factors.astype(dtype)


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
