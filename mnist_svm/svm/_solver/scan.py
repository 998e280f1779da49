"""Margins of many samples in many pairs, by as few kernel values as needed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any, NamedTuple

import numpy as np

from mnist_svm._types import BoolArray, Float32Array, Float64Array, FloatArray, IntArray
from mnist_svm.parallel.threads import Workers, delayed
from mnist_svm.svm._solver.factors import KernelFactors
from mnist_svm.svm._solver.pair import Pair
from mnist_svm.svm._solver.samples import Samples, blocks

# Samples and support vectors of one matrix product: their kernel values fit in the CPU cache.
SAMPLES_PER_BLOCK = 256
VECTORS_PER_BLOCK = 2048


class MarginFunction(NamedTuple):
    """The decision function of a pair with the sign of one of its classes, `own`.

    Its values at the samples of that class are their margins. `own` are the support vectors of that
    class, ascending, with the coefficients alpha_i; `other` those of the other, with -alpha_i.
    """

    own: IntArray
    own_coef: Float64Array
    other: IntArray
    other_coef: Float64Array
    bias: float


@dataclass(frozen=True)
class KernelExpansion:
    """Margin functions of one class as one matrix product: weights @ K(vectors, x) + biases.

    Attributes
    ----------
    samples : intp ndarray of shape (m,), whose margins to compute.
    opponents : intp ndarray of shape (d,), the other class of each margin function.
    vectors : intp ndarray of shape (p,), support vectors.
    weights : float64 ndarray of shape (d, p).
    biases : float64 ndarray of shape (d,).
    """

    samples: IntArray
    opponents: IntArray
    vectors: IntArray
    weights: Float64Array
    biases: Float64Array


def plan_scan(
    samples: Samples, wanted: BoolArray, expansions: Iterable[tuple[Pair, Float64Array, float]]
) -> list[KernelExpansion]:
    """Plan the computation of margins with few kernel values.

    `wanted` has shape (n, k): which margins to compute, by sample and other class. `expansions`
    holds pairs, coefficients of their members, and biases.
    """
    functions: list[dict[int, MarginFunction]] = [{} for _ in samples.class_slices]
    for pair, coef, bias in expansions:
        for own in (pair.first, pair.second):
            function = _margin_function(samples, pair, own, coef, bias)
            functions[own][pair.opponent(own)] = function
    plan = []
    for of_class, mine in zip(functions, samples.class_slices, strict=True):
        if of_class:
            plan += _plan_class(of_class, wanted[mine], mine.start)
    return plan


def _margin_function(
    samples: Samples, pair: Pair, own: int, coef: Float64Array, bias: float
) -> MarginFunction:
    nonzero = coef != 0
    members, coef = pair.members[nonzero], coef[nonzero]
    sign = 1 if own == pair.first else -1
    is_own = samples.classes[members] == own
    return MarginFunction(
        members[is_own], sign * coef[is_own], members[~is_own], sign * coef[~is_own], sign * bias
    )


def _plan_class(
    functions: Mapping[int, MarginFunction], wanted: BoolArray, first: int
) -> list[KernelExpansion]:
    """Plan the margins of one class, whose first sample is `first`: jointly, or by opponent.

    A joint expansion evaluates the kernel once for a support vector of several margin functions.
    Separate expansions compute only the wanted margins. The plan with fewer kernel values wins.
    """
    joint = [_expansion(functions, list(functions), first + np.flatnonzero(wanted.any(axis=1)))]
    separate = [
        _expansion(functions, [other], first + np.flatnonzero(wanted[:, other]))
        for other in functions
    ]
    costs = [sum(len(x.samples) * len(x.vectors) for x in plan) for plan in (joint, separate)]
    cheaper = joint if costs[0] <= costs[1] else separate
    return [expansion for expansion in cheaper if len(expansion.samples)]


def _expansion(
    functions: Mapping[int, MarginFunction], opponents: Sequence[int], samples: IntArray
) -> KernelExpansion:
    own = np.unique(np.concatenate([functions[other].own for other in opponents]))
    vectors = np.concatenate([own, *(functions[other].other for other in opponents)])
    weights = np.zeros((len(opponents), len(vectors)))
    column = len(own)
    for row, other in enumerate(opponents):
        function = functions[other]
        weights[row, np.searchsorted(own, function.own)] = function.own_coef
        weights[row, column : column + len(function.other)] = function.other_coef
        column += len(function.other)
    biases = np.array([functions[other].bias for other in opponents])
    return KernelExpansion(samples, np.array(opponents), vectors, weights, biases)


class ExpansionTerms:
    """Weights and left kernel factors of some support vectors, shared by many tasks.

    The factors are computed on first use. They are not pickled: other processes have the samples.
    `vectors` are intp ndarrays of shape (p,), `weights` ndarrays of shape (d, p).
    """

    def __init__(self, vectors: Sequence[IntArray], weights: Sequence[FloatArray]) -> None:
        self._vectors = vectors
        self._weights = weights
        self._factors: list[Any] = []
        self._lock = Lock()

    def pairs(self, samples: Samples, factors: KernelFactors) -> list[tuple[FloatArray, Any]]:
        """Pairs of weights and left kernel factors."""
        with self._lock:
            if not self._factors:
                self._factors = [factors.left(samples, vectors) for vectors in self._vectors]
        return list(zip(self._weights, self._factors, strict=True))

    def __reduce__(self) -> tuple[Any, ...]:
        return ExpansionTerms, (self._vectors, self._weights)


def scan(
    workers: Workers,
    samples: Samples,
    factors: KernelFactors,
    plan: Sequence[KernelExpansion],
    margins: Float32Array,
    memory: int,
) -> None:
    """Compute the margins of a plan, in place.

    `margins` has shape (n, k): by sample and other class. They are approximate if the factors are.
    The workers must have the samples already. `memory` is for the kernel factors that tasks share,
    in bytes.
    """
    for expansion in plan:
        margins[np.ix_(expansion.samples, expansion.opponents)] = expansion.biases
    # Added here and in order, so that rounding does not depend on the workers.
    tasks = _tasks(workers.blocks_per_task, samples, factors, plan, memory)
    for index, opponents, sums in workers(tasks):
        margins[np.ix_(index, opponents)] += sums


def _tasks(
    blocks_per_task: int,
    samples: Samples,
    factors: KernelFactors,
    plan: Sequence[KernelExpansion],
    memory: int,
) -> Iterator[Any]:
    # Half of the memory, because new factors are made while the last tasks still use the old ones.
    bytes_per_block = VECTORS_PER_BLOCK * (factors.n_columns + 2) * factors.dtype.itemsize
    vector_blocks_in_memory = memory // (2 * bytes_per_block) or 1
    for expansion in plan:
        weights = expansion.weights.astype(factors.sum_dtype)
        vector_blocks = blocks(np.arange(len(expansion.vectors)), VECTORS_PER_BLOCK)
        for start in range(0, len(vector_blocks), vector_blocks_in_memory):
            selected = vector_blocks[start : start + vector_blocks_in_memory]
            terms = ExpansionTerms(
                [expansion.vectors[block] for block in selected],
                [weights[:, block] for block in selected],
            )
            for index in blocks(expansion.samples, blocks_per_task * SAMPLES_PER_BLOCK):
                yield delayed(_kernel_sums)(samples, factors, terms, index, expansion.opponents)


def _kernel_sums(
    samples: Samples,
    factors: KernelFactors,
    terms: ExpansionTerms,
    index: IntArray,
    opponents: IntArray,
) -> tuple[IntArray, IntArray, FloatArray]:
    pairs = terms.pairs(samples, factors)
    sums = []
    for block in blocks(index, SAMPLES_PER_BLOCK):
        right = factors.right(samples, block)
        parts = [factors.weighted_sum(weights, left, right) for weights, left in pairs]
        sums.append(np.sum(parts, axis=0))
    return index, opponents, np.concatenate(sums, axis=1).T
