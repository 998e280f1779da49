"""One pair of classes: a two-class problem, solved on its working set of few samples.

Maximise over alpha, with signs y_i = +1 for the first class and -1 for the second,

    sum_i alpha_i - 1/2 sum_ij alpha_i alpha_j y_i y_j k(x_i, x_j)
    subject to  0 <= alpha_i <= C_i  and  sum_i alpha_i y_i = 0.

The decision function is f(x) = sum_i alpha_i y_i k(x_i, x) + b, and the margin of x_i is
y_i f(x_i). Optimality conditions (KKT): the margin is at least 1 where alpha_i = 0, at most 1 where
alpha_i = C_i, and 1 in between.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import sqrt
from typing import Any, NamedTuple

import numpy as np

from mnist_svm._types import Float64Array, FloatArray, IntArray
from mnist_svm.svm._solver.optimum import gram_bytes, gram_matrix, kkt_violations, solve_dual
from mnist_svm.svm._solver.parts import MAX_PARTS, solve_in_parts
from mnist_svm.svm.kernels import Kernel, squared_norms


@dataclass
class Pair:
    """A two-class problem: the classes first < second, its working set and its solution.

    Attributes
    ----------
    members : intp ndarray of shape (m,), ascending, the samples of the working set.
    coef : float64 ndarray of shape (m,), alpha_i y_i, positive for the first class.
    bias : b.
    margins : float64 ndarray of shape (m,), y_i f(x_i).
    iterations : of libsvm, in all rounds.
    violation : largest violation of the optimality conditions by the last solution.
    weight_change : norm of the change of w = sum_i coef_i phi(x_i) by the last solution.
    coef_change, bias_change : the last solution minus the one before.
    stale : whether the pair has to be solved again.
    """

    first: int
    second: int
    members: IntArray
    coef: Float64Array
    margins: Float64Array
    bias: float = 0.0
    iterations: int = 0
    violation: float = 0.0
    weight_change: float = 0.0
    coef_change: Float64Array = field(default_factory=lambda: np.empty(0))
    bias_change: float = 0.0
    stale: bool = True

    @property
    def support(self) -> IntArray:
        """The members with a nonzero coefficient."""
        support: IntArray = self.members[self.coef != 0]
        return support

    def opponent(self, own: Any) -> Any:
        """The other class of the pair; `own` is a class or an array of classes."""
        return self.first + self.second - own

    def update(self, solution: PairSolution) -> None:
        """Store a new solution, and how it differs from the last one."""
        self.coef_change, self.bias_change = solution.coef - self.coef, solution.bias - self.bias
        self.coef, self.bias, self.margins, self.violation, self.weight_change, n = solution
        self.iterations += n
        self.stale = False


class PairSolution(NamedTuple):
    """The optimum of a two-class problem, to the tolerance; see the attributes of `Pair`."""

    coef: Float64Array
    bias: float
    margins: Float64Array
    violation: float
    weight_change: float
    iterations: int


def solve_pair(
    kernel: Kernel,
    points: FloatArray,
    signs: Float64Array,
    box: Float64Array,
    start: Float64Array,
    *,
    tol: float,
    memory: int,
    max_parts: int = MAX_PARTS,
) -> PairSolution:
    """Solve a two-class problem with libsvm: at once if its Gram matrix fits, else in parts.

    `points`, of shape (m, n_features), come from `mnist_svm.svm.kernels.InputTransform`; `signs`
    (+1 and -1), `box` (C_i > 0) and `start`, the coefficients of the last solution, have shape
    (m,). `tol` is the tolerance of the optimality conditions, `memory` the bytes for Gram matrices.
    """
    m, n_features = points.shape
    if gram_bytes(m, n_features) <= memory:
        gram = gram_matrix(kernel, points, squared_norms(points))
        dual = solve_dual(gram, signs, box, tol, tight=points.dtype == np.float64)
        sums, changes = np.stack([dual.coef, dual.coef - start]) @ gram
    else:
        dual, sums, changes = solve_in_parts(
            kernel, points, signs, box, start, tol=tol, memory=memory, max_parts=max_parts
        )
    margins = signs * (sums + dual.bias)
    return PairSolution(
        coef=dual.coef,
        bias=dual.bias,
        margins=margins,
        violation=float(kkt_violations(dual.coef, box, margins).max(initial=0)),
        weight_change=sqrt(max(float((dual.coef - start) @ changes), 0.0)),
        iterations=dual.iterations,
    )
