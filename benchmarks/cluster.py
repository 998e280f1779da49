"""Fits and predictions on a Dask cluster of 0 to 3 workers, and what 32 nodes would take, on paper.

    pip install -e '.[dask]'
    python -m benchmarks.cluster
    python -m benchmarks.cluster --copies 3 --limit 3000      a trial; writes no tables

Scheduler and workers are processes of this machine, and more workers than cores share them: the
table tells what a cluster costs, not what it gains. What it could gain is reckoned from the costs
of its parts, measured here with a single thread. Points are the gradient features of MNIST and of
16 changed copies of each image. Writes ``benchmarks/cluster.md``; takes about fifteen minutes.
"""

from __future__ import annotations

import argparse
import os
import pickle
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
from distributed import Client, LocalCluster, get_task_stream
from joblib import delayed

import mnist_svm.svm._solver.scan as scan
import mnist_svm.svm._solver.working_set as working_set
from mnist_svm import RECIPES, Recognizer, load_dataset
from mnist_svm.parallel.dask_cluster import Cluster, connect
from mnist_svm.parallel.workers import workers_for
from mnist_svm.svm.coupled import CoupledSVC
from mnist_svm.training.augmented import AugmentedTraining

HERE = Path(__file__).parent
COPIES = 16
WORKERS = (1, 2, 3)

# Copies of each image in the fits of the table, and images that are read.
FEW_COPIES = 3
IMAGES = 500_000

# When a worker is killed: after so many seconds of work.
KILLED_AFTER = 8

# On paper.
POINTS = 8_000_000
NODES, CORES = 32, 16
NETWORK = 1.25e9  # bytes a second: ten gigabits


@dataclass(frozen=True)
class Costs:
    """What a fit took with one thread, in seconds.

    Attributes
    ----------
    points, vectors : of the fit, and support vectors that it found.
    begin : before the first round: ranges, norms, projection.
    solve, longest : in pair solves; of these, in the longest of each round.
    guess, scan : in scans of projected points, and of points.
    rest : between tasks, which is done by one whoever works.
    samples, projected : bytes brought to each worker.
    tasks : that a cluster would be given.
    """

    points: int
    vectors: int
    begin: float
    solve: float
    longest: float
    guess: float
    scan: float
    rest: float
    samples: int
    projected: int
    tasks: int


def main() -> None:
    """Measure, print and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--copies", type=int, default=COPIES)
    parser.add_argument("--limit", type=int, help="of MNIST's images, and as many to read")
    given = parser.parse_args()
    train = load_dataset("mnist", split="train")
    n = given.limit or len(train.labels)
    with tempfile.TemporaryDirectory(dir=HERE) as folder:
        training = AugmentedTraining(
            RECIPES["gradient"], train, Path(folder) / "work", copies=given.copies, limit=n
        )
        with training:
            training.make_features()
            X, y = training._file.mapped(), np.tile(training._y, 1 + given.copies)
            table, one_worker = _table(X, y, (1 + FEW_COPIES) * n, given.limit or IMAGES)
            print("\n".join(table), flush=True)
            sizes = sorted({n, (1 + FEW_COPIES) * n, len(X)})
            costs = [_costs(X[:size], y[:size]) for size in sizes]
            paper = _paper(costs, one_worker, *_dealing())
            print("\n".join(paper))
    if given.limit is None:
        what = f"Recipe `gradient` on {os.cpu_count()} cores, by `python -m benchmarks.cluster`."
        (HERE / "cluster.md").write_text("\n".join([what, "", *table, "", *paper, ""]))


def _machine() -> CoupledSVC:
    """As `mnist-svm train --virtual-copies` fits it."""
    machine: CoupledSVC = RECIPES["gradient"].pipeline(calibrate=False)[-1]
    return machine.set_params(working_memory=2048)


@contextmanager
def _cluster(workers: int) -> Iterator[LocalCluster | None]:
    if not workers:
        yield None
        return
    with LocalCluster(
        n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None
    ) as cluster:
        yield cluster


def _table(X: np.ndarray, y: np.ndarray, points: int, images: int) -> tuple[list[str], float]:
    """A row for each number of workers; and the seconds that one of them takes for a fit."""
    one_worker = 0.0
    recognizer = Recognizer.load()
    pictures = np.resize(load_dataset("mnist", split="test").images, (images, 28, 28))
    works: dict[str, Callable[[], Any]] = {
        "fit": lambda: _bits(_machine().fit(X[:points], y[:points])),
        "predict": lambda: recognizer.classify(pictures).confidences.tobytes(),
    }
    own = {name: _timed(work) for name, work in works.items()}
    rows = [_row("threads of one process", own, own, {})]
    print(rows[-1], flush=True)
    for workers, killed in [*((workers, False) for workers in WORKERS), (WORKERS[-1], True)]:
        with _cluster(workers) as cluster:
            done, share = {}, {}
            for name, work in works.items():
                with connect(cluster.scheduler_address), Client(cluster) as client:
                    # Workers import what they need once, which is no part of the work.
                    client.run(_warm)
                    thread = Thread(target=_kill_one, args=(client,)) if killed else None
                    if thread:
                        thread.start()
                    with get_task_stream(client) as stream:
                        done[name] = _timed(work)
                    if thread:
                        thread.join()
                    share[name] = Counter(task["worker"] for task in stream.data)
            if workers == 1:
                one_worker, _ = done["fit"]
            name = f"{workers} worker{'s' * (workers > 1)}{', one killed' * killed}"
            rows.append(_row(name, done, own, share))
            print(rows[-1], flush=True)
    columns = ["", f"fit {points:,} points", "same model", f"read {images:,} images"]
    columns += ["same answers", "images/s", "tasks of predict by worker"]
    return [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}", *rows], one_worker


def _row(name: str, done: dict, own: dict, share: dict) -> str:
    (fit, model), (predict, answers) = done["fit"], done["predict"]
    images = len(answers) // 80
    cells = [
        name,
        f"{fit:.1f} s",
        "" if done is own else ("to the bit" if model == own["fit"][1] else "NO"),
        f"{predict:.1f} s",
        "" if done is own else ("to the bit" if answers == own["predict"][1] else "NO"),
        f"{images / predict:,.0f}",
        ", ".join(str(tasks) for tasks in sorted(share.get("predict", {}).values())),
    ]
    return f"| {' | '.join(cells)} |"


def _warm() -> None:
    Recognizer.load().prepare()


def _kill_one(client: Client) -> None:
    time.sleep(KILLED_AFTER)
    pid = next(iter(client.run(os.getpid).values()))
    os.kill(pid, signal.SIGKILL)


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def _bits(fitted: CoupledSVC) -> bytes:
    learned = fitted.support_, fitted.dual_coef_, fitted.intercept_
    return b"".join(array.tobytes() for array in learned)


class _Clock:
    """Counts what a fit does while it does it."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self.longest = self.round_longest = 0.0
        self.tasks = self.samples = self.projected = 0

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Put itself between the solver and its tasks."""
        solver = working_set.WorkingSetSolver
        solve, partial, solve_all = working_set._solve, scan._partial, solver.solve

        def solved(*args: Any, **named: Any) -> Any:
            seconds, solution = _timed(lambda: solve(*args, **named))
            self.seconds["solve"] += seconds
            self.round_longest = max(self.round_longest, seconds)
            return solution

        def scanned(rows: Any, *args: Any) -> Any:
            seconds, part = _timed(lambda: partial(rows, *args))
            self.seconds["guess" if type(rows).__name__ == "Projected" else "scan"] += seconds
            return part

        def solved_all(
            watched: Any, random_state: Any, projected: Any, report: Any, keep: Any
        ) -> None:
            self.seconds["begin"] = time.perf_counter() - self.start
            self.samples = len(pickle.dumps(watched.samples, 5))
            self.projected = len(pickle.dumps(projected, 5))
            begin = time.perf_counter()

            def after_round(done: Any) -> None:
                self.longest += self.round_longest
                self.round_longest = 0.0
                self.tasks += len(watched.pairs) + done.scanned // (
                    Cluster.blocks_per_task * scan.ROWS
                )
                report(done)

            solve_all(watched, random_state, projected, after_round, keep)
            self.seconds["rounds"] = time.perf_counter() - begin

        self.start = time.perf_counter()
        working_set._solve, scan._partial, solver.solve = solved, scanned, solved_all
        try:
            yield
        finally:
            working_set._solve, scan._partial, solver.solve = solve, partial, solve_all


def _costs(X: np.ndarray, y: np.ndarray) -> Costs:
    """Fit with one thread, and tell where the time went."""
    clock = _Clock()
    with clock.watching():
        fitted = _machine().set_params(n_jobs=1).fit(X, y)
    seconds = clock.seconds
    tasks = seconds["solve"] + seconds["guess"] + seconds["scan"]
    costs = Costs(
        points=len(X),
        vectors=len(fitted.support_),
        begin=seconds["begin"],
        solve=seconds["solve"],
        longest=clock.longest,
        guess=seconds["guess"],
        scan=seconds["scan"],
        rest=seconds["rounds"] - tasks,
        samples=clock.samples,
        projected=clock.projected,
        tasks=clock.tasks,
    )
    print(costs, flush=True)
    return costs


def _dealing() -> tuple[float, float]:
    """What it costs to deal out a task and take in its answer, and bytes a second to a worker.

    Client and scheduler are one process here, whose processor time it is; the worker only waits,
    long enough for joblib to send each task alone.
    """
    tasks, large = 200, np.zeros(1 << 29, np.uint8)
    with (
        LocalCluster(n_workers=1, threads_per_worker=50, dashboard_address=None) as cluster,
        connect(cluster.scheduler_address),
        workers_for(1) as workers,
    ):
        list(workers(delayed(time.sleep)(0.3) for _ in range(100)))
        before = time.process_time()
        list(workers(delayed(time.sleep)(0.3) for _ in range(tasks)))
        dealt = time.process_time() - before
        sent, _ = _timed(lambda: workers.share(large))
    # From the client to the scheduler, and from there to the worker.
    return dealt / tasks, 2 * len(large) / sent


def _paper(costs: list[Costs], one_worker: float, a_task: float, rate: float) -> list[str]:
    """The costs, and what they make of many points on many nodes."""
    fewer, most = costs[-2:]
    growth = np.log(POINTS / most.points) / np.log(most.points / fewer.points)

    def grown(name: str) -> float:
        """By the power law of the two largest fits."""
        low, high = getattr(fewer, name), getattr(most, name)
        return float(high * (high / low) ** growth) if low else 0.0

    scale = POINTS / most.points
    cores = NODES * CORES
    # By way of the scheduler to one node, then down a tree of nodes that hand on what they have.
    hops, slowest = 2 + np.ceil(np.log2(NODES)), min(NETWORK, rate)
    sent = (most.samples + most.projected) * scale * hops / slowest
    parts = {
        "before the first round, one process of 16 cores": most.begin * scale / CORES,
        f"points and projections to {NODES} nodes, {hops:.0f} hops": sent,
        f"scans of guesses, on {cores} cores": grown("guess") / cores,
        f"exact scans, on {cores} cores": grown("scan") / cores,
        "the longest pair solve of each round": grown("longest"),
        "dealing out tasks": most.tasks * scale * a_task,
        "between tasks, one core": most.rest * scale,
    }
    total = sum(parts.values())
    one = sum(grown(name) for name in ("guess", "scan", "solve")) + (most.begin + most.rest) * scale
    head = ["points", "support vectors", "before", "pair solves", "longest of each round"]
    head += ["guesses", "scans", "between tasks", "to each worker", "tasks"]
    rows = [
        f"| {c.points:,} | {c.vectors:,} | {c.begin:.1f} s | {c.solve:.1f} s | {c.longest:.1f} s "
        f"| {c.guess:.1f} s | {c.scan:.1f} s | {c.rest:.1f} s "
        f"| {(c.samples + c.projected) / 1e6:,.0f} MB | {c.tasks:,} |"
        for c in costs
    ]
    here = fewer.begin + fewer.solve + fewer.guess + fewer.scan + fewer.rest
    here += fewer.tasks * a_task + 2 * (fewer.samples + fewer.projected) / rate
    vectors = grown("vectors")
    told = (
        f"By the same reckoning one worker here takes {here:.1f} s for {fewer.points:,} points; it "
        f"took {one_worker:.1f} s. On paper there are about {vectors:,.0f} support vectors, "
        f"and one core would take {one:,.0f} s. Solves, scans and support vectors are continued by "
        "the power law between the two largest fits, what is done for each point in proportion."
    )
    return [
        (
            f"Costs, with one thread. Dealing out a task takes {1000 * a_task:.1f} ms, and "
            f"a gigabyte takes {1e9 / rate:.1f} s from one process to another:"
        ),
        "",
        f"| {' | '.join(head)} |",
        f"|{'---|' * len(head)}",
        *rows,
        "",
        (
            f"On paper, {POINTS:,} points on {NODES} nodes of {CORES} cores, each as fast as one "
            "here, in a network of 10 Gbit/s:"
        ),
        "",
        "| part | seconds |",
        "|---|---|",
        *(f"| {name} | {seconds:,.0f} |" for name, seconds in parts.items()),
        f"| all | {total:,.0f} |",
        "",
        told,
    ]


if __name__ == "__main__":
    main()
