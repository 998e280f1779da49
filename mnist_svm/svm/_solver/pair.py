"""One pair of classes: a two-class problem, solved on the few samples of its working set.

Maximise over alpha, with signs y_i = +1 for the first class and -1 for the second,

    sum_i alpha_i - 1/2 sum_ij alpha_i alpha_j y_i y_j k(x_i, x_j)
    subject to  0 <= alpha_i <= C_i  and  sum_i alpha_i y_i = 0.

The decision function is f(x) = sum_i alpha_i y_i k(x_i, x) + b, and the margin of x_i is
y_i f(x_i): at least 1 where alpha_i = 0, at most 1 where alpha_i = C_i, and 1 in between.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import sqrt
from typing import Any

import numpy as np

from mnist_svm.constants import Float64Array, FloatArray, IntArray
from mnist_svm.svm._solver.optimum import gram_bytes, gram_matrix, kkt_violations, optimum
from mnist_svm.svm._solver.parts import MOST, optimum_in_parts
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
    iterations : of all rounds.
    violation, change : of the last solution; see `PairSolution`.
    step, shift : how the last solution changed coef and bias.
    stale : whether samples joined since, or parts ended short of the optimum.
    """

    first: int
    second: int
    members: IntArray
    coef: Float64Array
    margins: Float64Array
    bias: float = 0.0
    iterations: int = 0
    violation: float = 0.0
    change: float = 0.0
    step: Float64Array = field(default_factory=lambda: np.empty(0))
    shift: float = 0.0
    stale: bool = True

    @property
    def support(self) -> IntArray:
        """The members that have a coefficient."""
        support: IntArray = self.members[self.coef != 0]
        return support

    def other(self, own: Any) -> Any:
        """The class that is not the given one, or for each of an array of classes."""
        return self.first + self.second - own


@dataclass(frozen=True)
class PairSolution:
    """The optimum of a two-class problem, to the tolerance.

    Attributes
    ----------
    coef : float64 ndarray of shape (m,), alpha_i y_i.
    bias : b.
    margins : float64 ndarray of shape (m,), y_i f(x_i).
    violation : the largest violation of the conditions on the margins.
    change : norm of the change of w = sum_i coef_i phi(x_i) since the solution before.
    iterations : of libsvm.
    """

    coef: Float64Array
    bias: float
    margins: Float64Array
    violation: float
    change: float
    iterations: int


def solve_pair(
    kernel: Kernel,
    points: FloatArray,
    signs: Float64Array,
    caps: Float64Array,
    before: Float64Array,
    *,
    tol: float,
    memory: int,
    most: int = MOST,
) -> PairSolution:
    """Solve a two-class problem with libsvm: whole, if its Gram matrix fits, else in parts.

    Parameters
    ----------
    kernel : Kernel
    points : ndarray of shape (m, n_features)
        Of a `mnist_svm.svm._solver.frame.Frame`.
    signs : float64 ndarray of shape (m,)
        +1 or -1; both occur.
    caps : float64 ndarray of shape (m,)
        C_i, positive.
    before : float64 ndarray of shape (m,)
        The coefficients of an earlier solution, in which no other sample had any.
    tol : float
        Violations of up to about this are left.
    memory : int
        Bytes for Gram matrices.
    most : int, default=`mnist_svm.svm._solver.parts.MOST`
        Parts at most.

    Returns
    -------
    PairSolution
    """
    m, n_features = points.shape
    if gram_bytes(m, n_features) <= memory:
        gram = gram_matrix(kernel, points, squared_norms(points))
        found = optimum(gram, signs, caps, tol, double=points.dtype == np.float64)
        sums, moves = np.stack([found.coef, found.coef - before]) @ gram
    else:
        found, sums, moves = optimum_in_parts(
            kernel, points, signs, caps, before, tol=tol, memory=memory, most=most
        )
    coef = found.coef
    margins = signs * (sums + found.bias)
    return PairSolution(
        coef=coef,
        bias=found.bias,
        margins=margins,
        violation=float(kkt_violations(coef, caps, margins).max(initial=0)),
        change=sqrt(max(float((coef - before) @ moves), 0.0)),
        iterations=found.iterations,
    )
