"""The logger of the SVM, which reports the rounds of a fit at level INFO."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

logger = logging.getLogger("mnist_svm.svm")

_prefix = ContextVar("_prefix", default="")


def _add_prefix(record: logging.LogRecord) -> bool:
    if prefix := _prefix.get():
        record.msg, record.args = prefix + record.getMessage(), ()
    return True


logger.addFilter(_add_prefix)


@contextmanager
def log_to(handler: logging.Handler) -> Iterator[None]:
    """Add a handler to the logger, and set the logger's level to INFO.

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
    """Log the name of a stage, and prefix it to the messages of the current context.

    Parameters
    ----------
    name : str
    """
    logger.info(name)
    token = _prefix.set(f"{_prefix.get()}{name}: ")
    try:
        yield
    finally:
        _prefix.reset(token)
