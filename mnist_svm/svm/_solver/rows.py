"""Rows of the kernel matrix of one problem, computed when they are wanted and kept for later."""

from __future__ import annotations

from collections import deque

import numpy as np

from mnist_svm._types import Float64Array, FloatArray, IntArray
from mnist_svm.parallel.threads import Workers, delayed
from mnist_svm.svm._solver.compilation import compiled
from mnist_svm.svm.kernels import Kernel, squared_norms

# Kernel values that a task computes at a time: they fit in the CPU cache.
VALUES_PER_TASK = 1 << 18

# Rows are kept if memory has room for this many, or for all.
MIN_ROWS_KEPT = 1024

# Rows of the weighted sum of a task: a constant, so that rounding does not depend on the workers.
ROWS_PER_TASK = 256

# Rows that are converted to float64 at a time, without a compiler.
ROWS_PER_SUM = 32


# From this many features on, kernel values are taken from kept rows in less time than computed.
MIN_FEATURES_TO_GATHER = 100


class KernelRows:
    """The kernel matrix of some points, row by row; the rows that were used last are kept.

    Parameters
    ----------
    points : of shape (m, n_features), from `mnist_svm.svm.kernels.InputTransform`.
    memory : bytes for the rows that are kept.
    workers : compute values and sums in parallel.
    use_numba : whether sums are computed by compiled code.
    """

    def __init__(
        self, kernel: Kernel, points: FloatArray, *, memory: int, workers: Workers, use_numba: bool
    ) -> None:
        m = len(points)
        self._kernel = kernel
        self._points = points
        self._norms = squared_norms(points)
        self._right = kernel.right_factor(points, self._norms)
        self._workers = workers
        self._sum_rows = compiled(_sum_in_loops) if use_numba else _sum_in_numpy
        n_slots = min(memory // (m * points.itemsize), m)
        # Sums of linear kernels need no kernel values.
        if n_slots < min(MIN_ROWS_KEPT, m) or kernel.name == "linear":
            n_slots = 0
        self._rows = np.empty((n_slots, m), points.dtype)
        # Of each point: its slot among the rows, or -1. Of each slot: its point, and its last use.
        self._slots = np.full(m, -1)
        self._owners = np.full(n_slots, -1)
        self._last_uses = np.zeros(n_slots, np.int64)
        self._clock = self._n_used = 0

    def __len__(self) -> int:
        return len(self._points)

    def gram(self, first: IntArray, second: IntArray) -> FloatArray:
        """Kernel values between two lists of points: ndarray of shape (len(first), len(second))."""
        if len(self._rows) < len(self) or self._points.shape[1] < MIN_FEATURES_TO_GATHER:
            return self._kernel.values(self._left(first), self._right[second])
        # The rows of most of a block are wanted as a whole soon.
        self._provide(first)
        return np.asarray(self._rows[self._slots[first, None], second])

    def weighted_sums(self, index: IntArray, weights: Float64Array) -> Float64Array:
        """``sum_i weights_i k(x_i, x_j)`` over the points of `index`, for all m points j."""
        sums = np.zeros(len(self))
        n_slots = len(self._rows)
        if not n_slots:
            left = self._left(index)
            tasks = (
                delayed(self._kernel.weighted_sum)(weights[None], left, self._right[columns])
                for columns in self._column_blocks(len(index))
            )
            return np.concatenate([part[0] for part in self._workers(tasks)])
        for start in range(0, len(index), n_slots):
            self._provide(index[start : start + n_slots])
            slots = self._slots[index[start : start + n_slots]]
            of_slots = weights[start : start + n_slots]
            for part in self._workers(
                delayed(self._sum_rows)(
                    self._rows,
                    slots[first : first + ROWS_PER_TASK],
                    of_slots[first : first + ROWS_PER_TASK],
                )
                for first in range(0, len(slots), ROWS_PER_TASK)
            ):
                sums += part
        return sums

    def _left(self, index: IntArray) -> FloatArray:
        return self._kernel.left_factor(self._points[index], self._norms[index])

    def _column_blocks(self, n_rows: int) -> list[slice]:
        size = max(VALUES_PER_TASK // max(n_rows, 1), 256)
        return [slice(start, start + size) for start in range(0, len(self), size)]

    def _provide(self, index: IntArray) -> None:
        """Compute the rows of `index` that are not kept, in place of those used longest ago."""
        self._clock += 1
        known = self._slots[index]
        self._last_uses[known[known >= 0]] = self._clock
        missing = index[known < 0]
        if not len(missing):
            return
        slots = self._free_slots(len(missing))
        forgotten = self._owners[slots]
        self._slots[forgotten[forgotten >= 0]] = -1
        self._owners[slots] = missing
        self._slots[missing] = np.arange(len(self._rows))[slots]
        self._last_uses[slots] = self._clock
        left = self._left(missing)
        deque(
            self._workers(
                delayed(self._fill)(slots, left, columns)
                for columns in self._column_blocks(len(left))
            ),
            maxlen=0,
        )

    def _free_slots(self, n: int) -> slice | IntArray:
        """Slots that were never used, one after another, or those used longest ago."""
        n_used = self._n_used
        if n_used + n <= len(self._rows):
            self._n_used += n
            return slice(n_used, n_used + n)
        self._n_used = len(self._rows)
        return np.asarray(np.argpartition(self._last_uses, n - 1)[:n])

    def _fill(self, slots: slice | IntArray, left: FloatArray, columns: slice) -> None:
        self._rows[slots, columns] = self._kernel.values(left, self._right[columns])


def _sum_in_numpy(rows: FloatArray, slots: IntArray, weights: Float64Array) -> Float64Array:
    sums = np.zeros(rows.shape[1])
    for start in range(0, len(slots), ROWS_PER_SUM):
        block = slice(start, start + ROWS_PER_SUM)
        sums += weights[block] @ rows[slots[block]]
    return sums


def _sum_in_loops(rows: FloatArray, slots: IntArray, weights: Float64Array) -> Float64Array:
    m, n = len(slots), rows.shape[1]
    sums = np.zeros(n)
    # Four rows at a time, so that the sums are read and written a quarter as often.
    quads = m - m % 4
    for r in range(0, quads, 4):
        a, b, c, d = rows[slots[r]], rows[slots[r + 1]], rows[slots[r + 2]], rows[slots[r + 3]]
        u, v, w, x = weights[r], weights[r + 1], weights[r + 2], weights[r + 3]
        for k in range(n):
            sums[k] += u * a[k] + v * b[k] + w * c[k] + x * d[k]
    for r in range(quads, m):
        row, weight = rows[slots[r]], weights[r]
        for k in range(n):
            sums[k] += weight * row[k]
    return sums
