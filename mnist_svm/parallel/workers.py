"""Choose the workers: threads of this process, or a Dask cluster if one is active."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from threading import Thread
from typing import Any

from mnist_svm._optional import require_extra
from mnist_svm.parallel.threads import Workers, active_backend, in_task, threads


def require_dask() -> None:
    """Raise MissingExtraError unless Dask is installed."""
    require_extra("distributed", "a cluster needs Dask", "dask")


def is_cluster_active() -> bool:
    """Whether `workers_for` gives the workers of a Dask cluster.

    True within ``joblib.parallel_config("dask")`` or `mnist_svm.parallel.dask_cluster.connect`, in
    the thread that entered it, but not within a task.
    """
    return _dask_client() is not None and not in_task()


@contextmanager
def workers_for(n_jobs: int | None) -> Iterator[Workers]:
    """The workers of the active Dask cluster, or threads.

    `n_jobs` is the number of threads, as in joblib; with a cluster, of `Workers.local`.
    """
    use_cluster = is_cluster_active()
    with threads(n_jobs) as local:
        if use_cluster:
            # Dask is an optional dependency.
            from mnist_svm.parallel.dask_cluster import Cluster

            yield Cluster(_dask_client(), local)
        else:
            yield local


def _dask_client() -> Any:
    return getattr(active_backend(), "client", None)


def run_in_threads(n: int, work: Callable[[], None]) -> None:
    """Call `work` in n threads, where it mostly waits for others.

    Raises the first exception that `work` raises. Other threads continue, as daemons.
    """
    errors: SimpleQueue[BaseException | None] = SimpleQueue()

    def run() -> None:
        raised = None
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised again below
            raised = error
        errors.put(raised)

    for _ in range(n):
        Thread(target=run, daemon=True).start()
    for _ in range(n):
        if error := errors.get():
            raise error
