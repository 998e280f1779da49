"""Valid values of the parameters of the image functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf
from typing import Any

Rule = tuple[Callable[[Any], bool], str]

_AT_LEAST_0: Rule = (lambda value: 0 <= value < inf, "a finite number of at least 0")
_FRACTION: Rule = (lambda value: 0 < value <= 1, "above 0 and at most 1")
_POSITIVE: Rule = (lambda value: 0 < value < inf, "positive")

RULES: Mapping[str, Rule] = {
    "sigma": (lambda value: 0 <= value <= 10, "from 0 to 10"),
    "side": (lambda value: value in range(1, 129), "a number from 1 to 128"),
    "extent": _FRACTION,
    "directions": (lambda value: value in range(4, 65, 4), "a multiple of 4 from 4 to 64"),
    "grid": (lambda value: value in range(1, 33), "a number from 1 to 32"),
    "smoothing": _POSITIVE,
    "power": _FRACTION,
    "smoothness": _POSITIVE,
    "weight": _POSITIVE,
    **dict.fromkeys(("displacement", "rotation", "stretch", "shift"), _AT_LEAST_0),
}


def check_parameters(values: Mapping[str, Any]) -> None:
    """Raise ValueError with the name and value of the first parameter that is out of range."""
    for name, value in values.items():
        if name in RULES:
            is_valid, expected = RULES[name]
            if not is_valid(value):
                msg = f"{name} must be {expected}, got {value!r}"
                raise ValueError(msg)
