"""How far a solution is from the optimum."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from mnist_svm._types import Array, Float64Array
from mnist_svm.svm._solver.optimum import kkt_violations
from mnist_svm.svm.solution import Solution


def pair_violations(
    solution: Solution, values: Float64Array, codes: Array, box: Float64Array
) -> Float64Array:
    """The largest violation of the optimality conditions in each pair of classes.

    `values` are the decision values of all n samples, of shape (n, k (k - 1) / 2), in the signs of
    the attributes of `KernelSVC`; `codes` and `box`, of shape (n,), are their classes and C_i.
    """
    k = len(solution.n_support)
    dual_coef = np.zeros((k - 1, len(codes)))
    dual_coef[:, solution.support] = solution.dual_coef
    largest = []
    for pair, (a, b) in enumerate(combinations(range(k), 2)):
        members = ((codes == a) | (codes == b)) & (box > 0)
        is_first = codes[members] == a
        coef = np.where(is_first, dual_coef[b - 1, members], dual_coef[a, members])
        # A single pair is positive for its second class.
        margins = np.where(is_first == (k > 2), 1, -1) * values[members, pair]
        largest.append(kkt_violations(coef, box[members], margins).max(initial=0))
    return np.array(largest)
