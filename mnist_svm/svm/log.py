"""The logger of the SVM, which reports the rounds of a fit at level INFO."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

# Variables of a context, so that fits in several threads do not affect each other.
_prefix = ContextVar("_prefix", default="")
_listeners: ContextVar[tuple[Callable[[str], None], ...]] = ContextVar("_listeners", default=())


class StageLogger:
    """Logs to ``mnist_svm.svm``, with the stages of the context as a prefix."""

    def __init__(self) -> None:
        self._logger = logging.getLogger("mnist_svm.svm")

    def info(self, message: object, *args: object) -> None:
        """Log a message, as `logging.Logger.info` does; hand it to the listeners of `log_to`."""
        text = _prefix.get() + (str(message) % args if args else str(message))
        self._logger.info("%s", text, stacklevel=2)
        for show in _listeners.get():
            show(text)


logger = StageLogger()


@contextmanager
def log_to(show: Callable[[str], None]) -> Iterator[None]:
    """Hand the messages of the current context to a function, whatever the logger's level.

    `show` is called with each message, in the thread that logs it.
    """
    token = _listeners.set((*_listeners.get(), show))
    try:
        yield
    finally:
        _listeners.reset(token)


@contextmanager
def log_stage(name: str) -> Iterator[None]:
    """Log the name of a stage, and prefix it to the messages of the current context."""
    logger.info(name)
    token = _prefix.set(f"{_prefix.get()}{name}: ")
    try:
        yield
    finally:
        _prefix.reset(token)
