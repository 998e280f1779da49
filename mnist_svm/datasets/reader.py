"""Detection of a data set's format and parts, from its name or path."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from mnist_svm.constants import WHITE
from mnist_svm.datasets.archives import open_archive
from mnist_svm.datasets.catalog import CATALOG
from mnist_svm.datasets.class_names import list_names, recode, settle_classes
from mnist_svm.datasets.common_form import to_common_form
from mnist_svm.datasets.downloaded import read_catalog
from mnist_svm.datasets.foreign import require_not_foreign
from mnist_svm.datasets.formats.arrow_file import SIGNATURES as ARROW_SIGNATURES
from mnist_svm.datasets.formats.coco import find_coco_parts, is_coco, open_coco
from mnist_svm.datasets.formats.csv import read_csv
from mnist_svm.datasets.formats.flat_folder import find_flat_parts
from mnist_svm.datasets.formats.folder import find_picture_parts
from mnist_svm.datasets.formats.idx import FILE_PREFIXES, open_payload
from mnist_svm.datasets.formats.jsonl import (
    find_listed_parts,
    is_json,
    is_listing_csv,
    open_json,
    open_listing_csv,
)
from mnist_svm.datasets.formats.matlab import find_mat_parts, is_mat_file
from mnist_svm.datasets.formats.npz import find_npz_parts, read_npz
from mnist_svm.datasets.formats.parquet_files import find_parquet_parts, open_parquet
from mnist_svm.datasets.formats.saved import find_saved_parts
from mnist_svm.datasets.formats.yolo import find_yolo_parts
from mnist_svm.datasets.idx_files import find_idx_parts, open_idx_file
from mnist_svm.datasets.known_files import describe_known
from mnist_svm.datasets.nested import find_nested_parts
from mnist_svm.datasets.orientation import UPRIGHT, turn_upright
from mnist_svm.datasets.types import (
    FilePath,
    LabelledImages,
    Part,
    Progress,
    Split,
    no_progress,
)
from mnist_svm.datasets.unpack import has_arrays, is_archive
from mnist_svm.exceptions import DataMissingError, FormatError

# Folders and archives, one in the other, to look into.
MAX_DEPTH = 4


@dataclass(frozen=True)
class DatasetReader:
    """A data set that exists, but is not read yet.

    Attributes
    ----------
    name : name in the catalog, or path
    parts : readers of the splits "train" and "test", or of "all" if the data set has no splits
    """

    name: str
    parts: Mapping[str, Part]

    def select(self, split: Split) -> DatasetReader:
        """Return a reader with one split only, which is all images if the data set has no splits.

        Raises DataMissingError if the data set has only the other split.
        """
        for part in (split, "all"):
            if part in self.parts:
                return replace(self, parts={split: self.parts[part]})
        msg = f"{self.name}: has no {split} split, only {' and '.join(self.parts)}"
        raise DataMissingError(msg)

    def read(self, split: Split, progress: Progress = no_progress) -> LabelledImages:
        """Read one split, as `select`; raise FormatError or OSError if a file cannot be read."""
        return self.select(split).parts[split].read(progress)


def open_dataset(
    source: FilePath, data_dir: FilePath | None = None, orientation: str | None = None
) -> DatasetReader:
    """Detect the format and the parts of a data set.

    The parts are read upright, in one form and with one list of classes. The parameters are as in
    `mnist_svm.datasets.load.load_dataset`. The format of a file is detected from its first bytes,
    not from its name. Raises DataMissingError if there is no data set of this name or at this path.
    """
    name = os.fspath(source)
    if name in CATALOG:
        read = partial(read_catalog, CATALOG[name], data_dir)
        return DatasetReader(name, {split: Part(partial(read, split)) for split in FILE_PREFIXES})
    path = Path(source)
    if not path.exists():
        # The files of one data set of several in a folder, by the start of their names.
        in_folder = path.parent.is_dir()
        parts: Mapping[str, Part] = find_idx_parts(path.parent, path.name) if in_folder else {}
    else:
        parts = _open_path(path)
    if not parts:
        msg = f"{name}: no such file or folder, and not in the catalog ({', '.join(CATALOG)})"
        raise DataMissingError(msg)
    settled = {}
    for key, part in parts.items():
        others = [other for other in parts.values() if other is not part]
        settled[key] = Part(partial(_read_settled, part, others, name, orientation))
    return DatasetReader(name, settled)


def _read_settled(
    part: Part, others: Sequence[Part], name: str, orientation: str | None, progress: Progress
) -> LabelledImages:
    """Read a part; its labels are those of all parts, and its images upright, in MNIST form."""
    content = _turn_upright(part.read(progress), orientation)
    content = _in_mnist_form(content, name, progress)
    if not content.class_names or content.labels is None:
        return content
    all_names = [content.class_names, *(other.class_names() for other in others)]
    new_labels, class_names = settle_classes(all_names)
    # Labels that are numbers have no names.
    own = {label: label for label in np.unique(content.labels).tolist()} | new_labels[0]
    notices = content.notices
    if class_names and len(class_names) < len(set().union(*(x.values() for x in new_labels))):
        listed = list_names(f"{name} is {label}" for label, name in class_names.items())
        notices += (f"has classes that are no numbers beside numbers; as labels, {listed}",)
    return replace(
        content,
        labels=recode(content.labels, own),
        class_names=class_names,
        notices=notices,
    )


def _turn_upright(content: LabelledImages, orientation: str | None) -> LabelledImages:
    """Turn images upright that lie as the user says, or else as the reader found."""
    images = turn_upright(content.images, orientation or content.orientation)
    notices = content.notices
    if content.orientation != UPRIGHT:
        taken = "turned upright" if orientation is None else f"taken as {orientation}"
        notices = (*notices[:-1], f"{notices[-1]}; the images are {taken}")
    return replace(content, images=images, notices=notices, orientation=UPRIGHT)


def _in_mnist_form(content: LabelledImages, name: str, progress: Progress) -> LabelledImages:
    """Scale values of 0 and 1 to 0 and 255, and bring all images to one form (in place)."""
    images = content.images
    if images.max(initial=0) == 1:
        np.multiply(images, WHITE, out=images)
    form = to_common_form(images, name, progress)
    notices = content.notices + form.notices
    return replace(content, images=form.images, inverted=form.inverted, notices=notices)


def _open_path(path: Path, depth: int = 0) -> Mapping[str, Part]:
    """Detect the parts of a data set in a folder or file, `depth` levels below the given one."""
    return _open_folder(path, depth) if path.is_dir() else _open_file(path, depth)


def _open_folder(folder: Path, depth: int) -> Mapping[str, Part]:
    finders: tuple[Callable[[Path], Mapping[str, Part]], ...] = (
        find_idx_parts,
        _find_csv_parts,
        find_parquet_parts,
        find_saved_parts,
        find_coco_parts,
        find_yolo_parts,
        # A list says more of pictures in folders than the names of these.
        partial(find_listed_parts, labelled=True),
        find_picture_parts,
        find_listed_parts,
        partial(_find_nested_parts, depth=depth + 1),
        find_flat_parts,
    )
    for find in finders:
        if parts := find(folder):
            return parts
    msg = (
        f"{folder}: no data set in this folder; expected train-images-idx3-ubyte.gz and so on, "
        "train.csv, train*.parquet, or pictures in one sub-folder per class; "
        "see mnist-svm convert --help"
    )
    raise DataMissingError(msg)


def _find_csv_parts(folder: Path) -> dict[str, Part]:
    files = _find_files(folder, {split: f"*{split}.csv" for split in FILE_PREFIXES})
    return {split: _open_csv(path) for split, path in files.items()}


def _find_nested_parts(folder: Path, depth: int) -> dict[str, Part]:
    if depth > MAX_DEPTH:
        return {}
    return find_nested_parts(folder, partial(_open_path, depth=depth))


def _open_file(path: Path, depth: int) -> Mapping[str, Part]:
    head = b""
    # A pipe cannot be read twice.
    if path.is_file():
        with open_payload(path) as stream:
            head = stream.read(128)
        require_not_foreign(path, head)
        if is_archive(path) and not has_arrays(path):
            if depth >= MAX_DEPTH:
                msg = f"{path}: archives in archives, or too many folders: unpack it"
                raise FormatError(msg)
            return open_archive(path, partial(_open_folder, depth=depth + 1))
    if is_mat_file(head):
        return find_mat_parts(path)
    if head.startswith(b"PK\x03\x04"):
        parts = find_npz_parts(path)
        return {part: Part(partial(read_npz, path, *names)) for part, names in parts.items()}
    if head.startswith((b"PAR1", *ARROW_SIGNATURES)):
        return {"all": open_parquet(path)}
    if head.startswith(b"\0\0"):
        return {"all": open_idx_file(path)}
    if is_coco(path):
        return {"all": open_coco(path)}
    if is_json(path):
        return {"all": open_json(path)}
    return {"all": _open_csv(path)}


def _open_csv(path: Path) -> Part:
    """Return the part in a CSV file of pixels, or of paths of pictures."""
    is_listing = path.is_file() and is_listing_csv(path)
    return open_listing_csv(path) if is_listing else Part(partial(_read_known_csv, path))


def _read_known_csv(path: Path, progress: Progress) -> LabelledImages:
    return describe_known(read_csv(path, progress), path)


def _find_files(folder: Path, patterns: Mapping[Split, str]) -> dict[str, Path]:
    """Find one file per split that matches its pattern, compressed or not."""
    # A compressed file comes before its plain twin.
    by_name: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        name = path.name.removesuffix(".gz").removesuffix(".zst")
        if name not in by_name or name != path.name:
            by_name[name] = path
    files: dict[str, Path] = {}
    for split, pattern in patterns.items():
        exact = pattern.lstrip("*")
        matches = [exact] if exact in by_name else fnmatch.filter(by_name, pattern)
        if len(matches) > 1:
            msg = f"{folder}: which of {' and '.join(sorted(matches))}? Pass the file itself"
            raise FormatError(msg)
        if matches:
            files[split] = by_name[matches[0]]
    return files
