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
    """Context manager: while anyone is inside, BLAS uses one thread.

    The limit is the whole process's. If each who enters set it and each who leaves put back what
    he found, then two who overlap would leave it at one thread for good.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._inside = 0
        self._limits: threadpool_limits | None = None

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._limits = threadpool_limits(1, user_api="blas")
            self._inside += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0 and self._limits is not None:
                _let_this_thread_set_limits()
                self._limits.restore_original_limits()
                _let_this_thread_set_limits()


def _let_this_thread_set_limits() -> None:
    # Since version 3.7, threadpoolctl heeds one thread at a time and ignores the others, but who
    # leaves last need not be who came first.
    clear = getattr(OpenBLASController, "clear_controlling_thread", None)
    if clear:
        clear(force=True)


single_threaded_blas = _SingleThreadedBlas()

_state = local()


class Workers(Protocol):
    """Who does the tasks of a work: threads of this process, or processes elsewhere."""

    @property
    def n_jobs(self) -> int:
        """Tasks that are done at a time."""

    @property
    def concurrency_per_process(self) -> int:
        """How many of those share the memory of one process."""

    @property
    def blocks_per_task(self) -> int:
        """Blocks of work that are worth a task."""

    @property
    def local(self) -> Workers:
        """Those of this process, for what is not worth sending."""

    def share(self, value: Any) -> None:
        """Bring a value to where tasks are done, once, rather than with each that has it."""

    def __call__(self, tasks: Iterable[Any]) -> Iterator[Any]:
        """Results of tasks that `joblib.delayed` made, in order, which must be exhausted."""


@contextmanager
def threads(n_jobs: int | None) -> Iterator[Workers]:
    """Threads that share blocks of work, BLAS with one thread in each.

    Whoever asks for threads while working in one of these gets no more: the cores are busy.

    Parameters
    ----------
    n_jobs : int or None
        As in joblib.

    Yields
    ------
    Workers
    """
    # Alone, joblib would come to the same, in a time that matters to who predicts a few samples.
    if in_task() or n_jobs == 1 or get_active_backend()[0].nesting_level:
        working = nullcontext(_one_after_another)
    else:
        working = Parallel(n_jobs, backend="threading", return_as="generator")
    with single_threaded_blas, working as parallel, task_scope():
        yield _Threads(parallel)


def in_task() -> bool:
    """Whether this thread is at a task already, and should ask for no help."""
    return getattr(_state, "in_task", False)


@contextmanager
def task_scope() -> Iterator[None]:
    """Let this thread ask for no help meanwhile."""
    before = in_task()
    _state.in_task = True
    try:
        yield
    finally:
        _state.in_task = before


class _Threads:
    """`Workers` of this process."""

    blocks_per_task = 1

    def __init__(self, parallel: Any) -> None:
        self._parallel = parallel

    @property
    def n_jobs(self) -> int:
        with parallel_config("threading"):
            return int(effective_n_jobs(getattr(self._parallel, "n_jobs", 1)))

    @property
    def concurrency_per_process(self) -> int:
        return self.n_jobs

    @property
    def local(self) -> Workers:
        return self

    def share(self, value: Any) -> None:
        """Threads have it already."""

    def __call__(self, tasks: Iterable[Any]) -> Iterator[Any]:
        return iter(self._parallel(tasks))


def _one_after_another(tasks: Iterable[Any]) -> Iterator[Any]:
    """What joblib.Parallel is with one job."""
    return (function(*args, **kwargs) for function, args, kwargs in tasks)
