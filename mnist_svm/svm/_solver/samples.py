"""The training samples in the solver's order, handed out in blocks as kernel factors."""

from __future__ import annotations

from collections import deque
from itertools import pairwise
from math import sqrt

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

    def left_factor(self, points: FloatArray, norms: FloatArray) -> FloatArray:
        """Left kernel factor of points, trimmed; see `Kernel.left_factor`."""
        return trim_trailing_zeros(self.kernel.left_factor(points, norms))

    def right_factor(self, index: IntArray) -> FloatArray:
        """Right kernel factor of some samples, trimmed; see `Kernel.right_factor`."""
        return trim_trailing_zeros(self.kernel.right_factor(self.points(index), self.norms[index]))


class ProjectedSamples:
    """Samples projected to the few directions that keep most of their squared norm.

    They take half the memory of float32 points of those directions, because they are rounded to
    int16, in steps of 1/32,767 of the largest norm of a sample. Kernel values of a support vector x and a sample z are approximate: the inner product
    is that of x and r, the rounded projection of z; norms are exact. They are still inner products:
    there is psi(z) such that each value is ``<phi(x), psi(z)>``. So an error of a decision function
    ``<w, phi(z)> + b`` is at most ``||w|| ||phi(z) - psi(z)||``, where

        ||phi(z) - psi(z)||**2 = k(z, z) - 2 <phi(z), psi(z)> + <psi(z), psi(z)>

    has the inner products of z and z, of z and r, and of r and r.

    `basis`, of shape (samples.n_columns, n_directions), has orthonormal columns. The attribute
    `residual_norms` holds ``||phi(z) - psi(z)||`` of every sample.
    """

    def __init__(self, samples: Samples, basis: FloatArray, workers: Workers) -> None:
        self.kernel = samples.kernel
        self.dtype = self.sum_dtype = samples.dtype
        self.n_columns = basis.shape[1]
        self._norms = samples.norms
        # No coordinate exceeds the largest norm.
        largest = np.iinfo(np.int16).max
        self._step = samples.dtype.type((sqrt(samples.norms.max(initial=0)) or 1) / largest)
        self._basis = basis
        self._points = np.empty((len(samples), basis.shape[1]), np.int16)
        self.residual_norms = np.empty(len(samples), samples.dtype)
        index_blocks = blocks(np.arange(len(samples)), ROWS_PER_BLOCK)
        deque(workers(delayed(self._project)(samples, block) for block in index_blocks), maxlen=0)

    def _project(self, samples: Samples, index: IntArray) -> None:
        """Store the projections of some samples, and what they lose."""
        projected = samples.points(index) @ self._basis
        steps = np.rint(projected / self._step)
        self._points[index] = steps
        rounded, norms = steps * self._step, self._norms[index]
        squares = self.kernel.diagonal(norms)
        mixed = self.kernel.diagonal(norms, np.einsum("ij,ij->i", projected, rounded))
        residuals = squares - 2 * mixed + self.kernel.diagonal(norms, squared_norms(rounded))
        # Add the rounding error, so that the norm is not underestimated.
        rounding = 16 * np.finfo(self.dtype).eps * np.abs(squares)
        self.residual_norms[index] = np.sqrt(np.maximum(residuals, 0) + rounding)

    def left_factor(self, points: FloatArray, norms: FloatArray) -> FloatArray:
        """Left kernel factor of points, which are projected; see `Kernel.left_factor`."""
        # Times the step here, where points are few, instead of in the right factor.
        return self.kernel.left_factor(points @ self._basis * self._step, norms)

    def right_factor(self, index: IntArray) -> FloatArray:
        """Right kernel factor of some samples; see `Kernel.right_factor`."""
        steps = self._points[index].astype(self.dtype)
        return self.kernel.right_factor(steps, self._norms[index])


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
    too_large = n * (N_DIRECTIONS * np.dtype(np.int16).itemsize + samples.dtype.itemsize) > memory
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
