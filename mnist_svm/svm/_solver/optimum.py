"""libsvm on a Gram matrix: the optimum of a two-class problem that fits in memory."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from sklearn.svm import SVC

from mnist_svm._types import Float64Array, FloatArray
from mnist_svm.svm._solver import ROWS_PER_BLOCK
from mnist_svm.svm.kernels import Kernel, trim_trailing_zeros

# libsvm's own limits on iterations; a problem that reaches them does not converge.
MAX_ITER = 10_000_000
MAX_ITER_PER_SAMPLE = 100

# Up to this many samples in float64 are solved to a tighter tolerance, if libsvm gets there. It
# costs little, and makes weighted and repeated samples agree to many digits.
TIGHT_MAX_SAMPLES = 100
TIGHT_TOL = 1e-10
TIGHT_MAX_ITER = 100_000

MB = 1 << 20


class _QuietSVC(SVC):  # type: ignore[misc]
    """SVC without the warning that libsvm did not converge, which is about one round of a pair.

    The fit as a whole warns. If scikit-learn calls this method by another name, its warnings are
    seen, and nothing else changes.
    """

    def _warn_from_fit_status(self) -> None:
        pass


class DualSolution(NamedTuple):
    """The alpha_i y_i, of shape (m,), and b that libsvm found, and its iterations."""

    coef: Float64Array
    bias: float
    iterations: int


def gram_bytes(m: int, n_features: int) -> int:
    """Bytes for m samples: their Gram matrix, libsvm's cache of it, points and kernel factors."""
    return m * m * (8 + 4) + m * n_features * 3 * 4


def gram_matrix(
    kernel: Kernel, points: FloatArray, norms: FloatArray, *, border: int = 0
) -> Float64Array:
    """Kernel values of all pairs of points: float64 ndarray of shape (m + border, m + border).

    `points` has shape (m, n_features), `norms` are its `squared_norms`, and `border` is the number
    of zero rows and columns to append.
    """
    m = len(points)
    left, right = kernel.left_factor(points, norms), kernel.right_factor(points, norms)
    gram = np.zeros((m + border, m + border))
    for start in range(0, m, ROWS_PER_BLOCK):
        block = slice(start, min(start + ROWS_PER_BLOCK, m))
        gram[block, :m] = kernel.values(trim_trailing_zeros(left[block]), right)
    return gram


def solve_dual(
    gram: Float64Array, signs: Float64Array, box: Float64Array, tol: float, *, tight: bool = False
) -> DualSolution:
    """Solve a two-class problem with libsvm.

    `gram` has shape (m, m); `signs` are +1 and -1, and `box` holds C_i > 0, both of shape (m,).
    With `tight`, for kernel values computed in float64, a tighter tolerance is tried first if there
    are few samples.
    """
    m = len(gram)
    svc = _QuietSVC(kernel="precomputed", cache_size=4 * m * m // MB + 2)
    if tight and m <= TIGHT_MAX_SAMPLES:
        svc.set_params(tol=min(tol, TIGHT_TOL), max_iter=TIGHT_MAX_ITER)
        svc.fit(gram, signs, sample_weight=box)
    if not hasattr(svc, "fit_status_") or svc.fit_status_:
        svc.set_params(tol=tol, max_iter=max(MAX_ITER, MAX_ITER_PER_SAMPLE * m))
        svc.fit(gram, signs, sample_weight=box)
    coef = np.zeros(m)
    coef[svc.support_] = svc.dual_coef_[0]
    return DualSolution(coef, float(svc.intercept_[0]), int(svc.n_iter_[0]))


def kkt_violations(coef: Float64Array, box: Float64Array, margins: Float64Array) -> Float64Array:
    """Violation of the optimality conditions of `mnist_svm.svm._solver.pair` by each sample.

    From alpha_i y_i, C_i and y_i f(x_i), all of shape (m,). In units of the margin; negative where
    the condition holds with slack.
    """
    below = np.where(np.abs(coef) < box, 1 - margins, -np.inf)
    above = np.where(coef != 0, margins - 1, -np.inf)
    return np.asarray(np.maximum(below, above))
