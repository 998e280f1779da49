"""Images as a list of records, each with a picture and its label, from JSON or CSV.

The picture is a path, the base64 text of a file, or its pixels. A path is relative to the file that
has the list, and does not lead out of its folder.
"""

from __future__ import annotations

import base64
import binascii
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mnist_svm._types import Images, Labels
from mnist_svm.constants import IMAGE_SHAPE, N_PIXELS
from mnist_svm.datasets.arrays import MAX_QUOTE
from mnist_svm.datasets.picture_set import PictureSet
from mnist_svm.datasets.rows import Cells, InvalidPixelError, PixelRows, label_problem
from mnist_svm.datasets.types import LabelledImages, Part, PictureSources, Progress
from mnist_svm.exceptions import FormatError, sanitize

# Names of the picture and of the label in a record, in lower case, the preferred ones first.
PICTURE_KEYS = (
    *("image", "img", "picture", "pixels", "file_name", "filename", "file", "path", "filepath"),
    *("file_path", "image_path", "img_path", "image_file", "image_name"),
)
LABEL_KEYS = (
    *("label", "labels", "class", "digit", "target", "y", "class_name", "category", "text"),
)

_DATA_URL = re.compile(r"data:image/[\w.+-]+;base64,", re.ASCII)
_WEB_ADDRESS = re.compile(r"[a-z]+://", re.IGNORECASE)

# A record, and where it is in the file: "line 3".
Record = tuple[str, Mapping[str, Any]]


@dataclass(frozen=True)
class _Keys:
    """Names of the picture and of the label in the records of a list."""

    picture: str
    label: str | None


def listing_part(path: Path, records: Callable[[], Iterator[Record]]) -> Part:
    """Return the part of a data set that is a list of records.

    Parameters
    ----------
    path : Path
        File with the list.
    records : callable
        Returns an iterator over the records; called once for labels and once for pictures.
    """
    return Part(partial(_read, path, records), partial(_read_names, path, records))


def has_listing_keys(names: Iterable[str]) -> bool:
    """Whether names of a record, or of the columns of a table, have one of a picture's path."""
    return not {name.strip().lower() for name in names}.isdisjoint(PICTURE_KEYS)


def has_label_key(names: Iterable[str]) -> bool:
    """Whether names of a record, or of the columns of a table, have one of a label."""
    return not {name.strip().lower() for name in names}.isdisjoint(LABEL_KEYS)


def _read_names(path: Path, records: Callable[[], Iterator[Record]]) -> Mapping[int, str]:
    return _read_labels(path, records)[1]


def _read(
    path: Path, records: Callable[[], Iterator[Record]], progress: Progress
) -> LabelledImages:
    """Read the labels of all records, and then the pictures."""
    labels, class_names, n = _read_labels(path, records)
    images, notices, sources = _read_images(path, records, class_names.values(), n, progress)
    return LabelledImages(images, labels, class_names, notices=notices, pictures=sources)


def _read_labels(
    path: Path, records: Callable[[], Iterator[Record]]
) -> tuple[Labels | None, Mapping[int, str], int]:
    """Return the labels, None if there are none, the class names and the number of records."""
    cells, keys, n = Cells(), None, 0
    for n, (where, record) in enumerate(records(), start=1):
        keys = keys or _find_keys(record, f"{path}: {where}")
        if keys.label is None:
            continue
        text = _label_text(record, keys.label, f"{path}: {where}")
        cells.append([text], [n])
    if keys is None:
        msg = f"{path}: no images in it"
        raise FormatError(msg)
    if keys.label is None:
        return None, {}, n
    return *cells.to_labels(str(path)), n


def _find_keys(record: Mapping[str, Any], source: str) -> _Keys:
    """Return the names that a record has for its picture and its label."""
    names = {name.strip().lower(): name for name in record}
    picture = next((names[key] for key in PICTURE_KEYS if key in names), None)
    if picture is None:
        found = sanitize(", ".join(record), MAX_QUOTE) or "none"
        listed = ", ".join(PICTURE_KEYS[:6])
        msg = f"{source}: expected a picture, called {listed} or the like; found {found}"
        raise FormatError(msg)
    return _Keys(picture, next((names[key] for key in LABEL_KEYS if key in names), None))


def _label_text(record: Mapping[str, Any], key: str, source: str) -> str:
    value = record.get(key)
    is_plain = isinstance(value, (str, int, float)) and not isinstance(value, bool)
    text = str(value).strip()
    problem = label_problem(text) if is_plain else "a number or the name of a class"
    if problem:
        found = sanitize(str(value), MAX_QUOTE)
        msg = f"{source}: {sanitize(key, MAX_QUOTE)}: expected {problem}, found {found}"
        raise FormatError(msg)
    return text


def _read_images(
    path: Path,
    records: Callable[[], Iterator[Record]],
    class_names: Iterable[str],
    n_total: int,
    progress: Progress,
) -> tuple[Images, tuple[str, ...], PictureSources | None]:
    pictures, rows, keys = PictureSet(tuple(class_names)), PixelRows(), None
    for n_done, (where, record) in enumerate(records(), start=1):
        source = f"{path}: {where}"
        keys = keys or _find_keys(record, source)
        value = record.get(keys.picture)
        if isinstance(value, list):
            _add_pixels(rows, value, source)
        else:
            _add_picture(pictures, value, path, source)
        if len(rows) and len(pictures):
            msg = f"{source}: expected all images as pixels or all as pictures, found both"
            raise FormatError(msg)
        progress(n_done, n_total)
    if len(rows):
        return rows.finish(str(path)), (), None
    return *pictures.finish(progress), pictures.sources


def _add_pixels(rows: PixelRows, value: list[Any], source: str) -> None:
    """Add an image given as 28 lists of 28 numbers, or as 784 numbers."""
    try:
        array = np.array(value)
    except (ValueError, OverflowError):
        array = np.empty(0)
    if array.dtype.kind not in "buif" or array.shape not in (IMAGE_SHAPE, (N_PIXELS,)):
        msg = (
            f"{source}: expected 28 x 28 pixels as lists of numbers, found a list of "
            f"{len(value):,} that is not"
        )
        raise FormatError(msg)
    try:
        rows.append(array.reshape(1, N_PIXELS))
    except InvalidPixelError as error:
        found = array.reshape(-1)[error.column]
        msg = f"{source}: pixel {error.column + 1}: expected {error.expected}, found {found:g}"
        raise FormatError(msg) from error


def _add_picture(pictures: PictureSet, value: Any, path: Path, source: str) -> None:
    """Add a picture given as a path or as a data URL; either may be in a mapping."""
    if isinstance(value, Mapping):
        value = value.get("path") or value.get("bytes") or value.get("src")
    if not isinstance(value, str) or not value.strip():
        found = sanitize(str(value), MAX_QUOTE)
        msg = f"{source}: expected the path of a picture, a data URL or pixels, found {found}"
        raise FormatError(msg)
    if match := _DATA_URL.match(value):
        try:
            content = base64.b64decode(value[match.end() :], validate=True)
        except (binascii.Error, ValueError) as error:
            msg = f"{source}: the data URL of the picture is not valid base64"
            raise FormatError(msg) from error
        pictures.add(io.BytesIO(content), source)
        return
    file = resolve(value.strip(), path, source)
    with file.open("rb") as stream:
        pictures.add(stream, f"{source}: {file}")


def resolve(name: str, listing: Path, source: str) -> Path:
    """Return the file of a picture that a list names, from the folder of the list.

    It may also be in the sub-folder "images", or in one of the list's name. Raises FormatError,
    which begins with `source`, if the name is a web address or leads out of the folder, or there is
    no such file.
    """
    folder, quoted = listing.parent, sanitize(name, MAX_QUOTE)
    stem = listing.name.partition(".")[0]
    if _WEB_ADDRESS.match(name):
        msg = f"{source}: {quoted}: expected a file; download the pictures, and list their paths"
        raise FormatError(msg)
    if ".." in re.split(r"[\\/]", name):
        msg = f"{source}: {quoted}: expected a path in the folder {folder}, without .."
        raise FormatError(msg)
    spellings = {name: None, name.replace("\\", "/"): None}
    for file in (folder / place / x for place in ("", stem, "images") for x in spellings):
        try:
            if file.is_file():
                return file
        except (OSError, ValueError):
            # Too long for a name, or with a null character.
            break
    msg = (
        f"{source}: no picture {quoted} in {folder}; paths are relative to the file that lists them"
    )
    raise FormatError(msg)
