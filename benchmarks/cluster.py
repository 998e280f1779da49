"""Fits and predictions on a Dask cluster of 0 to 3 workers, and an estimate for 32 nodes.

    pip install -e '.[dask]'
    python -m benchmarks.cluster
    python -m benchmarks.cluster --copies 3 --limit 3000      a quick test; writes no tables

Scheduler and workers run on this computer and share its cores, so the table shows the overhead of
a cluster, not its gain. The gain is estimated from the costs of the parts of a fit, measured here
with one thread. Points are the gradient features of MNIST and of 16 virtual copies of each image.
Writes ``benchmarks/cluster.md``; takes about fifteen minutes.
"""

from __future__ import annotations

import argparse
import os
import pickle
import signal
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
from mnist_svm import RECIPES, Dataset, Recognizer, load_dataset
from mnist_svm.parallel.dask_cluster import Cluster, connect
from mnist_svm.parallel.threads import threads
from mnist_svm.parallel.workers import workers_for
from mnist_svm.svm._solver.factors import ProjectedSamples
from mnist_svm.svm.coupled import CoupledSVC
from mnist_svm.training.augmented import DISTORTIONS, AugmentedSamples
from mnist_svm.training.train import select_rows

HERE = Path(__file__).parent
COPIES = 16
WORKERS = (1, 2, 3)

# Copies of each image in the fits of the table, and number of images to classify.
COPIES_IN_TABLE = 3
IMAGES = 500_000

# Seconds of work after which a worker is killed.
KILL_AFTER_SECONDS = 8

# Of the estimate: points, nodes, cores per node, and bytes per second (10 Gbit/s).
POINTS = 8_000_000
NODES, CORES = 32, 16
NETWORK = 1.25e9


@dataclass(frozen=True)
class Costs:
    """Costs of a fit with one thread; times in seconds.

    Attributes
    ----------
    points, vectors : number of points and of support vectors.
    begin : before the first round: column statistics, norms, projection.
    solve, longest : in pair solves; in the longest solve of each round.
    approximate_scan, exact_scan : in scans of projected points, and of points.
    rest : between tasks, which is serial on any cluster.
    samples, projected : bytes sent to each worker.
    tasks : number of tasks on a cluster.
    """

    points: int
    vectors: int
    begin: float
    solve: float
    longest: float
    approximate_scan: float
    exact_scan: float
    rest: float
    samples: int
    projected: int
    tasks: int


def main() -> None:
    """Measure, print and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--copies", type=int, default=COPIES)
    parser.add_argument("--limit", type=int, help="number of images to train on, and to classify")
    arguments = parser.parse_args()
    train = load_dataset("mnist", split="train")
    n = arguments.limit or len(train.labels)
    X, y = _augmented_features(train, n, arguments.copies)
    table, one_worker = _table(X, y, (1 + COPIES_IN_TABLE) * n, arguments.limit or IMAGES)
    print("\n".join(table), flush=True)
    sizes = sorted({n, (1 + COPIES_IN_TABLE) * n, len(X)})
    costs = [_costs(X[:size], y[:size]) for size in sizes]
    estimate = _estimate(costs, one_worker, *_scheduling_costs())
    print("\n".join(estimate))
    if arguments.limit is None:
        title = f"Recipe `gradient` on {os.cpu_count()} cores, by `python -m benchmarks.cluster`."
        (HERE / "cluster.md").write_text("\n".join([title, "", *table, "", *estimate, ""]))


def _augmented_features(train: Dataset, n: int, copies: int) -> tuple[np.ndarray, np.ndarray]:
    """Features and labels of n images and of virtual copies of each."""
    rows = select_rows(train, n, 0)
    X, y = train.X[rows], train.labels[rows]
    transformers = RECIPES["gradient"].pipeline(calibrate=False)[:-1].fit(X)
    samples = AugmentedSamples(X, y, copies, DISTORTIONS["gradient"], transformers, 0)
    with threads(-1) as workers:
        parts = list(workers(delayed(samples.features)(shard) for shard in samples.shards()))
    return np.concatenate(parts), samples.repeat(y)


def _svc() -> CoupledSVC:
    """The SVM that `mnist-svm train --virtual-copies` fits."""
    svc: CoupledSVC = RECIPES["gradient"].pipeline(calibrate=False)[-1]
    return svc.set_params(cache_size=2048)


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
    """A row for each number of workers, and the seconds of a fit by one worker."""
    one_worker = 0.0
    recognizer = Recognizer.load()
    pictures = np.resize(load_dataset("mnist", split="test").images, (images, 28, 28))
    jobs: dict[str, Callable[[], Any]] = {
        "fit": lambda: _bits(_svc().fit(X[:points], y[:points])),
        "predict": lambda: recognizer.classify(pictures).probabilities.tobytes(),
    }
    local = {name: _timed(job) for name, job in jobs.items()}
    rows = [_row("threads of one process", local, local, {})]
    print(rows[-1], flush=True)
    for workers, killed in [*((workers, False) for workers in WORKERS), (WORKERS[-1], True)]:
        with _cluster(workers) as cluster:
            done, share = {}, {}
            for name, job in jobs.items():
                with connect(cluster.scheduler_address), Client(cluster) as client:
                    # Let workers import their modules before the time is taken.
                    client.run(_import_modules)
                    thread = Thread(target=_kill_one, args=(client,)) if killed else None
                    if thread:
                        thread.start()
                    with get_task_stream(client) as stream:
                        done[name] = _timed(job)
                    if thread:
                        thread.join()
                    share[name] = Counter(task["worker"] for task in stream.data)
            if workers == 1:
                one_worker, _ = done["fit"]
            name = f"{workers} worker{'s' * (workers > 1)}{', one killed' * killed}"
            rows.append(_row(name, done, local, share))
            print(rows[-1], flush=True)
    columns = ["", f"fit {points:,} points", "same model", f"read {images:,} images"]
    columns += ["same answers", "images/s", "tasks of predict by worker"]
    return [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}", *rows], one_worker


def _row(name: str, done: dict, local: dict, share: dict) -> str:
    (fit, model), (predict, answers) = done["fit"], done["predict"]
    images = len(answers) // 80
    cells = [
        name,
        f"{fit:.1f} s",
        "" if done is local else ("to the bit" if model == local["fit"][1] else "NO"),
        f"{predict:.1f} s",
        "" if done is local else ("to the bit" if answers == local["predict"][1] else "NO"),
        f"{images / predict:,.0f}",
        ", ".join(str(tasks) for tasks in sorted(share.get("predict", {}).values())),
    ]
    return f"| {' | '.join(cells)} |"


def _import_modules() -> None:
    Recognizer.load().prepare()


def _kill_one(client: Client) -> None:
    time.sleep(KILL_AFTER_SECONDS)
    pid = next(iter(client.run(os.getpid).values()))
    os.kill(pid, signal.SIGKILL)


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def _bits(svc: CoupledSVC) -> bytes:
    arrays = svc.support_, svc.dual_coef_, svc.intercept_
    return b"".join(array.tobytes() for array in arrays)


class _Clock:
    """Measures the parts of a fit while it runs."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self.longest = self.round_longest = 0.0
        self.tasks = self.samples = self.projected = 0

    @contextmanager
    def measuring(self) -> Iterator[None]:
        """Wrap the functions of the solver, within the context."""
        solver = working_set.WorkingSetSolver
        solve, kernel_sums, solve_all = working_set._solve, scan._kernel_sums, solver.solve

        def timed_solve(*args: Any, **kwargs: Any) -> Any:
            seconds, solution = _timed(lambda: solve(*args, **kwargs))
            self.seconds["solve"] += seconds
            self.round_longest = max(self.round_longest, seconds)
            return solution

        def timed_kernel_sums(samples: Any, source: Any, *args: Any) -> Any:
            seconds, part = _timed(lambda: kernel_sums(samples, source, *args))
            kind = "approximate" if isinstance(source, ProjectedSamples) else "exact"
            self.seconds[f"{kind} scan"] += seconds
            return part

        def timed_solve_all(
            this: Any, random_state: Any, projected: Any, report: Any, save: Any
        ) -> None:
            self.seconds["begin"] = time.perf_counter() - self.start
            self.samples = len(pickle.dumps(this.samples, 5))
            self.projected = len(pickle.dumps(projected, 5))
            begin = time.perf_counter()

            def after_round(entry: Any) -> None:
                self.longest += self.round_longest
                self.round_longest = 0.0
                samples_per_task = Cluster.blocks_per_task * scan.SAMPLES_PER_BLOCK
                self.tasks += len(this.pairs) + entry.scanned // samples_per_task
                report(entry)

            solve_all(this, random_state, projected, after_round, save)
            self.seconds["rounds"] = time.perf_counter() - begin

        self.start = time.perf_counter()
        working_set._solve, scan._kernel_sums = timed_solve, timed_kernel_sums
        solver.solve = timed_solve_all
        try:
            yield
        finally:
            working_set._solve, scan._kernel_sums = solve, kernel_sums
            solver.solve = solve_all


def _costs(X: np.ndarray, y: np.ndarray) -> Costs:
    """Fit with one thread, and measure its parts."""
    clock = _Clock()
    with clock.measuring():
        fitted = _svc().set_params(n_jobs=1).fit(X, y)
    seconds = clock.seconds
    tasks = seconds["solve"] + seconds["approximate scan"] + seconds["exact scan"]
    costs = Costs(
        points=len(X),
        vectors=len(fitted.support_),
        begin=seconds["begin"],
        solve=seconds["solve"],
        longest=clock.longest,
        approximate_scan=seconds["approximate scan"],
        exact_scan=seconds["exact scan"],
        rest=seconds["rounds"] - tasks,
        samples=clock.samples,
        projected=clock.projected,
        tasks=clock.tasks,
    )
    print(costs, flush=True)
    return costs


def _scheduling_costs() -> tuple[float, float]:
    """CPU seconds to schedule a task and receive its result, and bytes per second to a worker.

    Client and scheduler share one process here. The worker only sleeps, long enough that joblib
    does not batch the tasks.
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
        scheduling = time.process_time() - before
        sent, _ = _timed(lambda: workers.share(large))
    # From the client to the scheduler, and from there to the worker.
    return scheduling / tasks, 2 * len(large) / sent


def _estimate(
    costs: list[Costs], one_worker: float, seconds_per_task: float, rate: float
) -> list[str]:
    """The costs, and an estimate for many points on many nodes."""
    fewer, most = costs[-2:]
    growth = np.log(POINTS / most.points) / np.log(most.points / fewer.points)

    def grown(name: str) -> float:
        """Extrapolate by the power law between the two largest fits."""
        low, high = getattr(fewer, name), getattr(most, name)
        return float(high * (high / low) ** growth) if low else 0.0

    scale = POINTS / most.points
    cores = NODES * CORES
    # Through the scheduler to one node, then down a tree of nodes.
    hops, slowest = 2 + np.ceil(np.log2(NODES)), min(NETWORK, rate)
    sent = (most.samples + most.projected) * scale * hops / slowest
    parts = {
        "before the first round, one process of 16 cores": most.begin * scale / CORES,
        f"points and projections to {NODES} nodes, {hops:.0f} hops": sent,
        f"scans of guesses, on {cores} cores": grown("approximate_scan") / cores,
        f"exact scans, on {cores} cores": grown("exact_scan") / cores,
        "the longest pair solve of each round": grown("longest"),
        "dealing out tasks": most.tasks * scale * seconds_per_task,
        "between tasks, one core": most.rest * scale,
    }
    total = sum(parts.values())
    one_core = sum(grown(name) for name in ("approximate_scan", "exact_scan", "solve"))
    one_core += (most.begin + most.rest) * scale
    head = ["points", "support vectors", "before", "pair solves", "longest of each round"]
    head += ["guesses", "scans", "between tasks", "to each worker", "tasks"]
    rows = [
        f"| {c.points:,} | {c.vectors:,} | {c.begin:.1f} s | {c.solve:.1f} s | {c.longest:.1f} s "
        f"| {c.approximate_scan:.1f} s | {c.exact_scan:.1f} s | {c.rest:.1f} s "
        f"| {(c.samples + c.projected) / 1e6:,.0f} MB | {c.tasks:,} |"
        for c in costs
    ]
    single = fewer.begin + fewer.solve + fewer.approximate_scan + fewer.exact_scan + fewer.rest
    single += fewer.tasks * seconds_per_task + 2 * (fewer.samples + fewer.projected) / rate
    vectors = grown("vectors")
    note = (
        f"The same estimate for one worker and {fewer.points:,} points is {single:.1f} s; measured "
        f"were {one_worker:.1f} s. The estimate has about {vectors:,.0f} support vectors, and one "
        f"core would take {one_core:,.0f} s. Solves, scans and support vectors are extrapolated "
        "by the power law between the two largest fits, work per point in proportion."
    )
    return [
        (
            f"Costs, with one thread. Scheduling a task takes {1000 * seconds_per_task:.1f} ms, "
            f"and sending a gigabyte between processes takes {1e9 / rate:.1f} s:"
        ),
        "",
        f"| {' | '.join(head)} |",
        f"|{'---|' * len(head)}",
        *rows,
        "",
        (
            f"Estimate for {POINTS:,} points on {NODES} nodes of {CORES} cores, each as fast as "
            "one core here, in a network of 10 Gbit/s:"
        ),
        "",
        "| part | seconds |",
        "|---|---|",
        *(f"| {name} | {seconds:,.0f} |" for name, seconds in parts.items()),
        f"| all | {total:,.0f} |",
        "",
        note,
    ]


if __name__ == "__main__":
    main()
