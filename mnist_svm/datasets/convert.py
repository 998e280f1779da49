"""Write a data set in another form: IDX, CSV, NumPy archive, or a folder of pictures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from mnist_svm._io import atomic_folder
from mnist_svm.datasets.arrays import Labelled, Progress
from mnist_svm.datasets.formats.csv import write_csv
from mnist_svm.datasets.formats.folder import write_folder
from mnist_svm.datasets.formats.idx import FilePath, write_idx
from mnist_svm.datasets.formats.idx_pair import STEMS, Split
from mnist_svm.datasets.formats.npz import write_npz
from mnist_svm.datasets.sources import Source
from mnist_svm.exceptions import FormatError

Form = Literal["idx", "csv", "npz", "images"]

# What IDX files of labels hold.
MAX_IDX_LABEL = np.iinfo(np.uint8).max


@dataclass(frozen=True)
class Written:
    """What was written.

    Attributes
    ----------
    path : file, or folder of pictures.
    part : "train", "test" or "all".
    images : their number.
    labelled : whether labels went with them.
    inverted : whether images are the negatives of what was there.
    """

    path: Path
    part: str
    images: int
    labelled: bool
    inverted: bool


def form_of(target: FilePath) -> Form:
    """The form that a name stands for: a folder of IDX files, unless it ends as another does.

    Parameters
    ----------
    target : path

    Returns
    -------
    {"idx", "csv", "npz"}
    """
    name = Path(target).name.lower()
    if name.endswith((".csv", ".csv.gz")):
        return "csv"
    return "npz" if name.endswith(".npz") else "idx"


def convert(
    source: Source,
    target: FilePath,
    form: Form,
    *,
    progress: Progress = lambda done, total: None,
) -> list[Written]:
    """Write all parts of a data set, one after another, each complete or not at all.

    Parameters
    ----------
    source : Source
        See `mnist_svm.datasets.sources.find_source`.
    target : path
        A file for a NumPy archive, or for the CSV of a set of one part; else a folder, which is
        made.
    form : {"idx", "csv", "npz", "images"}
    progress : callable, optional
        Told the number of images read, or pictures written, and of all (0 if unknown).

    Returns
    -------
    list of Written

    Raises
    ------
    ValueError
        If the parts do not fit into one CSV file.
    FormatError
        If a part cannot be read, or cannot be told in this form.
    OSError
        If a file cannot be read or written, or the folder for pictures is not empty.
    """
    target = Path(target)
    if form == "npz":
        parts = {part: read(progress) for part, read in source.parts.items()}
        write_npz(target, parts)
        return [_written(target, part, labelled) for part, labelled in parts.items()]
    if form == "images":
        with atomic_folder(target) as folder:
            return list(_pictures(source, folder, target, progress))
    one_file = form == "csv" and form_of(target) == "csv"
    if one_file and len(source.parts) > 1:
        msg = f"{source.name} has the parts {' and '.join(source.parts)}, but a CSV file holds one"
        raise ValueError(msg)
    if not one_file:
        target.mkdir(parents=True, exist_ok=True)
    written = []
    for part, read in source.parts.items():
        labelled = read(progress)
        if form == "idx":
            path = _write_idx(target, part, labelled, source.name)
        else:
            path = target if one_file else target / f"{_named(part)}.csv"
            write_csv(path, labelled.images, labelled.labels)
        written.append(_written(path, part, labelled))
    return written


def _written(path: Path, part: str, labelled: Labelled) -> Written:
    told = labelled.labels is not None
    return Written(path, part, len(labelled.images), told, labelled.inverted)


def _named(part: str) -> Split:
    """What a part is called where every part must have a name."""
    return "test" if part == "test" else "train"


def _write_idx(folder: Path, part: str, labelled: Labelled, name: str) -> Path:
    stem = STEMS[_named(part)]
    images = folder / f"{stem}-images-idx3-ubyte.gz"
    if labelled.labels is not None:
        if labelled.labels.max() > MAX_IDX_LABEL:
            msg = f"{name}: the label {labelled.labels.max():,} is over {MAX_IDX_LABEL}, IDX's last"
            raise FormatError(msg)
        write_idx(folder / f"{stem}-labels-idx1-ubyte.gz", labelled.labels.astype(np.uint8))
    write_idx(images, labelled.images)
    return images


def _pictures(source: Source, folder: Path, target: Path, progress: Progress) -> Iterator[Written]:
    for part, read in source.parts.items():
        labelled = read(progress)
        if labelled.labels is None:
            msg = f"{source.name}: no labels in its {part} part, so pictures have no sub-folder"
            raise FormatError(msg)
        below = "" if len(source.parts) == 1 else part
        write_folder(folder / below, labelled, progress=progress)
        yield _written(target / below, part, labelled)
