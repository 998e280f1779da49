"""What an allograph is made of: a shape, and ranges of its parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from tools.styles.allographs_lines import Stroke

# A parameter that is fixed, or drawn evenly between two limits.
Range = float | tuple[float, float]


class Form(NamedTuple):
    """A digit, its shape, and the ranges of the shape's parameters.

    The first range is the leading one: some intervals of it are kept for held-out drawings.
    `aspect` is the range of a factor of the width, `pen` the widest pen as a part of the height.
    """

    digit: int
    shape: Callable[..., list[Stroke]]
    ranges: Mapping[str, Range]
    aspect: tuple[float, float]
    pen: float


def make_form(
    digit: int,
    shape: Callable[..., list[Stroke]],
    aspect: tuple[float, float] = (0.82, 1.2),
    pen: float = 0.15,
    **ranges: Range,
) -> Form:
    """A form, of the usual width and pen unless they are given."""
    return Form(digit, shape, ranges, aspect, pen)
