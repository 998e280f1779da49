"""Import of optional dependencies."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from mnist_svm.exceptions import MissingExtraError


def require_extra(module: str, need: str, extra: str) -> Any:
    """Import an optional dependency. Call this before starting work that needs it.

    Parameters
    ----------
    module : str
        Dotted name.
    need : str
        Start of the error message: which feature needs which package.
    extra : str
        Name of the extra that installs `module`.

    Returns
    -------
    module

    Raises
    ------
    MissingExtraError
        If `module` is not installed; the message has the pip command.
    """
    try:
        return import_module(module)
    except ImportError as error:
        msg = f"{need}: pip install 'mnist-svm[{extra}]'"
        raise MissingExtraError(msg) from error


@contextmanager
def silence_loggers(names: tuple[str, ...]) -> Iterator[None]:
    """Silence a dependency's loggers in the ``with`` block, and restore their levels."""
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
