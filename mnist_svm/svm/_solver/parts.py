"""One pair of classes whose Gram matrix does not fit in memory: solved part by part.

Decomposition: each step optimises a part of the working set and keeps the other coefficients fixed.
It starts from the last solution, so that a pair that has grown a little needs few parts.

A part holds free coefficients and a random sample of the violators of the optimality conditions. A
part of the worst violators alone overshoots: nothing in it holds the other samples in place, and
the next part undoes half of the step. With ten thousand violators that does not converge. Any room
that is left goes to the samples that are nearest to violating.

The fixed samples contribute a linear term ``g_i = sum over them of coef_j k(x_j, x_i)`` and the sum
s of their coefficients. libsvm has no linear term, but it accepts any Gram matrix, so two extra
samples express it. The first has the sign of s and kernel values ``sign(s) g_i / (|s| + u)``, the
second the opposite sign and kernel values 0. With alphas |s| + u and u, for some u > 0, they
contribute g and s exactly. They reach these alphas because those are their upper bounds, and their
diagonal is so negative that the objective has no optimum below the bounds.

References
----------
E. Osuna, R. Freund, F. Girosi, "Training support vector machines: an application to face
detection", CVPR 1997, for decomposition.
"""

from __future__ import annotations

import numpy as np

from mnist_svm._types import BoolArray, Float64Array, FloatArray, IntArray
from mnist_svm.svm._solver import ROWS_PER_BLOCK
from mnist_svm.svm._solver.optimum import (
    DualSolution,
    gram_bytes,
    gram_matrix,
    kkt_violations,
    solve_dual,
)
from mnist_svm.svm.kernels import Kernel, squared_norms

# The whole problem may violate its conditions by this many tolerances of a part.
SLACK = 5

# Samples whose kernel sums are computed at a time.
SAMPLES_PER_BLOCK = 2048

# Samples of a part, at least, for any memory.
MIN_PART_SIZE = 100

# Number of parts, and of parts in a row without a smaller sum of violations: rounding of large
# kernel values may keep a pair from the optimum.
MAX_PARTS = 1000
MAX_PARTS_WITHOUT_PROGRESS = 20

# Diagonal of the two extra samples: outweighs every other term of the objective.
EXTRA_DIAGONAL = -1e30


def solve_in_parts(
    kernel: Kernel,
    points: FloatArray,
    signs: Float64Array,
    box: Float64Array,
    start: Float64Array,
    *,
    tol: float,
    memory: int,
    max_parts: int,
) -> tuple[DualSolution, Float64Array, Float64Array]:
    """Solve a two-class problem part by part; see `mnist_svm.svm._solver.pair.solve_pair`.

    Returns the solution, ``sum_i coef_i k(x_i, x_j)`` for all j, and its change since `start`.
    """
    norms = squared_norms(points)
    # Leave room for the points and for their kernel factors.
    size = _part_size(memory - 2 * points.nbytes, points.shape[1])
    random_state = np.random.RandomState(0)
    coef, iterations = start.copy(), 0
    sums = initial_sums = _kernel_sums(kernel, points, norms, start)
    free = _is_free(coef, box)
    bias = float(np.median((signs - sums)[free])) if free.any() else 0.0
    totals = [np.inf]
    for _ in range(max_parts):
        violations = kkt_violations(coef, box, signs * (sums + bias))
        stuck = min(totals[-MAX_PARTS_WITHOUT_PROGRESS:]) > min(totals)
        if violations.max() <= SLACK * tol or stuck:
            break
        totals.append(float(violations.clip(min=0).sum()))
        part = _choose_part(random_state, violations, _is_free(coef, box), size, SLACK * tol)
        gram = gram_matrix(kernel, points[part], norms[part], border=2)
        linear = sums[part] - coef[part] @ gram[:-2, :-2]
        fixed_sum = coef.sum() - coef[part].sum()
        dual = _solve_part(gram, signs[part], box[part], linear, fixed_sum, tol)
        bias, iterations = dual.bias, iterations + dual.iterations
        change = np.zeros(len(coef))
        change[part] = dual.coef - coef[part]
        sums = sums + _kernel_sums(kernel, points, norms, change)
        coef[part] = dual.coef
    return DualSolution(coef, bias, iterations), sums, sums - initial_sums


def _part_size(memory: int, n_features: int) -> int:
    """The largest part whose Gram matrix fits: the root of `gram_bytes`, rounded down."""
    per_sample = gram_bytes(1, n_features) - 12
    root = (np.sqrt(per_sample**2 + 48.0 * max(memory, 0)) - per_sample) / 24
    return max(int(root) - 2, MIN_PART_SIZE)


def _is_free(coef: Float64Array, box: Float64Array) -> BoolArray:
    """Whether alpha_i is strictly between its bounds 0 and C_i."""
    return np.asarray((coef != 0) & (np.abs(coef) < box))


def _choose_part(
    random_state: np.random.RandomState,
    violations: Float64Array,
    free: BoolArray,
    size: int,
    tol: float,
) -> IntArray:
    """Violators (a quarter of the part at most), free samples, more violators, then the closest."""
    violating = violations > tol
    violators = random_state.permutation(np.flatnonzero(violating))
    free_only = random_state.permutation(np.flatnonzero(free & ~violating))
    rest = np.flatnonzero(~(free | violating))
    closest = rest[np.argsort(-violations[rest], kind="stable")]
    quarter = size // 4
    queue = np.concatenate([violators[:quarter], free_only, violators[quarter:], closest])
    return np.sort(queue[:size])


def _solve_part(
    gram: Float64Array,
    signs: Float64Array,
    box: Float64Array,
    linear: Float64Array,
    fixed_sum: float,
    tol: float,
) -> DualSolution:
    """Solve a part, with the linear term g and the sum s of the fixed coefficients.

    The last two rows and columns of `gram` become those of the two extra samples.
    """
    sign = 1.0 if fixed_sum >= 0 else -1.0
    small = float(np.abs(linear).max()) or 1.0
    large = abs(fixed_sum) + small
    gram[-2, :-2] = gram[:-2, -2] = sign / large * linear
    gram[[-2, -1], [-2, -1]] = EXTRA_DIAGONAL
    dual = solve_dual(gram, np.append(signs, [sign, -sign]), np.append(box, [large, small]), tol)
    return DualSolution(dual.coef[:-2], dual.bias, dual.iterations)


def _kernel_sums(
    kernel: Kernel, points: FloatArray, norms: FloatArray, coef: Float64Array
) -> Float64Array:
    """``sum_i coef_i k(x_i, x_j)`` for all j, in blocks."""
    support = np.flatnonzero(coef)
    weights, left = coef[None, support], kernel.left_factor(points[support], norms[support])
    sums = np.zeros(len(points))
    for start in range(0, len(points), SAMPLES_PER_BLOCK):
        block = slice(start, start + SAMPLES_PER_BLOCK)
        right = kernel.right_factor(points[block], norms[block])
        for row in range(0, len(support), ROWS_PER_BLOCK):
            rows = slice(row, row + ROWS_PER_BLOCK)
            sums[block] += kernel.weighted_sum(weights[:, rows], left[rows], right)[0]
    return sums
