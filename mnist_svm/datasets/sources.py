"""What a data set may be: a name or a path -> its parts, and how to read each."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from mnist_svm.datasets.arrays import Labelled, Progress, bright_on_dark, in_full_range
from mnist_svm.datasets.catalog import CATALOG, DatasetInfo
from mnist_svm.datasets.formats.csv import read_csv
from mnist_svm.datasets.formats.folder import picture_parts, read_folder
from mnist_svm.datasets.formats.idx import FilePath, open_payload
from mnist_svm.datasets.formats.idx_pair import STEMS, Split, read_images, read_pair
from mnist_svm.datasets.formats.npz import npz_parts, read_npz
from mnist_svm.datasets.formats.parquet import parquet_parts, read_parquet
from mnist_svm.datasets.published import default_data_dir, load_published
from mnist_svm.exceptions import DataMissingError, FormatError

Read = Callable[[Progress], Labelled]


@dataclass(frozen=True)
class Source:
    """A data set that is there, but not read yet.

    Attributes
    ----------
    name : the catalog's name, or the path.
    parts : mapping from "train", "test" or "all" to what reads that part.
    """

    name: str
    parts: Mapping[str, Read]

    def part(self, split: Split) -> Read:
        """What reads a split: the whole, if the data set is not parted.

        Parameters
        ----------
        split : {"train", "test"}

        Returns
        -------
        callable that gives a `Labelled`

        Raises
        ------
        DataMissingError
            If there is only another part.
        """
        read = self.parts.get(split) or self.parts.get("all")
        if read is None:
            msg = f"{self.name}: has no {split} part, only {' and '.join(self.parts)}"
            raise DataMissingError(msg)
        return read


def find_source(source: FilePath, data_dir: FilePath | None = None) -> Source:
    """Find out what a data set is.

    Parameters
    ----------
    source : str or path
        A name from the catalog; a folder of IDX, CSV or Parquet files, or of pictures in one
        sub-folder a class; or a CSV, NumPy, Parquet or IDX file, told by what is in it. If the
        ink is dark on a bright ground, images are turned into their negatives.
    data_dir : path, optional
        Where the catalog's data sets live; see `default_data_dir`.

    Returns
    -------
    Source

    Raises
    ------
    DataMissingError
        If there is no such data set, or nothing that could be one.
    FormatError
        If a file is damaged.
    OSError
        If a file cannot be opened or read.
    """
    name = os.fspath(source)
    if name in CATALOG:
        base = Path(data_dir) if data_dir is not None else default_data_dir()
        return Source(name, {split: _published(CATALOG[name], split, base) for split in STEMS})
    path = Path(source)
    if path.is_dir():
        return Source(name, _as_mnist(_of_folder(path)))
    if not path.exists():
        msg = (
            f"{name}: no such file or folder, nor a data set of the catalog ({', '.join(CATALOG)})"
        )
        raise DataMissingError(msg)
    return Source(name, _as_mnist(_of_file(path)))


def _as_mnist(parts: Mapping[str, Read]) -> Mapping[str, Read]:
    """Parts whose ink is 255 and bright on a dark ground, whatever it was."""

    def seen(read: Read) -> Read:
        return lambda progress: bright_on_dark(in_full_range(read(progress)))

    return {part: seen(read) for part, read in parts.items()}


def _published(info: DatasetInfo, split: Split, base: Path) -> Read:
    def read(progress: Progress) -> Labelled:
        names = {label: name for label, name in info.class_names().items() if name != str(label)}
        return Labelled(*load_published(info, split, base), names)

    return read


def _of_folder(folder: Path) -> Mapping[str, Read]:
    if idx := _found(folder, {part: f"{stem}-images?idx3-ubyte" for part, stem in STEMS.items()}):
        return {part: _idx(path) for part, path in idx.items()}
    if csv := _found(folder, {part: f"*{part}.csv" for part in STEMS}):
        return {part: _csv(path) for part, path in csv.items()}
    if parquet := parquet_parts(folder):
        return {part: partial(_parquet, files) for part, files in parquet.items()}
    if pictures := picture_parts(folder):
        return {part: partial(_pictures, found) for part, found in pictures.items()}
    msg = (
        f"{folder}: no data set in this folder; expected train-images-idx3-ubyte.gz and its like, "
        "train.csv, train*.parquet, or pictures in one sub-folder a class"
    )
    raise DataMissingError(msg)


def _of_file(path: Path) -> Mapping[str, Read]:
    # A pipe could not be read twice.
    head = b""
    if path.is_file():
        with open_payload(path) as stream:
            head = stream.read(4)
    if head == b"PK\x03\x04":
        return {part: _npz(path, *names) for part, names in npz_parts(path).items()}
    if head == b"PAR1":
        return {"all": partial(_parquet, [path])}
    return {"all": _idx(path) if head.startswith(b"\0\0") else _csv(path)}


def _found(folder: Path, patterns: Mapping[Split, str]) -> dict[str, Path]:
    """The one file of each part whose name is like that, compressed or not."""
    found: dict[str, Path] = {}
    for part, pattern in patterns.items():
        named = {path.name.removesuffix(".gz") for path in folder.glob(f"{pattern}*")}
        plain = pattern.lstrip("*")
        fitting = [plain] if plain in named else fnmatch.filter(named, pattern)
        if len(fitting) == 1 and (path := _either(folder / fitting[0])):
            found[part] = path
        elif len(fitting) > 1:
            msg = f"{folder}: which of {' and '.join(sorted(fitting))}? Give the file itself"
            raise FormatError(msg)
    return found


def _either(path: Path) -> Path | None:
    """A file that may be compressed."""
    packed = path.with_name(f"{path.name}.gz")
    return packed if packed.exists() else path if path.exists() else None


def _idx(images: Path) -> Read:
    def read(progress: Progress) -> Labelled:
        stem = images.name.removesuffix(".gz").replace("images", "labels").replace("idx3", "idx1")
        labels = _either(images.with_name(stem))
        if labels is None or labels.name.removesuffix(".gz") == images.name.removesuffix(".gz"):
            return Labelled(read_images(images), None)
        pixels, digits = read_pair(images, labels)
        return Labelled(pixels, digits.astype(np.int64))

    return read


def _csv(path: Path) -> Read:
    return lambda progress: read_csv(path, progress=progress)


def _npz(path: Path, images: str, labels: str) -> Read:
    return lambda progress: read_npz(path, images, labels)


def _parquet(files: list[Path], progress: Progress) -> Labelled:
    return read_parquet(files, progress=progress)


def _pictures(folder: Path, progress: Progress) -> Labelled:
    return read_folder(folder, progress=progress)
