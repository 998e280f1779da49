"""What a kernel SVM's optimum means, from public attributes alone, in float64.

Shares no code with the solver: kernels by their formulas, margins by plain sums.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np

BLOCK = 4000


def kernel_of(name, *, gamma=1.0, degree=3, coef0=0.0):
    """A kernel by its formula, of two float64 matrices."""
    if name == "linear":
        return lambda A, B: A @ B.T
    if name == "poly":
        return lambda A, B: (gamma * (A @ B.T) + coef0) ** degree

    def rbf(A, B):
        squares = (A**2).sum(axis=1)[:, None] + (B**2).sum(axis=1)[None, :] - 2 * A @ B.T
        return np.exp(-gamma * np.maximum(squares, 0))

    return rbf


def pairs_of(machine):
    """Each pair's two labels, support vectors as rows of X, alpha_i y_i, and intercept.

    y_i is +1 for the first class, of two classes as well.
    """
    ends = np.cumsum(machine.n_support_)
    mine = [slice(end - n, end) for n, end in zip(machine.n_support_, ends, strict=True)]
    sign = -1 if len(machine.classes_) == 2 else 1
    for at, (a, b) in enumerate(combinations(range(len(mine)), 2)):
        rows = np.concatenate([machine.support_[mine[a]], machine.support_[mine[b]]])
        coef = np.concatenate([machine.dual_coef_[b - 1, mine[a]], machine.dual_coef_[a, mine[b]]])
        used = coef != 0
        labels = machine.classes_[a], machine.classes_[b]
        yield labels, rows[used], sign * coef[used], sign * machine.intercept_[at]


def values(machine, X, kernel, Z):
    """Decision values of every pair at Z, positive for the first class: (n, n_pairs)."""
    Z = Z.astype(np.float64)
    return np.stack(
        [
            kernel(Z, X[rows].astype(np.float64)) @ coef + b
            for _, rows, coef, b in pairs_of(machine)
        ],
        axis=1,
    )


def objectives(machine, X, kernel):
    """The dual objective of every pair."""
    found = []
    for _, rows, coef, _ in pairs_of(machine):
        vectors = X[rows].astype(np.float64)
        found.append(np.abs(coef).sum() - coef @ kernel(vectors, vectors) @ coef / 2)
    return np.array(found)


def violation(machine, X, y, kernel, C):
    """The largest violation of the optimality conditions, of any sample in any pair.

    C is a number, or one for each sample.
    """
    C = np.broadcast_to(C, len(y))
    worst = 0.0
    for (first, second), rows, coef, b in pairs_of(machine):
        vectors = X[rows].astype(np.float64)
        alpha = np.zeros(len(y))
        alpha[rows] = np.abs(coef)
        assert (np.sign(coef) == np.where(y[rows] == first, 1, -1)).all()
        assert abs(coef.sum()) <= 1e-6 * alpha.sum()
        assert (alpha <= C * (1 + 1e-12)).all()
        members = np.flatnonzero((y == first) | (y == second))
        for start in range(0, len(members), BLOCK):
            block = members[start : start + BLOCK]
            f = kernel(X[block].astype(np.float64), vectors) @ coef + b
            margin = np.where(y[block] == first, f, -f)
            below = np.where(alpha[block] < C[block], 1 - margin, 0)
            beyond = np.where(alpha[block] > 0, margin - 1, 0)
            worst = max(worst, below.max(), beyond.max())
    return worst


def bits(fitted):
    """All that a fit found and how, but for the time it took: equal for fits equal to the bit."""
    learned = fitted.support_, fitted.dual_coef_, fitted.intercept_, fitted.n_iter_
    rounds = [[row[key] for key in row if key != "seconds"] for row in fitted.fit_log_]
    return [array.tobytes() for array in learned], rounds, fitted.kkt_violation_
