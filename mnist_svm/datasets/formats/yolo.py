"""Digits in boxes as YOLO has them: a text file beside each photo, with a line for each box.

A line has the code of the class, and centre, width and height as parts of the photo's sides; or the
corners of an outline, of which the bounding box is taken. ``data.yaml`` has the names of classes.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mnist_svm.datasets.arrays import MAX_QUOTE
from mnist_svm.datasets.formats.boxes import DigitBox, Photo, read_boxes
from mnist_svm.datasets.formats.yolo_names import read_names
from mnist_svm.datasets.splits import split_meant
from mnist_svm.datasets.types import LabelledImages, Part, Progress
from mnist_svm.exceptions import FormatError, sanitize
from mnist_svm.pictures.formats import SUFFIXES

# Characters of a file of boxes, and the code of its last class.
MAX_SIZE, MAX_CODE = 1 << 20, 100_000
# Values of a line with a box, and of the shortest one with an outline.
_BOX, _OUTLINE = 5, 7

_NO_NAMES = "has no names of classes (data.yaml); their codes are taken for numbers"
_OUTLINES = "has outlines in place of boxes; their bounding boxes are taken"
# Text files beside the boxes.
_OTHER_TEXTS = frozenset({"classes.txt", "train.txt", "test.txt", "val.txt", "readme.txt"})


@dataclass(frozen=True)
class _Folders:
    """Where the photos and the files of boxes of one part are."""

    photos: Path
    boxes: Path


def find_yolo_parts(folder: Path) -> dict[str, Part]:
    """Find photos with files of boxes: the parts "train" and "test", or "all".

    They are in ``images/train`` and ``labels/train``, in ``train/images`` and ``train/labels``, in
    ``images`` and ``labels``, or beside each other. Raises FormatError if two folders may be one
    part, or the file of class names is damaged.
    """
    found: dict[str, _Folders] = {}
    left_out: list[str] = []
    for name, folders in _candidates(folder):
        split = split_meant(name.rstrip("0123456789")) or "all"
        if not folders.photos.is_dir() or not _has_boxes(folders):
            continue
        if split == "validation":
            left_out.append(name)
        elif split in found:
            msg = f"{folder}: which of {found[split].boxes} and {folders.boxes}? Pass one of them"
            raise FormatError(msg)
        else:
            found[split] = folders
    if not found:
        return {}
    names = read_names(folder)
    left = [f"has the validation set {name}, which is left out" for name in left_out]
    notices = tuple(left if names else [_NO_NAMES, *left])
    return {
        split: Part(partial(_read, folders, names, notices), partial(dict, names))
        for split, folders in found.items()
    }


def _candidates(folder: Path) -> Iterator[tuple[str, _Folders]]:
    """Yield the name of a split, or "", and the folders that may have it."""
    images, labels = folder / "images", folder / "labels"
    if not labels.is_dir():
        for path in _folders_in(folder):
            if (path / "labels").is_dir():
                yield path.name, _Folders(path / "images", path / "labels")
        yield "", _Folders(folder, folder)
        return
    yield "", _Folders(images, labels)
    for path in _folders_in(labels):
        yield path.name, _Folders(images / path.name, path)


def _folders_in(folder: Path) -> list[Path]:
    # A folder may have a million pictures, for which paths would take long.
    with os.scandir(folder) as entries:
        return [folder / name for name in sorted(x.name for x in entries if x.is_dir())]


def _has_boxes(folders: _Folders) -> bool:
    """Whether the first file of boxes that is not empty has one in its first line."""
    for path in _box_files(folders, _photos_in(folders.photos)):
        with path.open("rb") as file:
            head = file.read(4096)
        values = head.decode("ascii", errors="replace").lstrip().partition("\n")[0].split()
        if values:
            is_number = all(_is_number(value) for value in values)
            return values[0].isdecimal() and len(values) >= _BOX and is_number
    return False


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _box_files(folders: _Folders, photos: Mapping[str, Path]) -> list[Path]:
    """Return the files of boxes; if they are beside the photos, only those with the name of one."""
    return [
        folders.boxes / name
        for name in _names_in(folders.boxes)
        if name.lower().endswith(".txt")
        and not name.startswith(".")
        and name.lower() not in _OTHER_TEXTS
        and (folders.boxes != folders.photos or name[:-4] in photos)
    ]


def _photos_in(folder: Path) -> dict[str, Path]:
    """Return the pictures in a folder by their names without suffix."""
    parts = (name.rpartition(".") for name in _names_in(folder))
    return {
        stem: folder / f"{stem}.{suffix}"
        for stem, _, suffix in parts
        if f".{suffix.lower()}" in SUFFIXES and not stem.startswith(".")
    }


def _names_in(folder: Path) -> list[str]:
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries)


def _read(
    folders: _Folders, names: Mapping[int, str], notices: tuple[str, ...], progress: Progress
) -> LabelledImages:
    pictures = _photos_in(folders.photos)
    photos, has_outlines = [], False
    for path in _box_files(folders, pictures):
        boxes, are_outlines = _read_file(path, names)
        has_outlines |= are_outlines
        if path.stem not in pictures:
            msg = f"{path}: no photo {sanitize(path.stem, MAX_QUOTE)} in {folders.photos}"
            raise FormatError(msg)
        photos.append(Photo(pictures[path.stem], boxes, relative=True))
    said = (*notices, _OUTLINES) if has_outlines else notices
    return read_boxes(photos, str(folders.boxes), names, progress, said)


def _read_file(path: Path, names: Mapping[int, str]) -> tuple[list[DigitBox], bool]:
    """Return the boxes in a file, and whether any is an outline."""
    if (size := path.stat().st_size) > MAX_SIZE:
        msg = f"{path}: {size:,} bytes, over the limit of {MAX_SIZE:,}"
        raise FormatError(msg)
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        msg = f"{path}: expected text in UTF-8, found other bytes"
        raise FormatError(msg) from error
    boxes, has_outlines = [], False
    for number, line in enumerate(lines, start=1):
        if values := line.split():
            boxes.append(_parse(values, f"{path}: line {number}", names))
            has_outlines |= len(values) > _BOX
    return boxes, has_outlines


def _parse(values: list[str], where: str, names: Mapping[int, str]) -> DigitBox:
    is_outline = len(values) >= _OUTLINE and len(values) % 2 == 1
    if not (len(values) == _BOX or is_outline):
        msg = f"{where}: expected a class, centre, width and height, found {len(values)} values"
        raise FormatError(msg)
    code = int(values[0]) if values[0].isdecimal() and len(values[0]) < 9 else -1
    if not (code in names if names else 0 <= code <= MAX_CODE):
        expected = f"one of the {len(names)} classes, 0 to {max(names)}" if names else "a class"
        msg = f"{where}: expected {expected}, found {sanitize(values[0], MAX_QUOTE)}"
        raise FormatError(msg)
    for value in values[1:]:
        if not _is_number(value) or not -1 <= float(value) <= 2:
            found = sanitize(value, MAX_QUOTE)
            msg = f"{where}: expected parts of the photo's sides from 0 to 1, found {found}"
            raise FormatError(msg)
    numbers = [float(value) for value in values[1:]]
    if is_outline:
        across, down = numbers[::2], numbers[1::2]
        return DigitBox(code, (min(across), min(down), max(across), max(down)), where)
    x, y, width, height = numbers
    corners = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    return DigitBox(code, corners, where)
