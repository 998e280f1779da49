"""libsvm on a Gram matrix: the optimum of a two-class problem that fits in memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.svm import SVC

from mnist_svm.constants import Float64Array, FloatArray
from mnist_svm.svm.kernels import Kernel, trimmed

# Rows of the Gram matrix computed at a time, before they are stored in double precision.
BLOCK = 512

# libsvm's own: beyond it, a problem is taken to be one that does not converge.
MAX_ITER = 10_000_000
MAX_ITER_PER_SAMPLE = 100

# Few samples in double precision are solved to the rounding, if they can be: it costs next to
# nothing, and then weights and repeated samples mean the same to many digits.
TINY = 100
TIGHT = 1e-10
TIGHT_MAX_ITER = 100_000

MB = 1 << 20


@dataclass(frozen=True)
class Optimum:
    """What libsvm finds.

    Attributes
    ----------
    coef : float64 ndarray of shape (m,), alpha_i y_i.
    bias : b.
    iterations : of the solver.
    """

    coef: Float64Array
    bias: float
    iterations: int


def gram_bytes(m: int, n_features: int) -> int:
    """Bytes for m samples: their Gram matrix, libsvm's cache of it, points and kernel factors."""
    return m * m * (8 + 4) + m * n_features * 3 * 4


def gram_matrix(
    kernel: Kernel, points: FloatArray, norms: FloatArray, *, border: int = 0
) -> Float64Array:
    """Kernel values of all pairs of points.

    Parameters
    ----------
    kernel : Kernel
    points : ndarray of shape (m, n_features)
        Of a `mnist_svm.svm._solver.frame.Frame`.
    norms : ndarray of shape (m,)
        Their `squared_norms`.
    border : int, default=0
        Rows and columns of zeros at the end.

    Returns
    -------
    float64 ndarray of shape (m + border, m + border)
    """
    m = len(points)
    left, right = kernel.left(points, norms), kernel.right(points, norms)
    gram = np.zeros((m + border, m + border))
    for start in range(0, m, BLOCK):
        block = slice(start, min(start + BLOCK, m))
        gram[block, :m] = kernel.values(trimmed(left[block]), right)
    return gram


def optimum(
    gram: Float64Array, signs: Float64Array, caps: Float64Array, tol: float, *, double: bool = False
) -> Optimum:
    """Fit libsvm.

    Parameters
    ----------
    gram : float64 ndarray of shape (m, m)
    signs : float64 ndarray of shape (m,)
        +1 or -1; both occur.
    caps : float64 ndarray of shape (m,)
        C_i, positive.
    tol : float
        Violations of up to about this are left.
    double : bool, default=False
        Whether kernel values have been computed in float64.

    Returns
    -------
    Optimum
    """
    m = len(gram)
    machine = SVC(kernel="precomputed", cache_size=4 * m * m // MB + 2)
    if double and m <= TINY:
        machine.set_params(tol=min(tol, TIGHT), max_iter=TIGHT_MAX_ITER)
        machine.fit(gram, signs, sample_weight=caps)
    if not hasattr(machine, "fit_status_") or machine.fit_status_:
        machine.set_params(tol=tol, max_iter=max(MAX_ITER, MAX_ITER_PER_SAMPLE * m))
        machine.fit(gram, signs, sample_weight=caps)
    coef = np.zeros(m)
    coef[machine.support_] = machine.dual_coef_[0]
    return Optimum(coef, float(machine.intercept_[0]), int(machine.n_iter_[0]))


def kkt_violations(coef: Float64Array, caps: Float64Array, margins: Float64Array) -> Float64Array:
    """By how much each margin breaks the conditions of `mnist_svm.svm._solver.pair`.

    Parameters
    ----------
    coef, caps, margins : float64 ndarrays of shape (m,)
        alpha_i y_i, C_i and y_i f(x_i).

    Returns
    -------
    float64 ndarray of shape (m,)
        Negative where there is room to spare.
    """
    short = np.where(np.abs(coef) < caps, 1 - margins, -np.inf)
    beyond = np.where(coef != 0, margins - 1, -np.inf)
    return np.asarray(np.maximum(short, beyond))
