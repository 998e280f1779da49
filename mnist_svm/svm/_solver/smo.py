"""Sequential minimal optimisation of a small problem: two coefficients at a time.

Solves a `mnist_svm.svm._solver.problem.BoxProblem` whose kernel values are in memory. Each
iteration moves one coefficient up and another down by the same amount.

There are two implementations that choose alike, but for rounding: one of NumPy calls, and one of
loops that Numba compiles, which is about 20 times as fast for 512 coefficients.

References
----------
R.-E. Fan, P.-H. Chen, C.-J. Lin, "Working set selection using second order information for training
support vector machines", JMLR 6 (2005): the choice of the two coefficients (WSS 2).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mnist_svm._types import Float64Array, FloatArray
from mnist_svm.svm._solver.compilation import compiled

# Arguments: kernel values of shape (m, m); errors and coefficients of shape (m,), both changed in
# place; lower and upper bounds; the gap to reach; and the largest number of iterations. Returns the
# number of iterations.
Solve = Callable[
    [FloatArray, Float64Array, Float64Array, Float64Array, Float64Array, float, int], int
]

# Larger than every error and bound. Finite, because compiled code may assume finite numbers.
LARGE = 1e300

# The curvature of a step is at least this, also for kernels that are not positive definite.
MIN_CURVATURE = 1e-12

MAX_INT64 = np.int64(2**63 - 1)


def smo_solver(use_numba: bool) -> Solve:
    """The compiled implementation, or that of NumPy calls."""
    return compiled(_solve_in_loops) if use_numba else _solve_in_numpy


def _solve_in_numpy(
    gram: FloatArray,
    errors: Float64Array,
    coef: Float64Array,
    lower: Float64Array,
    upper: Float64Array,
    tol: float,
    max_iter: int,
) -> int:
    """Solve a problem with NumPy; see `Solve`."""
    diagonal = gram.diagonal().astype(np.float64)
    # Added to the errors, they leave out the coefficients that cannot move up, or down.
    above, below = np.where(coef < upper, 0.0, -LARGE), np.where(coef > lower, 0.0, LARGE)
    differences, curvatures = np.empty(len(coef)), np.empty(len(coef))
    for iteration in range(max_iter):
        np.add(errors, above, out=differences)
        i = int(differences.argmax())
        largest = differences[i]
        np.add(errors, below, out=differences)
        np.subtract(largest, differences, out=differences)
        np.maximum(differences, 0, out=differences)
        if differences.max() <= tol:
            return iteration
        np.multiply(gram[i], -2.0, out=curvatures)
        curvatures += diagonal
        curvatures += diagonal[i]
        np.maximum(curvatures, MIN_CURVATURE, out=curvatures)
        differences *= differences
        differences /= curvatures
        j = int(differences.argmax())
        room_above, room_below = upper[i] - coef[i], coef[j] - lower[j]
        step = min((largest - errors[j]) / curvatures[j], room_above, room_below)
        # The bounds exactly, so that comparisons with them hold.
        coef[i] = upper[i] if step == room_above else coef[i] + step
        coef[j] = lower[j] if step == room_below else coef[j] - step
        for moved in (i, j):
            above[moved] = 0.0 if coef[moved] < upper[moved] else -LARGE
            below[moved] = 0.0 if coef[moved] > lower[moved] else LARGE
        np.subtract(gram[i], gram[j], out=curvatures)
        curvatures *= step
        errors -= curvatures
    return max_iter


def _solve_in_loops(
    gram: FloatArray,
    errors: Float64Array,
    coef: Float64Array,
    lower: Float64Array,
    upper: Float64Array,
    tol: float,
    max_iter: int,
) -> int:
    """Solve a problem in loops that Numba turns into vector instructions; see `Solve`.

    LLVM vectorises the maximum of integers, but not of floats. So the bits of floats are compared,
    as integers: those of positive floats have the same order, and those of negative floats have it
    once all bits but the sign are inverted.
    """
    m = len(coef)
    above, below, diagonal = np.empty(m), np.empty(m), np.empty(m)
    for k in range(m):
        above[k] = 0.0 if coef[k] < upper[k] else -LARGE
        below[k] = 0.0 if coef[k] > lower[k] else LARGE
        diagonal[k] = gram[k, k]
    rising, falling, gains = np.empty(m), np.empty(m), np.empty(m)
    rising_bits, falling_bits = rising.view(np.int64), falling.view(np.int64)
    gains_bits = gains.view(np.int64)
    extreme = np.empty(2)
    extreme_bits = extreme.view(np.int64)
    i = j = iteration = 0
    step = 0.0
    while True:
        row, other = gram[i], gram[j]
        for k in range(m):
            error = errors[k] - step * (row[k] - other[k])
            errors[k] = error
            rising[k] = error + above[k]
            falling[k] = error + below[k]
        highest, lowest = -MAX_INT64, MAX_INT64
        for k in range(m):
            bits = rising_bits[k]
            highest = max(highest, bits ^ ((bits >> 63) & MAX_INT64))
            bits = falling_bits[k]
            lowest = min(lowest, bits ^ ((bits >> 63) & MAX_INT64))
        extreme_bits[0] = highest ^ ((highest >> 63) & MAX_INT64)
        extreme_bits[1] = lowest ^ ((lowest >> 63) & MAX_INT64)
        largest = extreme[0]
        if largest - extreme[1] <= tol or iteration >= max_iter:
            return iteration
        i = 0
        while i < m - 1 and rising_bits[i] != extreme_bits[0]:
            i += 1
        row, curvature_of_i = gram[i], diagonal[i]
        for k in range(m):
            difference = max(largest - falling[k], 0.0)
            curvature = max(curvature_of_i + diagonal[k] - 2.0 * row[k], MIN_CURVATURE)
            gains[k] = difference * difference / curvature
        most = np.int64(0)
        for k in range(m):
            most = max(most, gains_bits[k])
        j = 0
        while j < m - 1 and gains_bits[j] != most:
            j += 1
        curvature = max(curvature_of_i + diagonal[j] - 2.0 * row[j], MIN_CURVATURE)
        room_above, room_below = upper[i] - coef[i], coef[j] - lower[j]
        step = min((largest - errors[j]) / curvature, room_above, room_below)
        coef[i] = upper[i] if step == room_above else coef[i] + step
        coef[j] = lower[j] if step == room_below else coef[j] - step
        above[i] = 0.0 if coef[i] < upper[i] else -LARGE
        below[i] = 0.0 if coef[i] > lower[i] else LARGE
        above[j] = 0.0 if coef[j] < upper[j] else -LARGE
        below[j] = 0.0 if coef[j] > lower[j] else LARGE
        iteration += 1
