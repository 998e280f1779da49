"""Archives of data sets: zip, and tar without compression or with gzip, bzip2, xz or Zstandard.

An archive is unpacked into a temporary folder, which is removed with its last reader.
"""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from mnist_svm.datasets.types import LabelledImages, Part, Progress
from mnist_svm.datasets.unpack import unpack
from mnist_svm.exceptions import MnistSvmError

OpenPath = Callable[[Path], Mapping[str, Part]]

_unpacked: weakref.WeakSet[_Unpacked] = weakref.WeakSet()


def open_archive(path: Path, open_folder: OpenPath) -> dict[str, Part]:
    """Unpack an archive, and return the parts of the data set in it.

    Parameters
    ----------
    path : Path
    open_folder : callable
        Returns the parts of the data set in a folder.

    Raises
    ------
    FormatError
        If the archive is damaged or encrypted, exceeds the limits, or has a member that is no file
        or folder in it; or as `open_folder`.
    OSError
        If there is no space for its content.
    """
    unpacked = _Unpacked(path)
    try:
        unpack(path, unpacked.folder)
        with unpacked.named_errors():
            parts = open_folder(unpacked.folder)
    except BaseException:
        # The traceback would keep it.
        unpacked.remove()
        raise
    return {key: unpacked.keep(part) for key, part in parts.items()}


def remove_unpacked() -> None:
    """Remove all temporary folders now, for a process that ends without its cleaning."""
    for unpacked in list(_unpacked):
        unpacked.remove()


class _Unpacked:
    """A temporary folder with the content of an archive, removed with the last reference."""

    def __init__(self, archive: Path) -> None:
        self._archive = str(archive)
        self.folder = Path(tempfile.mkdtemp(prefix="mnist-svm-"))
        _unpacked.add(self)
        self.remove = weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)

    def keep(self, part: Part) -> Part:
        """Return a part that keeps this folder, and names the archive in messages."""
        names = None if part.names is None else partial(self._names, part.names)
        return Part(partial(self._read, part), names)

    @contextmanager
    def named_errors(self) -> Iterator[None]:
        """Put the archive's name in the place of the folder's in error messages."""
        try:
            yield
        except MnistSvmError as error:
            raise type(error)(self._rename(str(error))) from error

    def _read(self, part: Part, progress: Progress) -> LabelledImages:
        with self.named_errors():
            content = part.read(progress)
        notices = tuple(map(self._rename, content.notices))
        pictures = content.pictures
        if pictures is not None:
            pictures = replace(pictures, names=list(map(self._rename, pictures.names)))
        return replace(content, notices=notices, pictures=pictures)

    def _names(self, names: Callable[[], Mapping[int, str]]) -> Mapping[int, str]:
        with self.named_errors():
            return names()

    def _rename(self, message: str) -> str:
        return message.replace(str(self.folder), self._archive)
