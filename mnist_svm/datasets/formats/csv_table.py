"""The lines of a CSV file: pixels and labels in any notation."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from contextlib import suppress

import numpy as np

from mnist_svm._types import Array, Float64Array
from mnist_svm.constants import N_PIXELS, WHITE
from mnist_svm.datasets.ends import place_labels
from mnist_svm.datasets.formats.csv_header import COMMENT, FoundTable
from mnist_svm.datasets.formats.csv_numbers import BYTES_PER_PIECE, parse_whole_numbers
from mnist_svm.datasets.formats.text import require_short_lines, split_pieces
from mnist_svm.datasets.rows import (
    Cells,
    InvalidPixelError,
    PixelRows,
    is_number,
    label_problem,
    quote,
)
from mnist_svm.datasets.types import LabelledImages
from mnist_svm.exceptions import FormatError

# Pieces that were no whole numbers, one after the other, until no more are tried as such.
MAX_FAILED = 8


class _Numbers(dict[str, float]):
    """The numbers that texts mean, nan for those that mean none.

    Most files have few different texts, which are parsed once each.
    """

    # Texts to keep, and to parse again before another parser is used.
    max_kept, max_parsed = 4096, 100_000

    def __init__(self, *, decimal_comma: bool) -> None:
        super().__init__()
        self._decimal_comma = decimal_comma
        self._n_parsed = 0

    @property
    def are_repeated(self) -> bool:
        """Whether most numbers were known before."""
        return self._n_parsed < self.max_parsed

    def point(self, text: str) -> str:
        """Return a text without blanks around it, and with a decimal point if it is a number."""
        text = text.strip()
        pointed = text.replace(",", ".") if self._decimal_comma else text
        return pointed if is_number(pointed) else text

    def __missing__(self, text: str) -> float:
        pointed = self.point(text)
        value = float(pointed) if is_number(pointed) else np.nan
        if len(self) < self.max_kept:
            self[text] = value
        else:
            self._n_parsed += 1
        return value


class CsvTable:
    """Collects the images and labels of lines; errors name file, line and column."""

    def __init__(self, found: FoundTable, name: str) -> None:
        self._columns, self._separator = found
        self._name = name
        self._width = len(self._columns.names)
        label, ends = self._columns.label, self._columns.ends
        # The columns that may have labels, words or numbers.
        self._with_texts = list(ends or ([] if label is None else [label]))
        self._cells = [Cells() for _ in self._with_texts]
        # Without a name, the first column has labels until all values are known.
        self._pixels = self._columns.pixels[1:] if ends else self._columns.pixels
        self._skipped = {*range(self._width)} - {*self._with_texts, *self._pixels}
        self._rows = PixelRows()
        self._n_failed = 0
        self._numbers = _Numbers(decimal_comma=self._separator != ",")

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, first: int, block: bytes) -> None:
        """Add lines, the first of which has this number; FormatError if one is not valid."""
        for piece in split_pieces(block, BYTES_PER_PIECE):
            n_lines = piece.count(b"\n")
            numbers = range(first, first + n_lines)
            if not self._add_quickly(piece, numbers):
                self._add_lines(numbers, piece)
            first += n_lines

    def finish(self) -> LabelledImages:
        """Return all images; add no more after this."""
        images = self._rows.finish(self._name)
        notices = self._columns.notices
        if self._columns.ends:
            first, last = self._cells
            labels, names, more = place_labels(images, first, last, self._rows.scale, self._name)
            return LabelledImages(images, labels, names, notices=notices + more)
        if not self._cells:
            return LabelledImages(images, None, notices=notices)
        labels, names = self._cells[0].to_labels(self._name)
        return LabelledImages(images, labels, names, notices=notices)

    def _add_quickly(self, piece: bytes, numbers: Sequence[int]) -> bool:
        """Add lines of whole numbers only; return False if they are not clearly that."""
        # A file that has another notation has it throughout.
        if self._n_failed == MAX_FAILED:
            return False
        values = parse_whole_numbers(piece, self._width, self._separator, self._skipped)
        is_added = values is not None and self._add_numbers(values, numbers)
        self._n_failed = 0 if is_added else self._n_failed + 1
        return is_added

    def _add_numbers(self, values: Array, numbers: Sequence[int]) -> bool:
        """Add rows of all columns; return False if a pixel is invalid."""
        texts = [list(map(str, values[:, column].tolist())) for column in self._with_texts]
        start = self._pixels[0]
        in_order = self._pixels == list(range(start, start + N_PIXELS))
        pixels = values[:, start : start + N_PIXELS] if in_order else values[:, self._pixels]
        try:
            self._add_pixels(pixels)
        except InvalidPixelError:
            return False
        self._add_texts(texts, numbers)
        return True

    def _add_pixels(self, pixels: Array) -> None:
        if self._columns.ends:
            # It may be a label.
            pixels[:, -1] = 0
        self._rows.append(pixels)

    def _add_texts(self, texts: Sequence[Sequence[str]], numbers: Sequence[int]) -> None:
        for column, cells, column_texts in zip(self._with_texts, self._cells, texts, strict=True):
            for text in cells.append(column_texts, numbers):
                may_be_pixel = self._columns.ends and is_number(text) and 0 <= float(text) <= WHITE
                problem = label_problem(text)
                if problem and not may_be_pixel:
                    raise self._cell_error(cells.first_lines[text], column, problem, text)

    def _add_lines(self, numbers: Sequence[int], piece: bytes) -> None:
        """Add lines in any notation."""
        raw = piece.split(b"\n")[:-1]
        require_short_lines(raw, numbers[0], self._name)
        lines = [
            (number, self._decode(line, number))
            for number, line in zip(numbers, raw, strict=True)
            if not line.startswith(COMMENT)
        ]
        if not lines:
            return
        numbers = [number for number, _ in lines]
        rows = [self._split(text, number) for number, text in lines]
        values = self._parse(rows)
        if np.isnan(values).any():
            row, place = np.unravel_index(int(np.isnan(values).argmax()), values.shape)
            column = self._own_pixels[place]
            expected = f"a whole number from 0 to {WHITE}"
            raise self._cell_error(numbers[row], column, expected, rows[row][column])
        if self._columns.ends:
            values = np.pad(values, ((0, 0), (0, 1)))
        try:
            self._add_pixels(values)
        except InvalidPixelError as error:
            column = self._pixels[error.column]
            found = rows[error.row][column]
            raise self._cell_error(numbers[error.row], column, error.expected, found) from error
        self._add_texts(
            [[self._numbers.point(row[column]) for row in rows] for column in self._with_texts],
            numbers,
        )

    def _parse(self, rows: list[list[str]]) -> Float64Array:
        """Return the numbers in the columns of pixels, nan for what is none."""
        columns = self._own_pixels
        if self._numbers.are_repeated:
            values = np.empty((len(rows), self._width))
            for index, row in enumerate(rows):
                values[index] = np.fromiter(map(self._numbers.__getitem__, row), float, self._width)
            return values[:, columns]
        # NumPy's parser is faster, but it does not know all notations.
        texts = ["\t".join([row[column] for column in columns]) for row in rows]
        if self._separator != ",":
            texts = [text.replace(",", ".") for text in texts]
        with suppress(ValueError):
            values = np.loadtxt(texts, float, delimiter="\t", comments=None, ndmin=2, encoding=None)
            if values.shape == (len(rows), len(columns)):
                return values
        return np.array([[self._numbers[row[column]] for column in columns] for row in rows])

    @property
    def _own_pixels(self) -> list[int]:
        """The columns that have nothing but pixels."""
        return self._pixels[:-1] if self._columns.ends else self._pixels

    def _decode(self, line: bytes, number: int) -> str:
        try:
            return line.decode()
        except UnicodeDecodeError as error:
            msg = f"{self._name}: line {number}: not text in UTF-8; save the file in UTF-8"
            raise FormatError(msg) from error

    def _split(self, text: str, number: int) -> list[str]:
        """Split a line into as many fields as there are columns."""
        where = f"{self._name}: line {number}"
        if self._separator is None:
            row = [field.strip('"') for field in text.split()]
        elif '"' in text:
            try:
                (row,) = csv.reader(
                    [text], delimiter=self._separator, skipinitialspace=True, strict=True
                )
            except csv.Error as error:
                msg = f"{where}: quotes that do not match ({error})"
                raise FormatError(msg) from error
        else:
            row = text.split(self._separator)
        # A separator may end the line.
        if len(row) == self._width + 1 and not row[-1].strip():
            row.pop()
        if len(row) != self._width:
            noun = "value" if len(row) == 1 else "values"
            found = f"{len(row)} {noun}" if text.strip() else "a blank line"
            msg = f"{where}: expected {self._width} values, found {found}"
            raise FormatError(msg)
        return row

    def _cell_error(self, number: int, column: int, expected: str, found: str) -> FormatError:
        name, found = self._columns.names[column], quote(found.strip())
        place = f"column {column + 1}" + (f" ({quote(name)[1:-1]})" if name else "")
        return FormatError(
            f"{self._name}: line {number}, {place}: expected {expected}, found {found}"
        )
