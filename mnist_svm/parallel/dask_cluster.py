"""Work on a Dask cluster, through joblib's backend for it.

Three things are added to what joblib does. What many tasks need is brought to every worker once, so
that it outlives all but one of them, and is brought again if all are lost; joblib itself would
leave a single copy of each large argument somewhere, and lose the job with that worker. What a task
alone needs travels with it, and so is there when it has to be done again elsewhere. And what Dask
gives up is told, where joblib would wait for it for ever.
"""

from __future__ import annotations

import asyncio
import logging
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

from mnist_svm.exceptions import ClusterError
from mnist_svm.parallel.threads import Workers, task_scope

# Seconds to wait for a scheduler, and for its first worker.
PATIENCE = 10

# Seconds in which a lost worker may be replaced, if no other is left.
REPLACED = 60

# A job goes on after so many times that shared values were lost with all who had them.
LOSSES = 5

# Of glibc's mallopt.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3

Task = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]


class _Backend(DaskDistributedBackend):  # type: ignore[misc]
    """joblib's, which also tells of tasks that Dask could not do."""

    def effective_n_jobs(self, n_jobs: int) -> int:
        # For a single one joblib would do the tasks itself.
        return int(max(super().effective_n_jobs(n_jobs), 2))

    def submit(self, func: Any, callback: Callable[[Any], None] | None = None) -> Future[Any]:
        future: Future[Any] = super().submit(func, callback)

        def tell_of_failure(done: Future[Any]) -> None:
            error = done.exception()
            if error is not None and callback is not None:
                callback(error)

        future.add_done_callback(tell_of_failure)
        return future

    def retrieve_result_callback(self, out: Any) -> Any:
        if isinstance(out, BaseException):
            raise out
        return super().retrieve_result_callback(out)


class Cluster:
    """`Workers` of a Dask cluster.

    Parameters
    ----------
    client : distributed.Client
    here : Workers
        Of this process.
    """

    # A task of a scan then takes some tenths of a second, of which Dask's part is a few per cent.
    blocks_per_task = 32
    concurrency_per_process = 1

    def __init__(self, client: Client, here: Workers) -> None:
        self.local = here
        self._client = client
        # By identity: the value, which must not be another by then, and where it is.
        self._shared: dict[int, tuple[Any, Any]] = {}

    @property
    def n_jobs(self) -> int:
        """Tasks that the workers that are there now do at a time."""
        return sum(self._client.ncores().values())

    def share(self, value: Any) -> None:
        """Bring a value to every worker.

        Parameters
        ----------
        value : object that can be pickled
            In tasks, the very same object will stand for it.

        Raises
        ------
        ClusterError
            If there is no worker.
        """
        if value is not None:
            with self._errors_told():
                self._shared[id(value)] = value, self._brought(value)

    def __call__(self, tasks: Iterable[Task]) -> Iterator[Any]:
        """Results of tasks that `joblib.delayed` made, in order, which must be exhausted.

        Raises
        ------
        ClusterError
            If the cluster is gone, or a task makes its workers die.
        """
        tasks, done, losses = list(tasks), 0, 0
        while done < len(tasks):
            with self._errors_told():
                try:
                    for result in self._results(tasks[done:]):
                        done += 1
                        yield result
                except CancelledError:
                    losses += 1
                    if losses > LOSSES or self._client.status != "running":
                        raise
                    self._bring_again()

    def _results(self, tasks: list[Task]) -> Iterator[Any]:
        backend = _Backend(client=self._client, wait_for_workers_timeout=PATIENCE)
        parallel = Parallel(
            n_jobs=-1, backend=backend, return_as="generator", pre_dispatch="4*n_jobs"
        )
        # What is in a tuple joblib leaves as it is.
        yield from parallel(delayed(_done)(self._placed(task)) for task in tasks)

    def _placed(self, task: Task) -> Task:
        """A task with shared values replaced by where they are."""
        function, args, kwargs = task
        return function, tuple(self._place(arg) for arg in args), kwargs

    def _place(self, arg: Any) -> Any:
        _, place = self._shared.get(id(arg), (None, None))
        return arg if place is None else place

    def _brought(self, value: Any) -> Any:
        self._client.wait_for_workers(1, timeout=REPLACED)
        return self._client.scatter([value], broadcast=True, hash=False)[0]

    def _bring_again(self) -> None:
        for key, (value, _) in self._shared.items():
            self._shared[key] = value, self._brought(value)

    @contextmanager
    def _errors_told(self) -> Iterator[None]:
        """Say in one line what went wrong on the side of the cluster."""
        address = self._client.scheduler.address if self._client.scheduler else "the cluster"
        try:
            yield
        except KilledWorker as error:
            msg = (
                f"{address}: {error.allowed_failures + 1} workers died at the same task, perhaps "
                "for want of memory: give them more, or each fewer threads"
            )
            raise ClusterError(msg) from error
        except (CancelledError, TimeoutError, OSError) as error:
            reason = str(error) or type(error).__name__
            msg = f"{address}: lost the Dask cluster: {reason}"
            raise ClusterError(msg) from error


def _done(task: Task) -> Any:
    """Do a task on a worker, where other tasks are at work beside it."""
    function, args, kwargs = task
    _settle_in()
    with task_scope():
        return function(*args, **kwargs)


@lru_cache(maxsize=1)
def _settle_in() -> None:
    """Make a worker's process ready, for good."""
    # To look for BLAS's libraries at each task would take longer than some tasks do.
    threadpool_limits(1, user_api="blas")
    # Dask has glibc give memory back at once, and every array would be paged in anew: images were
    # read at half the speed.
    with suppress(AttributeError, OSError, TypeError):
        mallopt = CDLL(None).mallopt
        mallopt(M_MMAP_THRESHOLD, 1 << 25)
        mallopt(M_TRIM_THRESHOLD, 1 << 27)


@contextmanager
def connect(address: str) -> Iterator[int]:
    """Let heavy work be done by the workers of a Dask cluster.

    Parameters
    ----------
    address : str
        Of the scheduler, such as ``tcp://10.0.0.5:8786``.

    Yields
    ------
    int
        How many tasks the workers do at a time.

    Raises
    ------
    ClusterError
        If no scheduler answers there, it has no worker, or a worker has another version of this
        package or none.
    """
    # What Dask says of workers that come and go is for who runs them.
    for name in ("distributed", "distributed.client", "distributed.core"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        # A client that cannot connect would take half a minute to go. In a thread of its own,
        # because this one may have an event loop already.
        with ThreadPoolExecutor(1) as pool:
            pool.submit(asyncio.run, asyncio.wait_for(_ask(address), PATIENCE)).result()
        client = Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        msg = (
            f"{address}: no Dask scheduler answers: give its address, such as "
            "tcp://127.0.0.1:8786, or start one with `dask scheduler`"
        )
        raise ClusterError(msg) from error
    with client:
        _check_workers(client, address)
        backend = _Backend(client=client, wait_for_workers_timeout=PATIENCE)
        with parallel_config(backend=backend):
            yield sum(client.ncores().values())


async def _ask(address: str) -> None:
    """Raise an error if it is no scheduler that answers."""
    remote = rpc(address)
    try:
        who = await remote.identity()
    finally:
        await remote.close_rpc()
    if who["type"] != "Scheduler":
        msg = f"a {who['type']} answers"
        raise ValueError(msg)


def _check_workers(client: Client, address: str) -> None:
    try:
        client.wait_for_workers(1, timeout=PATIENCE)
    except TimeoutError as error:
        msg = f"{address}: has no worker: start some with `dask worker {address}`"
        raise ClusterError(msg) from error
    ours = package_version()
    for worker, theirs in client.run(package_version, on_error="return").items():
        # Dask tells an error by its text; any other one is of a worker that has just gone.
        missing = isinstance(theirs, Exception) and "No module named 'mnist_svm'" in str(theirs)
        if missing or (isinstance(theirs, str) and theirs != ours):
            has = "has no mnist-svm" if missing else f"has {theirs}"
            msg = f"{address}: its worker {worker} {has}: install mnist-svm {ours} there"
            raise ClusterError(msg)


def package_version() -> str:
    """The version of this package, where it is asked."""
    return version("mnist-svm")
