"""Import of optional dependencies."""

from __future__ import annotations

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
