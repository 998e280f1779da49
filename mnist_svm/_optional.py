"""Optional dependencies, imported where they are used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from mnist_svm.exceptions import MissingExtraError


def require_extra(module: str, need: str, extra: str) -> Any:
    """A module of an optional dependency; to be asked for before any work that needs it.

    Parameters
    ----------
    module : str
        Its dotted name.
    need : str
        What needs what, as the error says it.
    extra : str
        Of this package, that brings it.

    Returns
    -------
    module

    Raises
    ------
    MissingExtraError
        If it is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        msg = f"{need}: pip install 'mnist-svm[{extra}]'"
        raise MissingExtraError(msg) from error
