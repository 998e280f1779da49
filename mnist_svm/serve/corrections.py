"""The folder of corrected pictures: one sub-folder per label, as ``--data`` takes it."""

from __future__ import annotations

import hashlib
import io
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from mnist_svm._io import atomic_write
from mnist_svm._types import GreyImage
from mnist_svm.datasets.picture_set import read_picture
from mnist_svm.exceptions import TooLargeError
from mnist_svm.pictures.decode import decode
from mnist_svm.serve.settings import MAX_CORRECTION_BYTES, MAX_CORRECTIONS, MAX_PARALLEL_PIXELS

# Hexadecimal digits of a picture's checksum in the name of its file.
DIGEST_LENGTH = 16


class FullFolderError(Exception):
    """There are `MAX_CORRECTIONS` pictures."""


def count_corrections(folder: Path) -> int:
    """Return the number of kept pictures."""
    return sum(1 for _ in folder.glob("*/*.png"))


def keep_correction(folder: Path, label: int, content: bytes, image: GreyImage) -> None:
    """Keep a picture under a label, and only there if it was under another.

    Parameters
    ----------
    folder : Path
    label : int
    content : bytes
        The picture file.
    image : uint8 ndarray of shape (28, 28)
        What the classifier saw of it.

    Raises
    ------
    FullFolderError
        If there are `MAX_CORRECTIONS` other pictures.
    OSError
        If the folder cannot be written.
    """
    png = _encode(content, image)
    digest = hashlib.sha256(png).hexdigest()[:DIGEST_LENGTH]
    others = list(folder.glob(f"*/*-{digest}.png"))
    if count_corrections(folder) - len(others) >= MAX_CORRECTIONS:
        raise FullFolderError
    label_folder = folder / str(label)
    label_folder.mkdir(parents=True, exist_ok=True)
    path = label_folder / f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{digest}.png"
    with atomic_write(path) as file:
        file.write(png)
    for other in others:
        if other != path:
            other.unlink(missing_ok=True)


def _encode(content: bytes, image: GreyImage) -> bytes:
    """Return a PNG file that a data set reads as `image`: of the picture, else of `image`.

    The picture serves later versions of the normaliser too. But it may be too large, or have been
    read in another way than pictures of a data set are.
    """
    try:
        png = _to_png(decode(content, max_pixels=MAX_PARALLEL_PIXELS).grey)
    except TooLargeError:
        return _to_png(image)
    if len(png) <= MAX_CORRECTION_BYTES and np.array_equal(
        read_picture(io.BytesIO(png), "picture"), image
    ):
        return png
    return _to_png(image)


def _to_png(grey: GreyImage) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(grey).save(file, "PNG")
    return file.getvalue()
