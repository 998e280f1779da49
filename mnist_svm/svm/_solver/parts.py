"""One pair of classes whose Gram matrix does not fit in memory: solved part by part.

Decomposition: of the working set, a part is optimised at a time, and the rest stays as it is. It
starts from an earlier solution, so that a pair that has grown a little takes a few parts.

A part holds those that may move either way, the free coefficients, and violators of the optimality
conditions that are drawn from all of them. With the worst violators, and no others, a part goes too
far: it has nothing that holds the rest where it was, the next one undoes half of it, and a pair of
which ten thousand samples violate does not end. Where room is left it goes to those that are
nearest to violating, as they will when others move.

What the rest does to a part is the linear term ``g_i = sum over the rest of coef_j k(x_j, x_i)``,
and the sum s of its coefficients. libsvm takes no such term, but it takes any Gram matrix, and in
two more rows of it the term can be said. The first is a sample of the sign of s with kernel values
``sign(s) g_i / (|s| + u)``, the second one of the other sign with kernel values 0. If their
alphas are |s| + u and u, for some u > 0, they add g and s to the part as the rest does. They are,
because those are their caps, and because their own diagonal is so far below zero that the
objective has no optimum before they are reached.

References
----------
E. Osuna, R. Freund, F. Girosi, "Training support vector machines: an application to face
detection", CVPR 1997, for decomposition.
"""

from __future__ import annotations

import numpy as np

from mnist_svm.constants import BoolArray, Float64Array, FloatArray, IntArray
from mnist_svm.svm._solver.optimum import (
    BLOCK,
    Optimum,
    gram_bytes,
    gram_matrix,
    kkt_violations,
    optimum,
)
from mnist_svm.svm.kernels import Kernel, squared_norms

# Parts are solved to the tolerance; all together may violate by that many times as much.
SLACK = 5

# Samples whose sums are computed at a time, of up to `BLOCK` kernel values each.
COLUMNS = 2048

# Samples of a part at least, whatever the memory.
SMALLEST = 100

# Parts at most, and parts in a row that leave no smaller sum of violations: rounding of large
# kernel values may keep a pair from the optimum.
MOST = 1000
PATIENCE = 20

# Of the source of random numbers that draws the parts.
SEED = 0

# Diagonal of the rows that stand for the rest: beyond all that a part can weigh against it.
PULL = -1e30


def optimum_in_parts(
    kernel: Kernel,
    points: FloatArray,
    signs: Float64Array,
    caps: Float64Array,
    before: Float64Array,
    *,
    tol: float,
    memory: int,
    most: int,
) -> tuple[Optimum, Float64Array, Float64Array]:
    """Solve a two-class problem part by part.

    Parameters
    ----------
    kernel, points, signs, caps, before, tol, memory, most
        See `mnist_svm.svm._solver.pair.solve_pair`.

    Returns
    -------
    Optimum
    sums, steps : float64 ndarrays of shape (m,)
        ``sum_i coef_i k(x_i, x_j)``, and by how much it has changed since `before`.
    """
    norms = squared_norms(points)
    # The points are there, and their kernel factors will be.
    size = _part_size(memory - 2 * points.nbytes, points.shape[1])
    random_state = np.random.RandomState(SEED)
    coef, iterations = before.copy(), 0
    sums = first = _sums(kernel, points, norms, before)
    free = _free(caps, coef)
    bias = float(np.median((signs - sums)[free])) if free.any() else 0.0
    left = [np.inf]
    for _ in range(most):
        violations = kkt_violations(coef, caps, signs * (sums + bias))
        if violations.max() <= SLACK * tol or min(left[-PATIENCE:]) > min(left):
            break
        left.append(float(violations.clip(min=0).sum()))
        part = _part(random_state, violations, _free(caps, coef), size, SLACK * tol)
        bordered = gram_matrix(kernel, points[part], norms[part], border=2)
        linear = sums[part] - coef[part] @ bordered[:-2, :-2]
        others = coef.sum() - coef[part].sum()
        found = _optimum_beside(bordered, signs[part], caps[part], linear, others, tol)
        bias, iterations = found.bias, iterations + found.iterations
        step = np.zeros(len(coef))
        step[part] = found.coef - coef[part]
        sums = sums + _sums(kernel, points, norms, step)
        coef[part] = found.coef
    return Optimum(coef, bias, iterations), sums, sums - first


def _part_size(memory: int, n_features: int) -> int:
    """Most samples of which the Gram matrix fits: the root of `gram_bytes`, rounded down."""
    per_sample = gram_bytes(1, n_features) - 12
    root = (np.sqrt(per_sample**2 + 48.0 * max(memory, 0)) - per_sample) / 24
    return max(int(root) - 2, SMALLEST)


def _free(caps: Float64Array, coef: Float64Array) -> BoolArray:
    """Whose coefficient, alpha_i y_i, may become both larger and smaller."""
    return np.asarray((coef != 0) & (np.abs(coef) < caps))


def _part(
    random_state: np.random.RandomState,
    violations: Float64Array,
    free: BoolArray,
    size: int,
    tol: float,
) -> IntArray:
    """A quarter violators, if there are so many; the free; more violators; those next to it."""
    violating = violations > tol
    violators = random_state.permutation(np.flatnonzero(violating))
    quiet = random_state.permutation(np.flatnonzero(free & ~violating))
    rest = np.flatnonzero(~(free | violating))
    near = rest[np.argsort(-violations[rest], kind="stable")]
    quarter = size // 4
    drawn = np.concatenate([violators[:quarter], quiet, violators[quarter:], near])
    return np.sort(drawn[:size])


def _optimum_beside(
    bordered: Float64Array,
    signs: Float64Array,
    caps: Float64Array,
    linear: Float64Array,
    others: float,
    tol: float,
) -> Optimum:
    """The optimum of a part, beside a rest of linear term g and coefficients of sum s.

    Parameters
    ----------
    bordered : float64 ndarray of shape (m + 2, m + 2)
        The Gram matrix of the part; its last two rows and columns will be filled.
    signs, caps, linear : float64 ndarrays of shape (m,)
    others, tol : float

    Returns
    -------
    Optimum
        Of the part alone.
    """
    sign = 1.0 if others >= 0 else -1.0
    small = float(np.abs(linear).max()) or 1.0
    large = abs(others) + small
    bordered[-2, :-2] = bordered[:-2, -2] = sign / large * linear
    bordered[[-2, -1], [-2, -1]] = PULL
    found = optimum(bordered, np.append(signs, [sign, -sign]), np.append(caps, [large, small]), tol)
    return Optimum(found.coef[:-2], found.bias, found.iterations)


def _sums(
    kernel: Kernel, points: FloatArray, norms: FloatArray, coef: Float64Array
) -> Float64Array:
    """``sum_i coef_i k(x_i, x_j)`` for all j, in blocks."""
    has = np.flatnonzero(coef)
    weights, left = coef[None, has], kernel.left(points[has], norms[has])
    sums = np.zeros(len(points))
    for start in range(0, len(points), COLUMNS):
        block = slice(start, start + COLUMNS)
        right = kernel.right(points[block], norms[block])
        for at in range(0, len(has), BLOCK):
            of = slice(at, at + BLOCK)
            sums[block] += kernel.weigh(weights[:, of], left[of], right)[0]
    return sums
