"""Parsing of lines of whole numbers with NumPy, many at a time."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import numpy.typing as npt

from mnist_svm._types import BoolArray, IntArray

# Bytes to parse at once, so that intermediate arrays stay in the cache of a core.
BYTES_PER_PIECE = 1 << 17

# Digits of the largest number to parse here.
MAX_DIGITS = 3


def parse_whole_numbers(
    piece: bytes, n_columns: int, separator: str | None, skipped: Collection[int] = ()
) -> npt.NDArray[np.uint16] | None:
    r"""Parse lines that have whole numbers only.

    Parameters
    ----------
    piece : bytes
        Whole lines, each with its ``\n``.
    n_columns : int
    separator : str or None
        One character, or None for blanks and tabs.
    skipped : collection of int, default=()
        Columns whose values do not matter, and may be too large.

    Returns
    -------
    uint16 ndarray of shape (n_lines, n_columns), or None
        None if any line has another number of columns, or any number has more than three digits
        or is written in another way than ``7``, ``"7"`` and ``7.0``.
    """
    n_quotes = 0
    if not piece.isascii():
        return None
    if separator is None:
        piece, separator = _single_blanks(piece), " "
    elif b" " in piece or (separator != "\t" and b"\t" in piece):
        piece = _strip_blanks(piece, separator)
    mark = separator.encode()
    if b'"' in piece:
        n_quotes = piece.count(b'"')
        # Only if every field has its pair is the number of quotes twice that of fields.
        piece = piece.replace(b'"' + mark + b'"', mark).replace(b'"\n"', b"\n")
        if not (piece.startswith(b'"') and piece.endswith(b'"\n')):
            return None
        piece = piece[1:-2] + b"\n"
    if mark + b"\n" in piece:
        piece = piece.replace(mark + b"\n", b"\n")
    if b"." in piece:
        piece = piece.replace(b".0" + mark, mark).replace(b".0\n", b"\n")
    values = _parse_digits(piece, n_columns, ord(mark), skipped)
    if values is not None and n_quotes not in (0, 2 * values.size):
        return None
    return values


def _single_blanks(piece: bytes) -> bytes:
    """Separate fields by one blank, and remove blanks at the ends of lines."""
    piece = piece.replace(b"\t", b" ")
    while b"  " in piece:
        piece = piece.replace(b"  ", b" ")
    return piece.replace(b" \n", b"\n").replace(b"\n ", b"\n").removeprefix(b" ")


def _strip_blanks(piece: bytes, separator: str) -> bytes:
    """Remove blanks around fields; those within a field stay."""
    if separator != "\t":
        piece = piece.replace(b"\t", b" ")
    while b"  " in piece:
        piece = piece.replace(b"  ", b" ")
    mark = separator.encode()
    piece = piece.replace(mark + b" ", mark).replace(b" " + mark, mark)
    return piece.replace(b" \n", b"\n").replace(b"\n ", b"\n").removeprefix(b" ")


def _parse_digits(
    piece: bytes, n_columns: int, separator: int, skipped: Collection[int]
) -> npt.NDArray[np.uint16] | None:
    """Parse digits with one separator or newline between any two numbers."""
    # Two bytes before the first, so that the digits before each byte can be looked at.
    codes = np.frombuffer(b"\n\n" + piece, np.uint8)
    digits = codes - ord("0")
    is_digit = digits <= 9
    is_end = ~is_digit[2:]
    is_newline = codes[2:] == ord("\n")
    n_ends = np.count_nonzero(is_end)
    n_known = np.count_nonzero(codes[2:] == separator) + np.count_nonzero(is_newline)
    is_empty = is_end[0] or (is_end[1:] & is_end[:-1]).any()
    if is_empty or n_known != n_ends or n_ends % n_columns:
        return None
    (ends,) = np.nonzero(is_end)
    if not np.array_equal(ends[n_columns - 1 :: n_columns], np.flatnonzero(is_newline)):
        return None
    if not _are_short(is_digit, ends, n_columns, skipped):
        return None
    # The number that ends at each byte; separators count as 0.
    digits *= is_digit
    numbers = digits[2:].astype(np.uint16)
    numbers += digits[1:-1] * np.uint8(10)
    hundreds = digits[:-2] * is_digit[1:-1]
    numbers += hundreds * np.uint16(100)
    ends -= 1
    return numbers.take(ends).reshape(-1, n_columns)


def _are_short(
    is_digit: BoolArray, ends: IntArray, n_columns: int, skipped: Collection[int]
) -> bool:
    """Whether no number has more than three digits, except in columns to be skipped."""
    long = is_digit[3:] & is_digit[2:-1] & is_digit[1:-2] & is_digit[:-3]
    if not long.any():
        return True
    columns = np.searchsorted(ends, np.flatnonzero(long) + 1) % n_columns
    return bool(np.isin(columns, list(skipped)).all())
