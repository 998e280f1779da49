"""Convert data sets to IDX files, CSV files, a NumPy archive, or folders of pictures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from mnist_svm._io import atomic_folder
from mnist_svm.datasets.formats.csv import write_csv
from mnist_svm.datasets.formats.folder import write_folder
from mnist_svm.datasets.formats.idx import FILE_PREFIXES, write_idx
from mnist_svm.datasets.formats.npz import write_npz
from mnist_svm.datasets.idx_files import write_class_names
from mnist_svm.datasets.picture_set import show_other_objects
from mnist_svm.datasets.reader import DatasetReader
from mnist_svm.datasets.types import FilePath, LabelledImages, Progress, Split, no_progress
from mnist_svm.exceptions import FormatError
from mnist_svm.pictures.mnist_form import are_mnist_form

OutputFormat = Literal["idx", "csv", "npz", "images"]

# Largest label that fits the uint8 labels of MNIST's IDX files.
MAX_IDX_LABEL = np.iinfo(np.uint8).max


@dataclass(frozen=True)
class ConvertedPart:
    """One part of a data set, "train", "test" or "all", as written to a file or folder.

    `images` is their number; they are `inverted` if they are negatives of those in the source.
    `notices` say what was assumed or mended, see `mnist_svm.datasets.types.LabelledImages`.
    """

    path: Path
    part: str
    images: int
    labelled: bool
    inverted: bool
    notices: tuple[str, ...] = ()


def guess_format(target: FilePath) -> OutputFormat:
    """Return "csv" or "npz" by the suffix of a name, or "idx" for any other."""
    name = Path(target).name.lower()
    if name.endswith((".csv", ".csv.gz")):
        return "csv"
    return "npz" if name.endswith(".npz") else "idx"


def convert(
    reader: DatasetReader,
    target: FilePath,
    output_format: OutputFormat,
    *,
    progress: Progress = no_progress,
) -> list[ConvertedPart]:
    """Write all parts of a data set; each file or folder of pictures appears only when complete.

    `target` is a file for a NumPy archive or for one CSV file; otherwise a folder, created if
    missing.

    Raises
    ------
    ValueError
        If the data set has two parts, but the target is one CSV file.
    FormatError
        If a part cannot be read, or its labels do not fit the format.
    OSError
        If a file cannot be read or written, or the folder of pictures is not empty.
    """
    target = Path(target)
    if output_format == "npz":
        parts = {part: source.read(progress) for part, source in reader.parts.items()}
        write_npz(target, parts)
        return [_describe(target, part, content) for part, content in parts.items()]
    if output_format == "images":
        with atomic_folder(target) as folder:
            return list(_write_pictures(reader, folder, target, progress))
    is_one_file = output_format == "csv" and guess_format(target) == "csv"
    if is_one_file and len(reader.parts) > 1:
        msg = f"{reader.name} has the parts {' and '.join(reader.parts)}, but a CSV file holds one"
        raise ValueError(msg)
    if not is_one_file:
        target.mkdir(parents=True, exist_ok=True)
    converted = []
    for part, source in reader.parts.items():
        content = source.read(progress)
        if output_format == "idx":
            path = _write_idx_files(target, _as_split(part), content, reader.name)
        else:
            path = target if is_one_file else target / f"{_as_split(part)}.csv"
            write_csv(path, content.images, content.labels, content.class_names)
        converted.append(_describe(path, part, content))
    return converted


def _describe(path: Path, part: str, content: LabelledImages) -> ConvertedPart:
    labelled = content.labels is not None
    n = len(content.images)
    return ConvertedPart(path, part, n, labelled, content.inverted, content.notices)


def _as_split(part: str) -> Split:
    return "test" if part == "test" else "train"


def _write_idx_files(folder: Path, split: Split, content: LabelledImages, name: str) -> Path:
    prefix = FILE_PREFIXES[split]
    images_path = folder / f"{prefix}-images-idx3-ubyte.gz"
    if content.labels is not None:
        if content.labels.max() > MAX_IDX_LABEL:
            msg = (
                f"{name}: the label {content.labels.max():,} is over {MAX_IDX_LABEL}, the largest "
                "in IDX files; choose another format with --to"
            )
            raise FormatError(msg)
        write_idx(folder / f"{prefix}-labels-idx1-ubyte.gz", content.labels.astype(np.uint8))
        if content.class_names:
            write_class_names(folder, content.class_names)
    write_idx(images_path, content.images)
    return images_path


def _write_pictures(
    reader: DatasetReader, folder: Path, target: Path, progress: Progress
) -> Iterator[ConvertedPart]:
    """Write pictures to a temporary folder, and describe them as in the target folder."""
    for part, source in reader.parts.items():
        content = source.read(progress)
        if content.labels is None:
            msg = f"{reader.name}: no labels in its {part} part, so pictures have no sub-folder"
            raise FormatError(msg)
        sub_folder = part if len(reader.parts) > 1 else ""
        write_folder(
            folder / sub_folder,
            content.images,
            content.labels,
            content.class_names,
            progress=progress,
        )
        yield _describe(target / sub_folder, part, _with_notice_of_form(content))


def _with_notice_of_form(content: LabelledImages) -> LabelledImages:
    """Add a notice if pictures of the images will be normalized when they are read."""
    n, n_other = len(content.images), int((~are_mnist_form(content.images)).sum())
    if not n_other or show_other_objects(content.images, [*content.class_names.values()]):
        return content
    notice = (
        f"has {n_other:,} of {n:,} images that are not in MNIST form; as pictures they are "
        "normalized when they are read"
    )
    return replace(content, notices=(*content.notices, notice))
