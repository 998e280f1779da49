"""Who does heavy work: the threads of this process, or a Dask cluster where one is in use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from threading import Thread
from typing import Any

from joblib.parallel import get_active_backend

from mnist_svm._optional import require_extra
from mnist_svm.parallel.threads import Workers, in_task, threads


def require_dask() -> None:
    """Fail early if no cluster could be used.

    Raises
    ------
    MissingExtraError
        If Dask is not installed.
    """
    require_extra("distributed", "a cluster needs Dask", "dask")


def is_cluster_active() -> bool:
    """Whether heavy work is done by a Dask cluster.

    It is within ``joblib.parallel_config("dask")`` and `mnist_svm.parallel.dask_cluster.connect`, in the thread
    that entered it. But a task that is done there gets no more of the cluster.
    """
    return _client() is not None and not in_task()


@contextmanager
def workers_for(n_jobs: int | None) -> Iterator[Workers]:
    """The workers of the Dask cluster that is in use, or else threads.

    Parameters
    ----------
    n_jobs : int or None
        Threads, as in joblib. They also do what is not worth sending: see `Workers.local`.

    Yields
    ------
    Workers
    """
    abroad = is_cluster_active()
    with threads(n_jobs) as here:
        if abroad:
            # Dask is an extra.
            from mnist_svm.parallel.dask_cluster import Cluster

            yield Cluster(_client(), here)
        else:
            yield here


def _client() -> Any:
    return getattr(get_active_backend()[0], "client", None)


def run_in_threads(n: int, work: Callable[[], None]) -> None:
    """Do some work in so many threads, which wait for others most of the time.

    Parameters
    ----------
    n : int
    work : callable

    Raises
    ------
    whatever ``work`` raised first
        The other threads are left to themselves; they end with the process.
    """
    ends: SimpleQueue[BaseException | None] = SimpleQueue()

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised again by who waits
            ends.put(error)
        else:
            ends.put(None)

    for _ in range(n):
        Thread(target=run, daemon=True).start()
    for _ in range(n):
        error = ends.get()
        if error is not None:
            raise error
