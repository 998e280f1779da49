"""Pictures side by side in one folder, of which the names may begin with the labels."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from mnist_svm.datasets.class_names import number_meant
from mnist_svm.datasets.types import LabelledImages, Part, Progress

# Start of the name of a picture that is its label: "7_0012", "7-a", "seven_3", or all of it.
_LABEL = re.compile(r"(\d|[^\W\d_]{3,})(?:[_\-. ].*)?")


def find_flat_parts(folder: Path) -> dict[str, Part]:
    """Return the part "all" of the pictures directly in a folder; empty if there are none."""
    return {"all": open_flat_folder(folder)} if any(find_pictures(folder)) else {}


def open_flat_folder(folder: Path) -> Part:
    """Return the part that the pictures directly in a folder are."""
    return Part(partial(_read, folder), dict)


def _read(folder: Path, progress: Progress) -> LabelledImages:
    """Read pictures in the order of their names, with labels if all names begin with a digit."""
    from mnist_svm.datasets.picture_set import PictureSet

    files = sorted(find_pictures(folder))
    labels = _labels_of(files)
    pictures = PictureSet()
    for n_done, path in enumerate(files, start=1):
        with path.open("rb") as file:
            pictures.add(file, str(path))
        progress(n_done, len(files))
    images, notices = pictures.finish(progress)
    content = LabelledImages(images, None, notices=notices, pictures=pictures.sources)
    if labels is None:
        return content
    notice = (
        "has no sub-folders; the names of its files are taken to begin with the label: "
        f"{files[0].name} is a {labels[0]}"
    )
    return replace(content, labels=np.array(labels, np.int64), notices=(notice, *notices))


def _labels_of(files: list[Path]) -> list[int] | None:
    """Return the digit that the name of each file begins with, or None if one does not.

    A single picture, or pictures of a single digit, would be a guess.
    """
    matches = [_LABEL.fullmatch(path.stem) for path in files]
    labels = [number_meant(match[1]) for match in matches if match]
    digits = [label for label in labels if label is not None and label <= 9]
    return digits if len(digits) == len(files) and len(set(digits)) > 1 else None


def find_pictures(folder: Path) -> Iterator[Path]:
    """Yield the picture files directly in a folder, but hidden ones."""
    from mnist_svm.pictures.formats import SUFFIXES

    return (
        path
        for path in folder.iterdir()
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
    )
