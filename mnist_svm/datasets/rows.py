"""Pixels and labels of a table, which is read some rows at a time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from mnist_svm._types import Array, BoolArray, Float64Array, Images, Labels
from mnist_svm.constants import IMAGE_SHAPE, N_PIXELS, WHITE
from mnist_svm.datasets.arrays import MAX_LABEL, MAX_QUOTE, GrowableArray
from mnist_svm.exceptions import FormatError, sanitize
from mnist_svm.pictures.images import MIN_MAXIMUM

# Whole numbers that were computed are as near as this to them.
TOLERANCE = 1e-6

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_MISSING = frozenset({"", "nan", "na", "n/a", "<na>", "none", "?", "inf", "-inf"})


class InvalidPixelError(ValueError):
    """A pixel is not valid.

    Attributes
    ----------
    row, column : its indices among the rows and the pixels given
    expected : what it should be
    """

    def __init__(self, row: int, column: int, expected: str) -> None:
        super().__init__(expected)
        self.row, self.column, self.expected = row, column, expected


class PixelRows:
    """Collects rows of 784 pixels, either whole numbers 0-255 or fractions 0-1.

    Which of them shows only with the first number over 1 or the first fraction. After that, the
    other kind is refused, because no row tells how it was scaled.
    """

    def __init__(self) -> None:
        self._rows = GrowableArray(N_PIXELS, np.uint8)
        self._is_fraction = False
        self._largest = 0.0

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def scale(self) -> int:
        """What the numbers are multiplied by: 255, or 1 if they are 0-255."""
        return WHITE if self._is_fraction or self._largest == 1 else 1

    def append(self, values: Array) -> None:
        """Add rows of numbers of any type, shape (n, 784); InvalidPixelError if one is invalid."""
        if not len(values):
            return
        largest = float(values.max())
        is_whole = values.dtype.kind in "bui"
        rounded: Array = values
        if not is_whole:
            with np.errstate(invalid="ignore"):
                rounded = np.rint(values)
                is_whole = bool((np.abs(values - rounded) <= TOLERANCE).all())
        # Comparisons with nan are false.
        is_valid = largest <= WHITE and (values.dtype.kind in "bu" or float(values.min()) >= 0)
        turns = not is_whole and not self._is_fraction and self._largest <= 1
        is_fraction = self._is_fraction or turns
        if not is_valid or (largest > 1 and is_fraction) or not (is_whole or is_fraction):
            raise self._error(values, rounded)
        if turns:
            self._scale(self._rows.so_far())
            self._is_fraction = True
        self._largest = max(self._largest, largest)
        self._rows.append(np.rint(values * float(WHITE)) if self._is_fraction else rounded)

    def finish(self, source: str) -> Images:
        """Return uint8 images of shape (n, 28, 28), 0-255; append no more after this.

        Raises FormatError, which begins with `source`, if fractions are all almost 0.
        """
        if self._is_fraction and self._largest < MIN_MAXIMUM:
            msg = (
                f"{source}: expected pixels from 0 to 1 or from 0 to {WHITE}, found none over "
                f"{self._largest:g}; they were divided by {WHITE} twice"
            )
            raise FormatError(msg)
        rows = self._rows.to_array()
        if not self._is_fraction and self.scale > 1:
            self._scale(rows)
        return rows.reshape(-1, *IMAGE_SHAPE)

    def _scale(self, rows: Images) -> None:
        np.multiply(rows, WHITE, out=rows)

    def _error(self, values: Array, rounded: Array) -> InvalidPixelError:
        """Return the error for the first pixel that is invalid, or of another kind than before."""
        wide = values.astype(np.float64)
        in_range: BoolArray = (wide >= 0) & (wide <= WHITE)
        whole: BoolArray = np.abs(wide - rounded) <= TOLERANCE
        over = ~in_range | (wide > 1)
        if self._is_fraction:
            bad, kind = over, "fraction"
        elif self._largest > 1:
            bad, kind = ~in_range | ~whole, "whole"
        else:
            # The first of either kind decides what all are.
            first_over, first_part = (
                int(x.argmax()) if x.any() else x.size for x in (over, ~whole)
            )
            kind = "fraction" if first_part < first_over else "whole"
            bad = over if kind == "fraction" else ~in_range | ~whole
        row, column = np.unravel_index(int(bad.argmax()), bad.shape)
        if kind == "fraction":
            expected = f"a number from 0 to 1, as a pixel before it is a fraction of {WHITE}"
        else:
            expected = f"a whole number from 0 to {WHITE:,}"
        return InvalidPixelError(int(row), int(column), expected)


class Cells:
    """Collects the cells of a column as texts, each different one once.

    Attributes
    ----------
    first_lines : number of the line in which each different text appeared first
    """

    def __init__(self) -> None:
        self._codes = GrowableArray(None, np.int64)
        self._index: dict[str, int] = {}
        self.first_lines: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._codes)

    @property
    def texts(self) -> list[str]:
        """The different texts, in the order in which they appeared."""
        return list(self._index)

    @property
    def codes(self) -> Labels:
        """Index in `texts` of each row."""
        return self._codes.so_far()

    def declare(self, texts: Iterable[str]) -> None:
        """Add texts that no row may have."""
        for text in texts:
            self._index.setdefault(text, len(self._index))

    def append(self, texts: Sequence[str], lines: Sequence[int]) -> list[str]:
        """Add rows and the numbers of their lines; return the texts that are new."""
        index, n_known = self._index, len(self.first_lines)
        codes = [index.setdefault(text, len(index)) for text in texts]
        self._codes.append(np.array(codes, np.int64))
        if len(index) > n_known:
            for text, line in zip(texts, lines, strict=True):
                self.first_lines.setdefault(text, line)
        return list(self.first_lines)[n_known:]

    def to_numbers(self) -> Float64Array:
        """Return all rows as numbers, nan for those that are none."""
        values = [float(text) if is_number(text) else np.nan for text in self._index]
        return np.array(values, np.float64)[self.codes]

    def to_labels(self, source: str) -> tuple[Labels, dict[int, str]]:
        """Return labels and the names of classes; check texts with `label_problem` before.

        Numbers are returned as they are, without names; words as their ranks. Raises FormatError,
        with `source`, if a word among numbers stands for a missing value.
        """
        numbers = [text for text in self._index if is_number(text)]
        if len(numbers) == len(self._index):
            values = np.array([int(float(text)) for text in numbers], np.int64)
            return values[self.codes], {}
        # It is also a digit in several languages.
        null = next((text for text in self._index if text.lower() == "null"), None)
        if numbers and null:
            line = self.first_lines.get(null, 1)
            msg = f"{source}: line {line}: expected a label, as in other lines, found {quote(null)}"
            raise FormatError(msg)
        names = {text: str(int(float(text))) if is_number(text) else text for text in self._index}
        ranks = {name: rank for rank, name in enumerate(sorted({*names.values()}))}
        labels: Labels = np.array([ranks[names[text]] for text in self._index], np.int64)[
            self.codes
        ]
        return labels, {rank: name for name, rank in ranks.items()}


def is_number(text: str) -> bool:
    """Whether a text is a decimal number, not nan or infinite."""
    return _NUMBER.fullmatch(text) is not None


def label_problem(text: str) -> str | None:
    """Return what a label should be if it is none, else None."""
    expected = f"a whole number from 0 to {MAX_LABEL:,}"
    if is_number(text):
        value = float(text)
        return None if value.is_integer() and 0 <= value <= MAX_LABEL else expected
    if text.lower() in _MISSING or any(not char.isprintable() for char in text):
        return f"{expected} or the name of a class"
    return None


def quote(text: str) -> str:
    """Return a text of a file for a message."""
    return f"'{sanitize(text, MAX_QUOTE)}'"


def declared_names(names: Sequence[str]) -> Mapping[int, str]:
    """Return the class names of codes that a schema declares; none if they are the codes."""
    return (
        {} if list(names) == [str(code) for code in range(len(names))] else dict(enumerate(names))
    )
