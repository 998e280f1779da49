"""Workers of a Dask cluster, which joblib's backend for Dask makes the active ones.

Three things are different from joblib. Shared arguments are replicated on every worker, and sent
again if all copies are lost; joblib would put one copy of each large argument on some worker, and
fail with it. Other arguments travel with their task, so that it can be run again elsewhere. And
tasks that Dask gives up raise an error, while joblib would wait for them forever.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from ctypes import CDLL
from functools import lru_cache
from importlib.metadata import version
from typing import Any

from distributed import Client, KilledWorker, rpc
from joblib import parallel_config
from threadpoolctl import threadpool_limits

from mnist_svm._optional import silence_loggers
from mnist_svm.exceptions import ClusterError
from mnist_svm.parallel.threads import Workers, task_scope

# Seconds to wait for the scheduler, and for its first worker.
CONNECT_TIMEOUT = 10

# Seconds to wait for a new worker after the last one was lost.
REPLACEMENT_TIMEOUT = 60

# Tasks that are submitted before the first result is wanted, for each that runs.
TASKS_AHEAD = 4

# A job fails when shared values have been lost more often than this.
MAX_LOSSES = 5

# Parameter numbers of glibc's mallopt.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3

# Dask logs lost workers, which are no concern of the user.
NOISY_LOGGERS = ("distributed", "distributed.client", "distributed.core")

Task = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]


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
        self._client.wait_for_workers(1, timeout=CONNECT_TIMEOUT)
        submitted: deque[Any] = deque()
        for task in tasks:
            submitted.append(self._client.submit(_run_task, *self._with_futures(task), pure=False))
            if len(submitted) >= TASKS_AHEAD * max(self.n_jobs, 1):
                yield submitted.popleft().result()
        while submitted:
            yield submitted.popleft().result()

    def _with_futures(self, task: Task) -> tuple[Callable[..., Any], list[Any], dict[str, Any]]:
        """A task with shared values replaced by their futures."""
        function, args, kwargs = task
        return function, [self._shared.get(id(arg), (None, arg))[1] for arg in args], kwargs

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


def _run_task(function: Callable[..., Any], args: list[Any], kwargs: dict[str, Any]) -> Any:
    """Run a task on a worker, which may run others at the same time."""
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
            options = {"client": client, "wait_for_workers_timeout": CONNECT_TIMEOUT}
            with parallel_config("dask", **options):
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
