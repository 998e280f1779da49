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
from sklearn.svm import SVC

from mnist_svm.svm.kernels import Float64Array, FloatArray, IntArray, Kernel, squared_norms, trimmed

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
    stale : whether samples joined since.
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


def gram_bytes(m: int, n_features: int) -> int:
    """Bytes for m samples: their Gram matrix, libsvm's cache of it, points and kernel factors."""
    return m * m * (8 + 4) + m * n_features * 3 * 4


def solve_pair(
    kernel: Kernel,
    points: FloatArray,
    signs: Float64Array,
    caps: Float64Array,
    before: Float64Array,
    *,
    tol: float,
    memory: int,
) -> PairSolution:
    """Solve a two-class problem with libsvm.

    On a Gram matrix made by a matrix product, if it fits in the memory; else libsvm computes
    kernel values itself, as it needs them, and keeps what fits.

    Parameters
    ----------
    kernel : Kernel
    points : ndarray of shape (m, n_features)
        Of a `mnist_svm.svm.frame.Frame`.
    signs : float64 ndarray of shape (m,)
        +1 or -1; both occur.
    caps : float64 ndarray of shape (m,)
        C_i, positive.
    before : float64 ndarray of shape (m,)
        The coefficients of an earlier solution, in which no other sample had any.
    tol : float
        Violations of up to about this are left.
    memory : int
        Bytes for the Gram matrix.

    Returns
    -------
    PairSolution
    """
    m, n_features = points.shape
    norms = squared_norms(points)
    if gram_bytes(m, n_features) <= memory:
        left, right = kernel.left(points, norms), kernel.right(points, norms)
        gram = np.empty((m, m))
        for start in range(0, m, BLOCK):
            block = slice(start, start + BLOCK)
            gram[block] = kernel.values(trimmed(left[block]), right)
        machine = SVC(kernel="precomputed", cache_size=4 * m * m // MB + 2)
        coef, bias = _optimum(machine, gram, signs, caps, tol, double=points.dtype == np.float64)
        sums = np.stack([coef, coef - before]) @ gram
    else:
        machine = SVC(
            kernel=kernel.name,
            gamma=1.0,
            degree=kernel.degree,
            coef0=kernel.coef0,
            cache_size=max((memory - 20 * points.size) // MB, 1),
        )
        coef, bias = _optimum(machine, points.astype(np.float64), signs, caps, tol)
        sums = np.zeros((2, m))
        weights = np.stack([coef, coef - before])
        for at in range(0, m, BLOCK):
            part = slice(at, at + BLOCK)
            left = kernel.left(points[part], norms[part])
            for start in range(0, m, BLOCK):
                block = slice(start, start + BLOCK)
                right = kernel.right(points[block], norms[block])
                sums[:, block] += kernel.weigh(weights[:, part], left, right)
    margins = signs * (sums[0] + bias)
    short = 1 - margins[np.abs(coef) < caps].min(initial=1)
    beyond = margins[coef != 0].max(initial=1) - 1
    return PairSolution(
        coef=coef,
        bias=bias,
        margins=margins,
        violation=float(max(short, beyond)),
        change=sqrt(max(float((coef - before) @ sums[1]), 0.0)),
        iterations=int(machine.n_iter_[0]),
    )


def _optimum(
    machine: SVC,
    X: Float64Array,
    signs: Float64Array,
    caps: Float64Array,
    tol: float,
    *,
    double: bool = False,
) -> tuple[Float64Array, float]:
    """Fit libsvm; the coefficients of all samples and the bias."""
    if double and len(X) <= TINY:
        machine.set_params(tol=min(tol, TIGHT), max_iter=TIGHT_MAX_ITER)
        machine.fit(X, signs, sample_weight=caps)
    if not hasattr(machine, "fit_status_") or machine.fit_status_:
        machine.set_params(tol=tol, max_iter=max(MAX_ITER, MAX_ITER_PER_SAMPLE * len(X)))
        machine.fit(X, signs, sample_weight=caps)
    coef = np.zeros(len(X))
    coef[machine.support_] = machine.dual_coef_[0]
    return coef, float(machine.intercept_[0])
