"""What regression and novelty detection share: one quadratic problem, solved block by block."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from mnist_svm._types import Array, Float64Array, IntArray
from mnist_svm.parallel.threads import threads
from mnist_svm.svm._solver.blocks import solve_in_blocks
from mnist_svm.svm._solver.columns import column_statistics
from mnist_svm.svm._solver.compilation import is_compiler_installed
from mnist_svm.svm._solver.pair import kernel_rows
from mnist_svm.svm._solver.problem import BoxProblem, Limits
from mnist_svm.svm._solver.samples import check_range
from mnist_svm.svm.convergence import report_no_convergence
from mnist_svm.svm.decisions import DecisionFunctions
from mnist_svm.svm.fitting import MIB, make_kernel
from mnist_svm.svm.kernels import Kernel, kernel_dtype, squared_norms


class KernelMachine(BaseEstimator):  # type: ignore[misc]
    """A function ``sum_i c_i k(x_i, x) + b`` whose coefficients solve one `BoxProblem`.

    Subclasses have the parameters kernel, degree, gamma, coef0, tol, cache_size, max_iter and
    n_jobs, and the attributes that `_solve` sets.
    """

    gamma_: float
    support_: npt.NDArray[np.int32]
    support_vectors_: Array
    dual_coef_: Float64Array
    intercept_: Float64Array
    n_support_: npt.NDArray[np.int32]
    n_iter_: int
    shape_fit_: tuple[int, ...]

    def _solve(
        self,
        X: Array,
        used: IntArray,
        weights: Float64Array,
        problem: BoxProblem,
        start: Float64Array,
    ) -> None:
        """Solve a problem of the rows `used`, from coefficients within its bounds.

        `weights` are those of the rows, for gamma. A problem of several times as many coefficients
        repeats the rows, and their coefficients are added.
        """
        rows = X if len(used) == len(X) else X[used]
        with threads(self.n_jobs) as workers:
            columns = column_statistics(rows, weights, workers)
            kernel = make_kernel(self, rows.shape[1], columns.variance)
            transform = columns.input_transform(kernel, kernel_dtype(len(rows)))
            points = transform.transform(rows)
            check_range(transform.kernel.diagonal(squared_norms(points)))
            repeats = len(start) // len(rows)
            repeated = np.tile(points, (repeats, 1)) if repeats > 1 else points
            memory = int(self.cache_size * MIB)
            limits = Limits(self.tol, memory, is_compiler_installed(), self.max_iter)
            kept = kernel_rows(transform.kernel, repeated, limits, workers)
            solution = solve_in_blocks(kept, problem, start, limits)
        gap = problem.gap(solution.coef, solution.errors)
        coef = solution.coef.reshape(repeats, -1).sum(axis=0)
        support = np.flatnonzero(coef)
        self.gamma_, self.shape_fit_ = kernel.gamma, X.shape
        self.support_ = used[support].astype(np.int32)
        self.support_vectors_ = X[self.support_]
        self.n_support_ = np.array([len(support)], np.int32)
        self.dual_coef_ = coef[support][None]
        self.intercept_ = np.array([problem.bias(solution.coef, solution.errors)])
        self.n_iter_ = solution.iterations
        if gap > self.tol:
            msg = (
                "the fit did not converge: the optimality conditions are violated by up to "
                f"{gap:.2g}, tol={self.tol:g}. Scale the features, or raise max_iter."
            )
            report_no_convergence(msg)

    def _values(self, X: npt.ArrayLike) -> Float64Array:
        """The function at the rows of X, of shape (n,)."""
        check_is_fitted(self)
        rows = validate_data(self, X, dtype="numeric", reset=False)
        if not len(self.support_):
            return np.full(len(rows), self.intercept_[0])
        # It has the form of a decision function of two classes; the second has no vectors here.
        functions = DecisionFunctions(
            Kernel.of(self, self.gamma_),
            self.support_vectors_,
            np.array([len(self.support_), 0]),
            self.dual_coef_,
            self.shape_fit_[0],
        )
        with threads(self.n_jobs) as workers:
            return functions.values(rows, workers)[:, 0] + self.intercept_
