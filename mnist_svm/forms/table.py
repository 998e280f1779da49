"""Numbers of many pages as one table, which becomes a CSV file or a page for review."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from PIL import Image

from mnist_svm._types import Images
from mnist_svm.exceptions import sanitize
from mnist_svm.forms.template import column_names
from mnist_svm.recognition.results import Number, PageReading

if TYPE_CHECKING:
    from mnist_svm.forms.reading import FormReading
    from mnist_svm.forms.template import FormTemplate

# Spreadsheets take text that starts with one of these for a formula.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")

# Margin around a number on its picture, as a fraction of its height.
MARGIN = 0.35

# Largest width and height of a picture, in pixels, and the quality of its JPEG.
MAX_PICTURE, QUALITY = (720, 160), 80


@dataclass(frozen=True, eq=False)
class Entry:
    """A number of the table, or a blank field.

    Attributes
    ----------
    page : name of the picture.
    name : what the number is, for the reader: the name of the field, or its place.
    text : its digits, empty for a blank.
    confidence : 0 to 1; None for a blank.
    picture : the number on the page, as a JPEG file; None if not kept.
    """

    page: str
    name: str
    text: str
    confidence: float | None
    picture: bytes | None

    def to_text(self, reject_below: float) -> str:
        """The digits, or a question mark if the confidence is below the threshold."""
        return "?" if self.confidence is not None and self.confidence < reject_below else self.text


class Cell(NamedTuple):
    """A cell that shows the digits or the confidence of an entry."""

    entry: int
    shows: Literal["text", "confidence"]


class Table:
    """Rows of cells: texts, such as names of files, and what entries show.

    Parameters
    ----------
    template : FormTemplate, optional
        If given, the table has a row for each form: its file, its numbers, and their confidences.
        By default, it has a row for each row of numbers of a page.
    keeps_pictures : bool, default=False
        Whether entries have pictures.

    Attributes
    ----------
    rows : the rows, from the headings on, if there are any; of any lengths.
    entries : the numbers, and blank fields.
    """

    def __init__(
        self, template: FormTemplate | None = None, *, keeps_pictures: bool = False
    ) -> None:
        self.keeps_pictures = keeps_pictures
        self.rows: list[list[str | Cell]] = []
        self.entries: list[Entry] = []
        if template is not None:
            columns = [column_names(each.name) for each in template.fields]
            names = ["file", *(name for name, _ in columns), *(name for _, name in columns)]
            self.rows.append([escape_formula(name) for name in names])

    def add(self, reading: FormReading | PageReading, *, with_file: bool) -> None:
        """Add the row of a form, or those of a page; none after an error.

        Rows of a page begin with the name of its file only if `with_file`.
        """
        if reading.error is not None:
            return
        if isinstance(reading, PageReading):
            self._add_page(reading, with_file)
        else:
            self._add_form(reading)

    def _add_form(self, form: FormReading) -> None:
        numbers = range(len(self.entries), len(self.entries) + len(form.fields))
        for each in form.fields:
            self._add_entry(form.file, each.name, each.number, each.image)
        self.rows.append(
            [
                escape_formula(form.file),
                *(Cell(number, "text") for number in numbers),
                *(Cell(number, "confidence") for number in numbers),
            ]
        )

    def _add_page(self, page: PageReading, with_file: bool) -> None:
        for i, numbers in enumerate(_arrange(page), start=1):
            row: list[str | Cell] = [escape_formula(page.file)] if with_file else []
            for j, number in enumerate(numbers, start=1):
                if number is None:
                    row.append("")
                    continue
                row.append(Cell(len(self.entries), "text"))
                name = _place(number, i, j, len(numbers))
                self._add_entry(page.file, name, number, _crop(page, number))
            self.rows.append(row)

    def padded_rows(self) -> Iterator[list[str | Cell]]:
        """Yield the rows, made equally long by blank cells."""
        width = max(map(len, self.rows), default=0)
        for row in self.rows:
            yield [*row, *[""] * (width - len(row))]

    def to_csv(self, *, reject_below: float = 0.0) -> str:
        """Return the table as CSV, with "?" for numbers of a confidence below the threshold."""
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        for row in self.padded_rows():
            writer.writerow(
                [cell if isinstance(cell, str) else self._show(cell, reject_below) for cell in row]
            )
        return buffer.getvalue()

    def _show(self, cell: Cell, reject_below: float) -> str:
        entry = self.entries[cell.entry]
        if cell.shows == "text":
            return entry.to_text(reject_below)
        return format_confidence(entry.confidence)

    def _add_entry(
        self, page: str, name: str, number: Number | None, picture: Images | None
    ) -> None:
        kept = _encode(picture) if self.keeps_pictures and picture is not None else None
        text, confidence = ("", None) if number is None else (number.text, number.confidence)
        self.entries.append(Entry(page, name, text, confidence, kept))


def _arrange(page: PageReading) -> list[list[Number | None]]:
    """The numbers of a page in rows: if it has ruled tables, only those in their cells."""
    if not page.tables:
        return [[*row.numbers] for row in page.rows]
    tables: list[list[list[Number | None]]] = [
        [[None] * n_columns for _ in range(n_rows)] for n_rows, n_columns in page.tables
    ]
    for number in page.numbers:
        if (cell := number.cell) is not None:
            tables[cell.table][cell.row][cell.column] = number
    return [row for table in tables for row in table]


def count_left_out(page: PageReading) -> int:
    """Number of numbers beside the ruled tables of a page, which have no cell in a CSV file."""
    if page.error is not None or not page.tables:
        return 0
    return sum(number.cell is None for number in page.numbers)


def _place(number: Number, row: int, position: int, count: int) -> str:
    """Where a number is, for the reader: in its table, or among `count` of its row."""
    if number.cell is not None:
        return f"row {number.cell.row + 1}, column {number.cell.column + 1}"
    return f"row {row}, number {position}" if count > 1 else f"row {row}"


def format_confidence(confidence: float | None) -> str:
    """Three decimal places; empty for a blank."""
    return "" if confidence is None else f"{confidence:.3f}"


def escape_formula(text: str) -> str:
    """Return a name for a CSV file, on one line, that no spreadsheet takes for a formula."""
    text = sanitize(text)
    return f"'{text}" if text.startswith(FORMULA_STARTS) and len(text) > 1 else text


def _crop(page: PageReading, number: Number) -> Images | None:
    """Cut a number out of the page's thumbnail, with a margin."""
    if page.thumbnail is None:
        return None
    scale = page.thumbnail.shape[0] / page.size[0]
    edge = MARGIN * number.box.height
    box = number.box
    top, left = (max(round(scale * (side - edge)), 0) for side in (box.top, box.left))
    bottom, right = (round(scale * (side + edge)) for side in (box.bottom, box.right))
    return page.thumbnail[top : max(bottom, top + 1), left : max(right, left + 1)]


def _encode(picture: Images) -> bytes:
    """Encode a picture as a JPEG file, reduced to `MAX_PICTURE`."""
    image = Image.fromarray(np.ascontiguousarray(picture))
    image.thumbnail(MAX_PICTURE, Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=QUALITY)
    return buffer.getvalue()
