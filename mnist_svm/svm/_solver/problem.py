"""A quadratic problem with bounds, and the limits of a solver."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mnist_svm._types import Float64Array, IntArray

# A problem that reaches these numbers of iterations, the larger one, does not converge.
MAX_ITER = 10_000_000
MAX_ITER_PER_SAMPLE = 100


class BoxProblem(NamedTuple):
    """Minimise ``1/2 c' K c - linear' c`` for ``lower <= c <= upper``, with a fixed sum of c.

    The arrays have shape (m,). The errors of c are ``linear - K c``. At the optimum there is a bias
    b with errors of at most b where c may rise, and at least b where c may fall; the gap is the
    largest violation of that.
    """

    linear: Float64Array
    lower: Float64Array
    upper: Float64Array

    def select(self, index: IntArray) -> BoxProblem:
        """The problem of some coefficients, but for its linear term."""
        return BoxProblem(*(array[index] for array in self))

    def rising(self, coef: Float64Array, errors: Float64Array) -> Float64Array:
        """The errors where the coefficient may rise, else -inf."""
        return np.where(coef < self.upper, errors, -np.inf)

    def falling(self, coef: Float64Array, errors: Float64Array) -> Float64Array:
        """The errors where the coefficient may fall, else inf."""
        return np.where(coef > self.lower, errors, np.inf)

    def gap(self, coef: Float64Array, errors: Float64Array) -> float:
        """The largest violation of the optimality conditions by two coefficients together."""
        return float(self.rising(coef, errors).max() - self.falling(coef, errors).min())

    def bias(self, coef: Float64Array, errors: Float64Array) -> float:
        """b: the mean error of the coefficients between their bounds, if any, as in libsvm.

        Else the middle of its limits, or the only one: none may rise if all are at their ends.
        """
        free = (self.lower < coef) & (coef < self.upper)
        if free.any():
            return float(errors[free].mean())
        limits = [self.rising(coef, errors).max(), self.falling(coef, errors).min()]
        return float(np.mean([limit for limit in limits if np.isfinite(limit)]))


class Limits(NamedTuple):
    """Limits of the solver of one problem.

    Attributes
    ----------
    tol : gap to reach.
    memory : bytes for kernel values.
    use_numba : whether to use compiled loops; see `mnist_svm.svm._solver.compilation`.
    max_iter : iterations, about; -1 is the larger one of the limits above.
    max_rounds : blocks, or None.
    """

    tol: float
    memory: int
    use_numba: bool = False
    max_iter: int = -1
    max_rounds: int | None = None

    def iterations(self, m: int) -> int:
        """The largest number of iterations for m samples."""
        return self.max_iter if self.max_iter > 0 else max(MAX_ITER, MAX_ITER_PER_SAMPLE * m)
