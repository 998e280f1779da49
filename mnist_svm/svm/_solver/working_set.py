"""The exact solver: two-class problems on small working sets, and a proof for all other samples.

One-vs-one: every pair of classes (a, b) is a two-class problem over all samples of a and b. Most of
them do not matter: their margin exceeds 1, and their alpha is 0. So each pair has a *working set*,
and the solver runs rounds of four steps:

1. **Solve** each pair on its working set (`mnist_svm.svm._solver.pair`).
2. **Bound.** When a pair's solution changes from (w, b) to (w', b'), a margin changes by at most

       |y f'(x) - y f(x)| <= ||w' - w|| ||phi(x)|| + |b' - b|,    ||phi(x)||**2 = k(x, x),

   by the Cauchy-Schwarz inequality. A lower bound of a margin, decreased by that much, is still a
   lower bound. Where it gets too low, most of the change is computed on projected samples, and
   the inequality covers only the rest.
3. **Scan.** Where the lower bound is below 1 - tol / 2 and the sample is outside the working set,
   compute the margin, which becomes the bound.
4. **Grow.** Samples that are still below 1 - tol / 2 violate the optimality conditions of the whole
   problem; some of each pair join its working set. If there are none, the solution on the working
   sets is the solution of the whole problem, to tol.

The first working sets are random samples. Pairs whose first solution tells that they will have many
support vectors (`mnist_svm.svm._solver.first_look`) are then solved on all of their samples, which
leaves nothing to scan. In the others, most violators are satisfied once some of them have
joined. So while there are many violators, satisfied samples leave again, and scans are approximate:
they use projected samples (`mnist_svm.svm._solver.factors.ProjectedSamples`), at a fraction of the
cost, and leave most samples out, because bounds are lowered only by what some random samples lose.
In these rounds random violators join, because the worst ones are too much alike. Then the lower
bounds are reset, and all further rounds are exact: the worst violators join, and no sample leaves,
so that the rounds end.

A sample of class c matters only to the pairs (c, o). So a scan of class c needs only the support
vectors of those pairs: a third of all, for MNIST.

References
----------
E. Osuna, R. Freund, F. Girosi, "Training support vector machines: an application to face
detection", CVPR 1997: decomposition, and why adding violators converges.
C.-C. Chang, C.-J. Lin, "LIBSVM: a library for support vector machines", ACM TIST 2 (2011): the
solver of step 1 and its stopping condition (equation 10).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from mnist_svm._types import BoolArray, Float32Array, Float64Array, FloatArray, IntArray
from mnist_svm.parallel.threads import Workers, delayed
from mnist_svm.svm._solver.factors import KernelFactors, ProjectedSamples, exact_factors
from mnist_svm.svm._solver.first_look import expected_share, has_many_support_vectors
from mnist_svm.svm._solver.optimum import gram_bytes
from mnist_svm.svm._solver.pair import (
    Pair,
    PairSolution,
    is_solved_at_once,
    kernel_rows,
    solve_pair,
)
from mnist_svm.svm._solver.problem import Limits
from mnist_svm.svm._solver.samples import Samples
from mnist_svm.svm._solver.scan import plan_scan, scan

# Size of the first working sets: samples of each class, and share of each class; the larger one.
MIN_FIRST_SAMPLES = 300
FIRST_SHARE = 0.005

# In a round, a pair's working set grows by at most this number of samples, or twice its number of
# support vectors if that is larger.
MIN_GROWTH = 500

# Approximate rounds end, and working sets only grow, once there are at most so many violators, or
# this share of the number of support vectors, or after this many rounds.
FEW_VIOLATORS = 500
FEW_VIOLATORS_SHARE = 0.5
MAX_SHRINKING_ROUNDS = 8

# In approximate rounds, margins are assumed to decrease by no more than those of all but this share
# of some random samples of the class.
SAMPLES_FOR_GUESS = 512
SHARE_LOST = 0.01

# Blocks of a large pair in an approximate round.
MAX_BLOCKS_APPROXIMATE = 20

# Working sets are solved to this fraction of tol, which costs little more than tol itself. Pairs on
# all samples, and margins outside working sets, leave room for the rounding of float32 kernel
# values: tol bounds the violation of any two samples together, as in libsvm.
TOL_FRACTION = 0.1
WHOLE_TOL_FRACTION = 0.5
MARGIN_FRACTION = 0.5

# Samples of alpha 0 whose margin exceeds 1 by less than this stay in the working set.
MARGIN_BAND = 0.1


@dataclass(frozen=True)
class Round:
    """Statistics of one round.

    Attributes
    ----------
    round : number, from 1.
    exact : False if the scan was approximate.
    working_set : distinct samples in the working sets.
    support_vectors : distinct samples with a nonzero coefficient.
    scanned : samples whose margins were computed.
    violators : samples below 1 - tol / 2, counted once for each pair.
    added : violators that joined a working set.
    seconds : from the start of the fit to the end of the round.
    scan_seconds : of the round's steps 2 and 3; step 1 takes nearly all of the rest.
    decision : in the first round, which solver was chosen, by what estimate; else empty.
    """

    round: int
    exact: bool
    working_set: int
    support_vectors: int
    scanned: int
    violators: int
    added: int
    seconds: float
    scan_seconds: float = 0.0
    decision: str = ""

    def __str__(self) -> str:
        about = "" if self.exact else "about "
        decision = f" ({self.decision})" if self.decision else ""
        return (
            f"round {self.round}: working set {self.working_set:,}, "
            f"{about}{self.violators:,} violators left{decision}"
        )


class WorkingSetSolver:
    """Solve all pairs of classes to the optimum; see the module docstring.

    Parameters
    ----------
    samples : with at least one of each class.
    box : float64 ndarray of shape (n,), C_i of each sample, positive.
    memory : bytes for Gram matrices; scans take a quarter of it.
    use_numba : whether to use compiled loops.
    max_iter : of each pair in a round, or -1.

    Attributes
    ----------
    pairs : list of Pair
    log : list of Round
    in_working_set : bool ndarray of shape (n, k), whether a sample is in the working set of its
        class and another; True for its own class.
    margin_bounds : float32 ndarray of shape (n, k), lower bounds of a sample's margin against each
        other class.
    approximate : whether scans are approximate.
    solver : "working_sets"; "blocks", if all pairs are solved on all samples; or "auto", if those
        are that will have many support vectors.
    grow_only : whether samples no longer leave the working sets. A round starts in one of three
        states: approximate, exact with leaving samples, exact and growing only.
    """

    def __init__(
        self,
        samples: Samples,
        box: Float64Array,
        *,
        tol: float,
        workers: Workers,
        memory: int,
        use_numba: bool,
        max_iter: int = -1,
        solver: str = "auto",
    ) -> None:
        self.samples = samples
        self.box = box
        self.tol = tol
        self.memory = memory
        self.use_numba = use_numba
        self.max_iter = max_iter
        self.solver = solver
        self._workers = workers
        self._exact_factors = exact_factors(samples)
        workers.share(samples)
        n, k = len(samples), len(samples.class_slices)
        self.pairs: list[Pair] = []
        self.log: list[Round] = []
        self.in_working_set: BoolArray = np.zeros((n, k), bool)
        self.in_working_set[np.arange(n), samples.classes] = True
        self.margin_bounds: Float32Array = np.full((n, k), -np.inf, np.float32)
        self.approximate = self.grow_only = False
        self._is_decided = False

    def change_box(self, box: Float64Array) -> None:
        """Continue with bounds that are all larger by one factor: `solve` starts from here."""
        for pair in self.pairs:
            members = pair.members
            pair.raise_box(self.box[members], box[members], self._signs(pair))
            self._lower_bounds(pair)
            share = len(pair.support) / len(members)
            many = has_many_support_vectors(share, len(members))
            if pair.is_whole and self.solver == "auto" and not many:
                pair.is_whole = False
                self._drop_satisfied(pair)
        self.box, self.log, self.grow_only = box, [], False

    def solve(
        self,
        random_state: np.random.RandomState,
        projected: ProjectedSamples | None = None,
        report: Callable[[Round], None] = lambda entry: None,
        save: Callable[[], None] = lambda: None,
    ) -> None:
        """Find the optimum, and store it in `pairs`; continue after the last round of `log`.

        `projected` are the samples for approximate rounds, if any. `report` is called with each
        `Round`, and `save` after each round but the last, when the state is complete.
        """
        start = time.perf_counter() - (self.log[-1].seconds if self.log else 0)
        self._workers.share(projected)
        self._is_decided |= bool(self.log)
        if not self.pairs:
            self._draw_working_sets(random_state)
            self.approximate = projected is not None
        while True:
            self.log.append(self._run_round(random_state, projected, start))
            report(self.log[-1])
            if self.log[-1].exact and not self.log[-1].violators:
                break
            if self.approximate and self.grow_only:
                self._end_approximation()
            save()

    def _run_round(
        self, random_state: np.random.RandomState, projected: ProjectedSamples | None, start: float
    ) -> Round:
        max_blocks = MAX_BLOCKS_APPROXIMATE if self.approximate else None
        changed = self._solve_pairs(max_blocks)
        decision = ""
        if not self._is_decided:
            decision = self._decide()
            self._solve_pairs(max_blocks)
        scan_start = time.perf_counter()
        if projected and self.approximate:
            self._guess_bounds(projected, changed, random_state)
        elif projected:
            self._tighten_bounds(projected, changed)
        scanned = self._scan(projected if projected and self.approximate else self._exact_factors)
        scan_seconds = time.perf_counter() - scan_start
        violators = self._is_unproven()
        n_violators = int(np.count_nonzero(violators))
        n_support_vectors = _n_distinct([pair.support for pair in self.pairs])
        self.grow_only |= (
            n_violators <= max(FEW_VIOLATORS, FEW_VIOLATORS_SHARE * n_support_vectors)
            or len(self.log) >= MAX_SHRINKING_ROUNDS
        )
        working_set = _n_distinct([pair.members for pair in self.pairs])
        drawing = random_state if self.approximate else None
        added = sum(self._grow(pair, violators, drawing) for pair in self.pairs)
        return Round(
            round=len(self.log) + 1,
            exact=not self.approximate,
            working_set=working_set,
            support_vectors=n_support_vectors,
            scanned=scanned,
            violators=n_violators,
            added=added,
            seconds=round(time.perf_counter() - start, 3),
            scan_seconds=round(scan_seconds, 3),
            decision=decision,
        )

    def _end_approximation(self) -> None:
        """Forget bounds from approximate margins; solve again what was stopped early."""
        self.approximate = False
        self.margin_bounds[:] = -np.inf
        for pair in self.pairs:
            pair.stale |= pair.violation > self.tol

    @property
    def violation(self) -> float:
        """Upper bound of the largest violation of any sample in any pair."""
        lowest = np.where(self.in_working_set, np.inf, self.margin_bounds).min()
        return max(1 - float(lowest), *(pair.violation for pair in self.pairs), 0.0)

    def _draw_working_sets(self, random_state: np.random.RandomState) -> None:
        """Draw random samples of each class, the same for all its pairs."""
        drawn = []
        for samples in self.samples.class_slices:
            n = samples.stop - samples.start
            size = min(n, max(MIN_FIRST_SAMPLES, int(FIRST_SHARE * n)))
            drawn.append(samples.start + np.sort(random_state.permutation(n)[:size]))
        for first, second in combinations(range(len(drawn)), 2):
            members = np.concatenate([drawn[first], drawn[second]])
            zeros = np.zeros(len(members))
            self.pairs.append(Pair(first, second, members, zeros, zeros.copy()))

    def _decide(self) -> str:
        """Let all samples join the pairs that will have many support vectors; say which and why."""
        self._is_decided = True
        shares = []
        for pair in self.pairs:
            samples = [self.samples.class_slices[own] for own in (pair.first, pair.second)]
            members = np.concatenate([np.arange(s.start, s.stop) for s in samples])
            shares.append(expected_share(pair.coef, self.box[pair.members], len(members)))
            many = has_many_support_vectors(shares[-1], len(members))
            if self.solver == "blocks" or (self.solver == "auto" and many):
                pair.take_all(members)
        n_whole = sum(pair.is_whole for pair in self.pairs)
        return (
            f"{n_whole} of {len(self.pairs)} pairs on all samples; support vectors expected: "
            f"{min(shares):.0%} to {max(shares):.0%}"
        )

    def _solve_pairs(self, max_rounds: int | None) -> list[Pair]:
        """Steps 1 and 2: solve every stale pair, and lower its bounds; return these pairs."""
        stale = sorted((p for p in self.pairs if p.stale), key=lambda p: -len(p.members))
        share = self.memory // self._workers.concurrency_per_process
        # A pair that exceeds its share of the memory is solved alone, with all of it.
        large = [
            pair
            for pair in stale
            if share < self.memory and gram_bytes(len(pair.members), self.samples.n_columns) > share
        ]
        alone = [([pair], self.memory) for pair in large]
        for pairs, memory in [*alone, (stale[len(large) :], share)]:
            limits = Limits(self.tol, memory, self.use_numba, self.max_iter, max_rounds)
            for pair, solution in zip(pairs, self._solutions(pairs, limits), strict=True):
                self._store(pair, solution)
        return stale

    def _solutions(self, pairs: list[Pair], limits: Limits) -> Iterator[PairSolution]:
        """Solve some pairs: in parallel, or one whose kernel values are computed in parallel."""
        if len(pairs) == 1 and self._workers.local is self._workers:
            return iter([self._solve_alone(pairs[0], limits)])
        return self._workers(
            delayed(_solve)(self.samples, *self._problem(pair, limits), sums=pair.sums)
            for pair in pairs
        )

    def _problem(self, pair: Pair, limits: Limits) -> tuple[Any, ...]:
        if pair.is_whole:
            limits = limits._replace(tol=WHOLE_TOL_FRACTION * self.tol, max_rounds=None)
        else:
            limits = limits._replace(tol=TOL_FRACTION * self.tol)
        return pair.members, self._signs(pair), self.box[pair.members], pair.coef, limits

    def _solve_alone(self, pair: Pair, limits: Limits) -> PairSolution:
        """Solve a pair whose kernel rows are kept if it is the only one."""
        points = self.samples.points(pair.members)
        rows = pair.rows
        if rows is None and not is_solved_at_once(points, limits):
            rows = kernel_rows(self.samples.kernel, points, limits, self._workers)
        if len(self.pairs) == 1 and pair.is_whole:
            pair.rows = rows
        problem = self._problem(pair, limits)[1:]
        return solve_pair(self.samples.kernel, points, *problem, sums=pair.sums, rows=rows)

    def _signs(self, pair: Pair) -> Float64Array:
        return np.where(self.samples.classes[pair.members] == pair.first, 1.0, -1.0)

    def _store(self, pair: Pair, solution: PairSolution) -> None:
        pair.update(solution)
        if not self.approximate:
            self._lower_bounds(pair)
        opponents = pair.opponent(self.samples.classes[pair.members])
        self.in_working_set[pair.members, opponents] = True
        self.margin_bounds[pair.members, opponents] = solution.margins

    def _lower_bounds(self, pair: Pair) -> None:
        """Step 2: lower the bounds of a pair by the largest possible change of a margin."""
        for own in (pair.first, pair.second):
            samples = self.samples.class_slices[own]
            self.margin_bounds[samples, pair.opponent(own)] -= self._max_change(pair, samples)

    def _max_change(self, pair: Pair, samples: slice | IntArray) -> FloatArray | float:
        """Upper bound of the change of margins by the last solution of a pair."""
        if self.samples.feature_norms is None:
            return np.inf
        norms = self.samples.feature_norms[samples]
        return np.asarray(norms * pair.weight_change + abs(pair.bias_change))

    def _is_unproven(self) -> BoolArray:
        """Where a sample is outside the working set and its margin bound is too far below 1."""
        lowest = 1 - MARGIN_FRACTION * self.tol
        return ~(self.in_working_set | (self.margin_bounds >= lowest))

    def _scan(self, factors: KernelFactors) -> int:
        """Step 3: compute the margins that are not proven; return the number of samples."""
        wanted = self._is_unproven()
        expansions = ((pair, pair.coef, pair.bias) for pair in self.pairs)
        plan = plan_scan(self.samples, wanted, expansions)
        scan(self._workers, self.samples, factors, plan, self.margin_bounds, self.memory // 4)
        return int(np.count_nonzero(wanted.any(axis=1)))

    def _guess_bounds(
        self, projected: ProjectedSamples, changed: list[Pair], random_state: np.random.RandomState
    ) -> None:
        """Step 2 in approximate rounds: lower bounds by what random samples of the class lose."""
        drawn = np.zeros_like(self.in_working_set)
        for samples in self.samples.class_slices:
            n = samples.stop - samples.start
            size = min(n, SAMPLES_FOR_GUESS)
            drawn[samples.start + random_state.choice(n, size, replace=False)] = True
        changes = self._changes(projected, changed, drawn)
        for pair in changed:
            for own in (pair.first, pair.second):
                opponent = pair.opponent(own)
                of_drawn = changes[self._samples_where(drawn, pair, own), opponent]
                change = min(float(np.quantile(of_drawn, SHARE_LOST)), 0)
                self.margin_bounds[self.samples.class_slices[own], opponent] += change

    def _tighten_bounds(self, projected: ProjectedSamples, changed: list[Pair]) -> None:
        """Step 2 again, where bounds are too low: compute most of the change of the margins.

        |y (f' - f)(x) - y (f' - f)~(x)| <= ||w' - w|| ||phi(x) - psi(x)||, where ~ marks values
        on `ProjectedSamples`, which cost a fraction of exact ones.
        """
        wanted = self._is_unproven() & np.isfinite(self.margin_bounds)
        changes = self._changes(projected, changed, wanted)
        for pair in changed:
            for own in (pair.first, pair.second):
                samples = self._samples_where(wanted, pair, own)
                index = samples, pair.opponent(own)
                certain = self._max_change(pair, samples) + changes[index]
                uncertain = projected.residual_norms[samples] * pair.weight_change
                self.margin_bounds[index] += certain - uncertain

    def _changes(
        self, projected: ProjectedSamples, changed: list[Pair], wanted: BoolArray
    ) -> Float32Array:
        """How much margins change by the last solutions of some pairs, where wanted."""
        changes = np.zeros_like(self.margin_bounds)
        expansions = ((pair, pair.coef_change, pair.bias_change) for pair in changed)
        plan = plan_scan(self.samples, wanted, expansions)
        scan(self._workers, self.samples, projected, plan, changes, self.memory // 4)
        return changes

    def _samples_where(self, flags: BoolArray, pair: Pair, own: int) -> IntArray:
        """Samples of one class of a pair whose flag for that pair is set."""
        samples = self.samples.class_slices[own]
        return np.asarray(samples.start + np.flatnonzero(flags[samples, pair.opponent(own)]))

    def _grow(
        self, pair: Pair, violators: BoolArray, random_state: np.random.RandomState | None
    ) -> int:
        """Step 4: add random violators, or the worst; drop satisfied samples; return the growth."""
        if pair.is_whole:
            return 0
        classes = pair.first, pair.second
        joining = np.concatenate([self._samples_where(violators, pair, own) for own in classes])
        bounds = self.margin_bounds[joining, pair.opponent(self.samples.classes[joining])]
        growth = max(MIN_GROWTH, 2 * len(pair.support))
        if len(joining) > growth:
            ranks = random_state.permutation(len(joining)) if random_state else bounds.argsort()
            joining = joining[ranks[:growth]]
        if not self.grow_only:
            self._drop_satisfied(pair)
        members = np.concatenate([pair.members, joining])
        order = np.argsort(members)
        zeros = np.zeros(len(joining))
        pair.members = members[order]
        pair.coef = np.concatenate([pair.coef, zeros])[order]
        pair.margins = np.concatenate([pair.margins, zeros])[order]
        pair.stale = len(joining) > 0
        return len(joining)

    def _drop_satisfied(self, pair: Pair) -> None:
        staying = (pair.coef != 0) | (pair.margins < 1 + MARGIN_BAND)
        leaving = pair.members[~staying]
        self.in_working_set[leaving, pair.opponent(self.samples.classes[leaving])] = False
        pair.members, pair.coef = pair.members[staying], pair.coef[staying]
        pair.margins, pair.rows = pair.margins[staying], None
        if pair.sums is not None:
            pair.sums = pair.sums[staying]


def _solve(samples: Samples, members: IntArray, *args: Any, **kwargs: Any) -> PairSolution:
    return solve_pair(samples.kernel, samples.points(members), *args, **kwargs)


def _n_distinct(indices: list[IntArray]) -> int:
    return len(np.unique(np.concatenate(indices)))
