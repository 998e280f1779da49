"""The template of a form: what the page is found by, and where its fields are."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self, get_args

from mnist_svm.exceptions import FormatError, sanitize

# What a page is found by: marks in its corners, or the largest frame on it.
Guide = Literal["marks", "frame"]

# Keys of a template, and of each of its fields.
KEYS, FIELD_KEYS = ("page", "size", "fields"), ("name", "box", "digits", "pattern")

# Limits: of the file in bytes, of the number of fields, of digits in a field.
MAX_BYTES, MAX_FIELDS, MAX_DIGITS = 1_000_000, 1000, 50

# Largest coordinate, and largest ratio of the page's sides.
MAX_NUMBER, MAX_ASPECT = 1e6, 50

# Characters that an error message quotes of a value.
MAX_QUOTE = 60

# Decimal places may be rounded so that a box ends this far outside.
TOLERANCE = 1e-3


@dataclass(frozen=True)
class FormField:
    """A place for one number on a form.

    Attributes
    ----------
    name : heading of its column.
    left, top, width, height : float, 0 to 1
        Its box, as fractions of the width and height of the area between the centres of the corner
        marks, or of that inside the frame.
    digits : number of digits, or the least and the most; None if it is not known.
    pattern : of the number: ``d`` is a digit, 0 to 9 is that digit, anything else a mark that may
        be there; None if it is not known.
    """

    name: str
    left: float
    top: float
    width: float
    height: float
    digits: int | tuple[int, int] | None = None
    pattern: str | None = None


@dataclass(frozen=True)
class FormTemplate:
    """The fields of a form, and what its page is found by.

    Attributes
    ----------
    fields : the fields, in the order of the columns.
    page : "marks" for marks in the four corners, or "frame" for the largest frame.
    size : width and height, in any unit, of the area between the centres of the marks or of the
        frame; None if it is not known. A page of other proportions is refused.
    """

    fields: tuple[FormField, ...]
    page: Guide = "marks"
    size: tuple[float, float] | None = None

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a template from a JSON file.

        The file has an object with ``fields``, a list of objects with ``name`` and ``box`` (left,
        top, width and height) and optionally ``digits`` (a number, or the least and the most) and
        ``pattern``; and optionally ``page`` and ``size``.

        Parameters
        ----------
        path : str or os.PathLike

        Returns
        -------
        FormTemplate

        Raises
        ------
        FormatError
            If the content is invalid: with the field, what was expected and what was found.
        OSError
            If the file cannot be read.
        """
        with Path(path).open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        source = os.fsdecode(path)
        if len(content) > MAX_BYTES:
            msg = f"{source}: expected a form template of at most {MAX_BYTES:,} bytes, found more"
            raise FormatError(msg)
        try:
            data = json.loads(content, object_pairs_hook=_unique)
        except FormatError as error:
            msg = f"{source}: {error}"
            raise FormatError(msg) from error
        except json.JSONDecodeError as error:
            msg = (
                f"{source}: expected a form template in JSON, found an error in line "
                f"{error.lineno}, column {error.colno}: {error.msg}"
            )
            raise FormatError(msg) from error
        except (ValueError, RecursionError) as error:
            # No text, nested too deep, or a number of thousands of digits.
            msg = f"{source}: expected a form template in JSON, found something else"
            raise FormatError(msg) from error
        return cls.from_dict(data, source=source)

    @classmethod
    def from_dict(cls, data: Any, *, source: str = "template") -> Self:
        """Check the content of a template file.

        Parameters
        ----------
        data : object
            As `json.load` returns it.
        source : str, default="template"
            What error messages call it.

        Returns
        -------
        FormTemplate

        Raises
        ------
        FormatError
            If the content is invalid.
        """
        _require_object(data, KEYS, source)
        page = data.get("page", "marks")
        if page not in get_args(Guide):
            raise _error(source, "page", '"marks" or "frame"', page)
        size = data.get("size")
        if size is not None and not _is_size(size):
            raise _error(source, "size", "[width, height] of the page, in any unit", size)
        items = data.get("fields")
        if not isinstance(items, list) or not 1 <= len(items) <= MAX_FIELDS:
            expected = f"a list of 1 to {MAX_FIELDS:,} fields"
            raise _error(source, "fields", expected, items)
        fields = tuple(
            _check_field(item, f"{source}: field {number}")
            for number, item in enumerate(items, start=1)
        )
        _require_unique_columns(fields, source)
        return cls(fields, page, None if size is None else (float(size[0]), float(size[1])))


def _check_field(item: Any, where: str) -> FormField:
    _require_object(item, FIELD_KEYS, where)
    name = item.get("name")
    if not isinstance(name, str) or not name.strip() or not name.isprintable():
        raise _error(where, "name", "a text on one line", name)
    where += f" ({name[:MAX_QUOTE]})"
    box = item.get("box")
    if not _is_inside(box):
        expected = "[left, top, width, height] in fractions of the page, from 0 to 1"
        raise _error(where, "box", expected, box)
    digits = _check_digits(item.get("digits"), where)
    pattern = _check_pattern(item.get("pattern"), digits, where)
    left, top, width, height = map(float, box)
    return FormField(name.strip(), left, top, width, height, digits, pattern)


def _check_digits(digits: Any, where: str) -> int | tuple[int, int] | None:
    if digits is None or (_is_integer(digits) and 1 <= digits <= MAX_DIGITS):
        return digits  # type: ignore[no-any-return]
    is_range = isinstance(digits, list) and len(digits) == 2 and all(map(_is_integer, digits))
    if is_range and 1 <= digits[0] <= digits[1] <= MAX_DIGITS:
        return digits[0], digits[1]
    expected = f"a number of digits from 1 to {MAX_DIGITS}, or [least, most]"
    raise _error(where, "digits", expected, digits)


def _check_pattern(pattern: Any, digits: int | tuple[int, int] | None, where: str) -> str | None:
    if pattern is None:
        return None
    count = sum(char in "d0123456789" for char in pattern) if isinstance(pattern, str) else 0
    if not 1 <= count <= MAX_DIGITS or not pattern.isprintable():
        raise _error(where, "pattern", "a text with a d for each digit, as 'ddd.ddd,-'", pattern)
    least, most = (digits, digits) if isinstance(digits, int) else digits or (1, MAX_DIGITS)
    if not least <= count <= most:
        expected = f"as many digits as digits says ({least}{f' to {most}' * (most > least)})"
        raise _error(where, "pattern", expected, pattern)
    return str(pattern)


def _is_inside(box: Any) -> bool:
    """Whether a value is a box of some size that does not end outside of the page."""
    if not _are_numbers(box, 4):
        return False
    left, top, width, height = box
    is_within = min(left, top) >= -TOLERANCE and max(left + width, top + height) <= 1 + TOLERANCE
    return bool(min(width, height) > 0 and is_within)


def _is_size(size: Any) -> bool:
    return _are_numbers(size, 2) and 0 < max(size) <= MAX_ASPECT * min(size)


def _are_numbers(value: Any, n: int) -> bool:
    return isinstance(value, list) and len(value) == n and all(map(_is_number, value))


def _is_number(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and -MAX_NUMBER <= value <= MAX_NUMBER


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _require_unique_columns(fields: Iterable[FormField], source: str) -> None:
    """Raise FormatError if two columns of the CSV file would have one name."""
    taken = {"file"}
    for number, field in enumerate(fields, start=1):
        for column in column_names(field.name):
            if column in taken:
                msg = (
                    f"{source}: field {number}: expected a name that no other column has, found "
                    f"{_quote(field.name)}; there is a column {_quote(column)} already"
                )
                raise FormatError(msg)
            taken.add(column)


def column_names(name: str) -> tuple[str, str]:
    """Headings of the columns of a field's number and confidence."""
    return name, f"{name} confidence"


def _require_object(data: Any, keys: tuple[str, ...], where: str) -> None:
    if not isinstance(data, Mapping):
        raise _error(where, "", f"an object with {', '.join(keys)}", data)
    if unknown := [key for key in data if key not in keys]:
        raise _error(where, "", f"keys among {', '.join(keys)}", unknown[0])


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make the dictionary of an object; raise FormatError if a key is there twice."""
    result = dict(pairs)
    if len(result) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        msg = f"expected each key of an object once, found {_quote(twice)} twice"
        raise FormatError(msg)
    return result


def _error(where: str, key: str, expected: str, found: Any) -> FormatError:
    text = "nothing" if found is None else _quote(found)
    where += f": {key}" if key else ""
    return FormatError(f"{where}: expected {expected}, found {text}")


def _quote(value: Any) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except (ValueError, RecursionError):
        text = type(value).__name__
    return sanitize(text if len(text) <= MAX_QUOTE else text[: MAX_QUOTE - 3] + "...")
