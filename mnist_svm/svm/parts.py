"""One pair of classes whose Gram matrix does not fit in memory: solved part by part.

Decomposition: of the working set, a part is optimised at a time, the rest stays as it is, and the
next part is made of those that violate the optimality conditions most. It starts from an earlier
solution, so that a pair that has grown a little takes a few parts.

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
T. Joachims, "Making large-scale SVM learning practical", in Advances in Kernel Methods (1999),
section 11.3, for the choice of the part.
"""

from __future__ import annotations

import numpy as np

from mnist_svm.svm.kernels import (
    BoolArray,
    Float64Array,
    FloatArray,
    IntArray,
    Kernel,
    squared_norms,
)
from mnist_svm.svm.optimum import BLOCK, Optimum, gram_bytes, gram_matrix, optimum

# Parts are solved to the tolerance; samples outside of them may violate by that many times as much.
SLACK = 5

# Samples whose sums are computed at a time, of up to `BLOCK` kernel values each.
COLUMNS = 2048

# Samples of a part at least, whatever the memory.
SMALLEST = 100

# Parts at most, and parts in a row that bring nobody outside nearer to the conditions: rounding of
# large kernel values may keep a pair from them.
MOST = 1000
PATIENCE = 20

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
        See `mnist_svm.svm.pair.solve_pair`.

    Returns
    -------
    Optimum
    sums, steps : float64 ndarrays of shape (m,)
        ``sum_i coef_i k(x_i, x_j)``, and by how much it has changed since `before`.
    """
    norms = squared_norms(points)
    # The points are there, and their kernel factors will be.
    size = _part_size(memory - 2 * points.nbytes, points.shape[1])
    coef, iterations = before.copy(), 0
    sums = first = _sums(kernel, points, norms, before)
    left: list[float] = []
    while len(left) < most and min(left[-PATIENCE:], default=0) <= min(left, default=0):
        part = _part(signs, caps, coef, sums, size)
        bordered = gram_matrix(kernel, points[part], norms[part], border=2)
        linear = sums[part] - coef[part] @ bordered[:-2, :-2]
        others = coef.sum() - coef[part].sum()
        found = _optimum_beside(bordered, signs[part], caps[part], linear, others, tol)
        iterations += found.iterations
        step = np.zeros(len(coef))
        step[part] = found.coef - coef[part]
        sums = sums + _sums(kernel, points, norms, step)
        coef[part] = found.coef
        up, down = _movable(signs, caps, coef)
        up[part] = down[part] = False
        errors = signs - sums - found.bias
        left.append(max(errors[up].max(initial=0), -errors[down].min(initial=0)))
        if left[-1] <= SLACK * tol:
            break
    return Optimum(coef, found.bias, iterations), sums, sums - first


def _part_size(memory: int, n_features: int) -> int:
    """Most samples of which the Gram matrix fits: the root of `gram_bytes`, rounded down."""
    per_sample = gram_bytes(1, n_features) - 12
    root = (np.sqrt(per_sample**2 + 48.0 * max(memory, 0)) - per_sample) / 24
    return max(int(root) - 2, SMALLEST)


def _movable(
    signs: Float64Array, caps: Float64Array, coef: Float64Array
) -> tuple[BoolArray, BoolArray]:
    """Whose coefficient, alpha_i y_i, may become larger, and whose may become smaller."""
    positive, below_cap, above_zero = signs > 0, np.abs(coef) < caps, coef != 0
    return np.where(positive, below_cap, above_zero), np.where(positive, above_zero, below_cap)


def _part(
    signs: Float64Array, caps: Float64Array, coef: Float64Array, sums: Float64Array, size: int
) -> IntArray:
    """Half of those to gain most from a larger coefficient, half from a smaller one."""
    errors = signs - sums
    up, down = map(np.flatnonzero, _movable(signs, caps, coef))
    rising = up[np.argsort(-errors[up], kind="stable")[: size // 2]]
    falling = down[np.argsort(errors[down], kind="stable")[: size // 2]]
    return np.union1d(rising, falling)


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
