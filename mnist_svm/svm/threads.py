"""Threads for work that is mostly matrix products."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from joblib import Parallel
from threadpoolctl import threadpool_limits


@contextmanager
def threads(n_jobs: int | None) -> Iterator[Parallel]:
    """Threads that share blocks of work, BLAS with one thread in each.

    Parameters
    ----------
    n_jobs : int or None
        As in joblib.

    Yields
    ------
    joblib.Parallel
        It returns a generator of results, in order, which must be exhausted.
    """
    with (
        threadpool_limits(1, user_api="blas"),
        Parallel(n_jobs, prefer="threads", return_as="generator") as parallel,
    ):
        yield parallel
