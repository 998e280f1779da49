"""What the columns of a Parquet file are, by their types and names."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from mnist_svm.constants import N_PIXELS
from mnist_svm.datasets.columns import (
    classify_columns,
    find_label,
    is_index,
    is_label,
    list_columns,
    plain_name,
)
from mnist_svm.datasets.rows import quote
from mnist_svm.exceptions import FormatError

if TYPE_CHECKING:
    import pyarrow as pa

# Names of a column of pictures or lists of pixels, of several of which it is the one to read.
PICTURE_NAMES = frozenset(
    {"image", "images", "img", "picture", "pixels", "pixel", "x", "data", "png", "jpg", "bytes"}
)


class Found(NamedTuple):
    """The columns to read: one of pictures, one of lists of pixels, or 784 of pixels."""

    source: str
    kind: Literal["pictures", "lists", "columns"]
    pixels: list[str]
    label: str | None
    notices: tuple[str, ...] = ()


def find_columns(file: Any, source: str) -> Found:
    """Find the columns to read in an open file; raise FormatError if they are not clear."""
    schema: pa.Schema = file.schema_arrow
    names: list[str] = schema.names
    if len({*names}) < len(names):
        twins = list_columns(sorted({name for name in names if names.count(name) > 1}))
        msg = f"{source}: several columns have the same name ({twins}); rename them"
        raise FormatError(msg)
    types = {field.name: field.type for field in schema}
    pictures = [name for name in names if _has_pictures(types[name])]
    lists = [name for name in names if is_list(types[name]) and _is_number(_leaf(types[name]))]
    for kind, found in (("pictures", pictures), ("lists", lists)):
        if one := _choose(found, source):
            if kind == "lists":
                _require_lists(file, one, source)
            others = [name for name in names if name not in (*pictures, *lists)]
            label = find_label(others, source)
            notices = _notice_others(others) if label is None else ()
            chosen = None if label is None else others[label]
            return Found(source, kind, [one], chosen, notices)  # type: ignore[arg-type]
    try:
        columns = classify_columns(names, source)
    except FormatError as error:
        msg = f"{source}: expected a column of pictures, or of lists of pixels; or {error}".replace(
            f"or {source}: expected ", "or "
        )
        raise FormatError(msg) from error
    if columns.ends:
        msg = (
            f"{source}: {len(names)} columns are numbered alike ({list_columns(names)}), so it is "
            "unclear which has the labels; name it label"
        )
        raise FormatError(msg)
    pixels = [names[index] for index in columns.pixels]
    label_name = None if columns.label is None else names[columns.label]
    return Found(source, "columns", pixels, label_name, columns.notices)


def label_names(schema: pa.Schema, label: str | None) -> list[str]:
    """Return the names of the labels 0, 1, ... that a hub's schema declares; empty if none."""
    content = (schema.metadata or {}).get(b"huggingface", b"{}")
    try:
        info = json.loads(content)
    except (ValueError, RecursionError):
        return []
    features = _get(_get(info, "info"), "features")
    return class_label_names(_get(features, label)) if label is not None else []


def class_label_names(feature: Any) -> list[str]:
    """Return the names in the description of a column of labels; empty if it has none."""
    names = _get(feature, "names")
    if names is None:
        # As in the metadata of a data set's page: {class_label: {names: {"0": "cat"}}}.
        names = _get(_get(_get(feature, "dtype"), "class_label"), "names")
    if isinstance(names, Mapping):
        keys = [str(index) for index in range(len(names))]
        names = [names[key] for key in keys] if set(keys) == {*names} else []
    return [str(name) for name in names] if isinstance(names, list) else []


def names_in_info(features: Any) -> list[str]:
    """Return the class names that the description of a data set declares; empty if none."""
    if not isinstance(features, Mapping):
        return []
    named = (class_label_names(feature) for key, feature in features.items() if is_label(key))
    return next((names for names in named if names), [])


def is_list(column_type: pa.DataType) -> bool:
    """Whether a column has lists, of a fixed length or not."""
    from pyarrow import types

    column_type = getattr(column_type, "storage_type", column_type)
    return bool(
        types.is_list(column_type)
        or types.is_large_list(column_type)
        or types.is_fixed_size_list(column_type)
    )


def _leaf(column_type: pa.DataType) -> pa.DataType:
    while is_list(column_type):
        column_type = getattr(column_type, "storage_type", column_type).value_type
    return column_type


def _is_number(column_type: pa.DataType) -> bool:
    from pyarrow import types

    return bool(
        types.is_integer(column_type)
        or types.is_floating(column_type)
        or types.is_boolean(column_type)
        or types.is_decimal(column_type)
    )


def _has_pictures(column_type: pa.DataType) -> bool:
    from pyarrow import types

    if types.is_struct(column_type):
        return any(field.name == "bytes" and _has_pictures(field.type) for field in column_type)
    return bool(types.is_binary(column_type) or types.is_large_binary(column_type))


def _choose(names: Sequence[str], source: str) -> str | None:
    """Return the only name, or the only one that is usual; None of none."""
    usual = [name for name in names if plain_name(name) in PICTURE_NAMES]
    if len(names) > 1 and len(usual) != 1:
        msg = (
            f"{source}: expected one column of pictures or lists of pixels, found several "
            f"({list_columns(names)}); call the one to read image"
        )
        raise FormatError(msg)
    return (usual if len(names) > 1 else list(names) or [None])[0]  # type: ignore[list-item]


def _require_lists(file: Any, column: str, source: str) -> None:
    """Raise FormatError if lists have more numbers than images, before they are unpacked."""
    metadata = file.metadata
    for group in range(metadata.num_row_groups):
        rows = metadata.row_group(group)
        for index in range(rows.num_columns):
            chunk = rows.column(index)
            if chunk.path_in_schema.split(".")[0] != column:
                continue
            if chunk.num_values > rows.num_rows * N_PIXELS:
                msg = (
                    f"{source}: expected lists of {N_PIXELS} pixels in the column "
                    f"{quote(column)}, found {chunk.num_values:,} numbers in {rows.num_rows:,} "
                    "rows"
                )
                raise FormatError(msg)


def _notice_others(names: Sequence[str]) -> tuple[str, ...]:
    others = [name for name in names if not is_index(name)]
    return (f"has no column called label; left out: {list_columns(others)}",) if others else ()


def _get(value: Any, key: str | None) -> Any:
    return value.get(key) if isinstance(value, Mapping) else None
