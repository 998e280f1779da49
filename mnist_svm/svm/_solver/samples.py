"""The training samples in the solver's order, handed out in blocks."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from mnist_svm._types import Array, FloatArray, IntArray
from mnist_svm.parallel.threads import Workers, delayed
from mnist_svm.svm._solver import ROWS_PER_BLOCK
from mnist_svm.svm.kernels import InputTransform, squared_norms


class Samples:
    """Samples sorted by class, as points of a kernel.

    Sample i is the i-th in this order: first those of class 0, then those of class 1, ... The
    matrix is neither copied nor converted as a whole (any numeric type, a memory map): only blocks
    of its rows are.

    Within a class, samples whose points end with the most zeros come first. So the points of a
    block end with zeros too, which are trimmed off: a block of deskewed MNIST has about 400 columns
    left, of 753 that are not constant.

    `rows` and `starts` are from `mnist_svm.svm.validation.sort_by_class`. Raises ValueError if
    kernel values exceed the range of float32.

    Attributes
    ----------
    row_dtype : of ``X``.
    order, classes : intp ndarrays of shape (n,), row and class of each sample.
    class_slices : list of k slices, the samples of each class.
    norms : ndarray of shape (n,), `squared_norms` of the samples' points.
    feature_norms : ndarray of shape (n,), ``||phi(x)||`` of every sample, or None if the kernel has
        no feature map phi.
    """

    def __init__(
        self,
        X: Array,
        rows: IntArray,
        starts: IntArray,
        input_transform: InputTransform,
        workers: Workers,
    ) -> None:
        self.kernel = input_transform.kernel
        self.dtype = input_transform.dtype
        columns = input_transform.columns
        self.n_columns = X.shape[1] if columns is None else len(columns)
        self.class_slices = [slice(start, stop) for start, stop in pairwise(starts)]
        self.classes = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
        self.row_dtype = np.dtype(X.dtype)
        self._X = X
        self._input_transform = input_transform
        parts = workers(
            delayed(_norms_and_lengths)(input_transform, X, block)
            for block in blocks(rows, ROWS_PER_BLOCK)
        )
        norms, lengths = (np.concatenate(part) for part in zip(*parts, strict=True))
        order = np.lexsort([lengths, self.classes])
        self.order, self.norms = rows[order], norms[order]
        squares = self.kernel.diagonal(self.norms)
        check_range(squares)
        self.feature_norms = np.sqrt(squares) if self.kernel.is_positive_definite else None

    def __len__(self) -> int:
        return len(self.order)

    def points(self, index: IntArray) -> FloatArray:
        """The points of some samples: ndarray of shape (len(index), n_columns)."""
        points = np.empty((len(index), self.n_columns), self.dtype)
        # In blocks, because float64 rows take twice the memory of float32 points.
        for start in range(0, len(index), ROWS_PER_BLOCK):
            block = slice(start, start + ROWS_PER_BLOCK)
            points[block] = self._input_transform.transform(self._X[self.order[index[block]]])
        return points

    def rows(self, index: IntArray) -> Array:
        """The columns of points of some samples' rows of ``X``, neither scaled nor centred."""
        rows, columns = self._X[self.order[index]], self._input_transform.columns
        return rows if columns is None else rows.take(columns, axis=1)


def _norms_and_lengths(
    input_transform: InputTransform, X: Array, block: IntArray
) -> tuple[FloatArray, IntArray]:
    """Squared norms of some rows' points, and their lengths without trailing zeros."""
    points = input_transform.transform(X[block])
    column_numbers = np.arange(1, points.shape[1] + 1, dtype=np.int32)
    return squared_norms(points), ((points != 0) * column_numbers).max(axis=1, initial=0)


def check_range(values: FloatArray) -> None:
    """Raise ValueError if kernel values exceed the range of float32, in which they are stored."""
    if not (np.abs(values) <= np.finfo(np.float32).max).all():
        msg = "kernel values are beyond the range of float32: scale the features"
        raise ValueError(msg)


def blocks(index: IntArray, size: int) -> list[IntArray]:
    """Split an index into pieces of at most `size`."""
    return [index[start : start + size] for start in range(0, len(index), size)]
