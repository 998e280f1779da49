"""Kernel values in blocks: one matrix product, then one pass over the result.

Every kernel here is a function of the inner product and of the two squared norms. What is
added to the inner product is folded into the matrix product as further columns of its factors,
and what multiplies it into a scaling of the rows, so that no pass over the block is spent on it.
Columns of zeros at the end of a factor may be cut off; see `trimmed`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mnist_svm.constants import FloatArray

KERNELS = ("linear", "poly", "rbf")

# Up to this many training samples, kernel values are computed in float64: it costs little there.
MAX_FLOAT64_SAMPLES = 5000


@dataclass(frozen=True)
class Kernel:
    """A kernel and its parameters.

    ==========  =======================================
    ``linear``  ``<x, z>``
    ``poly``    ``(gamma <x, z> + coef0) ** degree``
    ``rbf``     ``exp(-gamma ||x - z||**2)``
    ==========  =======================================

    Attributes
    ----------
    name : one of `KERNELS`.
    gamma : positive; ``linear`` has none.
    degree : integer, at least 0, of ``poly``.
    coef0 : of ``poly``.
    """

    name: str
    gamma: float = 1.0
    degree: int = 3
    coef0: float = 0.0

    @property
    def is_positive_definite(self) -> bool:
        """Whether it is the inner product of some feature map phi, whatever the data.

        Then ``k(x, x) = ||phi(x)||**2``, and the inequality of Cauchy and Schwarz holds.
        """
        return self.name != "poly" or self.coef0 >= 0

    def left(self, points: FloatArray, norms: FloatArray) -> FloatArray:
        """The left factor of the matrix product in `values`: further columns, then the points.

        Parameters
        ----------
        points : ndarray of shape (n, n_features)
            Scaled so that gamma is 1; see `mnist_svm.svm._solver.frame.Frame`.
        norms : ndarray of shape (n,)
            `squared_norms` of the points.

        Returns
        -------
        ndarray of shape (n, n_columns)
        """
        if self.name == "linear":
            return points
        if self.name == "poly":
            return _with_columns(points, 1, 1)
        return _with_columns(points, 1, 1, -norms)

    def right(self, points: FloatArray, norms: FloatArray) -> FloatArray:
        """The right factor of the matrix product in `values`; see `left`."""
        if self.name == "linear":
            return points
        if self.name == "poly":
            return _with_columns(points, 1, self.coef0)
        return _with_columns(points, 2, -norms, 1)

    def values(self, left: FloatArray, right: FloatArray) -> FloatArray:
        """Kernel values of every row of one factor with every row of the other.

        Parameters
        ----------
        left : ndarray of shape (n, n_columns)
            From `left`; may be `trimmed`.
        right : ndarray of shape (m, n_columns)
            From `right`; may be `trimmed`.

        Returns
        -------
        ndarray of shape (n, m)
        """
        values = _product(left, right)
        if self.name == "poly":
            return _power(values, self.degree)
        if self.name == "rbf":
            # Rounding may leave a squared distance slightly below zero.
            np.minimum(values, 0, out=values)
            np.exp(values, out=values)
        return values

    def weigh(self, weights: FloatArray, left: FloatArray, right: FloatArray) -> FloatArray:
        """Weighted sums of kernel values, ``weights @ values(left, right)``.

        Parameters
        ----------
        weights : ndarray of shape (n_sums, n)
            In float64, sums are in float64, whatever the kernel values are in.
        left, right : see `values`

        Returns
        -------
        ndarray of shape (n_sums, m)
        """
        if self.name == "linear":
            return _product(weights @ left, right)
        return np.asarray(weights @ self.values(left, right))

    def diagonal(self, norms: FloatArray, inner: FloatArray | None = None) -> FloatArray:
        """``k(x, x)`` for points of the given squared norms.

        Parameters
        ----------
        norms : ndarray of shape (n,)
        inner : ndarray of shape (n,), optional
            Taken in place of the inner product ``<x, x>``.

        Returns
        -------
        ndarray of shape (n,)
        """
        inner = norms if inner is None else inner
        if self.name == "poly":
            return np.asarray((inner + self.coef0) ** self.degree)
        return inner if self.name == "linear" else np.asarray(np.exp(2 * (inner - norms)))


def kernel_dtype(n_samples: int) -> np.dtype[Any]:
    """The type in which kernel values are computed, for a model fitted to `n_samples` samples."""
    return np.dtype(np.float64 if n_samples <= MAX_FLOAT64_SAMPLES else np.float32)


def squared_norms(points: FloatArray) -> FloatArray:
    """``<x, x>`` of each row.

    Parameters
    ----------
    points : ndarray of shape (n, n_features)

    Returns
    -------
    ndarray of shape (n,)
    """
    return np.asarray(np.einsum("ij,ij->i", points, points))


def trimmed(factor: FloatArray) -> FloatArray:
    """A kernel factor without the columns of zeros at its end.

    Parameters
    ----------
    factor : ndarray of shape (n, n_columns)

    Returns
    -------
    ndarray of shape (n, at most n_columns), a view
    """
    filled = np.flatnonzero(factor.any(axis=0))
    return factor[:, : filled[-1] + 1 if len(filled) else 0]


def _product(left: FloatArray, right: FloatArray) -> FloatArray:
    """Inner products of all rows, of which the end may have been cut."""
    width = min(left.shape[1], right.shape[1])
    return np.asarray(left[:, :width] @ right[:, :width].T)


def _with_columns(points: FloatArray, factor: float, *columns: FloatArray | float) -> FloatArray:
    """The points times a factor, and columns to the left of them."""
    n, width = points.shape
    out = np.empty((n, len(columns) + width), points.dtype)
    for at, column in enumerate(columns):
        out[:, at] = column
    np.multiply(points, points.dtype.type(factor), out=out[:, len(columns) :])
    return out


def _power(values: FloatArray, exponent: int) -> FloatArray:
    """A power by repeated squaring, in place where it can be: two passes for the fourth."""
    if exponent == 0:
        return np.ones_like(values)
    result: FloatArray | None = None
    while True:
        exponent, odd = divmod(exponent, 2)
        if odd and result is not None:
            result *= values
        if exponent == 0:
            return values if result is None else result
        if odd and result is None:
            result = values.copy()
        np.square(values, out=values)
