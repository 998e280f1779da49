"""Parquet files of a data set in a folder, in the layouts of data hubs and by their names."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from mnist_svm.datasets.class_names import list_names
from mnist_svm.datasets.formats.parquet import read_class_names, read_parquet
from mnist_svm.datasets.formats.parquet_columns import names_in_info
from mnist_svm.datasets.types import LabelledImages, Part, Progress
from mnist_svm.exceptions import FormatError

# Words for each split in the name of a file or folder.
_SPLITS = {
    "train": "train",
    "training": "train",
    "test": "test",
    "testing": "test",
    "t10k": "test",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
}

# Folders in folders to look into, and files of a split.
MAX_DEPTH, MAX_FILES = 3, 10_000

# A description of the data set, in bytes.
MAX_INFO = 4 << 20

_SHARD = re.compile(r"(.*?)(\d+)-of-(\d+)")


def find_parquet_parts(folder: Path) -> dict[str, Part]:
    """Find the parts of a data set in Parquet files: "train" and "test", or "all".

    Files or their folders have the name of the split: ``train.parquet``, ``train/0000.parquet``,
    ``data/train-00000-of-00002.parquet``, ``default/train/0000.parquet``. Without such names, the
    files of one folder are one part. A ``dataset_info.json`` beside them may name the classes.

    Raises FormatError if there are several data sets, or a file of a split is missing.
    """
    groups: dict[Path, dict[str, list[Path]]] = {}
    for path in _find_files(folder, 0):
        place, split = _split_of(path.relative_to(folder))
        groups.setdefault(place, {}).setdefault(split, []).append(path)
    named = {place: splits for place, splits in groups.items() if splits.keys() & {"train", "test"}}
    if len(named) > 1 and Path() not in named:
        places = list_names(sorted(str(place) for place in named))
        msg = f"{folder}: Parquet files of several data sets ({places}); pass the folder of one"
        raise FormatError(msg)
    place = next(iter(named)) if named and Path() not in named else Path()
    splits = groups.get(place, {})
    class_names = _read_info([folder / place, folder])
    notices = _notices(splits, folder)
    wanted: dict[str, list[Path]] = {k: v for k, v in splits.items() if k in ("train", "test")}
    if not wanted and "" in splits:
        wanted = {"all": splits[""]}
        _require_shards(splits[""], folder)
    return {key: _part(_in_order(paths), class_names, notices) for key, paths in wanted.items()}


def open_parquet(path: Path) -> Part:
    """Return the part in one Parquet file."""
    return _part([path], _read_info([path.parent]), ())


def _part(paths: list[Path], class_names: list[str], notices: tuple[str, ...]) -> Part:
    def read(progress: Progress) -> LabelledImages:
        return read_parquet(paths, progress, class_names=class_names, notices=notices)

    return Part(read, partial(read_class_names, paths, class_names))


def _find_files(folder: Path, depth: int) -> Iterator[Path]:
    """Yield Parquet files, without hidden ones."""
    with os.scandir(folder) as entries:
        visible = sorted((e for e in entries if e.name[0] not in "._"), key=lambda e: e.name)
    for entry in visible:
        if entry.name.endswith(".parquet") and entry.is_file():
            yield folder / entry.name
        elif depth < MAX_DEPTH and entry.is_dir():
            yield from _find_files(folder / entry.name, depth + 1)


def _split_of(path: Path) -> tuple[Path, str]:
    """Return the folder of the data set that a file belongs to, and its split or ""."""
    words = [word for word in re.split(r"[^a-z0-9]+", path.stem.lower()) if word in _SPLITS]
    if words:
        return path.parent, _SPLITS[words[0]]
    for index, name in reversed([*enumerate(path.parts[:-1])]):
        word = name.lower().removeprefix("partial-")
        if word in _SPLITS:
            return Path(*path.parts[:index]), _SPLITS[word]
    return path.parent, ""


def _notices(splits: Mapping[str, Sequence[Path]], folder: Path) -> tuple[str, ...]:
    notices: list[str] = []
    if "validation" in splits:
        notices.append("has a validation set, which is left out; pass its file to read it")
    if splits.keys() & {"train", "test"} and "" in splits:
        others = list_names(str(path.relative_to(folder)) for path in splits[""])
        notices.append(f"has other Parquet files, which are left out: {others}")
    return tuple(notices)


def _in_order(paths: Sequence[Path]) -> list[Path]:
    """Sort the files of a split by their numbers; raise FormatError if one is missing."""
    for path in paths:
        match = _SHARD.fullmatch(path.stem)
        if match is None:
            continue
        total = int(match[3][-9:])
        have = {
            int(other[2][-9:])
            for file in paths
            if (other := _SHARD.fullmatch(file.stem)) and other[1] == match[1]
        }
        missing = next(
            (number for number in range(min(total, MAX_FILES)) if number not in have), None
        )
        if missing is not None:
            name = f"{match[1]}{missing:0{len(match[2])}}-of-{match[3]}.parquet"
            msg = f"{path.with_name(name)}: a file of its split is missing; download it"
            raise FormatError(msg)
    return sorted(paths, key=lambda path: [int(x[-9:]) for x in re.findall(r"\d+", path.name)])


def _require_shards(paths: Sequence[Path], folder: Path) -> None:
    """Raise FormatError unless files without a split are called alike, but for numbers."""
    if len({re.sub(r"\d+", "#", re.sub(r"^part-.*", "part", path.stem)) for path in paths}) > 1:
        names = list_names(path.name for path in paths)
        msg = f"{folder}: which of {names}? Pass the file itself, or call them train and test"
        raise FormatError(msg)


def _read_info(folders: Sequence[Path]) -> list[str]:
    """Return the class names in the description of a data set; empty if there are none."""
    for folder in folders:
        path = folder / "dataset_info.json"
        if not path.is_file() or path.stat().st_size > MAX_INFO:
            continue
        try:
            info: Any = json.loads(path.read_bytes())
        except (ValueError, RecursionError) as error:
            msg = f"{path}: not valid JSON ({error})"
            raise FormatError(msg) from error
        features = info.get("features") if isinstance(info, Mapping) else None
        if names := names_in_info(features):
            return names
    return []
