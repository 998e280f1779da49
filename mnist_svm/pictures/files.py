"""Decode pictures by path: files, folders of files, and standard input."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from mnist_svm.exceptions import PictureError
from mnist_svm.pictures.decode import Picture, decode
from mnist_svm.pictures.formats import SUFFIXES


def load_pictures(
    paths: Iterable[str | os.PathLike[str]], *, thumbnail: int | None = None
) -> Iterator[tuple[str, Picture | PictureError]]:
    """Decode pictures one at a time, so that only one is in memory.

    Parameters
    ----------
    paths : iterable of str or os.PathLike
        ``-`` is standard input. A folder stands for the pictures in it, sorted by name.
    thumbnail : int, optional
        Longer side in pixels of a copy for display; see `mnist_svm.pictures.decode.decode`.

    Yields
    ------
    tuple of str and Picture or PictureError
        The path of each picture, and the decoded picture or the reason why it was not decoded.
    """
    for path in (os.fspath(path) for path in paths):
        files = [path]
        if path != "-" and Path(path).is_dir():
            files = [
                str(file)
                for file in sorted(Path(path).iterdir())
                if file.suffix.lower() in SUFFIXES
            ]
            if not files:
                yield path, PictureError("no pictures in this folder")
        for file in files:
            try:
                yield file, load_picture(file, thumbnail=thumbnail)
            except PictureError as error:
                yield file, error


def load_picture(path: str, *, thumbnail: int | None = None) -> Picture:
    """Decode a picture file.

    Parameters
    ----------
    path : str
        ``-`` is standard input.
    thumbnail : int, optional
        Longer side in pixels of a copy for display; see `mnist_svm.pictures.decode.decode`.

    Raises
    ------
    PictureError
        If the file cannot be opened, read or decoded.
    """
    try:
        if path == "-":
            return decode(sys.stdin.buffer, thumbnail=thumbnail)
        with Path(path).open("rb") as file:
            return decode(file, thumbnail=thumbnail)
    except OSError as error:
        raise PictureError(error.strerror or str(error)) from error
