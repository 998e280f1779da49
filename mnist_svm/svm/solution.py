"""The solution of all pairs of classes, in the layout of libsvm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mnist_svm._types import Float64Array, IntArray
from mnist_svm.svm._solver.working_set import Round, WorkingSetSolver
from mnist_svm.svm.data import to_dense


@dataclass(frozen=True)
class Solution:
    """Support vectors and coefficients of all pairs of k classes; see `KernelSVC`'s attributes.

    Attributes
    ----------
    support : int32 ndarray of shape (n_SV,), rows of the data.
    n_support : int32 ndarray of shape (k,).
    dual_coef : float64 ndarray of shape (k - 1, n_SV).
    intercept, n_iter : ndarrays of shape (k (k - 1) / 2,).
    violation : upper bound of the violation of the optimality conditions; NaN if unknown.
    n_failed : number of pairs that did not converge.
    log : list of Round.
    """

    support: npt.NDArray[np.int32]
    n_support: npt.NDArray[np.int32]
    dual_coef: Float64Array
    intercept: Float64Array
    n_iter: npt.NDArray[np.int32]
    violation: float
    n_failed: int
    log: list[Round]


def solution_of_pairs(solver: WorkingSetSolver) -> Solution:
    """The solution that a solver of pairs found."""
    k = len(solver.samples.class_slices)
    order, classes = solver.samples.order, solver.samples.classes
    support = np.unique(np.concatenate([pair.support for pair in solver.pairs]))
    support = support[np.lexsort([order[support], classes[support]])]
    position = np.empty(len(order), np.intp)
    position[support] = np.arange(len(support))
    # scikit-learn flips the sign of a single pair: positive is for the second class.
    sign = -1 if k == 2 else 1
    dual_coef = np.zeros((k - 1, len(support)))
    for pair in solver.pairs:
        is_first = classes[pair.support] == pair.first
        row = np.where(is_first, pair.second - 1, pair.first)
        dual_coef[row, position[pair.support]] = sign * pair.coef[pair.coef != 0]
    return Solution(
        support=order[support].astype(np.int32),
        n_support=np.bincount(classes[support], minlength=k).astype(np.int32),
        dual_coef=dual_coef,
        intercept=sign * np.array([pair.bias for pair in solver.pairs]),
        n_iter=np.array([pair.iterations for pair in solver.pairs], np.int32),
        violation=solver.violation,
        n_failed=sum(pair.violation > solver.tol for pair in solver.pairs),
        log=solver.log,
    )


def solution_of_libsvm(
    svc: Any, rows: IntArray, tol: float, seconds: float, decision: str
) -> Solution:
    """The solution that libsvm found for some rows of the data, ascending: a fitted `SVC`."""
    converged = not svc.fit_status_
    log = Round(
        round=1,
        exact=True,
        working_set=len(rows),
        support_vectors=len(svc.support_),
        scanned=0,
        violators=0,
        added=0,
        seconds=round(seconds, 3),
        decision=decision,
    )
    return Solution(
        support=rows[svc.support_].astype(np.int32),
        n_support=svc.n_support_,
        dual_coef=to_dense(svc.dual_coef_),
        intercept=svc.intercept_,
        n_iter=svc.n_iter_,
        violation=tol if converged else float("nan"),
        n_failed=0 if converged else len(svc.n_iter_),
        log=[log],
    )
