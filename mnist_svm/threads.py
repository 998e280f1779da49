"""Threads for work that is mostly matrix products."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from threading import Lock, local
from typing import Any

from joblib import Parallel
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

_here = local()


@contextmanager
def threads(n_jobs: int | None) -> Iterator[Parallel]:
    """Threads that share blocks of work, BLAS with one thread in each.

    Whoever asks for threads while working in one of these gets no more: the cores are busy.

    Parameters
    ----------
    n_jobs : int or None
        As in joblib.

    Yields
    ------
    joblib.Parallel
        It returns a generator of results, in order, which must be exhausted.
    """
    within = getattr(_here, "within", False)
    alone = within or n_jobs == 1 or get_active_backend()[0].nesting_level
    # Alone, joblib would come to the same, in a time that matters to who predicts a few samples.
    working = (
        nullcontext(_OneAfterAnother())
        if alone
        else Parallel(n_jobs, prefer="threads", return_as="generator")
    )
    with single_threaded_blas, working as parallel:
        _here.within = True
        try:
            yield parallel
        finally:
            _here.within = within


class _OneAfterAnother:
    """What joblib.Parallel is with one job."""

    n_jobs = 1

    def __call__(self, tasks: Iterable[Any]) -> Iterator[Any]:
        return (function(*args, **kwargs) for function, args, kwargs in tasks)
