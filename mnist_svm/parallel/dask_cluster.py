"""Workers of a Dask cluster, through joblib's Dask backend.

This adds three things to joblib. Shared arguments are replicated on every worker, and sent again if
all copies are lost; joblib would put one copy of each large argument on some worker, and fail with
it. Other arguments travel with their task, so that it can be run again elsewhere. And tasks
that Dask gives up raise an error, while joblib would wait for them forever.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from ctypes import CDLL
from functools import lru_cache
from importlib.metadata import version
from typing import Any

from distributed import Client, KilledWorker, rpc
from joblib import Parallel, delayed, parallel_config
from joblib._dask import DaskDistributedBackend
from threadpoolctl import threadpool_limits

from mnist_svm._optional import silence_loggers
from mnist_svm.exceptions import ClusterError
from mnist_svm.parallel.threads import Workers, task_scope

# Seconds to wait for the scheduler, and for its first worker.
CONNECT_TIMEOUT = 10

# Seconds to wait for a new worker after the last one was lost.
REPLACEMENT_TIMEOUT = 60

# A job fails when shared values have been lost more often than this.
MAX_LOSSES = 5

# Parameter numbers of glibc's mallopt.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3

# Dask logs lost workers, which are no concern of the user.
NOISY_LOGGERS = ("distributed", "distributed.client", "distributed.core")

Task = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]


class _Backend(DaskDistributedBackend):  # type: ignore[misc]
    """joblib's backend, which also reports tasks that Dask gave up."""

    def effective_n_jobs(self, n_jobs: int) -> int:
        # joblib would run the tasks of a single job locally.
        return int(max(super().effective_n_jobs(n_jobs), 2))

    def submit(self, func: Any, callback: Callable[[Any], None] | None = None) -> Future[Any]:
        future: Future[Any] = super().submit(func, callback)

        def report_error(done: Future[Any]) -> None:
            error = done.exception()
            if error is not None and callback is not None:
                callback(error)

        future.add_done_callback(report_error)
        return future

    def retrieve_result_callback(self, out: Any) -> Any:
        if isinstance(out, BaseException):
            raise out
        return super().retrieve_result_callback(out)


class Cluster:
    """`Workers` of a Dask cluster; `local` are the threads of this process."""

    # A task of a scan then takes some tenths of a second; Dask's overhead is a few per cent.
    blocks_per_task = 32
    concurrency_per_process = 1

    def __init__(self, client: Client, local: Workers) -> None:
        self.local = local
        self._client = client
        # By id: the value, kept so that the id stays unique, and its future on the cluster.
        self._shared: dict[int, tuple[Any, Any]] = {}

    @property
    def n_jobs(self) -> int:
        """Number of tasks that the present workers run at a time."""
        return sum(self._client.ncores().values())

    def share(self, value: Any) -> None:
        """Replicate a value on every worker, for tasks that have this very object as an argument.

        Raises ClusterError if there is no worker.
        """
        if value is not None:
            with self._cluster_errors():
                self._shared[id(value)] = value, self._replicate(value)

    def __call__(self, tasks: Iterable[Task]) -> Iterator[Any]:
        """Results of tasks, in order. The iterator must be exhausted.

        Raises ClusterError if the cluster is lost, or a task kills its workers.
        """
        tasks, n_done, n_losses = list(tasks), 0, 0
        while n_done < len(tasks):
            with self._cluster_errors():
                try:
                    for result in self._run(tasks[n_done:]):
                        n_done += 1
                        yield result
                except CancelledError:
                    n_losses += 1
                    if n_losses > MAX_LOSSES or self._client.status != "running":
                        raise
                    for key, (value, _) in self._shared.items():
                        self._shared[key] = value, self._replicate(value)

    def _run(self, tasks: list[Task]) -> Iterator[Any]:
        backend = _Backend(client=self._client, wait_for_workers_timeout=CONNECT_TIMEOUT)
        parallel = Parallel(
            n_jobs=-1, backend=backend, return_as="generator", pre_dispatch="4*n_jobs"
        )
        # Within a tuple, joblib does not replace large arguments.
        yield from parallel(delayed(_run_task)(self._with_futures(task)) for task in tasks)

    def _with_futures(self, task: Task) -> Task:
        """A task with shared values replaced by their futures."""
        function, args, kwargs = task
        return function, tuple(self._shared.get(id(arg), (None, arg))[1] for arg in args), kwargs

    def _replicate(self, value: Any) -> Any:
        self._client.wait_for_workers(1, timeout=REPLACEMENT_TIMEOUT)
        return self._client.scatter([value], broadcast=True, hash=False)[0]

    @contextmanager
    def _cluster_errors(self) -> Iterator[None]:
        """Turn errors of the cluster into `ClusterError`."""
        address = self._client.scheduler.address if self._client.scheduler else "the cluster"
        try:
            yield
        except KilledWorker as error:
            msg = (
                f"{address}: {error.allowed_failures + 1} workers died at the same task, perhaps "
                "for lack of memory: give workers more memory, or fewer threads each"
            )
            raise ClusterError(msg) from error
        except (CancelledError, TimeoutError, OSError) as error:
            reason = str(error) or type(error).__name__
            msg = f"{address}: lost the Dask cluster: {reason}"
            raise ClusterError(msg) from error


def _run_task(task: Task) -> Any:
    """Run a task on a worker, which may run others at the same time."""
    function, args, kwargs = task
    _configure_process()
    with task_scope():
        return function(*args, **kwargs)


@lru_cache(maxsize=1)
def _configure_process() -> None:
    """Configure a worker's process, once."""
    # Not for each task: finding the BLAS libraries takes longer than some tasks.
    threadpool_limits(1, user_api="blas")
    # Dask makes glibc return freed memory at once, so that every new array causes page faults:
    # predictions ran at half the speed.
    with suppress(AttributeError, OSError, TypeError):
        mallopt = CDLL(None).mallopt
        mallopt(M_MMAP_THRESHOLD, 1 << 25)
        mallopt(M_TRIM_THRESHOLD, 1 << 27)


@contextmanager
def connect(address: str) -> Iterator[int]:
    """Use the workers of a Dask cluster for heavy work, within the context and this thread.

    Yields the number of tasks that the workers run at a time. Raises ClusterError if no scheduler
    answers at the address, such as ``tcp://10.0.0.5:8786``, it has no workers, or a worker lacks
    this package or has another version of it.
    """
    with silence_loggers(NOISY_LOGGERS):
        try:
            # First check the address, because a failing client takes half a minute to close. In
            # another thread, because this one may run an event loop.
            with ThreadPoolExecutor(1) as pool:
                check = asyncio.wait_for(_check_scheduler(address), CONNECT_TIMEOUT)
                pool.submit(asyncio.run, check).result()
            client = Client(address, timeout=CONNECT_TIMEOUT, set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            msg = (
                f"{address}: no Dask scheduler answers: give its address, such as "
                "tcp://127.0.0.1:8786, or start one with `dask scheduler`"
            )
            raise ClusterError(msg) from error
        with client:
            _check_workers(client, address)
            backend = _Backend(client=client, wait_for_workers_timeout=CONNECT_TIMEOUT)
            with parallel_config(backend=backend):
                yield sum(client.ncores().values())


async def _check_scheduler(address: str) -> None:
    """Raise an error unless a scheduler answers."""
    remote = rpc(address)
    try:
        identity = await remote.identity()
    finally:
        await remote.close_rpc()
    if identity["type"] != "Scheduler":
        msg = f"a {identity['type']} answers"
        raise ValueError(msg)


def _check_workers(client: Client, address: str) -> None:
    try:
        client.wait_for_workers(1, timeout=CONNECT_TIMEOUT)
    except TimeoutError as error:
        msg = f"{address}: has no worker: start some with `dask worker {address}`"
        raise ClusterError(msg) from error
    expected = package_version()
    for worker, found in client.run(package_version, on_error="return").items():
        # Dask returns a missing package as an error with this text. Any other error is that of a
        # worker that has just been lost.
        missing = isinstance(found, Exception) and "No module named 'mnist_svm'" in str(found)
        if missing or (isinstance(found, str) and found != expected):
            has = "has no mnist-svm" if missing else f"has {found}"
            msg = f"{address}: its worker {worker} {has}: install mnist-svm {expected} there"
            raise ClusterError(msg)


def package_version() -> str:
    """The installed version of this package; fails on a worker without it."""
    return version("mnist-svm")
