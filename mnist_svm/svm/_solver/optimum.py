"""The optimum of a two-class problem whose Gram matrix fits in memory."""

from __future__ import annotations

import numpy as np

from mnist_svm._types import Float64Array, FloatArray
from mnist_svm.svm._solver import ROWS_PER_BLOCK
from mnist_svm.svm._solver.problem import BoxProblem, Limits
from mnist_svm.svm._solver.smo import smo_solver
from mnist_svm.svm.kernels import Kernel, squared_norms, trim_trailing_zeros


def gram_bytes(m: int, n_features: int) -> int:
    """Bytes for m samples: their Gram matrix, libsvm's cache of it, points and kernel factors."""
    return m * m * (8 + 4) + m * n_features * 3 * 4


def gram_matrix(kernel: Kernel, points: FloatArray) -> FloatArray:
    """Kernel values of all pairs of points: ndarray of shape (m, m), of their type.

    `points` has shape (m, n_features).
    """
    m, norms = len(points), squared_norms(points)
    left, right = kernel.left_factor(points, norms), kernel.right_factor(points, norms)
    gram = np.empty((m, m), points.dtype)
    for start in range(0, m, ROWS_PER_BLOCK):
        block = slice(start, start + ROWS_PER_BLOCK)
        gram[block] = kernel.values(trim_trailing_zeros(left[block]), right)
    return gram


def solve_compiled(
    gram: FloatArray, problem: BoxProblem, start: Float64Array, limits: Limits
) -> tuple[Float64Array, int]:
    """Solve a two-class problem with compiled code: coefficients, and the number of iterations."""
    coef = start.copy()
    errors = problem.linear - coef @ gram
    iterations = smo_solver(use_numba=True)(
        gram, errors, coef, problem.lower, problem.upper, limits.tol, limits.iterations(len(gram))
    )
    return coef, iterations


def kkt_violations(coef: Float64Array, box: Float64Array, margins: Float64Array) -> Float64Array:
    """Violation of the optimality conditions of `mnist_svm.svm._solver.pair` by each sample.

    From alpha_i y_i, C_i and y_i f(x_i), all of shape (m,). In units of the margin; negative where
    the condition holds with slack.
    """
    below = np.where(np.abs(coef) < box, 1 - margins, -np.inf)
    above = np.where(coef != 0, margins - 1, -np.inf)
    return np.asarray(np.maximum(below, above))
