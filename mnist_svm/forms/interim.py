"""Numbers and fields by way of `Recognizer.read_page`, until it has numbers of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from mnist_svm._types import GreyImage
from mnist_svm.pictures.boxes import Box
from mnist_svm.recognition.results import Digit, PageReading

if TYPE_CHECKING:
    from mnist_svm.recognition.recognizer import Recognizer

# A gap wider than this many digit heights separates two numbers of a row.
WIDE_GAP = 1.5


@dataclass(frozen=True, eq=False)
class Number:
    """Number on a page."""

    digits: tuple[Digit, ...]
    confidence: float
    box: Box

    @property
    def text(self) -> str:
        """Its digits."""
        return "".join(str(digit.label) for digit in self.digits)

    def to_text(self, reject_below: float = 0.0) -> str:
        """Its digits, or a question mark."""
        return self.text if self.confidence >= reject_below else "?"


@dataclass(frozen=True)
class FieldSpec:
    """A part of a page that holds one number."""

    box: Box
    digits: int | tuple[int, int] | None = None
    pattern: str | None = None


def page_numbers(page: PageReading) -> list[list[Number]]:
    """The numbers of each row."""
    rows = []
    each: Any
    for each in page.rows:
        if hasattr(each, "numbers"):
            rows.append(list(each.numbers))
            continue
        row: tuple[Digit, ...] = each
        height = float(np.median([digit.box.height for digit in row]))
        groups = [[row[0]]]
        for digit in row[1:]:
            if digit.box.left - groups[-1][-1].box.right > WIDE_GAP * height:
                groups.append([])
            groups[-1].append(digit)
        rows.append([_number(tuple(group)) for group in groups])
    return rows


def read_fields(
    recognizer: Recognizer, grey: GreyImage, fields: Sequence[FieldSpec]
) -> list[Number | None]:
    """The number in each field; None for a blank one."""
    numbers: list[Number | None] = []
    for field in fields:
        page = recognizer.read_page(np.ascontiguousarray(grey[field.box.window]))
        numbers.append(None if page.error is not None else _number(page.digits))
    return numbers


def _number(digits: tuple[Digit, ...]) -> Number:
    box = digits[0].box
    for digit in digits[1:]:
        box = box.union(digit.box)
    return Number(digits, prod(digit.confidence for digit in digits), box)
