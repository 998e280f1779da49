"""Images as picture files, in one sub-folder per class.

Pillow and the modules of `mnist_svm.pictures` are imported only to read or write pictures.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np

from mnist_svm._types import Images, Labels
from mnist_svm.constants import IMAGE_SHAPE, N_PIXELS
from mnist_svm.datasets.arrays import GrowableArray
from mnist_svm.datasets.types import FilePath, LabelledImages, Progress, no_progress
from mnist_svm.exceptions import FormatError, PictureError

# Names of the folders of each split, the preferred one first.
SPLIT_FOLDERS: Mapping[str, tuple[str, ...]] = {
    "train": ("train", "training", "Training", "Train"),
    "test": ("test", "testing", "Testing", "Test"),
}


def read_picture(file: BinaryIO, name: str) -> Images:
    """Decode a picture and convert it to MNIST form, unless it is 28 x 28 already.

    Raises FormatError, with `name`, if it cannot be decoded or is blank.
    """
    from mnist_svm.pictures.decode import decode
    from mnist_svm.pictures.normalize import normalize

    try:
        grey = decode(file).grey
        return grey if grey.shape == IMAGE_SHAPE else normalize(grey)
    except PictureError as error:
        msg = f"{name}: {error}"
        raise FormatError(msg) from error


def _class_folders(folder: Path) -> dict[str, Path]:
    """Return the sub-folders with pictures by name: numbers in order, then words."""
    names = [path.name for path in folder.iterdir() if path.is_dir() and any(_find_pictures(path))]
    names.sort(key=lambda name: (int(name) if _is_number(name) else math.inf, name))
    return {name: folder / name for name in names}


def find_picture_parts(folder: Path) -> dict[str, Path]:
    """Return the folders of the parts "train" and "test", or "all"; empty if there are none."""
    parts = {
        split: folder / name
        for split, names in SPLIT_FOLDERS.items()
        for name in reversed(names)
        if (folder / name).is_dir() and _class_folders(folder / name)
    }
    if parts:
        return parts
    # Pictures directly in "train" and "test" have no class.
    split_names = {name for names in SPLIT_FOLDERS.values() for name in names}
    return {"all": folder} if set(_class_folders(folder)) - split_names else {}


def read_folder(folder: FilePath, progress: Progress = no_progress) -> LabelledImages:
    """Read pictures from one sub-folder per class, in the order of all file names.

    If all sub-folders have numbers as names, these are the labels. Otherwise labels count from 0,
    in the order of the names. Raises FormatError if there are no pictures, or one cannot be
    decoded.
    """
    classes = _class_folders(Path(folder))
    if not classes:
        msg = f"{os.fspath(folder)}: no sub-folders with pictures, one per class"
        raise FormatError(msg)
    is_numbered = all(_is_number(name) for name in classes)
    labels = [int(name) if is_numbered else index for index, name in enumerate(classes)]
    files = [
        (path, label)
        for label, class_folder in zip(labels, classes.values(), strict=True)
        for path in _find_pictures(class_folder)
    ]
    # The file names of `write_folder` count, so this restores the order of its images.
    files.sort(key=lambda file: (file[0].name, file[1]))
    images = GrowableArray(N_PIXELS, np.uint8)
    for n_done, (path, _) in enumerate(files, start=1):
        with path.open("rb") as file:
            images.append(read_picture(file, str(path)).reshape(1, -1))
        progress(n_done, len(files))
    return LabelledImages(
        images.to_array().reshape(-1, *IMAGE_SHAPE),
        np.array([label for _, label in files], dtype=np.int64),
        {} if is_numbered else dict(zip(labels, classes, strict=True)),
    )


def write_folder(
    folder: Path, images: Images, labels: Labels, *, progress: Progress = no_progress
) -> None:
    """Write images as PNG files, in one sub-folder per label, and create the folder if missing."""
    from PIL import Image

    for label in np.unique(labels).tolist():
        (folder / str(label)).mkdir(parents=True)
    n_digits = len(str(len(labels) - 1))
    for index, (image, label) in enumerate(zip(images, labels.tolist(), strict=True)):
        path = folder / str(label) / f"{index:0{n_digits}}.png"
        # Level 1 takes a third of the time, and the files are hardly larger.
        Image.fromarray(image).save(path, compress_level=1)
        progress(index + 1, len(labels))


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdecimal() and len(name) < 10


def _find_pictures(folder: Path) -> Iterator[Path]:
    from mnist_svm.pictures.formats import SUFFIXES

    return (
        path
        for path in folder.iterdir()
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
    )
