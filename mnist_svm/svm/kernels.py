"""Kernel values in blocks: one matrix product, then one pass over the result.

Every kernel is a function of the inner product and the two squared norms. `InputTransform` scales
the rows so that gamma is 1, and `Kernel` puts the terms that are added to the inner product into
extra columns of the two factors. So neither costs a pass over the block of kernel values. Zero
columns at the end of a factor may be cut off; see `trim_trailing_zeros`.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace
from math import sqrt
from typing import Any, TypeVar

import numpy as np

from mnist_svm._types import Array, Float64Array, FloatArray, IntArray

T = TypeVar("T")

# Those of the recipes, and all that `KernelSVC` names.
KERNELS = ("linear", "poly", "rbf")
SVC_KERNELS = (*KERNELS, "sigmoid", "precomputed")

# Up to this many training samples, kernel values are computed in float64: it costs little there.
MAX_FLOAT64_SAMPLES = 5000


@dataclass(frozen=True)
class Kernel:
    """A kernel and its parameters.

    ===========  =======================================
    ``linear``   ``<x, z>``
    ``poly``     ``(gamma <x, z> + coef0) ** degree``
    ``rbf``      ``exp(-gamma ||x - z||**2)``
    ``sigmoid``  ``tanh(gamma <x, z> + coef0)``
    ===========  =======================================

    Attributes
    ----------
    name : one of the above.
    gamma : at least 0; not used by ``linear``.
    degree : integer, at least 0; ``poly`` only.
    coef0 : ``poly`` and ``sigmoid`` only.
    """

    name: str
    gamma: float = 1.0
    degree: int = 3
    coef0: float = 0.0

    @classmethod
    def of(cls, svc: Any, gamma: float) -> Kernel:
        """The kernel of a `KernelSVC`; that of a function is "precomputed"."""
        name = "precomputed" if callable(svc.kernel) else svc.kernel
        return cls(name, gamma, int(svc.degree), float(svc.coef0))

    @property
    def is_positive_definite(self) -> bool:
        """Whether the kernel is the inner product of a feature map phi, for any data.

        Then ``k(x, x) = ||phi(x)||**2``, and the Cauchy-Schwarz inequality holds.
        """
        return self.name != "sigmoid" and (self.name != "poly" or self.coef0 >= 0)

    def left_factor(self, points: FloatArray, norms: FloatArray) -> FloatArray:
        """The left factor of the matrix product in `values`: extra columns, then the points.

        `points`, of shape (n, n_features), come from `InputTransform`; `norms` are their
        `squared_norms`.
        """
        if self.name == "linear":
            return points
        if self.name != "rbf":
            return _with_columns(points, 1, 1)
        return _with_columns(points, 1, 1, -norms)

    def right_factor(self, points: FloatArray, norms: FloatArray) -> FloatArray:
        """The right factor of the matrix product in `values`; see `left_factor`."""
        if self.name == "linear":
            return points
        if self.name != "rbf":
            return _with_columns(points, 1, self.coef0)
        return _with_columns(points, 2, -norms, 1)

    def values(self, left: FloatArray, right: FloatArray) -> FloatArray:
        """Kernel values of the n rows of one factor, and the m of the other, of shape (n, m).

        The factors come from `left_factor` and `right_factor`, and may be trimmed.
        """
        values = _product(left, right)
        if self.name == "poly":
            return np.ones_like(values) if self.degree == 0 else power(values, self.degree)
        if self.name == "rbf":
            # Rounding may leave a squared distance slightly below zero.
            np.minimum(values, 0, out=values)
            np.exp(values, out=values)
        if self.name == "sigmoid":
            np.tanh(values, out=values)
        return values

    def sparse_values(self, rows: Any, others: Any) -> Float64Array:
        """Kernel values of the rows of two CSR matrices, not scaled by gamma: of shape (n, m)."""
        # Products of small integers would overflow.
        rows, others = (matrix.astype(np.float64, copy=False) for matrix in (rows, others))
        inner = (rows @ others.T).toarray()
        if self.name == "linear":
            return np.asarray(inner)
        if self.name == "rbf":
            norms, of_others = (np.ravel(x.multiply(x).sum(axis=1)) for x in (rows, others))
            squares = np.maximum(norms[:, None] + of_others - 2 * inner, 0)
            return np.asarray(np.exp(-self.gamma * squares))
        values = self.gamma * inner + self.coef0
        return np.asarray(np.tanh(values) if self.name == "sigmoid" else values**self.degree)

    def weighted_sum(self, weights: FloatArray, left: FloatArray, right: FloatArray) -> FloatArray:
        """Weighted sums of kernel values, ``weights @ values(left, right)``, of shape (n_sums, m).

        If the weights are float64, the sums are float64 for kernel values of any type.
        """
        if self.name == "linear":
            return _product(weights @ left, right)
        return np.asarray(weights @ self.values(left, right))

    def weighted_sum_and_nearest(
        self, weights: FloatArray, left: FloatArray, right: FloatArray, factors: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """`weighted_sum`, and the largest of the kernel values times `factors`, of shape (m,).

        `factors` are ``k(z, z) ** -0.5`` of the rows of `left`. The largest value is at least -1.
        """
        values = self.values(left, right)
        # As in `weighted_sum`, to the last digit.
        sums = (
            self.weighted_sum(weights, left, right) if self.name == "linear" else weights @ values
        )
        if self.name != "rbf":
            values *= factors[:, None]
        return np.asarray(sums), np.asarray(values.max(axis=0, initial=-1))

    def diagonal(self, norms: FloatArray, inner: FloatArray | None = None) -> FloatArray:
        """``k(x, x)`` of points, from their squared norms; `inner` replaces ``<x, x>``."""
        inner = norms if inner is None else inner
        if self.name == "poly":
            return np.asarray((inner + self.coef0) ** self.degree)
        if self.name == "sigmoid":
            return np.asarray(np.tanh(inner + self.coef0))
        return inner if self.name == "linear" else np.asarray(np.exp(2 * (inner - norms)))

    def derivative(self) -> tuple[float, Kernel]:
        """The derivative by ``<x, z>`` at fixed norms, as a factor and another kernel.

        Raises ValueError for ``sigmoid``, whose derivative is none of these kernels.
        """
        if self.name == "sigmoid":
            msg = "the derivative of the kernel 'sigmoid' is not a kernel"
            raise ValueError(msg)
        if self.name == "poly":
            return self.degree * self.gamma, replace(self, degree=max(self.degree - 1, 0))
        return (2 * self.gamma, self) if self.name == "rbf" else (1.0, Kernel("poly", degree=0))


@dataclass(frozen=True)
class InputTransform:
    """Turn rows of ``X`` into the points of a kernel: select columns, centre, scale, convert.

    Attributes
    ----------
    kernel : Kernel
    centre : float64 ndarray of shape (n_features,)
        Subtracted for ``rbf`` only: distances stay, and float32 loses no digits to a common offset.
    columns : intp ndarray, optional
        Columns to take, in this order. The others are the same in all rows. None takes all.
    dtype : float32 or float64
        Type of the points and of the kernel values.
    """

    kernel: Kernel
    centre: Float64Array
    columns: IntArray | None
    dtype: np.dtype[Any]

    def transform(self, rows: Array) -> FloatArray:
        """The points of some rows, scaled by the root of gamma: ndarray of shape (n, n_columns)."""
        centre = self.centre
        if self.columns is not None:
            # `take` gives C order, which plain indexing does not.
            rows, centre = rows.take(self.columns, axis=1), centre[self.columns]
        points = np.empty(rows.shape, self.dtype)
        scale = self.dtype.type(1 if self.kernel.name == "linear" else sqrt(self.kernel.gamma))
        if self.kernel.name == "rbf":
            np.subtract(rows, centre, out=points, casting="unsafe")
            points *= scale
        else:
            np.multiply(rows, scale, out=points, casting="unsafe")
        return points


def kernel_dtype(n_samples: int) -> np.dtype[Any]:
    """The type in which kernel values are computed, for a model fitted to `n_samples` samples."""
    return np.dtype(np.float64 if n_samples <= MAX_FLOAT64_SAMPLES else np.float32)


def squared_norms(points: FloatArray) -> FloatArray:
    """``<x, x>`` of each row: ndarray of shape (n,)."""
    return np.asarray(np.einsum("ij,ij->i", points, points))


def trim_trailing_zeros(factor: FloatArray) -> FloatArray:
    """A view of a kernel factor without the zero columns at its end."""
    nonzero = np.flatnonzero(factor.any(axis=0))
    return factor[:, : nonzero[-1] + 1 if len(nonzero) else 0]


def power(base: T, exponent: int) -> T:
    """``base ** exponent`` by repeated squaring, for an exponent of at least 1.

    `base` is an array, which is overwritten, or any value with ``*``, such as a node of a graph.
    """
    value: Any = base
    result: Any = None
    while True:
        exponent, odd = divmod(exponent, 2)
        if odd and result is not None:
            result *= value
        if exponent == 0:
            return value if result is None else result  # type: ignore[no-any-return]
        if odd and result is None:
            result = copy(value)
        value *= value


def _product(left: FloatArray, right: FloatArray) -> FloatArray:
    """Inner products of all rows; either factor may be trimmed."""
    width = min(left.shape[1], right.shape[1])
    return np.asarray(left[:, :width] @ right[:, :width].T)


def _with_columns(points: FloatArray, factor: float, *columns: FloatArray | float) -> FloatArray:
    """The points times a factor, with columns in front."""
    n, width = points.shape
    out = np.empty((n, len(columns) + width), points.dtype)
    for index, column in enumerate(columns):
        out[:, index] = column
    np.multiply(points, points.dtype.type(factor), out=out[:, len(columns) :])
    return out
