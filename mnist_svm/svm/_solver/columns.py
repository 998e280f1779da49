"""Statistics of the columns of a matrix, and the input transform that follows from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mnist_svm._types import Array, Float64Array
from mnist_svm.parallel.threads import Workers, delayed
from mnist_svm.svm._solver import ROWS_PER_BLOCK
from mnist_svm.svm.kernels import InputTransform, Kernel

# Below this share of nonzero elements, sorting columns and samples by their zeros saves time.
MAX_SPARSE_SHARE = 0.5


@dataclass(frozen=True)
class ColumnStatistics:
    """Statistics of each column of a matrix, and the variance of all its elements."""

    mean: Float64Array
    variance: float
    minimum: Array
    maximum: Array
    nonzero_share: Float64Array

    def input_transform(self, kernel: Kernel, dtype: np.dtype[Any]) -> InputTransform:
        """The input transform for rows of this matrix.

        It drops columns that are all zero, and for ``rbf`` all constant columns. If most elements
        are zero, columns are sorted by their share of nonzero elements, so that most rows end with
        zeros, and rows are not centred, so that zeros stay zeros.
        """
        constant = self.minimum == self.maximum
        if kernel.name != "rbf":
            constant &= self.minimum == 0
        columns = np.flatnonzero(~constant)
        if self.nonzero_share.mean() >= MAX_SPARSE_SHARE:
            return InputTransform(kernel, self.mean, columns if constant.any() else None, dtype)
        columns = columns[np.argsort(-self.nonzero_share[columns], kind="stable")]
        return InputTransform(kernel, np.zeros_like(self.mean), columns, dtype)


def column_statistics(X: Array, weights: Float64Array | None, workers: Workers) -> ColumnStatistics:
    """Compute column statistics in one pass over blocks of rows.

    `weights`, of shape (n,), apply to means and variance; they are not all zero.

    References
    ----------
    T. F. Chan, G. H. Golub, R. J. LeVeque, "Algorithms for computing the sample variance",
    The American Statistician 37 (1983), equation 2.1, for the sums of squares of two parts.
    """
    blocks = [slice(start, start + ROWS_PER_BLOCK) for start in range(0, len(X), ROWS_PER_BLOCK)]
    parts = workers(
        delayed(_block_statistics)(X[block], None if weights is None else weights[block])
        for block in blocks
    )
    sums, squares, counts, nonzeros, minima, maxima = map(np.array, zip(*parts, strict=True))
    mean = sums.sum(axis=0) / counts.sum()
    # The mean of a block of weight 0 has no effect.
    block_means = sums.mean(axis=1) / np.maximum(counts, np.finfo(np.float64).tiny)
    between = X.shape[1] * counts @ (block_means - mean.mean()) ** 2
    variance = float((squares.sum() + between) / (counts.sum() * X.shape[1]))
    share = nonzeros.sum(axis=0) / len(X)
    return ColumnStatistics(mean, variance, minima.min(axis=0), maxima.max(axis=0), share)


def _block_statistics(rows: Array, weights: Float64Array | None) -> tuple[Any, ...]:
    """Column sums, squares about the mean of all elements, total weight, nonzeros and ranges."""
    if weights is None:
        sums, count = rows.sum(axis=0, dtype=np.float64), len(rows)
        deviations = rows - sums.mean() / count
        squares = np.vdot(deviations, deviations)
    else:
        sums, count = weights @ rows, weights.sum()
        deviations = rows - sums.mean() / max(count, np.finfo(np.float64).tiny)
        squares = weights @ np.einsum("ij,ij->i", deviations, deviations)
    nonzeros = np.count_nonzero(rows, axis=0)
    return sums, squares, count, nonzeros, rows.min(axis=0), rows.max(axis=0)
