"""What is known of a number before it is read: how many digits, and which."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

# A digit in a pattern; other letters and signs are marks.
DIGIT = "d"

# A number of digits, or the least and the most of them, as text.
DIGITS_PATTERN = r"^([1-9][0-9]{0,2})(?:-([1-9][0-9]{0,2}))?$"


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

    def describe(self) -> str:
        """What is looked for, for an error message: "number of 6 digits"."""
        if self.is_open:
            return "digits"
        if self.most is None:
            return f"number of {self.least} digits or more"
        least = "" if self.least == self.most else f"{self.least} to "
        digits = "digit" if self.most == 1 else "digits"
        return f"number of {least}{self.most} {digits}{' as in the pattern' if self.fixed else ''}"


ANY_NUMBER = NumberFormat()


def parse_digits(text: str) -> int | tuple[int, int]:
    """Return the number of digits, or the least and the most, that a text such as "4-8" names.

    Raises
    ------
    ValueError
        If it is neither, or above 999.
    """
    match = re.match(DIGITS_PATTERN, text)
    if match is None:
        msg = f"expected a number, or the least and the most, as 6 or 4-8, found {text!r}"
        raise ValueError(msg)
    least, most = match.groups()
    return int(least) if most is None else (int(least), int(most))


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
