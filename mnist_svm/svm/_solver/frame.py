"""How the rows of a matrix become the points of a kernel's matrix products."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
import numpy.typing as npt
from joblib import delayed

from mnist_svm.constants import FloatArray
from mnist_svm.parallel.threads import Workers
from mnist_svm.svm.kernels import Kernel

# Rows converted at a time, in passes over all of them.
BLOCK = 512

# If less than this share of the elements is not zero, it pays to order columns and samples.
SPARSE = 0.5


@dataclass(frozen=True)
class Frame:
    """How rows become the points of a kernel's matrix products, scaled so that gamma is 1.

    Attributes
    ----------
    kernel : Kernel
    centre : float64 ndarray of shape (n_features,)
        Subtracted from the rows for ``rbf``: it changes no distance, and takes from float32
        what it would lose to an offset that all rows have. The other kernels ignore it.
    used : intp ndarray, optional
        Columns to take; the others tell no two points apart. None takes all.
    dtype : float32 or float64
        In which kernel values are computed.
    """

    kernel: Kernel
    centre: npt.NDArray[np.float64]
    used: npt.NDArray[np.intp] | None
    dtype: np.dtype[Any]

    def points(self, rows: npt.NDArray[Any]) -> FloatArray:
        """The points of some rows.

        Parameters
        ----------
        rows : numeric ndarray of shape (n, n_features)

        Returns
        -------
        ndarray of shape (n, n_columns_used), of the frame's dtype
        """
        centre = self.centre
        if self.used is not None:
            # In C order, which plain indexing would not give.
            rows, centre = rows.take(self.used, axis=1), centre[self.used]
        points = np.empty(rows.shape, self.dtype)
        scale = self.dtype.type(1 if self.kernel.name == "linear" else sqrt(self.kernel.gamma))
        if self.kernel.name == "rbf":
            np.subtract(rows, centre, out=points, casting="unsafe")
            points *= scale
        else:
            np.multiply(rows, scale, out=points, casting="unsafe")
        return points


@dataclass(frozen=True)
class Columns:
    """What one pass over all samples tells of them.

    Attributes
    ----------
    mean : float64 ndarray of shape (n_features,).
    variance : float, of all elements.
    lowest, highest : ndarrays of shape (n_features,), the range of each column.
    filled : ndarray of shape (n_features,), the share of each column that is not zero.
    """

    mean: npt.NDArray[np.float64]
    variance: float
    lowest: npt.NDArray[Any]
    highest: npt.NDArray[Any]
    filled: npt.NDArray[np.float64]

    @property
    def sparse(self) -> bool:
        """Whether most elements are zero."""
        return float(self.filled.mean()) < SPARSE

    def frame(self, kernel: Kernel, dtype: np.dtype[Any]) -> Frame:
        """The frame of a kernel for these rows.

        It leaves out columns that are all zero, or for ``rbf`` all the same. If most elements
        are zero, the columns most often filled come first, so that most rows end with zeros,
        and ``rbf`` leaves the zeros what they are.

        Parameters
        ----------
        kernel : Kernel
        dtype : float32 or float64

        Returns
        -------
        Frame
        """
        dull = self.lowest == self.highest
        if kernel.name != "rbf":
            dull &= self.lowest == 0
        used = np.flatnonzero(~dull)
        if not self.sparse:
            return Frame(kernel, self.mean, used if dull.any() else None, dtype)
        used = used[np.argsort(-self.filled[used], kind="stable")]
        return Frame(kernel, np.zeros_like(self.mean), used, dtype)


def survey(
    X: npt.NDArray[Any], weights: npt.NDArray[np.float64] | None, workers: Workers
) -> Columns:
    """Means, ranges and the variance of all elements, in one pass of blocks.

    Parameters
    ----------
    X : numeric ndarray of shape (n, n_features)
    weights : float64 ndarray of shape (n,), optional
        How often each row counts in the means and the variance; not all zero.
    workers : Workers

    Returns
    -------
    Columns

    References
    ----------
    T. F. Chan, G. H. Golub, R. J. LeVeque, "Algorithms for computing the sample variance",
    The American Statistician 37 (1983), equation 2.1, for the sums of squares of two parts.
    """
    every = [slice(start, start + BLOCK) for start in range(0, len(X), BLOCK)]
    parts = workers(
        delayed(_survey_block)(X[block], None if weights is None else weights[block])
        for block in every
    )
    sums, squares, counts, filled, lowest, highest = (
        np.array(part) for part in zip(*parts, strict=True)
    )
    mean = sums.sum(axis=0) / counts.sum()
    # A block that counts nothing has a mean of no consequence.
    means = sums.mean(axis=1) / np.maximum(counts, np.finfo(np.float64).tiny)
    between = X.shape[1] * counts @ (means - mean.mean()) ** 2
    variance = float((squares.sum() + between) / (counts.sum() * X.shape[1]))
    share = filled.sum(axis=0) / len(X)
    return Columns(mean, variance, lowest.min(axis=0), highest.max(axis=0), share)


def _survey_block(
    rows: npt.NDArray[Any], weights: npt.NDArray[np.float64] | None
) -> tuple[Any, ...]:
    """Column sums, squares about the mean of all elements, count, fill and ranges of a block."""
    if weights is None:
        sums, count = rows.sum(axis=0, dtype=np.float64), len(rows)
        spread = rows - sums.mean() / count
        squares = np.vdot(spread, spread)
    else:
        sums, count = weights @ rows, weights.sum()
        spread = rows - sums.mean() / max(count, np.finfo(np.float64).tiny)
        squares = weights @ np.einsum("ij,ij->i", spread, spread)
    filled = np.count_nonzero(rows, axis=0)
    return sums, squares, count, filled, rows.min(axis=0), rows.max(axis=0)
