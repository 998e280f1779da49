"""Images as picture files, in folders with one sub-folder a class."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from mnist_svm.constants import IMAGE_SHAPE, Images, Labels
from mnist_svm.datasets.arrays import Growing, Labelled, Progress
from mnist_svm.datasets.formats.idx import FilePath
from mnist_svm.exceptions import FormatError, PictureError
from mnist_svm.pictures.decode import decode
from mnist_svm.pictures.formats import SUFFIXES
from mnist_svm.pictures.normalize import normalize

# What folders of a part are called.
PARTS: Mapping[str, tuple[str, ...]] = {
    "train": ("train", "training", "Training", "Train"),
    "test": ("test", "testing", "Testing", "Test"),
}


def image_of(file: BinaryIO, what: str) -> Images:
    """The image that a picture file shows.

    A picture of 28 x 28 is taken as it is. Any other is brought into MNIST's form, as
    `predict` does.

    Parameters
    ----------
    file : binary file object
        A PNG, JPEG or another format that `mnist_svm.pictures.decode.decode` takes.
    what : str
        What an error calls it.

    Returns
    -------
    uint8 ndarray of shape (28, 28), 0-255

    Raises
    ------
    FormatError
        If it is no picture, or there is nothing on it.
    OSError
        If reading fails.
    """
    try:
        grey = decode(file).grey
        return grey if grey.shape == IMAGE_SHAPE else normalize(grey)
    except PictureError as error:
        msg = f"{what}: {error}"
        raise FormatError(msg) from error


def class_folders(folder: Path) -> dict[str, Path]:
    """The sub-folders of a folder that hold pictures, by name; those are its classes.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    dict of name to Path, numbers in their order, then words in theirs
    """
    found = [path for path in folder.iterdir() if path.is_dir() and any(_pictures(path))]
    found.sort(key=lambda path: (int(path.name) if _is_number(path.name) else math.inf, path.name))
    return {path.name: path for path in found}


def picture_parts(folder: Path) -> dict[str, Path]:
    """Which parts a folder of pictures has.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    dict of "train", "test" or "all" to the folder with its classes; empty if there are none
    """
    parts = {
        part: folder / name
        for part, names in PARTS.items()
        for name in reversed(names)
        if (folder / name).is_dir() and class_folders(folder / name)
    }
    if parts:
        return parts
    # Pictures in no class at all would otherwise be of the classes "train" and "test".
    named = set(class_folders(folder)) - {name for names in PARTS.values() for name in names}
    return {"all": folder} if named else {}


def read_folder(folder: FilePath, *, progress: Progress = lambda done, total: None) -> Labelled:
    """Read pictures that lie in one sub-folder a class.

    Parameters
    ----------
    folder : path
        Sub-folders called by numbers are the classes of these numbers; others are numbered
        from 0 in the order of their names.
    progress : callable, optional
        Told the number of pictures done, and of all.

    Returns
    -------
    Labelled
        In the order of the pictures' names, whatever their class.

    Raises
    ------
    FormatError
        If there is none, or a picture cannot be read.
    OSError
        If a file cannot be opened.
    """
    classes = class_folders(Path(folder))
    if not classes:
        msg = f"{os.fspath(folder)}: no sub-folders with pictures, one a class"
        raise FormatError(msg)
    numbered = all(_is_number(name) for name in classes)
    labels = [int(name) if numbered else index for index, name in enumerate(classes)]
    files = [
        (path, label)
        for label, subfolder in zip(labels, classes.values(), strict=True)
        for path in _pictures(subfolder)
    ]
    # Names that count, as `write_folder` gives them, keep the order that the images once had.
    files.sort(key=lambda file: (file[0].name, file[1]))
    images = Growing(IMAGE_SHAPE[0] * IMAGE_SHAPE[1], np.uint8)
    for done, (path, _) in enumerate(files, start=1):
        with path.open("rb") as file:
            images.append(image_of(file, str(path)).reshape(1, -1))
        progress(done, len(files))
    return Labelled(
        images.array().reshape(-1, *IMAGE_SHAPE),
        np.array([label for _, label in files], dtype=np.int64),
        {} if numbered else dict(zip(labels, classes, strict=True)),
    )


def write_folder(
    folder: Path, labelled: Labelled, *, progress: Progress = lambda done, total: None
) -> None:
    """Write images as PNG files, in one sub-folder a class.

    Parameters
    ----------
    folder : Path
        It is made.
    labelled : Labelled, with labels
    progress : callable, optional
        Told the number of pictures done, and of all.

    Raises
    ------
    OSError
        If a file cannot be written.
    """
    labels: Labels = labelled.labels if labelled.labels is not None else np.zeros(0, np.int64)
    n = len(labels)
    digits = len(str(max(n - 1, 0)))
    for label in np.unique(labels).tolist():
        (folder / str(label)).mkdir(parents=True)
    for index, (image, label) in enumerate(zip(labelled.images, labels.tolist(), strict=True)):
        # Fast: a third of the time, and files are hardly larger.
        Image.fromarray(image).save(
            folder / str(label) / f"{index:0{digits}}.png", compress_level=1
        )
        progress(index + 1, n)


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdecimal() and len(name) < 10


def _pictures(folder: Path) -> Iterator[Path]:
    return (
        path
        for path in folder.iterdir()
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
    )
