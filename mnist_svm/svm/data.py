"""Sparse data, read in dense blocks of rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from mnist_svm._types import Array, Float64Array

# Sparse data of more columns are not made dense, not even in blocks: products of sparse rows are
# cheaper.
MAX_DENSE_COLUMNS = 4096


def is_dense_enough(data: Any) -> bool:
    """Whether data are an array, or sparse with so few columns that blocks of rows can be dense."""
    return isinstance(data, np.ndarray) or data.shape[1] <= MAX_DENSE_COLUMNS


def dense_rows(data: Any) -> Any:
    """An array as it is, or a sparse matrix as `DenseRows`."""
    return data if isinstance(data, np.ndarray) else DenseRows(data)


def to_dense(values: Any) -> Array:
    """Values as an array, also if they are a sparse matrix."""
    return np.asarray(values.toarray() if sparse.issparse(values) else values)


class DenseRows:
    """A CSR matrix, of which an index of rows gives a dense array."""

    def __init__(self, matrix: Any) -> None:
        self._matrix = matrix
        self.shape: tuple[int, int] = matrix.shape
        self.dtype: npt.DTypeLike = matrix.dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> Array:
        return np.asarray(self._matrix[index].toarray())


def variance(data: Any, weights: Float64Array | None) -> float:
    """The variance of all elements of an array or a CSR matrix, weighted by row."""
    if isinstance(data, np.ndarray):
        if weights is None:
            return float(data.var(dtype=np.float64))
        mean = np.average(data.mean(axis=1, dtype=np.float64), weights=weights)
        return float(np.average(((data - mean) ** 2).mean(axis=1), weights=weights))
    of_rows = (data.sum(axis=1, dtype=np.float64), squares(data).sum(axis=1))
    sum_, square = (np.average(np.ravel(part), weights=weights) for part in of_rows)
    return float(square / data.shape[1] - (sum_ / data.shape[1]) ** 2)


def squares(data: Any) -> Any:
    """Squares of the elements of an array or a CSR matrix, in float64: integers would overflow."""
    if isinstance(data, np.ndarray):
        return np.square(data, dtype=np.float64)
    return data.astype(np.float64).power(2)
