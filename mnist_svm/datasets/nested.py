"""Data sets in the sub-folders of a folder, in its only file, or in its files train and test."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from mnist_svm.datasets.class_names import list_names
from mnist_svm.datasets.formats.folder import HIDDEN_PREFIXES, SYSTEM_FOLDERS
from mnist_svm.datasets.splits import split_meant
from mnist_svm.datasets.types import LabelledImages, Part, Progress
from mnist_svm.exceptions import DataMissingError, FormatError
from mnist_svm.pictures.formats import SUFFIXES

# Sub-folders to look into; a data set in sub-folders without meaning has fewer.
MAX_FOLDERS = 100

# Files that describe a data set, or that come with one.
_OTHER_SUFFIXES = frozenset(
    {".md", ".txt", ".rst", ".pdf", ".html", ".htm", ".doc", ".docx", ".bib", ".cff", ".log"}
    | {".py", ".ipynb", ".m", ".yaml", ".yml", ".toml", ".pt"}
)
_OTHER_NAMES = frozenset({"license", "licence", "readme", "copying", "makefile", "thumbs.db"})

OpenPath = Callable[[Path], Mapping[str, Part]]


def find_nested_parts(folder: Path, open_path: OpenPath) -> dict[str, Part]:
    """Return the parts of the data set in the sub-folders or files of a folder.

    Parameters
    ----------
    folder : Path
        Without a data set of its own.
    open_path : callable
        Returns the parts of the data set in a folder or file.

    Returns
    -------
    dict of Part
        The data sets of sub-folders, or else of files, called "train" and "test" are the parts of
        one. Empty if there is no data set, or several files of which no name says what they are.

    Raises
    ------
    FormatError
        If several sub-folders have a data set; or as `open_path`.
    """
    folders, files = _list_visible(folder)
    found: dict[Path, Mapping[str, Part]] = {}
    for path in folders[:MAX_FOLDERS]:
        try:
            found[path] = open_path(path)
        except DataMissingError:
            continue
    if splits := _join_splits(found):
        return splits
    if len(found) > 1:
        names = list_names(path.name for path in found)
        msg = f"{folder}: which of the data sets in the folders {names}? Pass one of these folders"
        raise FormatError(msg)
    if found:
        return dict(*found.values())
    if len(files) == 1:
        return dict(open_path(files[0]))
    return _join_splits({path: open_path(path) for path in _split_files(files)})


def _list_visible(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return the folders and the files that may be data sets, in the order of their names."""
    with os.scandir(folder) as entries:
        found = sorted((entry.name, entry.is_dir()) for entry in entries)
    visible = [(folder / name, is_dir) for name, is_dir in found if _is_visible(name, is_dir)]
    return [path for path, is_dir in visible if is_dir], [
        path for path, is_dir in visible if not is_dir
    ]


def _is_visible(name: str, is_dir: bool) -> bool:
    """Whether a file may be a data set: no hidden file, no picture, no text that goes with one."""
    name = name.casefold()
    if name.startswith(HIDDEN_PREFIXES) or name in SYSTEM_FOLDERS or name in _OTHER_NAMES:
        return False
    suffix = f".{name.rpartition('.')[2]}"
    return is_dir or (suffix not in _OTHER_SUFFIXES and suffix not in SUFFIXES)


def _split_files(files: Sequence[Path]) -> list[Path]:
    """Return the files with the name of a split; none if two have the same."""
    named = [path for path in files if _split_of(path) in ("train", "test")]
    return named if len(set(map(_split_of, named))) == len(named) else []


def _split_of(path: Path) -> str | None:
    """Return the split that the name of a folder, or a word in that of a file, means."""
    name = path.name.casefold()
    return split_meant(*([name] if path.is_dir() else re.split(r"[^a-z]+", name)))


def _join_splits(found: Mapping[Path, Mapping[str, Part]]) -> dict[str, Part]:
    """Return the parts that data sets in "train" and "test" are; empty if there are others."""
    splits: dict[str, Part] = {}
    n_validation = 0
    for path, parts in found.items():
        split = _split_of(path)
        if split == "validation":
            n_validation += 1
        elif split is None or split in splits or len(parts) != 1:
            return {}
        else:
            (splits[split],) = parts.values()
    if not splits or not n_validation:
        return splits
    return {split: leave_out_validation(part) for split, part in splits.items()}


def leave_out_validation(part: Part) -> Part:
    """Return a part whose notices say that there is a validation set, which is not read."""
    return replace(part, read=partial(_read_without_validation, part))


def _read_without_validation(part: Part, progress: Progress) -> LabelledImages:
    content = part.read(progress)
    notice = "has a validation set, which is left out; pass its folder to read it"
    return replace(content, notices=(*content.notices, notice))
