"""Decode pictures of all kinds of sources, and folders of pictures, one at a time."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mnist_svm.exceptions import PictureError
from mnist_svm.pictures.decode import Content, Picture, decode, source_name
from mnist_svm.pictures.formats import SUFFIXES

# Greatest last dimension of a three-dimensional array that is one picture: more channels than any
# picture has, so that five are an error, and fewer pixels than any picture is wide.
MAX_CHANNELS = 7


def is_single(source: object) -> bool:
    """Whether a source is one picture; a folder, or an iterable of sources, is several."""
    if isinstance(source, np.ndarray):
        return source.ndim < 3 or (source.ndim == 3 and source.shape[2] <= MAX_CHANNELS)
    if isinstance(source, (str, os.PathLike)):
        return not _is_folder(source)
    is_file = isinstance(source, Content) or hasattr(source, "read")
    return is_file or not isinstance(source, Iterable)


def load_pictures(
    source: Any, *, thumbnail: int | None = None
) -> Iterator[tuple[str, Picture | PictureError]]:
    """Decode one picture, those in a folder, or an iterable of both, one at a time.

    Yields the name of each source, and the picture or the reason why it was not decoded.
    """
    if isinstance(source, (str, os.PathLike)) or is_single(source):
        source = [source]
    for item in source:
        try:
            pictures = _list_folder(item) if _is_folder(item) else [item]
        except PictureError as error:
            yield source_name(item), error
            continue
        for picture in pictures:
            try:
                yield source_name(picture), decode(picture, thumbnail=thumbnail)
            except PictureError as error:
                yield source_name(picture), error


def _is_folder(source: object) -> bool:
    # `Path.is_dir` raises if a name is too long.
    return isinstance(source, (str, os.PathLike)) and os.path.isdir(source)  # noqa: PTH112


def _list_folder(folder: str | os.PathLike[str]) -> list[str]:
    try:
        # By name: paths of Windows compare without regard to case.
        files = sorted(Path(os.fsdecode(folder)).iterdir(), key=lambda file: file.name)
    except OSError as error:
        raise PictureError(error.strerror or str(error)) from error
    pictures = [str(file) for file in files if file.suffix.lower() in SUFFIXES]
    if not pictures:
        msg = "no pictures in this folder"
        raise PictureError(msg)
    return pictures
