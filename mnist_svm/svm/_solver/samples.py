"""The training samples in the solver's order, handed out in blocks as kernel factors."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from joblib import delayed
from sklearn.utils.extmath import randomized_range_finder

from mnist_svm.constants import FloatArray, IntArray
from mnist_svm.parallel.threads import Workers
from mnist_svm.svm._solver.frame import BLOCK, Frame
from mnist_svm.svm.kernels import squared_norms, trimmed

# A projection is worth its while when it has far fewer columns than the samples, keeps nearly
# all of their length, and spares enough kernel values to pay for a round more.
PROJECTED = 128
WORTHWHILE = 0.5
LENGTH_KEPT = 0.95
MANY = 40_000
SAMPLED = 4096


class Samples:
    """Samples in the order of their classes, as float rows that a kernel takes.

    Sample i is here the i-th of that order: first those of class 0, then those of class 1, ...
    The matrix itself stays what and where it is (any numeric type, a memory map): a block
    of its rows is converted when it is asked for.

    Within a class, samples whose points end with the most zeros come first. So blocks of them
    end with zeros too, which cost nothing (`mnist_svm.svm.kernels.trimmed`): of deskewed MNIST's
    753 columns that are ever filled, a block has about 400.

    Parameters
    ----------
    X : numeric ndarray of shape (n_rows, n_features)
    rows : intp ndarray of shape (n,)
        Those that are samples, in the order of their classes.
    starts : intp ndarray of shape (k + 1,)
        Class c has the samples from ``starts[c]`` to ``starts[c + 1]``.
    frame : Frame
        How rows become the kernel's points.
    workers : Workers

    Attributes
    ----------
    order, classes : intp ndarrays of shape (n,)
        Row and class of each sample.
    of_class : list of k slices
        The samples of each class.
    norms : ndarray of shape (n,)
        `squared_norms` of the samples' points.
    lengths : ndarray of shape (n,), or None if the kernel has no phi
        ``||phi(x)||`` of every sample.

    Raises
    ------
    ValueError
        If kernel values are beyond the range of float32.
    """

    def __init__(
        self,
        X: npt.NDArray[Any],
        rows: IntArray,
        starts: IntArray,
        frame: Frame,
        workers: Workers,
    ) -> None:
        self.kernel = frame.kernel
        self.dtype = frame.dtype
        self.sum_dtype = np.dtype(np.float64)
        self.width = len(frame.centre) if frame.used is None else len(frame.used)
        self.of_class = [slice(start, stop) for start, stop in pairwise(starts)]
        self.classes = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
        self._X = X
        self._frame = frame
        parts = workers(delayed(_measured)(frame, X, block) for block in blocks(rows, BLOCK))
        norms, ends = (np.concatenate(part) for part in zip(*parts, strict=True))
        place = np.lexsort([ends, self.classes])
        self.order, self.norms = rows[place], norms[place]
        squares = frame.kernel.diagonal(self.norms)
        # libsvm keeps them in float32, whatever they are computed in.
        if not (squares <= np.finfo(np.float32).max).all():
            msg = "kernel values are beyond the range of float32: scale the features"
            raise ValueError(msg)
        self.lengths = np.sqrt(squares) if frame.kernel.is_positive_definite else None

    def __len__(self) -> int:
        return len(self.order)

    def points(self, index: IntArray) -> FloatArray:
        """Samples scaled as the kernel wants them.

        Parameters
        ----------
        index : intp ndarray of shape (m,)

        Returns
        -------
        ndarray of shape (m, width)
        """
        points = np.empty((len(index), self.width), self.dtype)
        # Rows of float64 take twice what their points do: not all at once.
        for start in range(0, len(index), BLOCK):
            block = slice(start, start + BLOCK)
            points[block] = self._frame.points(self._X[self.order[index[block]]])
        return points

    def left(self, index: IntArray) -> FloatArray:
        """Left kernel factor of some samples, trimmed; see `Kernel.left`."""
        return trimmed(self.kernel.left(self.points(index), self.norms[index]))

    def right(self, index: IntArray) -> FloatArray:
        """Right kernel factor of some samples, trimmed; see `Kernel.right`."""
        return trimmed(self.kernel.right(self.points(index), self.norms[index]))


class Projected:
    """Samples shortened to the few directions in which most of their length lies.

    Kernel values of these are approximate: inner products lose what lies across those
    directions, norms are exact. They are inner products all the same: with P for the projection,
    ``<x, Pz> = <Px, Pz>``, so that a sample has an image phi~(x) for which each value is
    ``<phi~(x), phi(z)>``. It is off by ``||phi(x) - phi~(x)||**2 = k(x, x) - k~(x, x)``.

    Parameters
    ----------
    samples : Samples
    basis : ndarray of shape (samples.width, n_directions), orthonormal columns
    workers : Workers

    Attributes
    ----------
    gap : ndarray of shape (len(samples),)
        ``||phi(x) - phi~(x)||`` of every sample.
    """

    def __init__(self, samples: Samples, basis: FloatArray, workers: Workers) -> None:
        self.kernel = samples.kernel
        self.dtype = self.sum_dtype = samples.dtype
        self.width = basis.shape[1]
        self._points = np.empty((len(samples), basis.shape[1]), samples.dtype)
        self._norms = samples.norms

        every = blocks(np.arange(len(samples)), BLOCK)
        parts = workers(delayed(_project_block)(samples, block, basis) for block in every)
        for block, points in zip(every, parts, strict=True):
            self._points[block] = points
        inner = squared_norms(self._points)
        squares = self.kernel.diagonal(self._norms)
        lost = squares - self.kernel.diagonal(self._norms, inner)
        # No less than what rounding may hide.
        self.gap = np.sqrt(np.maximum(lost, 0) + 8 * np.finfo(samples.dtype).eps * squares)

    def left(self, index: IntArray) -> FloatArray:
        """Left kernel factor of some samples; see `Kernel.left`."""
        return self.kernel.left(self._points[index], self._norms[index])

    def right(self, index: IntArray) -> FloatArray:
        """Right kernel factor of some samples; see `Kernel.right`."""
        return self.kernel.right(self._points[index], self._norms[index])


def _measured(frame: Frame, X: npt.NDArray[Any], block: IntArray) -> tuple[FloatArray, IntArray]:
    """Squared norms of some rows' points, and how many columns these have before they end."""
    points = frame.points(X[block])
    places = np.arange(1, points.shape[1] + 1, dtype=np.int32)
    ends = ((points != 0) * places).max(axis=1, initial=0)
    return squared_norms(points), ends


def _project_block(samples: Samples, block: IntArray, basis: FloatArray) -> FloatArray:
    return np.asarray(samples.points(block) @ basis)


def project(
    samples: Samples, workers: Workers, random_state: np.random.RandomState, memory: int
) -> Projected | None:
    """The samples projected, if that keeps what matters and saves work.

    The directions are those of the largest singular values of some samples, found by
    subspace iteration.

    Parameters
    ----------
    samples : Samples
    workers : Workers
    random_state : numpy.random.RandomState
    memory : int
        Bytes that the projected samples may take.

    Returns
    -------
    Projected or None

    References
    ----------
    N. Halko, P.-G. Martinsson, J. A. Tropp, "Finding structure with randomness", SIAM Review
    53 (2011), algorithm 4.4.
    """
    n, itemsize = len(samples), samples.dtype.itemsize
    # A scan is cheap as it is if the kernel is linear.
    needless = samples.kernel.name == "linear" or n < MANY
    too_large = n * (PROJECTED + 1) * itemsize > memory
    if needless or too_large or WORTHWHILE * samples.width < PROJECTED:
        return None
    some = np.sort(random_state.choice(n, SAMPLED, replace=False))
    points = samples.points(some)
    basis = randomized_range_finder(
        points.T,
        size=PROJECTED,
        n_iter=2,
        power_iteration_normalizer="QR",
        random_state=random_state,
    )
    basis = np.ascontiguousarray(basis, samples.dtype)
    kept = squared_norms(points @ basis).sum(dtype=np.float64)
    if not kept >= LENGTH_KEPT * squared_norms(points).sum(dtype=np.float64):
        return None
    return Projected(samples, basis, workers)


def blocks(index: IntArray, size: int) -> list[IntArray]:
    """An index cut into pieces of at most that size."""
    return [index[start : start + size] for start in range(0, len(index), size)]
