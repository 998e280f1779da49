"""Margins of many samples in many pairs, by matrix products over no more than they need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from joblib import delayed

from mnist_svm.constants import BoolArray, Float32Array, FloatArray, IntArray
from mnist_svm.parallel.threads import Workers
from mnist_svm.svm._solver.samples import blocks
from mnist_svm.svm.kernels import Kernel

# Samples and support vectors of one matrix product: their kernel values stay in the cache.
ROWS = 256
VECTORS = 2048


class Rows(Protocol):
    """Where kernel factors come from: `Samples`, or `Projected` for a guess."""

    kernel: Kernel
    dtype: np.dtype[Any]
    sum_dtype: np.dtype[Any]
    width: int

    def left(self, index: IntArray) -> FloatArray:
        """Left kernel factor of some samples."""

    def right(self, index: IntArray) -> FloatArray:
        """Right kernel factor of some samples."""


@dataclass(frozen=True)
class Duel:
    """A pair's decision function as one of its classes sees it: positive where it wins.

    Attributes
    ----------
    own : intp ndarray of shape (p,), ascending, support vectors of that class.
    own_coef : float64 ndarray of shape (p,), alpha_i.
    other, other_coef : the same of the other class, with -alpha_i.
    bias : b or -b.
    """

    own: IntArray
    own_coef: npt.NDArray[np.float64]
    other: IntArray
    other_coef: npt.NDArray[np.float64]
    bias: float


@dataclass(frozen=True)
class Expansion:
    """Several duels of one class as one sum: weights @ K(vectors, x) + biases.

    Attributes
    ----------
    rows : intp ndarray of shape (m,), the samples whose margins are wanted.
    opponents : intp ndarray of shape (d,), the other class of each duel.
    vectors : intp ndarray of shape (p,), support vectors.
    weights : float64 ndarray of shape (d, p).
    biases : float64 ndarray of shape (d,).
    """

    rows: IntArray
    opponents: IntArray
    vectors: IntArray
    weights: npt.NDArray[np.float64]
    biases: npt.NDArray[np.float64]

    @property
    def cost(self) -> int:
        """Kernel values needed."""
        return len(self.rows) * len(self.vectors)


def expansions(duels: Mapping[int, Duel], wanted: BoolArray, first: int) -> list[Expansion]:
    """The cheaper way to the wanted margins of one class: all duels at once, or each alone.

    Together, a support vector that the class has in several duels is met once; alone, each
    duel computes just the margins that are wanted of it.

    Parameters
    ----------
    duels : mapping from the other class to the Duel
    wanted : bool ndarray of shape (n_of_this_class, k)
    first : int
        The first sample of this class.

    Returns
    -------
    list of Expansion
    """
    together = _expansion(duels, list(duels), first + np.flatnonzero(wanted.any(axis=1)))
    alone = [
        _expansion(duels, [other], first + np.flatnonzero(wanted[:, other])) for other in duels
    ]
    ways = [together], alone
    return [way for way in min(ways, key=lambda way: sum(e.cost for e in way)) if len(way.rows)]


def _expansion(duels: Mapping[int, Duel], opponents: Sequence[int], rows: IntArray) -> Expansion:
    own = np.unique(np.concatenate([duels[other].own for other in opponents]))
    vectors = np.concatenate([own, *(duels[other].other for other in opponents)])
    weights = np.zeros((len(opponents), len(vectors)))
    below = len(own)
    for at, other in enumerate(opponents):
        duel = duels[other]
        weights[at, np.searchsorted(own, duel.own)] = duel.own_coef
        weights[at, below : below + len(duel.other)] = duel.other_coef
        below += len(duel.other)
    biases = np.array([duels[other].bias for other in opponents])
    return Expansion(rows, np.array(opponents), vectors, weights, biases)


class Terms:
    """Terms of an expansion: kernel factors of some support vectors, and their weights.

    The factors are computed by the first who needs them, and not sent to other processes, which
    have the samples.

    Parameters
    ----------
    vectors : list of intp ndarrays of shape (p,), support vectors.
    weights : list of ndarrays of shape (d, p).
    """

    def __init__(self, vectors: Sequence[IntArray], weights: Sequence[FloatArray]) -> None:
        self._vectors = vectors
        self._weights = weights
        self._factors: list[FloatArray] = []
        self._lock = Lock()

    def of(self, rows: Rows) -> list[tuple[FloatArray, FloatArray]]:
        """Weights and left kernel factors."""
        with self._lock:
            if not self._factors:
                self._factors = [rows.left(tile) for tile in self._vectors]
        return list(zip(self._weights, self._factors, strict=True))

    def __reduce__(self) -> tuple[Any, ...]:
        return Terms, (self._vectors, self._weights)


def scan(
    workers: Workers,
    rows: Rows,
    plan: Sequence[Expansion],
    margins: Float32Array,
    memory: int,
) -> None:
    """Compute the margins of a plan.

    Parameters
    ----------
    workers : Workers
    rows : Rows
        Shared with the workers already.
    plan : sequence of Expansion
    margins : float32 ndarray of shape (n, k), changed in place
        Row: the sample; column: the other class.
    memory : int
        Bytes for kernel factors that many tasks share.
    """
    for expansion in plan:
        margins[np.ix_(expansion.rows, expansion.opponents)] = expansion.biases
    # A task's parts are added here, in order, so that the sums do not depend on the workers.
    for some, opponents, part in workers(_tasks(workers.blocks_per_task, rows, plan, memory)):
        margins[np.ix_(some, opponents)] += part


def _tasks(grain: int, rows: Rows, plan: Sequence[Expansion], memory: int) -> Iterator[Any]:
    for expansion in plan:
        weights = expansion.weights.astype(rows.sum_dtype)
        tiles = blocks(np.arange(len(expansion.vectors)), VECTORS)
        # While the last tasks of some vectors are at work, the next are there already.
        at_once = memory // (2 * VECTORS * (rows.width + 2) * rows.dtype.itemsize) or 1
        for start in range(0, len(tiles), at_once):
            of = tiles[start : start + at_once]
            terms = Terms([expansion.vectors[tile] for tile in of], [weights[:, t] for t in of])
            for some in blocks(expansion.rows, grain * ROWS):
                yield delayed(_partial)(rows, terms, some, expansion.opponents)


def _partial(
    rows: Rows, terms: Terms, some: IntArray, opponents: IntArray
) -> tuple[IntArray, IntArray, FloatArray]:
    factors = terms.of(rows)
    sums = []
    for block in blocks(some, ROWS):
        right = rows.right(block)
        parts = [rows.kernel.weigh(weights, left, right) for weights, left in factors]
        sums.append(np.sum(parts, axis=0))
    return some, opponents, np.concatenate(sums, axis=1).T
