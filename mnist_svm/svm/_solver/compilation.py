"""Loops compiled by Numba, where it is installed: the optional extra ``fast``."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def is_compiler_installed() -> bool:
    """Whether Numba is installed."""
    return find_spec("numba") is not None


@cache
def compiled(function: Callable[P, T]) -> Callable[P, T]:
    """A function of loops over arrays, compiled; it releases the lock of the interpreter.

    The first call in a process imports Numba (0.2 s). The first call of the compiled function reads
    it from a cache on disk (0.3 s), or compiles it for this processor and fills the cache (1 s).
    """
    from numba import njit

    fast: Callable[P, T] = njit(cache=True, nogil=True, fastmath=True, error_model="numpy")(
        function
    )
    return fast
