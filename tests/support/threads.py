"""Calls that overlap, and the state of the process that they must leave as it was."""

from __future__ import annotations

import itertools
import logging
import os
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import pytest

from tests.support.serving import TIMEOUT

N_THREADS = 8

T = TypeVar("T")


def process_state() -> dict[str, Any]:
    """What all threads share: warnings, loggers, environment."""
    loggers = [logging.root, *logging.root.manager.loggerDict.values()]
    return {
        "filters": list(warnings.filters),
        "showwarning": warnings.showwarning,
        "environment": dict(os.environ),
        "logging disabled": logging.root.manager.disable,
    } | {
        logger.name: (logger.level, list(logger.handlers), list(logger.filters), logger.disabled)
        for logger in loggers
        if isinstance(logger, logging.Logger)
    }


def assert_unchanged(before: dict[str, Any]) -> None:
    """Compare with the state of before; loggers may have come with an import."""
    after = process_state()
    assert {name: after[name] for name in before} == before


def overlap(
    monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, work: Callable[[], T]
) -> list[T]:
    """Call `work` in two threads, so that the one that comes to a function first ends first.

    The function is the attribute `name` of `owner`, which `work` calls. If both save something of
    the process when they begin and restore it when they end, the second restores what the first
    has set.
    """
    function, calls = getattr(owner, name), itertools.count()
    first_is_inside, second_is_inside, first_is_done = (threading.Event() for _ in range(3))

    def held(*args: Any, **kwargs: Any) -> Any:
        call = next(calls)
        if call == 0:
            first_is_inside.set()
            assert second_is_inside.wait(TIMEOUT)
        elif call == 1:
            second_is_inside.set()
            assert first_is_done.wait(TIMEOUT)
        return function(*args, **kwargs)

    monkeypatch.setattr(owner, name, held)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(work)
        assert first_is_inside.wait(TIMEOUT)
        second = pool.submit(work)
        try:
            results = [first.result(TIMEOUT)]
        finally:
            first_is_done.set()
        return [*results, second.result(TIMEOUT)]


def in_threads(work: Callable[[int], T], n_calls: int = N_THREADS) -> list[T]:
    """Results of calls with 0, 1, ..., in threads of which the first calls begin at once."""
    start = threading.Barrier(N_THREADS)

    def run(index: int) -> T:
        if index < N_THREADS:
            start.wait(TIMEOUT)
        return work(index)

    with ThreadPoolExecutor(N_THREADS) as pool:
        return list(pool.map(run, range(n_calls)))
