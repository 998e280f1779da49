"""The exact solver: two-class problems on small working sets, and a proof about the rest.

One-vs-one: every pair of classes (a, b) is a two-class problem over all samples of a and b, and
most of those never matter to it: their margin is beyond 1, and their alpha is 0. So each pair has a
*working set*, and rounds of four steps:

1. **Solve** each pair on its working set (`mnist_svm.svm._solver.pair`).
2. **Bound.** When a pair's solution moves from (w, b) to (w', b'), no margin moves by more than

       |y f'(x) - y f(x)| <= ||w' - w|| ||phi(x)|| + |b' - b|,    ||phi(x)||**2 = k(x, x),

   which is the inequality of Cauchy and Schwarz. A *floor* under every margin, lowered by that
   much, stays a floor. Where that is too much, most of the move is computed, on projected
   samples, and the bound serves for the rest alone.
3. **Scan.** Where the floor is below 1 - tol and the sample is outside the working set, compute
   the margin, which is then the floor.
4. **Grow.** Samples still below 1 - tol violate the optimality conditions of the whole problem;
   some of each pair join its working set. If there are none, the solution of the working sets is
   the solution of the whole problem, to tol.

At first the working sets are a random sample, and most of what violates is satisfied as soon as
a part of it has joined. So while there are many violators, satisfied samples leave again, and the
scan is a guess on projected samples (`mnist_svm.svm._solver.samples.Projected`), which costs a fraction.
Who joins is drawn then: the worst are too much alike to tell a pair much. Then the floors are
forgotten, and what follows is exact: the worst join and none leaves, so that the rounds end.

A sample of class c is looked at by the pairs (c, o) alone, so that a scan of class c needs as
columns the support vectors of those pairs and no others: a third of all, for MNIST.

References
----------
E. Osuna, R. Freund, F. Girosi, "Training support vector machines: an application to face
detection", CVPR 1997: decomposition, and why adding violators converges.
C.-C. Chang, C.-J. Lin, "LIBSVM: a library for support vector machines", ACM TIST 2 (2011): the
solver of step 1 and its stopping condition (equation 10).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from joblib import delayed

from mnist_svm.constants import BoolArray, Float64Array, FloatArray, IntArray
from mnist_svm.parallel.threads import Workers
from mnist_svm.svm._solver.optimum import gram_bytes
from mnist_svm.svm._solver.pair import Pair, PairSolution, solve_pair
from mnist_svm.svm._solver.parts import MOST
from mnist_svm.svm._solver.samples import Projected, Samples
from mnist_svm.svm._solver.scan import Duel, Expansion, expansions, scan

# Of each class, at least that many samples and that share of all are in the first sample.
FIRST_SAMPLES = 300
FIRST_SHARE = 0.005

# A pair's working set takes in at most that many samples, or twice as many as it has support
# vectors.
GROWTH = 500

# Once fewer samples violate than this share of all, or after so many rounds, guesses end and no
# sample leaves a working set any more.
FEW = 0.05
UNSETTLED = 8

# Until then, a pair that does not fit in memory is solved by so many parts a round: it will grow.
HURRIED = 3

# Working sets are solved to this part of tol, which costs little more than tol itself.
TIGHTER = 0.1

# Samples that have left the margin by less than this stay in the working set.
BAND = 0.1


@dataclass(frozen=True)
class Round:
    """What happened in one round.

    Attributes
    ----------
    round : from 1.
    exact : False if the scan was a guess.
    working_set : distinct samples in the working sets.
    support_vectors : distinct samples with a coefficient.
    scanned : samples whose margins were computed.
    violators : samples found below 1 - tol, counted once for each pair.
    added : those of them that joined a working set.
    seconds : since the start, at the end of the round.
    """

    round: int
    exact: bool
    working_set: int
    support_vectors: int
    scanned: int
    violators: int
    added: int
    seconds: float

    def __str__(self) -> str:
        about = "" if self.exact else "about "
        return (
            f"round {self.round}: working set {self.working_set:,}, "
            f"{about}{self.violators:,} violators left"
        )


class WorkingSetSolver:
    """Solve all pairs of classes to the optimum; see the module.

    Parameters
    ----------
    samples : Samples
        Of each class at least one.
    caps : float64 ndarray of shape (n,)
        C_i of each sample, positive.
    tol : float
    workers : Workers
    memory : int
        Bytes for Gram matrices; scans take a quarter of it.

    Attributes
    ----------
    pairs : list of Pair
    log : list of Round
    inside : bool ndarray of shape (n, k)
        Whether a sample is in the working set of its class and another, or it is its own class.
    floor : float32 ndarray of shape (n, k)
        Lower bound of a sample's margin against another class.
    guessing : whether scans are guesses.
    settled : whether samples have ceased to leave the working sets.
    """

    def __init__(
        self,
        samples: Samples,
        caps: Float64Array,
        *,
        tol: float,
        workers: Workers,
        memory: int,
    ) -> None:
        self.samples = samples
        self.caps = caps
        self.tol = tol
        self.memory = memory
        self._workers = workers
        workers.share(samples)
        n, k = len(samples), len(samples.of_class)
        self.inside = np.zeros((n, k), bool)
        self.inside[np.arange(n), samples.classes] = True
        self.floor = np.full((n, k), -np.inf, np.float32)
        self.pairs: list[Pair] = []
        self.log: list[Round] = []
        self.guessing = self.settled = False

    def solve(
        self,
        random_state: np.random.RandomState,
        projected: Projected | None = None,
        report: Callable[[Round], None] = lambda done: None,
        keep: Callable[[], None] = lambda: None,
    ) -> None:
        """Find the optimum; `pairs` holds it then, and `log` the rounds.

        Goes on where there are rounds already.

        Parameters
        ----------
        random_state : numpy.random.RandomState
            Draws the first sample, and who joins after a guess.
        projected : Projected, optional
            The samples, for guesses.
        report : callable
            Told of each round.
        keep : callable
            Called after each round but the last, when all that the next ones need is in the
            attributes.
        """
        start = time.perf_counter() - (self.log[-1].seconds if self.log else 0)
        self._workers.share(projected)
        if not self.log:
            self._draw(random_state)
            self.guessing = projected is not None
        while True:
            guessing = self.guessing
            moved = self._solve_pairs(HURRIED if guessing else MOST)
            if projected and not guessing:
                self._tighten(projected, moved)
            scanned = self._scan(projected if projected and guessing else self.samples)
            violators = self._below()
            found = int(np.count_nonzero(violators))
            self.settled |= found <= FEW * len(self.samples) or len(self.log) >= UNSETTLED
            working_set = _distinct([pair.members for pair in self.pairs])
            added = sum(
                self._grow(
                    pair, violators, random_state if guessing else None, leave=not self.settled
                )
                for pair in self.pairs
            )
            self.log.append(
                Round(
                    round=len(self.log) + 1,
                    exact=not guessing,
                    working_set=working_set,
                    support_vectors=_distinct([pair.support for pair in self.pairs]),
                    scanned=scanned,
                    violators=found,
                    added=added,
                    seconds=round(time.perf_counter() - start, 3),
                )
            )
            report(self.log[-1])
            if not (guessing or found):
                break
            if guessing and self.settled:
                self.guessing = False
                self.floor[:] = -np.inf
                for pair in self.pairs:
                    pair.stale |= pair.violation > self.tol
            keep()

    @property
    def violation(self) -> float:
        """The largest violation of any sample in any pair: an upper bound, outside the sets."""
        outside = 1 - float(np.where(self.inside, np.inf, self.floor).min())
        return max(outside, *(pair.violation for pair in self.pairs), 0.0)

    def _draw(self, random_state: np.random.RandomState) -> None:
        """The first working sets: of each class the same random samples for all its pairs."""
        drawn = []
        for mine in self.samples.of_class:
            n = mine.stop - mine.start
            size = min(n, max(FIRST_SAMPLES, int(FIRST_SHARE * n)))
            drawn.append(mine.start + np.sort(random_state.permutation(n)[:size]))
        for first, second in combinations(range(len(drawn)), 2):
            members = np.concatenate([drawn[first], drawn[second]])
            zeros = np.zeros(len(members))
            self.pairs.append(Pair(first, second, members, zeros, zeros.copy()))

    def _solve_pairs(self, most: int) -> list[Pair]:
        """Steps 1 and 2: solve every pair that has grown, and lower its floors."""
        stale = sorted((p for p in self.pairs if p.stale), key=lambda p: -len(p.members))
        share = self.memory // self._workers.concurrency_per_process
        # What does not fit beside others has all of the memory, alone.
        large = [
            pair
            for pair in stale
            if share < self.memory and gram_bytes(len(pair.members), self.samples.width) > share
        ]
        alone = [([pair], self.memory) for pair in large]
        for pairs, memory in [*alone, (stale[len(large) :], share)]:
            solutions = self._workers(self._task(pair, memory, most) for pair in pairs)
            for pair, solution in zip(pairs, solutions, strict=True):
                self._take(pair, solution)
        return stale

    def _task(self, pair: Pair, memory: int, most: int) -> Any:
        signs = np.where(self.samples.classes[pair.members] == pair.first, 1.0, -1.0)
        return delayed(_solve)(
            self.samples,
            pair.members,
            signs,
            self.caps[pair.members],
            pair.coef,
            tol=TIGHTER * self.tol,
            memory=memory,
            most=most,
        )

    def _take(self, pair: Pair, solution: PairSolution) -> None:
        pair.step, pair.shift = solution.coef - pair.coef, solution.bias - pair.bias
        pair.coef, pair.bias, pair.margins = solution.coef, solution.bias, solution.margins
        pair.violation, pair.change = solution.violation, solution.change
        pair.iterations += solution.iterations
        pair.stale = False
        for own in (pair.first, pair.second):
            mine = self.samples.of_class[own]
            self.floor[mine, pair.other(own)] -= self._bound(pair, mine)
        opponents = pair.other(self.samples.classes[pair.members])
        self.inside[pair.members, opponents] = True
        self.floor[pair.members, opponents] = solution.margins

    def _bound(self, pair: Pair, mine: slice | IntArray) -> FloatArray | float:
        """How far the last solution of a pair can have moved some margins."""
        if self.samples.lengths is None:
            return np.inf
        return np.asarray(self.samples.lengths[mine] * pair.change + abs(pair.shift))

    def _below(self) -> BoolArray:
        """Outside the working sets, where the floor does not prove the margin to be enough."""
        return ~(self.inside | (self.floor >= 1 - self.tol))

    def _scan(self, rows: Projected | Samples) -> int:
        """Step 3: margins wherever the floor is too low; the number of samples looked at."""
        wanted = self._below()
        plan = self._plan(wanted, self.pairs, _decision)
        scan(self._workers, rows, plan, self.floor, self.memory // 4)
        return int(np.count_nonzero(wanted.any(axis=1)))

    def _tighten(self, projected: Projected, moved: list[Pair]) -> None:
        """Step 2 once more, where its floors are too low: most of a move can be computed.

        |y (f' - f)(x) - y (f' - f)~(x)| <= ||w' - w|| ||phi(x) - phi~(x)||, where the tilde is for
        what `Projected` gives, at a fraction of the cost of the margin.
        """
        wanted = self._below() & np.isfinite(self.floor)
        moves = np.zeros_like(self.floor)
        plan = self._plan(wanted, moved, _step)
        scan(self._workers, projected, plan, moves, self.memory // 4)
        for pair in moved:
            for own in (pair.first, pair.second):
                mine = self._where(wanted, pair, own)
                at = mine, pair.other(own)
                uncertain = projected.gap[mine] * pair.change
                self.floor[at] += self._bound(pair, mine) + moves[at] - uncertain

    def _plan(
        self, wanted: BoolArray, pairs: list[Pair], terms: Callable[[Pair], tuple[Any, ...]]
    ) -> list[Expansion]:
        plan = []
        for own, mine in enumerate(self.samples.of_class):
            duels = {
                pair.other(own): self._duel(pair, own, *terms(pair))
                for pair in pairs
                if own in (pair.first, pair.second)
            }
            if duels:
                plan += expansions(duels, wanted[mine], mine.start)
        return plan

    def _where(self, flags: BoolArray, pair: Pair, own: int) -> IntArray:
        """Samples of one class of a pair whose flag for that pair is set."""
        mine = self.samples.of_class[own]
        return np.asarray(mine.start + np.flatnonzero(flags[mine, pair.other(own)]))

    def _duel(self, pair: Pair, own: int, coef: Float64Array, bias: float) -> Duel:
        has = coef != 0
        members, coef = pair.members[has], coef[has]
        sign = 1 if own == pair.first else -1
        mine = self.samples.classes[members] == own
        return Duel(
            members[mine], sign * coef[mine], members[~mine], sign * coef[~mine], sign * bias
        )

    def _grow(
        self,
        pair: Pair,
        violators: BoolArray,
        random_state: np.random.RandomState | None,
        *,
        leave: bool,
    ) -> int:
        """Step 4: drawn violators, or the worst, join a pair; satisfied samples may leave."""
        first, second = (self._where(violators, pair, own) for own in (pair.first, pair.second))
        floors = np.concatenate([self.floor[first, pair.second], self.floor[second, pair.first]])
        joining = np.concatenate([first, second])
        growth = max(GROWTH, 2 * len(pair.support))
        if len(joining) > growth:
            ranks = random_state.permutation(len(joining)) if random_state else floors.argsort()
            joining = joining[ranks[:growth]]
        stay = np.full(len(pair.members), True)
        if leave:
            stay = (pair.coef != 0) | (pair.margins < 1 + BAND)
            left = pair.members[~stay]
            self.inside[left, pair.other(self.samples.classes[left])] = False
        members = np.concatenate([pair.members[stay], joining])
        order = np.argsort(members)
        none = np.zeros(len(joining))
        pair.members = members[order]
        pair.coef = np.concatenate([pair.coef[stay], none])[order]
        pair.margins = np.concatenate([pair.margins[stay], none])[order]
        pair.stale = len(joining) > 0
        return len(joining)


def _solve(samples: Samples, members: IntArray, *terms: Any, **named: Any) -> PairSolution:
    return solve_pair(samples.kernel, samples.points(members), *terms, **named)


def _decision(pair: Pair) -> tuple[Float64Array, float]:
    return pair.coef, pair.bias


def _step(pair: Pair) -> tuple[Float64Array, float]:
    return pair.step, pair.shift


def _distinct(indices: list[IntArray]) -> int:
    return len(np.unique(np.concatenate(indices)))
