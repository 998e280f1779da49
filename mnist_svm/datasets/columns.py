"""What the columns of a table of images are, by their names: label, pixels, numbers of rows."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from mnist_svm.constants import IMAGE_SIDE, N_PIXELS
from mnist_svm.datasets.arrays import MAX_QUOTE
from mnist_svm.exceptions import FormatError, sanitize

# Names of a column of labels, in lower case.
LABEL_NAMES = frozenset({"label", "labels", "class", "target", "digit", "y"})

# Names of a column that numbers or names the rows.
_INDEX_NAME = re.compile(
    r"|unnamed: \d+(\.\d+)?|index|id|image_?id|row|row_?id|__index_level_\d+__"
)

# Words before the number of a row or a column in the name of a pixel.
_ROW_WORDS = frozenset({"row", "r"})
_COLUMN_WORDS = frozenset({"column", "col", "c"})

# Columns that a message lists.
MAX_LISTED = 8


class Columns(NamedTuple):
    """Names of all columns of a table, and the indices of those to read.

    `pixels` are in the order of the pixels, row by row. If `label` is None and there are
    `ends`, these are the first and the last column, one of which has the labels.
    """

    names: tuple[str, ...]
    label: int | None
    pixels: list[int]
    ends: tuple[int, int] | None = None
    notices: tuple[str, ...] = ()


def plain_name(name: str) -> str:
    """Return the name of a column in lower case, without blanks, quotes and "#" around it."""
    return name.strip().lstrip("#").strip().strip("'\"").strip().lower()


def is_label(name: str) -> bool:
    """Whether a column has the name of one with labels."""
    return plain_name(name) in LABEL_NAMES


def is_index(name: str) -> bool:
    """Whether a column has the name of one that numbers or names the rows."""
    return _INDEX_NAME.fullmatch(plain_name(name)) is not None


def find_label(names: Sequence[str], source: str) -> int | None:
    """Return the index of the column of labels; raise FormatError if several may be it."""
    labels = [index for index, name in enumerate(names) if is_label(name)]
    if len(labels) > 1:
        listed = list_columns(names[index] for index in labels)
        msg = (
            f"{source}: expected one column of labels, found {len(names):,} columns, of which "
            f"{len(labels)} may be it ({listed}); remove or rename the others"
        )
        raise FormatError(msg)
    return labels[0] if labels else None


def classify_columns(names: Sequence[str], source: str) -> Columns:
    """Find the label and the 784 pixels among named columns.

    Parameters
    ----------
    names : sequence of str
        The names of all columns, in the order of the table.
    source : str
        What error messages call the table.

    Returns
    -------
    Columns
        Pixels that are numbered, by one number or by row and column, are in this order, whatever
        the order of the table. Other columns beside 784 such pixels are left out, with a notice.

    Raises
    ------
    FormatError
        If there are not 784 pixels and at most one label, or the order of the pixels is unclear.
    """
    label = find_label(names, source)
    rest = [i for i, name in enumerate(names) if i != label and not is_index(name)]
    if label is None and len(names) == N_PIXELS + 1 and _is_one_series(names):
        return unnamed_columns(len(names), source, names)
    notices: list[str] = []
    if len(rest) > N_PIXELS:
        rest, others = _split_off_others(rest, names)
        if others:
            listed = list_columns(names[index] for index in others)
            notices.append(f"has other columns, which are left out: {listed}")
    if len(rest) != N_PIXELS:
        raise _count_error(names, rest, source)
    keys = _number([names[index] for index in rest], source)
    if keys is None:
        notices.append("has pixel columns without numbers; taken in the order of the table")
    else:
        rest = [index for _, index in sorted(zip(keys, rest, strict=True))]
        if rest != sorted(rest):
            notices.append("has its pixel columns in another order; sorted by their numbers")
    return Columns(tuple(names), label, rest, notices=tuple(notices))


def unnamed_columns(n_columns: int, source: str, names: Sequence[str] = ()) -> Columns:
    """Return the columns of a table without names; raise FormatError if there are not 784 or 785.

    Of 785 columns, the first or the last has the labels, which only the values can tell.
    """
    if n_columns == N_PIXELS:
        return Columns(tuple(names) or ("",) * n_columns, None, list(range(N_PIXELS)))
    if n_columns == N_PIXELS + 1:
        return Columns(
            tuple(names) or ("",) * n_columns, None, list(range(n_columns)), (0, N_PIXELS)
        )
    noun = "value" if n_columns == 1 else "values"
    msg = (
        f"{source}: expected {N_PIXELS} pixels, with or without a label, found {n_columns:,} {noun}"
    )
    raise FormatError(msg)


def list_columns(names: Iterable[str]) -> str:
    """Return names for a message; of columns that differ in a number only, the first and last."""
    series: dict[str, list[str]] = {}
    for name in names:
        series.setdefault(re.sub(r"\d+", "#", name), []).append(name)
    texts = [
        f"{sanitize(run[0], 40)} to {sanitize(run[-1], 40)}" if len(run) > 2 else name
        for run in series.values()
        for name in ([""] if len(run) > 2 else [sanitize(name, 40) for name in run])
    ]
    more = f", ... ({len(texts)} in all)" if len(texts) > MAX_LISTED else ""
    return (", ".join(text or "''" for text in texts[:MAX_LISTED]) or "none") + more


def _skeleton(name: str) -> str:
    return re.sub(r"\d+", "#", plain_name(name))


def _numbers(name: str) -> tuple[int, ...]:
    # Nine digits are more than any pixel needs.
    return tuple(int(digits[-9:]) for digits in re.findall(r"[0-9]+", name))


def _is_one_series(names: Sequence[str]) -> bool:
    """Whether all names are one text with consecutive numbers, in order: V1, V2, V3 ..."""
    if len({_skeleton(name) for name in names}) > 1:
        return False
    rows = [_numbers(name) for name in names]
    return any(
        all(one + 1 == other for one, other in pairwise(column))
        for column in zip(*rows, strict=True)
    )


def _split_off_others(rest: list[int], names: Sequence[str]) -> tuple[list[int], list[int]]:
    """Return the 784 columns that are one series, and the others; all if it is not clear."""
    counts = Counter(_skeleton(names[index]) for index in rest)
    series = [skeleton for skeleton, n in counts.items() if n == N_PIXELS and "#" in skeleton]
    if len(series) != 1:
        return rest, []
    inside = [_skeleton(names[index]) == series[0] for index in rest]
    return (
        [index for index, is_inside in zip(rest, inside, strict=True) if is_inside],
        [index for index, is_inside in zip(rest, inside, strict=True) if not is_inside],
    )


def _count_error(names: Sequence[str], rest: Sequence[int], source: str) -> FormatError:
    noun = "column" if len(names) == 1 else "columns"
    found = (
        f"{len(names):,} {noun}, first '{sanitize(names[0], MAX_QUOTE)}'" if names else "nothing"
    )
    if len(names) > 1:
        # The columns that stand alone are those of interest, so they come first.
        counts = Counter(_skeleton(names[index]) for index in rest)
        alone = sorted(rest, key=lambda index: counts[_skeleton(names[index])])
        listed = list_columns(names[index] for index in alone)
        found += f"; {len(rest):,} that may be pixels: {listed}"
    return FormatError(
        f"{source}: expected the names of {N_PIXELS} pixel columns and a label column, "
        f"found {found}"
    )


def _number(names: Sequence[str], source: str) -> list[tuple[int, ...]] | None:
    """Return the number, or row and column, of 784 pixel columns; None if none has a number."""
    skeletons = Counter(_skeleton(name) for name in names)
    if not any("#" in skeleton for skeleton in skeletons):
        _refuse_twins(names, source)
        return None
    usual, count = skeletons.most_common(1)[0]
    if count < len(names):
        odd = [name for name in names if _skeleton(name) != usual]
        like = next(name for name in names if _skeleton(name) == usual)
        msg = (
            f"{source}: the order of the pixel columns is unclear: not all are numbered alike "
            f"({sanitize(like, MAX_QUOTE)}, but {list_columns(odd)}); name them pixel0 to pixel783"
        )
        raise FormatError(msg)
    rows = [_numbers(name) for name in names]
    varying = [index for index, column in enumerate(zip(*rows, strict=True)) if len({*column}) > 1]
    keys = [tuple(row[index] for index in varying) for row in rows]
    _require_all(keys, names, source)
    if len(varying) == 2:
        keys = _to_rows_and_columns(keys, names, _order_of(usual, varying), source)
    return keys


def _order_of(skeleton: str, varying: Sequence[int]) -> str:
    """Return which of two varying numbers is the row: "rc" or "cr"; "" if names do not say so.

    Of names such as "x3_y5", "cr?" says that the letters only suggest it.
    """
    before = [re.findall(r"[a-z]+", text) for text in skeleton.split("#")]
    first, second = (before[index][-1] if before[index] else "" for index in varying)
    if first in _ROW_WORDS and second in _COLUMN_WORDS:
        return "rc"
    if first in _COLUMN_WORDS and second in _ROW_WORDS:
        return "cr"
    return "cr?" if (first, second) == ("x", "y") else ""


def _to_rows_and_columns(
    pairs: Sequence[tuple[int, ...]], names: Sequence[str], order: str, source: str
) -> list[tuple[int, ...]]:
    """Return row and column of each name; raise FormatError if it may be column and row."""
    swapped = [pair[::-1] for pair in pairs]
    keys, others = (swapped, pairs) if order.startswith("cr") else (pairs, swapped)
    if order not in ("rc", "cr") and list(others) == sorted(others):
        msg = (
            f"{source}: the order of the pixel columns is unclear: {sanitize(names[0], 40)} is "
            f"followed by {sanitize(names[1], 40)}, so the first number may be the row or the "
            "column; name them pixel0 to pixel783, row by row"
        )
        raise FormatError(msg)
    return list(keys)


def _refuse_twins(names: Sequence[str], source: str) -> None:
    name, count = Counter(map(plain_name, names)).most_common(1)[0]
    if count > 1:
        msg = (
            f"{source}: the order of the pixel columns is unclear: {count} are called "
            f"'{sanitize(name, MAX_QUOTE)}'; name them pixel0 to pixel783"
        )
        raise FormatError(msg)


def _require_all(keys: Sequence[tuple[int, ...]], names: Sequence[str], source: str) -> None:
    """Raise FormatError unless 784 numbers have no gap, or rows and columns are 28 each."""
    remedy = "name them pixel0 to pixel783"
    key, count = Counter(keys).most_common(1)[0]
    if count > 1:
        twins = list_columns(name for name, other in zip(names, keys, strict=True) if other == key)
        msg = f"{source}: two of the pixel columns have the same number ({twins}); {remedy}"
        raise FormatError(msg)
    sides = [IMAGE_SIDE, IMAGE_SIDE] if len(keys[0]) == 2 else [N_PIXELS]
    spans = [max(axis) - min(axis) + 1 for axis in zip(*keys, strict=True)]
    if spans != sides:
        ends = list_columns(min(zip(keys, names, strict=True))[1:])
        last = list_columns(max(zip(keys, names, strict=True))[1:])
        msg = (
            f"{source}: the numbers of the {N_PIXELS} pixel columns have gaps: they run from "
            f"{ends} to {last}; {remedy}"
        )
        raise FormatError(msg)
