"""Data sets as Hugging Face's library saves them to disk: Arrow files, and JSON to describe them.

A folder has ``state.json`` and ``data-00000-of-00001.arrow``; for several splits, there is one such
folder for each beside ``dataset_dict.json``. Rows are those of Parquet files (extra: [parquet]).
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

from mnist_svm.datasets.arrays import MAX_QUOTE
from mnist_svm.datasets.formats.parquet import read_class_names, read_parquet
from mnist_svm.datasets.formats.parquet_columns import names_in_info
from mnist_svm.datasets.types import LabelledImages, Part, Progress
from mnist_svm.exceptions import FormatError, sanitize

# A description, in bytes.
MAX_INFO = 4 << 20
_SPLITS = ("train", "test")


def find_saved_parts(folder: Path) -> dict[str, Part]:
    """Find a data set that was saved to disk: the parts "train" and "test", or "all".

    Raises FormatError if a description is damaged, or a file that it names is missing.
    """
    if (folder / "dataset_dict.json").is_file():
        listed = _read_json(folder / "dataset_dict.json").get("splits")
        splits = listed if isinstance(listed, list) else []
        others = [str(split) for split in splits if split not in _SPLITS]
        quoted = sanitize(", ".join(others), MAX_QUOTE)
        notices = (f"has the splits {quoted}, which are left out",) if others else ()
        return {
            split: _part(folder / split, notices if split == splits[0] else ())
            for split in _SPLITS
            if split in splits
        }
    if (folder / "state.json").is_file() and (folder / "dataset_info.json").is_file():
        return {"all": _part(folder, ())}
    return {}


def _part(folder: Path, notices: tuple[str, ...]) -> Part:
    paths = _data_files(folder)

    def read(progress: Progress) -> LabelledImages:
        return read_parquet(paths, progress, class_names=_names(folder), notices=notices)

    return Part(read, partial(read_class_names, paths, _names(folder)))


def _names(folder: Path) -> list[str]:
    """Return the class names that the description declares; empty if there are none."""
    path = folder / "dataset_info.json"
    return names_in_info(_read_json(path).get("features")) if path.is_file() else []


def _data_files(folder: Path) -> list[Path]:
    path = folder / "state.json"
    if not path.is_file():
        msg = f"{path}: no such file; expected a data set that was saved with save_to_disk"
        raise FormatError(msg)
    state = _read_json(path)
    if state.get("_indices_data_files") or state.get("_indices_files"):
        msg = f"{path}: a selection of rows; save it again, as flatten_indices() returns it"
        raise FormatError(msg)
    listed = state.get("_data_files")
    names = [
        file.get("filename") if isinstance(file, dict) else None
        for file in (listed if isinstance(listed, list) else [])
    ]
    if not names or not all(isinstance(name, str) and Path(name).name == name for name in names):
        msg = f"{path}: expected the names of files beside it, called _data_files"
        raise FormatError(msg)
    files = [folder / str(name) for name in names]
    for file in files:
        if not file.is_file():
            msg = f"{path}: no file {sanitize(file.name, MAX_QUOTE)} beside it"
            raise FormatError(msg)
    return files


def _read_json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_INFO:
            msg = f"over {MAX_INFO:,} bytes"
            raise ValueError(msg)
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        msg = f"{path}: expected a description in JSON ({sanitize(str(error), MAX_QUOTE)})"
        raise FormatError(msg) from error
    if not isinstance(content, dict):
        msg = f"{path}: expected a JSON object, found {sanitize(str(content), MAX_QUOTE)}"
        raise FormatError(msg)
    return content
