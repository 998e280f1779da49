"""Where a fit says how its rounds go, at level INFO."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

logger = logging.getLogger("mnist_svm.svm")


@contextmanager
def listening(handler: logging.Handler) -> Iterator[None]:
    """Let a handler hear the logger.

    Parameters
    ----------
    handler : logging.Handler
    """
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Let what the logger says begin with the name of the stage that a longer work is in.

    Parameters
    ----------
    name : str
    """

    def named(record: logging.LogRecord) -> bool:
        record.msg = f"{name}: {record.msg}"
        return True

    logger.addFilter(named)
    try:
        yield
    finally:
        logger.removeFilter(named)
