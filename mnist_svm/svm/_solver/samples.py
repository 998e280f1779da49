"""The training samples in the solver's order, handed out in blocks as kernel factors."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from sklearn.utils.extmath import randomized_range_finder

from mnist_svm._types import Array, FloatArray, IntArray
from mnist_svm.parallel.threads import Workers, delayed
from mnist_svm.svm._solver import ROWS_PER_BLOCK
from mnist_svm.svm.kernels import InputTransform, squared_norms, trim_trailing_zeros

# Samples are projected to this many directions, if that is at most this share of their columns,
# and there are enough samples to repay the approximate rounds.
N_DIRECTIONS = 128
MAX_DIRECTIONS_SHARE = 0.5
MIN_SAMPLES_TO_PROJECT = 40_000

# The directions come from this many random samples, and must keep this share of their squared norm.
SAMPLES_FOR_DIRECTIONS = 4096
MIN_NORM_KEPT = 0.95


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
        self.sum_dtype = np.dtype(np.float64)
        columns = input_transform.columns
        self.n_columns = X.shape[1] if columns is None else len(columns)
        self.class_slices = [slice(start, stop) for start, stop in pairwise(starts)]
        self.classes = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
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

    def left_factor(self, index: IntArray) -> FloatArray:
        """Left kernel factor of some samples, trimmed; see `Kernel.left_factor`."""
        return trim_trailing_zeros(self.kernel.left_factor(self.points(index), self.norms[index]))

    def right_factor(self, index: IntArray) -> FloatArray:
        """Right kernel factor of some samples, trimmed; see `Kernel.right_factor`."""
        return trim_trailing_zeros(self.kernel.right_factor(self.points(index), self.norms[index]))


class ProjectedSamples:
    """Samples projected to the few directions that keep most of their squared norm.

    Their kernel values are approximate: inner products lose the components outside those
    directions, norms are exact. They are still inner products: with P for the projection,
    ``<x, Pz> = <Px, Pz>``, so a sample has an image phi~(x) such that each value is
    ``<phi~(x), phi(z)>``, and ``||phi(x) - phi~(x)||**2 = k(x, x) - k~(x, x)``.

    `basis`, of shape (samples.n_columns, n_directions), has orthonormal columns. The attribute
    `residual_norms` holds ``||phi(x) - phi~(x)||`` of every sample.
    """

    def __init__(self, samples: Samples, basis: FloatArray, workers: Workers) -> None:
        self.kernel = samples.kernel
        self.dtype = self.sum_dtype = samples.dtype
        self.n_columns = basis.shape[1]
        self._points = np.empty((len(samples), basis.shape[1]), samples.dtype)
        self._norms = samples.norms

        index_blocks = blocks(np.arange(len(samples)), ROWS_PER_BLOCK)
        project = delayed(lambda block: samples.points(block) @ basis)
        parts = workers(project(block) for block in index_blocks)
        for block, points in zip(index_blocks, parts, strict=True):
            self._points[block] = points
        squares = self.kernel.diagonal(self._norms)
        residual = squares - self.kernel.diagonal(self._norms, squared_norms(self._points))
        # Add the rounding error, so that the norm is not underestimated.
        rounding = 8 * np.finfo(samples.dtype).eps * np.abs(squares)
        self.residual_norms = np.sqrt(np.maximum(residual, 0) + rounding)

    def left_factor(self, index: IntArray) -> FloatArray:
        """Left kernel factor of some samples; see `Kernel.left_factor`."""
        return self.kernel.left_factor(self._points[index], self._norms[index])

    def right_factor(self, index: IntArray) -> FloatArray:
        """Right kernel factor of some samples; see `Kernel.right_factor`."""
        return self.kernel.right_factor(self._points[index], self._norms[index])


def _norms_and_lengths(
    input_transform: InputTransform, X: Array, block: IntArray
) -> tuple[FloatArray, IntArray]:
    """Squared norms of some rows' points, and their lengths without trailing zeros."""
    points = input_transform.transform(X[block])
    column_numbers = np.arange(1, points.shape[1] + 1, dtype=np.int32)
    return squared_norms(points), ((points != 0) * column_numbers).max(axis=1, initial=0)


def project_samples(
    samples: Samples, workers: Workers, random_state: np.random.RandomState, memory: int
) -> ProjectedSamples | None:
    """Project the samples, if that saves work and keeps most of their squared norm.

    The directions are approximate leading right singular vectors of a random subset of the points,
    found by subspace iteration. The projected samples take at most `memory` bytes.

    References
    ----------
    N. Halko, P.-G. Martinsson, J. A. Tropp, "Finding structure with randomness", SIAM Review
    53 (2011), algorithm 4.4.
    """
    n = len(samples)
    # With a linear kernel, exact scans are cheap already.
    needless = samples.kernel.name == "linear" or n < MIN_SAMPLES_TO_PROJECT
    too_large = n * (N_DIRECTIONS + 1) * samples.dtype.itemsize > memory
    if needless or too_large or MAX_DIRECTIONS_SHARE * samples.n_columns < N_DIRECTIONS:
        return None
    subset = np.sort(random_state.choice(n, SAMPLES_FOR_DIRECTIONS, replace=False))
    points = samples.points(subset)
    basis = randomized_range_finder(
        points.T,
        size=N_DIRECTIONS,
        n_iter=2,
        power_iteration_normalizer="QR",
        random_state=random_state,
    )
    basis = np.ascontiguousarray(basis, samples.dtype)
    kept = squared_norms(points @ basis).sum(dtype=np.float64)
    if not kept >= MIN_NORM_KEPT * squared_norms(points).sum(dtype=np.float64):
        return None
    return ProjectedSamples(samples, basis, workers)


def check_range(values: FloatArray) -> None:
    """Raise ValueError if kernel values exceed the range of float32, in which they are stored."""
    if not (np.abs(values) <= np.finfo(np.float32).max).all():
        msg = "kernel values are beyond the range of float32: scale the features"
        raise ValueError(msg)


def blocks(index: IntArray, size: int) -> list[IntArray]:
    """Split an index into pieces of at most `size`."""
    return [index[start : start + size] for start in range(0, len(index), size)]
