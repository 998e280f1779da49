"""Digits in boxes as COCO has them: one JSON file with photos, boxes and categories."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from mnist_svm.datasets.arrays import MAX_LABEL, MAX_QUOTE
from mnist_svm.datasets.formats.boxes import DigitBox, Photo, read_boxes
from mnist_svm.datasets.splits import split_meant
from mnist_svm.datasets.types import LabelledImages, Part, Progress
from mnist_svm.exceptions import FormatError, sanitize

# Characters of a file, which takes thirty times as much memory at worst.
MAX_SIZE = 64 << 20

# A file begins with one of these keys.
_FIRST_KEY = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*\{\s*\"(?:info|licenses|images|annotations|categories|type)\"\s*:\s*[\[{\"]"
)
# Or one of these is among the first.
_LIST_KEY = re.compile(rb"\"(?:images|annotations|categories)\"\s*:\s*\[\s*\{")
_WORD = re.compile(r"[a-z]+")

# Places of the photos, from the folder of the file.
_PHOTO_FOLDERS = (".", "images", "../images", "..")


def is_coco(path: Path) -> bool:
    """Whether a file begins as one of COCO."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        head = file.read(4096)
    is_object = head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{")
    return is_object and (_FIRST_KEY.match(head) or _LIST_KEY.search(head)) is not None


def open_coco(path: Path, notices: tuple[str, ...] = ()) -> Part:
    """Return the part that a file of COCO is."""
    return Part(partial(_read, path, notices), lambda: _Contents(path).class_names())


def find_coco_parts(folder: Path) -> dict[str, Part]:
    """Find the files of COCO in a folder and its sub-folder "annotations".

    The parts are "train" and "test" by the names of the files, or "all" if there is one file with
    another name. Raises FormatError if two files may be one part.
    """
    files = [
        path
        for place in (folder, folder / "annotations")
        if place.is_dir()
        for path in sorted(place.glob("*.json"))
        if not path.name.startswith(".") and is_coco(path)
    ]
    found: dict[str, Path] = {}
    left_out: list[str] = []
    for path in files:
        split = _split_of(path)
        if split == "validation":
            left_out.append(path.name)
        elif split in found:
            msg = f"{folder}: which of {found[split].name} and {path.name}? Pass the file itself"
            raise FormatError(msg)
        else:
            found[split] = path
    if len(found) > 1:
        # A file of other things, beside those of the splits.
        found.pop("all", None)
    notices = tuple(f"has the validation set {name}, which is left out" for name in left_out)
    return {split: open_coco(path, notices) for split, path in found.items()}


def _split_of(path: Path) -> str:
    return split_meant(*_WORD.findall(path.name.lower())) or "all"


def _read(path: Path, notices: tuple[str, ...], progress: Progress) -> LabelledImages:
    contents = _Contents(path)
    photos = list(contents.photos())
    said = (*notices, *contents.notices())
    return read_boxes(photos, str(path), contents.class_names(), progress, said)


class _Contents:
    """A file of COCO, checked while it is read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        if (size := path.stat().st_size) > MAX_SIZE:
            msg = f"{path}: {size:,} bytes, over the limit of {MAX_SIZE:,}; split the data set"
            raise FormatError(msg)
        try:
            content = json.loads(path.read_bytes().decode("utf-8-sig"))
        except (ValueError, RecursionError) as error:
            reason = sanitize(str(error), MAX_QUOTE)
            msg = f"{path}: expected COCO's JSON, found damaged or truncated text ({reason})"
            raise FormatError(msg) from error
        self._images = self._list(content, "images")
        self._boxes = self._list(content, "annotations")
        self._categories = self._list(content, "categories")
        self._n_crowds = 0

    def _list(self, content: Any, key: str) -> list[Mapping[str, Any]]:
        found = content.get(key) if isinstance(content, dict) else None
        if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
            msg = f"{self._path}: expected COCO's JSON with a list of objects called {key}"
            raise FormatError(msg)
        return found

    def class_names(self) -> dict[int, str]:
        """Return the names of the categories by their codes."""
        groups = {category.get("supercategory") for category in self._categories}
        used = {box.get("category_id") for box in self._boxes if isinstance(box, dict)}
        names: dict[int, str] = {}
        for index, category in enumerate(self._categories):
            where = f"{self._path}: categories[{index}]"
            code, name = self._code(category, "id", where), category.get("name")
            if not isinstance(name, (str, int)) or isinstance(name, bool):
                msg = f"{where}: expected a name, found {sanitize(str(name), MAX_QUOTE)}"
                raise FormatError(msg)
            if code in names:
                msg = f"{where}: two categories with the id {code}"
                raise FormatError(msg)
            # Some programs add the group of the categories as one of them.
            if code in used or name not in groups:
                names[code] = str(name)
        return names

    def photos(self) -> Iterator[Photo]:
        """Yield all photos with their boxes, in the order of the photos."""
        photos: dict[int | str, tuple[Mapping[str, Any], list[DigitBox]]] = {}
        for index, image in enumerate(self._images):
            key = image.get("id")
            if not isinstance(key, (int, str)) or key in photos:
                found = sanitize(str(key), MAX_QUOTE)
                msg = f"{self._path}: images[{index}]: expected an id of its own, found {found}"
                raise FormatError(msg)
            photos[key] = image, []
        names = self.class_names()
        for index, box in enumerate(self._boxes):
            where = f"{self._path}: annotations[{index}]"
            key = box.get("image_id")
            if not isinstance(key, (int, str)) or key not in photos:
                found = sanitize(str(key), MAX_QUOTE)
                msg = f"{where}: expected the id of an image, found image_id {found}"
                raise FormatError(msg)
            if box.get("iscrowd"):
                self._n_crowds += 1
                continue
            photos[key][1].append(self._box(box, names, where))
        for image, boxes in photos.values():
            if boxes:
                yield self._photo(image, boxes)

    def notices(self) -> tuple[str, ...]:
        """Return what was left out; call after `photos`."""
        if not self._n_crowds:
            return ()
        return (f"has {self._n_crowds:,} boxes of crowds, which are left out",)

    def _code(self, item: Mapping[str, Any], key: str, where: str) -> int:
        code = item.get(key)
        if not isinstance(code, int) or isinstance(code, bool) or not 0 <= code <= MAX_LABEL:
            found = sanitize(str(code), MAX_QUOTE)
            msg = f"{where}: {key}: expected a whole number from 0, found {found}"
            raise FormatError(msg)
        return code

    def _box(self, box: Mapping[str, Any], names: Mapping[int, str], where: str) -> DigitBox:
        code = self._code(box, "category_id", where)
        if code not in names:
            msg = f"{where}: expected the id of a category, found category_id {code}"
            raise FormatError(msg)
        sides = box.get("bbox")
        # Whole numbers of JSON have no limit.
        if (
            not isinstance(sides, list)
            or len(sides) != 4
            or not all(type(side) in (int, float) and abs(side) < MAX_LABEL for side in sides)
        ):
            found = sanitize(str(sides), MAX_QUOTE)
            msg = f"{where}: expected a bbox [left, top, width, height], not turned, found {found}"
            raise FormatError(msg)
        left, top, width, height = map(float, sides)
        return DigitBox(code, (left, top, left + width, top + height), where)

    def _photo(self, image: Mapping[str, Any], boxes: list[DigitBox]) -> Photo:
        name, where = image.get("file_name"), boxes[0].where
        if not isinstance(name, str) or not name or ".." in re.split(r"[\\/]", name):
            found = sanitize(str(name), MAX_QUOTE)
            msg = f"{where}: expected the file_name of a photo, without .., found {found}"
            raise FormatError(msg)
        width, height = image.get("width"), image.get("height")
        size = (width, height) if isinstance(width, int) and isinstance(height, int) else None
        return Photo(self._find(name, where), boxes, size)

    def _find(self, name: str, where: str) -> Path:
        """Return the file of a photo, which lies in one of the folders in common use."""
        folder = self._path.parent
        stem = self._path.stem
        split = stem.rpartition("_")[2]
        places = [*_PHOTO_FOLDERS, *(f"../{x}{split}" for x in ("", "images/"))]
        for place in places:
            try:
                path = folder / place / name
                if path.is_file():
                    return path
            except (OSError, ValueError):
                # Too long for a name, or with a null character.
                break
        found = sanitize(name, MAX_QUOTE)
        msg = f"{where}: no photo {found} in {folder} or a folder images beside it"
        raise FormatError(msg)
