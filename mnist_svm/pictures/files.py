"""Pictures by name: files, folders of them, and standard input, decoded one after another."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mnist_svm.exceptions import PictureError
from mnist_svm.pictures.decode import Picture, decode
from mnist_svm.pictures.formats import SUFFIXES


@dataclass(frozen=True)
class Named:
    """A picture and its name.

    Attributes
    ----------
    file : as it was named.
    picture : None if it could not be decoded.
    error : why not, on one line; None if it could.
    """

    file: str
    picture: Picture | None = None
    error: str | None = None


def open_pictures(
    names: Iterable[str | os.PathLike[str]], *, thumbnail: int | None = None
) -> Iterator[Named]:
    """Decode pictures one at a time, so that memory holds one.

    Parameters
    ----------
    names : iterable of paths
        ``-`` is standard input; a folder stands for the pictures in it, by name.
    thumbnail : int, optional
        See `mnist_svm.pictures.decode.decode`.

    Yields
    ------
    Named
        One a picture, in order; what cannot be opened or decoded has an ``error``.
    """
    for name in (os.fspath(name) for name in names):
        if name == "-" or not Path(name).is_dir():
            yield open_picture(name, thumbnail)
            continue
        found = [path for path in sorted(Path(name).iterdir()) if path.suffix.lower() in SUFFIXES]
        if not found:
            yield Named(name, error="no pictures in this folder")
        for path in found:
            yield open_picture(str(path), thumbnail)


def open_picture(name: str, thumbnail: int | None = None) -> Named:
    """Decode a picture.

    Parameters
    ----------
    name : str
        ``-`` is standard input.
    thumbnail : int, optional
        See `mnist_svm.pictures.decode.decode`.

    Returns
    -------
    Named
        With an ``error`` if it cannot be opened or decoded.
    """
    try:
        if name == "-":
            return Named(name, decode(sys.stdin.buffer, thumbnail=thumbnail))
        with Path(name).open("rb") as file:
            return Named(name, decode(file, thumbnail=thumbnail))
    except PictureError as error:
        return Named(name, error=str(error))
    except OSError as error:
        return Named(name, error=error.strerror or str(error))
