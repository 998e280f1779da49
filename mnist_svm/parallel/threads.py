"""Threads for work that is mostly matrix products."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from threading import Lock, local
from typing import Any, Protocol

from joblib import Parallel, effective_n_jobs, parallel_config
from joblib.parallel import get_active_backend
from threadpoolctl import OpenBLASController, threadpool_limits


class _SingleThreadedBlas:
    """Context manager: limit BLAS to one thread while any thread is inside.

    The limit is global to the process. It is reference-counted, because overlapping save and
    restore would leave it at 1.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._n_inside = 0
        self._limits: threadpool_limits | None = None

    def __enter__(self) -> None:
        with self._lock:
            if self._n_inside == 0:
                self._limits = threadpool_limits(1, user_api="blas")
            self._n_inside += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._n_inside -= 1
            if self._n_inside == 0 and self._limits is not None:
                _clear_controlling_thread()
                self._limits.restore_original_limits()
                _clear_controlling_thread()


def _clear_controlling_thread() -> None:
    """Let any thread set limits: threadpoolctl >= 3.7 only obeys the thread that set them."""
    clear = getattr(OpenBLASController, "clear_controlling_thread", None)
    if clear:
        clear(force=True)


single_threaded_blas = _SingleThreadedBlas()

_state = local()


class Workers(Protocol):
    """Run tasks: in threads of this process, or in processes of a cluster."""

    @property
    def n_jobs(self) -> int:
        """Number of tasks that run at a time."""

    @property
    def concurrency_per_process(self) -> int:
        """Number of tasks that run at a time and share the memory of one process."""

    @property
    def blocks_per_task(self) -> int:
        """Number of blocks of work that outweigh the overhead of a task."""

    @property
    def local(self) -> Workers:
        """Workers in this process, for tasks that are not worth sending."""

    def share(self, value: Any) -> None:
        """Send a value that many tasks use to all workers, once."""

    def __call__(self, tasks: Iterable[Any]) -> Iterator[Any]:
        """Results of tasks made by `joblib.delayed`, in order. The iterator must be exhausted."""


@contextmanager
def threads(n_jobs: int | None) -> Iterator[Workers]:
    """Run tasks in threads, with one BLAS thread in each.

    Nested calls, from within a task, run their tasks one after another.

    Parameters
    ----------
    n_jobs : int or None
        Number of threads, as in joblib.

    Yields
    ------
    Workers
    """
    # joblib would run a single job serially too, with an overhead that matters for few samples.
    if in_task() or n_jobs == 1 or get_active_backend()[0].nesting_level:
        parallel = nullcontext(_run_serially)
    else:
        parallel = Parallel(n_jobs, backend="threading", return_as="generator")
    with single_threaded_blas, parallel as run, task_scope():
        yield _Threads(run)


def in_task() -> bool:
    """Whether this thread runs a task, and should start no others in parallel."""
    return getattr(_state, "in_task", False)


@contextmanager
def task_scope() -> Iterator[None]:
    """Mark this thread as running a task."""
    before = in_task()
    _state.in_task = True
    try:
        yield
    finally:
        _state.in_task = before


class _Threads:
    """`Workers` in this process."""

    blocks_per_task = 1

    def __init__(self, run: Any) -> None:
        self._run = run

    @property
    def n_jobs(self) -> int:
        with parallel_config("threading"):
            return int(effective_n_jobs(getattr(self._run, "n_jobs", 1)))

    @property
    def concurrency_per_process(self) -> int:
        return self.n_jobs

    @property
    def local(self) -> Workers:
        return self

    def share(self, value: Any) -> None:
        """Do nothing: threads share memory."""

    def __call__(self, tasks: Iterable[Any]) -> Iterator[Any]:
        return iter(self._run(tasks))


def _run_serially(tasks: Iterable[Any]) -> Iterator[Any]:
    return (function(*args, **kwargs) for function, args, kwargs in tasks)
