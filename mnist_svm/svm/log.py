"""Where a fit says how its rounds go, at level INFO."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

logger = logging.getLogger("mnist_svm.svm")


@contextmanager
def log_to(handler: logging.Handler) -> Iterator[None]:
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
def log_stage(name: str) -> Iterator[None]:
    """Say which stage of a longer work begins, and let all that is said in it begin so.

    Parameters
    ----------
    name : str
    """

    def named(record: logging.LogRecord) -> bool:
        record.msg = f"{name}: {record.msg}"
        return True

    logger.info(name)
    logger.addFilter(named)
    try:
        yield
    finally:
        logger.removeFilter(named)
