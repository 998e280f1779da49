"""An independent check of a fitted kernel SVM: its public attributes in float64.

Shares no code with the solver: kernels by their formulas, margins by plain sums.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from scipy.sparse import issparse

# Samples whose margins are computed at a time.
SAMPLES_PER_BLOCK = 4000


def kernel_function(name, *, gamma=1.0, degree=3, coef0=0.0):
    """A kernel by its formula, as a function of two float64 matrices."""
    if name == "linear":
        return lambda A, B: A @ B.T
    if name == "poly":
        return lambda A, B: (gamma * (A @ B.T) + coef0) ** degree
    if name == "sigmoid":
        return lambda A, B: np.tanh(gamma * (A @ B.T) + coef0)

    def rbf(A, B):
        squares = (A**2).sum(axis=1)[:, None] + (B**2).sum(axis=1)[None, :] - 2 * A @ B.T
        return np.exp(-gamma * np.maximum(squares, 0))

    return rbf


def iterate_pairs(svc):
    """Yield the two labels, rows of support vectors in X, alpha_i y_i and intercept of each pair.

    y_i is +1 for the first class, also if there are only two classes.
    """
    ends = np.cumsum(svc.n_support_)
    vectors = [slice(end - n, end) for n, end in zip(svc.n_support_, ends, strict=True)]
    sign = -1 if len(svc.classes_) == 2 else 1
    # Sparse if the samples were.
    dual_coef = svc.dual_coef_.toarray() if issparse(svc.dual_coef_) else svc.dual_coef_
    for pair, (a, b) in enumerate(combinations(range(len(vectors)), 2)):
        rows = np.concatenate([svc.support_[vectors[a]], svc.support_[vectors[b]]])
        coef = np.concatenate([dual_coef[b - 1, vectors[a]], dual_coef[a, vectors[b]]])
        used = coef != 0
        labels = svc.classes_[a], svc.classes_[b]
        yield labels, rows[used], sign * coef[used], sign * svc.intercept_[pair]


def decision_values(svc, X, kernel, Z):
    """Decision values of every pair at Z, positive for the first class: (n, n_pairs)."""
    Z = Z.astype(np.float64)
    return np.stack(
        [
            kernel(Z, X[rows].astype(np.float64)) @ coef + b
            for _, rows, coef, b in iterate_pairs(svc)
        ],
        axis=1,
    )


def dual_objectives(svc, X, kernel):
    """The dual objective of every pair."""
    objectives = []
    for _, rows, coef, _ in iterate_pairs(svc):
        vectors = X[rows].astype(np.float64)
        objectives.append(np.abs(coef).sum() - coef @ kernel(vectors, vectors) @ coef / 2)
    return np.array(objectives)


def max_kkt_violation(svc, X, y, kernel, C):
    """The largest violation of the optimality conditions, over all samples and pairs.

    C is a number, or an array with one for each sample.
    """
    C = np.broadcast_to(C, len(y))
    largest = 0.0
    for (first, second), rows, coef, b in iterate_pairs(svc):
        vectors = X[rows].astype(np.float64)
        alpha = np.zeros(len(y))
        alpha[rows] = np.abs(coef)
        assert (np.sign(coef) == np.where(y[rows] == first, 1, -1)).all()
        assert abs(coef.sum()) <= 1e-6 * alpha.sum()
        assert (alpha <= C * (1 + 1e-12)).all()
        members = np.flatnonzero((y == first) | (y == second))
        for start in range(0, len(members), SAMPLES_PER_BLOCK):
            block = members[start : start + SAMPLES_PER_BLOCK]
            f = kernel(X[block].astype(np.float64), vectors) @ coef + b
            margin = np.where(y[block] == first, f, -f)
            below = np.where(alpha[block] < C[block], 1 - margin, 0)
            above = np.where(alpha[block] > 0, margin - 1, 0)
            largest = max(largest, below.max(), above.max())
    return largest


def fit_bits(svc):
    """The result and the log of a fit, without times: equal if two fits are bit-equal."""
    arrays = svc.support_, svc.dual_coef_, svc.intercept_, svc.n_iter_
    rounds = [[row[key] for key in row if not key.endswith("seconds")] for row in svc.fit_log_]
    return [array.tobytes() for array in arrays], rounds, svc.kkt_violation_
