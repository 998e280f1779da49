"""Import of optional dependencies, and changes that they need in the whole process."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib import import_module
from threading import Lock
from typing import Any

from mnist_svm.exceptions import MissingExtraError

NOISY_PACKAGES = ("PIL", "joblib", "optuna", "mlflow", "alembic", "sqlalchemy", "pandas")


def require_extra(module: str, need: str, extra: str) -> Any:
    """Import and return an optional dependency. Call this before starting work that needs it.

    If `module` is not installed, raises MissingExtraError with the pip command for the `extra`;
    the message starts with the `need`: which feature needs which package.
    """
    try:
        return import_module(module)
    except ImportError as error:
        msg = f"{need}: pip install 'mnist-svm[{extra}]'"
        raise MissingExtraError(msg) from error


def ignore_dependency_warnings() -> None:
    """Filter warnings that are no concern of users, in a process that is all ours.

    Pillow warns about damage that does no harm, and joblib about tasks that an interrupt cancels.
    """
    warnings.filterwarnings("ignore", module=rf"({'|'.join(NOISY_PACKAGES)})\.")


# Of each change in effect: the number of blocks that need it, and how to undo it.
_changes: dict[Hashable, tuple[int, Callable[[], object]]] = {}
_lock = Lock()


@contextmanager
def _shared_change(key: Hashable, apply: Callable[[], Callable[[], object]]) -> Iterator[None]:
    """Change something of the whole process while any thread is in the block.

    `apply` makes the change and returns a function that undoes it. Blocks are counted, because
    overlapping save and restore would leave the change for good.
    """
    with _lock:
        n, undo = _changes[key] if key in _changes else (0, apply())
        _changes[key] = n + 1, undo
    try:
        yield
    finally:
        with _lock:
            n, undo = _changes.pop(key)
            if n > 1:
                _changes[key] = n - 1, undo
            else:
                undo()


@contextmanager
def silence_loggers(names: tuple[str, ...]) -> Iterator[None]:
    """Silence a dependency's loggers while any thread is in such a block."""
    # Imported here, because help texts do not need it.
    import logging

    def silence(name: str) -> Callable[[], object]:
        logger = logging.getLogger(name)
        restore = partial(logger.setLevel, logger.level)
        logger.setLevel(logging.CRITICAL)
        return restore

    with ExitStack() as stack:
        for name in names:
            stack.enter_context(_shared_change(("logger", name), partial(silence, name)))
        yield


@contextmanager
def default_environment(settings: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables that are unset, while any thread is in such a block."""

    def set_default(name: str) -> Callable[[], object]:
        if name in os.environ:
            return lambda: None
        os.environ[name] = settings[name]
        return lambda: os.environ.pop(name, None)

    with ExitStack() as stack:
        for name in settings:
            stack.enter_context(_shared_change(("variable", name), partial(set_default, name)))
        yield
