"""What happens if a fit does not converge: a warning, or an error where that is asked for."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from sklearn.exceptions import ConvergenceWarning

_required = ContextVar("_required", default=False)


@contextmanager
def require_convergence() -> Iterator[None]:
    """Raise ConvergenceWarning as an error, in fits of the current context.

    A filter for warnings would do so in all threads.
    """
    token = _required.set(True)
    try:
        yield
    finally:
        _required.reset(token)


def report_no_convergence(message: str) -> None:
    """Warn the caller of `fit`, which calls two functions between; or raise the error."""
    if _required.get():
        raise ConvergenceWarning(message)
    warnings.warn(message, ConvergenceWarning, stacklevel=5)
