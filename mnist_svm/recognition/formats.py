"""What is known of a number before it is read: how many digits, and which."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

# A digit in a pattern; other letters and signs are marks.
DIGIT = "d"


@dataclass(frozen=True)
class NumberFormat:
    """Limits of a number.

    Attributes
    ----------
    least, most : number of digits; any number of them if `most` is None.
    fixed : labels that are known, by the position of the digit from 0.
    """

    least: int = 1
    most: int | None = None
    fixed: Mapping[int, int] = field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        """Whether any number will do."""
        return self.least <= 1 and self.most is None and not self.fixed


ANY_NUMBER = NumberFormat()


def parse_format(
    digits: int | tuple[int, int] | None = None, pattern: str | None = None
) -> NumberFormat:
    """Return the limits that a caller gives.

    Parameters
    ----------
    digits : int or tuple of two int, optional
        Number of digits, or the least and the most of them.
    pattern : str, optional
        ``d`` stands for a digit, ``0`` to ``9`` for that digit, and any other character for a mark
        that may be there: ``ddd.ddd,-``.

    Raises
    ------
    ValueError
        If the number of digits is below 1, or the pattern has none, or another number of them.
    """
    least, most = (
        (1, None) if digits is None else (digits, digits) if isinstance(digits, int) else digits
    )
    if least < 1 or (most is not None and most < least):
        msg = f"digits: expected 1 or more, or the least and the most of them, found {digits}"
        raise ValueError(msg)
    if pattern is None:
        return NumberFormat(least, most)
    places = [sign for sign in pattern if sign == DIGIT or sign in "0123456789"]
    if not places:
        msg = f"pattern: expected a d for each digit, as in ddd.dd, found {pattern!r}"
        raise ValueError(msg)
    if digits is not None and not least <= len(places) <= (most or least):
        msg = f"pattern: {pattern!r} has {len(places)} digits, but {digits} are asked for"
        raise ValueError(msg)
    fixed = {k: int(sign) for k, sign in enumerate(places) if sign != DIGIT}
    return NumberFormat(len(places), len(places), fixed)
