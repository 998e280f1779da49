"""Separator and columns of a CSV file, from its first lines."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from mnist_svm.constants import N_PIXELS
from mnist_svm.datasets.columns import Columns, classify_columns, unnamed_columns
from mnist_svm.datasets.rows import is_number
from mnist_svm.exceptions import FormatError

# Start of a line that is a comment.
COMMENT = b"#"

# A first line by which spreadsheet programs state the separator, which the other lines show.
_SPREADSHEET_HINT = re.compile(rb"sep=[^\n]\n", re.IGNORECASE)

# In the order in which they are tried: commas may be in the numbers of the others.
_SEPARATORS = (";", "\t", "|", ",")


@dataclass
class Comments:
    """Comments before the first line of a table: number and text of each with many words."""

    lines: list[tuple[int, str]] = field(default_factory=list)


class FoundTable(NamedTuple):
    """Columns of a table and their separator, None for blanks."""

    columns: Columns
    separator: str | None


def find_table(
    first: int, block: bytes, comments: Comments, name: str
) -> tuple[FoundTable | None, tuple[int, bytes]]:
    """Find the columns, and return them with the number and bytes of the first lines of images.

    Returns None, and adds to `comments`, if there are only comments. Raises FormatError, with
    `name`, if the columns are not those of images.
    """
    while block.startswith(COMMENT) or _SPREADSHEET_HINT.match(block):
        line, _, block = block.partition(b"\n")
        if len(line) > N_PIXELS:
            comments.lines.append((first, line.lstrip(b"# \t").decode("utf-8", "replace")))
        first += 1
    if not block:
        return None, (first, b"")
    line, _, others = block.partition(b"\n")
    text = line.decode("utf-8", "replace")
    separator = find_separator(text)
    fields = split_fields(text, separator)
    source = f"{name}: line {first}"
    if not _is_row(fields):
        columns = classify_columns(without_last_blank(fields), source)
        return FoundTable(columns, separator), (first + 1, others)
    fields = without_last_blank(fields) if len(fields) > N_PIXELS + 1 else fields
    columns = _from_comments(comments, len(fields), name) or unnamed_columns(len(fields), source)
    return FoundTable(columns, separator), (first, block)


def find_separator(line: str) -> str | None:
    """Return the character that separates the most fields, or None if blanks do."""
    counts = {separator: line.count(separator) for separator in _SEPARATORS}
    for separator, count in counts.items():
        if count >= N_PIXELS - 1:
            return separator
    if len(line.split()) >= N_PIXELS:
        return None
    return max(_SEPARATORS[::-1], key=lambda separator: counts[separator])


def split_fields(line: str, separator: str | None) -> list[str]:
    """Split a line, and remove blanks and quotes around fields; empty if quotes do not match."""
    if separator is None:
        return [text.strip('"') for text in line.split()]
    try:
        rows = list(csv.reader([line], delimiter=separator, skipinitialspace=True, strict=True))
    except csv.Error:
        return []
    return [text.strip() for text in rows[0]] if rows else []


def without_last_blank(fields: Sequence[str]) -> list[str]:
    """Return fields without the blank one after a separator that ends the line."""
    return list(fields[:-1] if len(fields) > 1 and not fields[-1] else fields)


def _is_row(fields: Sequence[str]) -> bool:
    """Whether fields are the values of an image and not the names of columns.

    Names may be numbers as well, but all are different, which pixels are not.
    """
    numbers = [text for text in fields if is_number(text.replace(",", "."))]
    is_series = len(numbers) >= N_PIXELS and len(set(numbers)) == len(numbers)
    return 2 * len(numbers) > len(fields) and not is_series


def _from_comments(comments: Comments, n_columns: int, name: str) -> Columns | None:
    """Return the columns that the last comment with many words names; None without one."""
    for number, text in comments.lines[::-1]:
        fields = without_last_blank(split_fields(text, find_separator(text)))
        # A row of images may be a comment, too.
        if len(fields) < N_PIXELS or _is_row(fields):
            continue
        columns = classify_columns(fields, f"{name}: line {number}")
        if len(fields) != n_columns:
            msg = (
                f"{name}: line {number}: expected the names of {n_columns} columns, as many as "
                f"there are values, found {len(fields)}"
            )
            raise FormatError(msg)
        return columns
    return None
