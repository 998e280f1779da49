"""Kernel factors of the training samples, by which scans compute their margins."""

from __future__ import annotations

from collections import deque
from math import sqrt
from typing import Any, Protocol

import numpy as np
from sklearn.utils.extmath import randomized_range_finder

from mnist_svm._types import FloatArray, IntArray
from mnist_svm.parallel.threads import Workers, delayed
from mnist_svm.svm._solver import ROWS_PER_BLOCK
from mnist_svm.svm._solver.samples import Samples, blocks
from mnist_svm.svm.byte_kernel import MAX_COLUMNS, ByteFactor, ByteKernel, is_byte_product_fast
from mnist_svm.svm.kernels import squared_norms, trim_trailing_zeros

# Samples are projected to this many directions, if that is at most this share of their columns,
# and there are enough samples to repay the approximate rounds.
N_DIRECTIONS = 128
MAX_DIRECTIONS_SHARE = 0.5
MIN_SAMPLES_TO_PROJECT = 40_000

# From this many samples on, scans of bytes save more time than it takes to import onnxruntime.
MIN_SAMPLES_FOR_BYTES = 100_000

# The directions come from this many random samples, and must keep this share of their squared norm.
SAMPLES_FOR_DIRECTIONS = 4096
MIN_NORM_KEPT = 0.95


class KernelFactors(Protocol):
    """Kernel factors of samples, exact or approximate: their products give kernel values.

    Attributes
    ----------
    n_columns : of a factor.
    dtype : of a factor.
    sum_dtype : in which kernel values are summed.
    """

    n_columns: int
    dtype: np.dtype[Any]
    sum_dtype: np.dtype[Any]

    def left(self, samples: Samples, index: IntArray) -> Any:
        """The left factor of some samples."""

    def right(self, samples: Samples, index: IntArray) -> Any:
        """The right factor of some samples."""

    def weighted_sum(self, weights: FloatArray, left: Any, right: Any) -> FloatArray:
        """Weighted sums of kernel values; see `Kernel.weighted_sum`."""


class PointFactors:
    """Exact kernel factors, from the points of samples."""

    def __init__(self, samples: Samples) -> None:
        self.n_columns, self.dtype = samples.n_columns, samples.dtype
        self.sum_dtype = np.dtype(np.float64)
        self.weighted_sum = samples.kernel.weighted_sum
        self._kernel = samples.kernel

    def left(self, samples: Samples, index: IntArray) -> FloatArray:
        """The left factor of some samples, trimmed."""
        points, norms = samples.points(index), samples.norms[index]
        return trim_trailing_zeros(self._kernel.left_factor(points, norms))

    def right(self, samples: Samples, index: IntArray) -> FloatArray:
        """The right factor of some samples, trimmed."""
        points, norms = samples.points(index), samples.norms[index]
        return trim_trailing_zeros(self._kernel.right_factor(points, norms))


class ByteFactors:
    """Exact kernel factors, from the rows of samples that are uint8."""

    def __init__(self, samples: Samples) -> None:
        self.n_columns, self.dtype = samples.n_columns, np.dtype(np.uint8)
        self.sum_dtype = np.dtype(np.float64)
        self._kernel = ByteKernel(samples.kernel)
        self.weighted_sum = self._kernel.weighted_sum

    def left(self, samples: Samples, index: IntArray) -> ByteFactor:
        """The left factor of some samples."""
        return self._kernel.left_factor(samples.rows(index))

    def right(self, samples: Samples, index: IntArray) -> ByteFactor:
        """The right factor of some samples."""
        return self._kernel.right_factor(samples.rows(index))


def exact_factors(samples: Samples) -> KernelFactors:
    """Kernel factors of bytes, if that saves time, or of points."""
    are_bytes = samples.row_dtype == np.uint8 and samples.n_columns <= MAX_COLUMNS
    if are_bytes and len(samples) >= MIN_SAMPLES_FOR_BYTES and samples.kernel.name != "linear":
        return ByteFactors(samples) if is_byte_product_fast() else PointFactors(samples)
    return PointFactors(samples)


class ProjectedSamples:
    """Samples projected to the few directions that keep most of their squared norm.

    They are rounded to int16, in steps of 1/32,767 of the largest norm of a sample, which takes
    half the memory of float32. Kernel values of a support vector x and a sample z are approximate:
    the inner product is that of x and r, the rounded projection of z; norms are exact. They are
    still inner products: there is psi(z) such that each value is ``<phi(x), psi(z)>``. So an error
    of a decision function ``<w, phi(z)> + b`` is at most ``||w|| ||phi(z) - psi(z)||``, where

        ||phi(z) - psi(z)||**2 = k(z, z) - 2 <phi(z), psi(z)> + <psi(z), psi(z)>

    has the inner products of z and z, of z and r, and of r and r.

    `basis`, of shape (samples.n_columns, n_directions), has orthonormal columns. The attribute
    `residual_norms` holds ``||phi(z) - psi(z)||`` of every sample.
    """

    def __init__(self, samples: Samples, basis: FloatArray, workers: Workers) -> None:
        self.weighted_sum = samples.kernel.weighted_sum
        self.dtype = self.sum_dtype = samples.dtype
        self.n_columns = basis.shape[1]
        self._kernel = samples.kernel
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
        rounded, norms = steps * self._step, samples.norms[index]
        squares = self._kernel.diagonal(norms)
        mixed = self._kernel.diagonal(norms, np.einsum("ij,ij->i", projected, rounded))
        residuals = squares - 2 * mixed + self._kernel.diagonal(norms, squared_norms(rounded))
        # Add the rounding error, so that the norm is not underestimated.
        rounding = 16 * np.finfo(self.dtype).eps * np.abs(squares)
        self.residual_norms[index] = np.sqrt(np.maximum(residuals, 0) + rounding)

    def left(self, samples: Samples, index: IntArray) -> FloatArray:
        """The left factor of some samples, projected but not rounded."""
        # Times the step here, where samples are few, instead of in the right factor.
        points = samples.points(index) @ self._basis * self._step
        return self._kernel.left_factor(points, samples.norms[index])

    def right(self, samples: Samples, index: IntArray) -> FloatArray:
        """The right factor of some samples."""
        steps = self._points[index].astype(self.dtype)
        return self._kernel.right_factor(steps, samples.norms[index])


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
