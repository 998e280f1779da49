"""libsvm, as scikit-learn has it: for few samples, and for kernels that only it needs to know."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import config_context
from sklearn.svm import SVC

from mnist_svm._types import Array, Float64Array, FloatArray
from mnist_svm.svm._solver.problem import BoxProblem, Limits

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


def fit_libsvm(
    X: Any, codes: Array, box: Float64Array, parameters: dict[str, Any], limits: Limits
) -> Any:
    """Fit an `SVC` to all pairs of classes of a data set of any form that it takes.

    `codes` and `box`, C_i > 0, have shape (n,); `parameters` are those of the kernel, and whether
    to use libsvm's shrinking.
    """
    return _fit(X, codes, box, parameters, limits, tight=True)


def solve_with_libsvm(
    gram: FloatArray, problem: BoxProblem, start: Float64Array, limits: Limits
) -> tuple[Float64Array, int]:
    """Solve a two-class problem with libsvm: coefficients, and the number of iterations.

    `gram` has shape (m, m), and the linear term of the problem is +1 and -1. libsvm starts from
    zeros, whatever `start` is.
    """
    m, box = len(gram), problem.upper - problem.lower
    parameters = {"kernel": "precomputed", "cache_size": 4 * m * m // MB + 2}
    is_float64 = gram.dtype == np.float64
    svc = _fit(gram, problem.linear, box, parameters, limits, tight=is_float64)
    coef = np.zeros(m)
    coef[svc.support_] = svc.dual_coef_[0]
    return coef, int(svc.n_iter_[0])


def _fit(
    X: Any,
    y: Array,
    box: Float64Array,
    parameters: dict[str, Any],
    limits: Limits,
    *,
    tight: bool,
) -> Any:
    """Fit to the tolerance; if `tight`, try a tighter one first for few samples."""
    n = len(y)
    svc = _QuietSVC(**parameters, tol=limits.tol, max_iter=limits.iterations(n))
    with config_context(assume_finite=True, skip_parameter_validation=True):
        if tight and n <= TIGHT_MAX_SAMPLES:
            tight_iter = min(limits.iterations(n), TIGHT_MAX_ITER)
            svc.set_params(tol=min(limits.tol, TIGHT_TOL), max_iter=tight_iter)
            svc.fit(X, y, sample_weight=box)
            if not svc.fit_status_:
                return svc
            svc.set_params(tol=limits.tol, max_iter=limits.iterations(n))
        return svc.fit(X, y, sample_weight=box)
