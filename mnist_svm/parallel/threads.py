"""Threads for work that is mostly matrix products."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from contextvars import copy_context
from functools import cached_property
from itertools import chain, islice
from threading import Lock, local
from typing import Any, Protocol

from threadpoolctl import OpenBLASController, ThreadpoolController

# A function with its positional and keyword arguments, as from `joblib.delayed`.
Task = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]

# Tasks that are started before the first result is wanted, for each thread.
TASKS_AHEAD = 2


def delayed(function: Callable[..., Any]) -> Callable[..., Task]:
    """Return a function that makes a task of its arguments, as `joblib.delayed` without joblib."""
    return lambda *args, **kwargs: (function, args, kwargs)


class _SingleThreadedBlas:
    """Context manager: limit BLAS to one thread while any thread is inside.

    The limit is global to the process. It is reference-counted, because overlapping save and
    restore would leave it at 1.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._n_inside = 0
        self._n_modules = 0
        self._controller: ThreadpoolController | None = None
        self._limits: Any = None

    def __enter__(self) -> None:
        with self._lock:
            if self._n_inside == 0:
                self._limits = self._find_libraries().limit(limits=1, user_api="blas")
            self._n_inside += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._n_inside -= 1
            if self._n_inside == 0 and self._limits is not None:
                _clear_controlling_thread()
                self._limits.restore_original_limits()
                _clear_controlling_thread()

    def _find_libraries(self) -> ThreadpoolController:
        """The BLAS libraries of this process; the search takes longer than a reading.

        A module that was imported since may have brought another.
        """
        if self._controller is None or self._n_modules != len(sys.modules):
            self._n_modules = len(sys.modules)
            self._controller = ThreadpoolController()
        return self._controller


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

    def __call__(self, tasks: Iterable[Task]) -> Iterator[Any]:
        """Results of tasks made by `delayed`, in order. The iterator must be exhausted."""


@contextmanager
def threads(n_jobs: int | None) -> Iterator[Workers]:
    """Run tasks in threads, with one BLAS thread in each.

    `n_jobs` is as in joblib. Nested calls, from within a task, run their tasks one after another.
    """
    serial = in_task() or n_jobs == 1 or _in_joblib_task()
    with single_threaded_blas, ExitStack() as stack, task_scope():
        yield _Threads(1 if serial else n_jobs, stack)


def active_backend() -> Any:
    """The joblib backend of the context; None if joblib, and so a backend, is not in use."""
    joblib = sys.modules.get("joblib.parallel")
    return joblib and joblib.get_active_backend()[0]


def _in_joblib_task() -> bool:
    return bool(getattr(active_backend(), "nesting_level", 0))


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
    """`Workers` in this process. The threads exist until `stack` is closed."""

    blocks_per_task = 1

    def __init__(self, n_jobs: int | None, stack: ExitStack) -> None:
        self._n_jobs = n_jobs
        self._stack = stack
        self._executor: ThreadPoolExecutor | None = None

    @cached_property
    def n_jobs(self) -> int:
        if self._n_jobs == 1:
            return 1
        # Imported for several tasks only: it takes longer than one reading.
        from joblib import effective_n_jobs, parallel_config

        with parallel_config("threading"):
            return int(effective_n_jobs(self._n_jobs))

    @property
    def concurrency_per_process(self) -> int:
        return self.n_jobs

    @property
    def local(self) -> Workers:
        return self

    def share(self, value: Any) -> None:
        """Do nothing: threads share memory."""

    def __call__(self, tasks: Iterable[Task]) -> Iterator[Any]:
        tasks = iter(tasks)
        first = list(islice(tasks, 2))
        n_jobs = self.n_jobs if len(first) == 2 else 1
        if n_jobs == 1:
            return (function(*args, **kwargs) for function, args, kwargs in chain(first, tasks))
        if self._executor is None:
            executor = ThreadPoolExecutor(n_jobs, initializer=_mark_as_task)
            self._executor = self._stack.enter_context(_cancelled_at_exit(executor))
        return _in_order(self._executor, n_jobs, chain(first, tasks))


SERIAL: Workers = _Threads(1, ExitStack())


def _mark_as_task() -> None:
    _state.in_task = True


@contextmanager
def _cancelled_at_exit(executor: ThreadPoolExecutor) -> Iterator[ThreadPoolExecutor]:
    try:
        yield executor
    finally:
        executor.shutdown(cancel_futures=True)


def _in_order(executor: ThreadPoolExecutor, n_jobs: int, tasks: Iterator[Task]) -> Iterator[Any]:
    """Results of tasks in order, a few tasks ahead of the one that is waited for."""
    # Tasks inherit NumPy's handling of errors and the stages of the log.
    context = copy_context()
    futures: deque[Future[Any]] = deque()
    for function, args, kwargs in tasks:
        futures.append(executor.submit(context.copy().run, function, *args, **kwargs))
        if len(futures) > TASKS_AHEAD * n_jobs:
            yield futures.popleft().result()
    while futures:
        yield futures.popleft().result()
