"""The optimum of one two-class problem of any size, block by block.

Each round takes a block of some hundreds of samples: half or more of the last block, and the
samples that violate the optimality conditions most, as many of those that may rise as of those that
may fall. The coefficients of the block are optimised on its Gram matrix, to a tolerance a few times
below the gap of the whole problem, and then the errors of all samples move by one product with the
kernel rows of the block. So an iteration costs a pass over a block, where libsvm passes over all
samples, and kernel values come from matrix products. `mnist_svm.svm._solver.problem` defines errors
and gap.

References
----------
Z. Wen, J. Shi, Q. Li, B. He, J. Chen, "ThunderSVM: a fast SVM library on GPUs and CPUs", JMLR 19
(2018): the choice of blocks.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mnist_svm._types import Float64Array, FloatArray, IntArray
from mnist_svm.svm._solver.problem import BoxProblem, Limits
from mnist_svm.svm._solver.rows import KernelRows
from mnist_svm.svm._solver.smo import smo_solver

# Samples of a block: of small and of large problems.
BLOCK_SIZE, LARGE_BLOCK_SIZE = 512, 1024
LARGE_PROBLEM = 8192

# Share of a block that stays in the next one.
SHARE_KEPT = 0.75

# A block is solved to this share of the gap of the whole problem, but not below this share of tol.
SHARE_OF_GAP = 0.3
SHARE_OF_TOL = 0.8

# Iterations on a block, for each of its samples.
MAX_ITER_PER_SAMPLE = 20

# Rounds without a smaller gap: rounding of large kernel values may keep it above the tolerance.
MAX_ROUNDS_WITHOUT_PROGRESS = 200


class BlockSolution(NamedTuple):
    """Coefficients, their errors and those of the start, of shape (m,), and the iterations."""

    coef: Float64Array
    errors: Float64Array
    start_errors: Float64Array
    iterations: int


def solve_in_blocks(
    rows: KernelRows,
    problem: BoxProblem,
    start: Float64Array,
    limits: Limits,
    sums: Float64Array | None = None,
) -> BlockSolution:
    """Solve a problem from coefficients within its bounds, of shape (m,).

    `sums` are ``sum_i start_i k(x_i, x_j)`` for all j; None computes them.
    Stops before the tolerance is reached if a limit is, or if rounding prevents progress.
    """
    solve = smo_solver(limits.use_numba)
    coef, max_iter = start.copy(), limits.iterations(len(start))
    if sums is None:
        support = np.flatnonzero(coef)
        sums = rows.weighted_sums(support, coef[support])
    start_errors = problem.linear - sums
    errors = start_errors.copy()
    block, iterations, n_rounds = _Block(rows), 0, 0
    smallest_gap, last_progress = np.inf, 0
    while True:
        rising, falling = problem.rising(coef, errors), problem.falling(coef, errors)
        gap = float(rising.max() - falling.min())
        if gap < smallest_gap:
            smallest_gap, last_progress = gap, n_rounds
        stuck = n_rounds - last_progress > MAX_ROUNDS_WITHOUT_PROGRESS
        if gap <= limits.tol or stuck or iterations >= max_iter or n_rounds == limits.max_rounds:
            return BlockSolution(coef, errors, start_errors, iterations)
        index = block.move(rising, falling)
        _, lower, upper = problem.select(index)
        of_block, errors_of_block = coef[index], errors[index]
        share = 0 if len(index) == len(coef) else SHARE_OF_GAP
        iterations += solve(
            block.gram,
            errors_of_block,
            of_block,
            lower,
            upper,
            max(SHARE_OF_TOL * limits.tol, share * gap),
            min(max_iter - iterations, MAX_ITER_PER_SAMPLE * len(index)),
        )
        changes = of_block - coef[index]
        changed = changes != 0
        errors -= rows.weighted_sums(index[changed], changes[changed])
        coef[index] = of_block
        n_rounds += 1


class _Block:
    """The samples of a block, and their Gram matrix."""

    def __init__(self, rows: KernelRows) -> None:
        self._rows = rows
        size = LARGE_BLOCK_SIZE if len(rows) >= LARGE_PROBLEM else BLOCK_SIZE
        self._size = min(size, len(rows))
        self._index = np.empty(0, np.intp)
        self.gram: FloatArray = np.empty((0, 0))

    def move(self, rising: Float64Array, falling: Float64Array) -> IntArray:
        """Replace the samples that joined first by the worst violators; return the block.

        `rising` are the errors of all samples that may rise, -inf for the others; `falling` those
        of all that may fall, or inf. They are changed.
        """
        if self._size < len(rising):
            self._drop(int(SHARE_KEPT * self._size))
            rising[self._index], falling[self._index] = -np.inf, np.inf
            half = (self._size - len(self._index)) // 2
            joining = _smallest(-rising, half)
            falling[joining] = np.inf
            self._join(np.concatenate([joining, _smallest(falling, half)]))
        elif not len(self._index):
            self._join(np.arange(len(rising)))
        return self._index

    def _drop(self, n_kept: int) -> None:
        self._index = self._index[-n_kept:]
        self.gram = self.gram[-n_kept:, -n_kept:]

    def _join(self, joining: IntArray) -> None:
        n_kept = len(self._index)
        self._index = np.concatenate([self._index, joining])
        values = self._rows.gram(joining, self._index)
        gram = np.empty((len(self._index), len(self._index)), values.dtype)
        gram[:n_kept, :n_kept] = self.gram
        gram[n_kept:] = values
        gram[:n_kept, n_kept:] = values[:, :n_kept].T
        self.gram = gram


def _smallest(values: Float64Array, n: int) -> IntArray:
    """The indices of the n smallest finite values, or of all finite ones if they are fewer."""
    index = np.argpartition(values, n)[:n] if n < len(values) else np.arange(len(values))
    return np.asarray(index[np.isfinite(values[index])])
