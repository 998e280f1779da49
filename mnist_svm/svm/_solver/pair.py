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
from mnist_svm.parallel.threads import SERIAL, Workers
from mnist_svm.svm._solver.blocks import solve_in_blocks
from mnist_svm.svm._solver.libsvm import solve_with_libsvm
from mnist_svm.svm._solver.optimum import (
    gram_bytes,
    gram_matrix,
    kkt_violations,
    solve_compiled,
)
from mnist_svm.svm._solver.problem import BoxProblem, Limits
from mnist_svm.svm._solver.rows import KernelRows
from mnist_svm.svm._solver.smo import LARGE
from mnist_svm.svm.kernels import Kernel

# Larger problems are solved block by block: a pass over all samples takes too long for an iteration
# of compiled code, and libsvm, which starts anew each time, takes longer than NumPy on blocks.
MAX_COMPILED_GRAM = 2048
MAX_LIBSVM_GRAM = 4096


@dataclass
class Pair:
    """A two-class problem: the classes first < second, its working set and its solution.

    Attributes
    ----------
    members : intp ndarray of shape (m,), ascending, the samples of the working set.
    coef : float64 ndarray of shape (m,), alpha_i y_i, positive for the first class.
    bias : b.
    margins : float64 ndarray of shape (m,), y_i f(x_i).
    iterations : of the solver, in all rounds.
    violation : largest violation of the optimality conditions by the last solution.
    weight_change : norm of the change of w = sum_i coef_i phi(x_i) by the last solution.
    coef_change, bias_change : the last solution minus the one before.
    stale : whether the pair has to be solved again.
    is_whole : whether all samples of both classes are members.
    sums : sum_j coef_j k(x_j, x_i) of each member i, of shape (m,), if known for these coef.
    rows : kernel rows of the members, if they are kept for another solution.
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
    is_whole: bool = False
    sums: Float64Array | None = None
    rows: KernelRows | None = None

    @property
    def support(self) -> IntArray:
        """The members with a nonzero coefficient."""
        support: IntArray = self.members[self.coef != 0]
        return support

    def opponent(self, own: Any) -> Any:
        """The other class of the pair; `own` is a class or an array of classes."""
        return self.first + self.second - own

    def raise_box(self, old: Float64Array, new: Float64Array, signs: Float64Array) -> None:
        """Prepare for bounds C_i that are all larger by one factor; the arrays have shape (m,).

        If most support vectors are at their bounds, all coefficients grow with these. Else they
        stay, and only those at their bounds will move.
        """
        self.weight_change, self.bias_change, self.stale = 0.0, 0.0, True
        self.sums = signs * self.margins - self.bias
        bounded = np.abs(self.coef) >= old
        if 2 * np.count_nonzero(bounded) > len(self.support):
            factor = float(new[0] / old[0])
            self.weight_change = (factor - 1) * sqrt(max(float(self.coef @ self.sums), 0.0))
            self.coef = np.where(bounded, signs * new, factor * self.coef)
            self.sums *= factor

    def take_all(self, members: IntArray) -> None:
        """Let all samples of both classes, ascending, be members."""
        coef = np.zeros(len(members))
        coef[np.searchsorted(members, self.support)] = self.coef[self.coef != 0]
        self.members, self.coef, self.margins = members, coef, np.zeros(len(members))
        self.stale = self.is_whole = True

    def update(self, solution: PairSolution) -> None:
        """Store a new solution, and how it differs from the last one."""
        self.coef_change, self.bias_change = solution.coef - self.coef, solution.bias - self.bias
        self.coef, self.bias, self.margins, self.violation, self.weight_change, n = solution
        self.iterations += n
        self.stale, self.sums = False, None


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
    limits: Limits,
    *,
    sums: Float64Array | None = None,
    rows: KernelRows | None = None,
) -> PairSolution:
    """Solve a two-class problem: at once on its Gram matrix if it is small, else block by block.

    `points`, of shape (m, n_features), come from `mnist_svm.svm.kernels.InputTransform`; `signs`
    (+1 and -1), `box` (C_i > 0) and `start`, the coefficients of the last solution, have shape
    (m,). `sums` are ``sum_i start_i k(x_i, x_j)`` for all j, if known, and `rows` the kernel rows
    of these points, if some are kept.
    """
    # Finite, because compiled code may assume finite numbers.
    ends = np.clip(signs * box, -LARGE, LARGE)
    problem = BoxProblem(signs, np.minimum(ends, 0), np.maximum(ends, 0))
    if is_solved_at_once(points, limits):
        gram = gram_matrix(kernel, points)
        coef, iterations = (solve_compiled if limits.use_numba else solve_with_libsvm)(
            gram, problem, start, limits
        )
        sums, changes = np.stack([coef, coef - start]) @ gram
        errors = signs - sums
    else:
        rows = rows or kernel_rows(kernel, points, limits)
        solution = solve_in_blocks(rows, problem, start, limits, sums)
        coef, errors, iterations = solution.coef, solution.errors, solution.iterations
        changes = solution.start_errors - errors
    bias = problem.bias(coef, errors)
    margins = 1 + signs * (bias - errors)
    return PairSolution(
        coef=coef,
        bias=bias,
        margins=margins,
        violation=float(kkt_violations(coef, box, margins).max(initial=0)),
        weight_change=sqrt(max(float((coef - start) @ changes), 0.0)),
        iterations=iterations,
    )


def is_solved_at_once(points: FloatArray, limits: Limits) -> bool:
    """Whether `solve_pair` solves a problem on its Gram matrix, and so needs no kernel rows."""
    largest = MAX_COMPILED_GRAM if limits.use_numba else MAX_LIBSVM_GRAM
    return len(points) <= largest and gram_bytes(*points.shape) <= limits.memory


def kernel_rows(
    kernel: Kernel, points: FloatArray, limits: Limits, workers: Workers = SERIAL
) -> KernelRows:
    """The kernel rows of points for `solve_pair`, as many as fit in memory beside the points."""
    memory = limits.memory - 3 * points.nbytes
    return KernelRows(kernel, points, memory=memory, workers=workers, use_numba=limits.use_numba)
