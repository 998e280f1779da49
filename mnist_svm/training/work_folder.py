"""A folder that keeps what a long work has done, so that the work goes on where it was stopped."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, NoReturn, Self

import numpy as np
import numpy.typing as npt

from mnist_svm._io import atomic_write

try:
    import fcntl
except ImportError:  # Not everywhere: there, nobody keeps two works out of one folder.
    fcntl = None  # type: ignore[assignment]

# Of what the folder holds; another one is another work.
FORMAT = 1
RECORD = "work.json"


class WorkFolder:
    """Context manager: the folder of a work, held by one process at a time.

    Parameters
    ----------
    path : path of the folder
        Made if it is not there.
    work : mapping of names to plain values
        All that makes this work differ from another.
    needed : int
        Bytes that will be written there in all.

    Attributes
    ----------
    path : Path
    steps : int
        That `note` was last told of; 0 at the start.
    found : bool
        Whether the folder was there, of the same work.
    """

    steps = 0
    found = False
    _lock: int | None = None

    def __init__(self, path: str | os.PathLike[str], work: Mapping[str, Any], needed: int) -> None:
        self.path = Path(path)
        # As it will be read again.
        self._work = json.loads(json.dumps({"format": FORMAT, **work}))
        self._needed = needed

    def __enter__(self) -> Self:
        """Make the folder, or find in it what was done.

        Raises
        ------
        OSError
            If it holds something else or is in use, the disk has too little room, or the folder
            cannot be made or read.
        """
        try:
            if there := self.path.is_dir():
                self._hold()
                self._find()
            self._require_room()
            if not there:
                self.path.mkdir()
                self._hold()
            if not self.found:
                self.note(0)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def note(self, steps: int) -> None:
        """Keep how many steps of the work are done.

        Parameters
        ----------
        steps : int
        """
        with atomic_write(self.path / RECORD) as file:
            file.write(json.dumps({"steps": steps, "work": self._work}, indent=2).encode())
        self.steps = steps

    def remove(self) -> None:
        """Remove the folder with all that it holds."""
        shutil.rmtree(self.path)

    def _find(self) -> None:
        try:
            record = json.loads((self.path / RECORD).read_bytes())
            work, self.steps = record["work"], int(record["steps"])
        except FileNotFoundError:
            # Stopped while it was written for the first time, or somebody's own.
            if any(not file.name.startswith(f".{RECORD}") for file in self.path.iterdir()):
                self._refuse("holds no training that could go on; move it away")
            return
        except (LookupError, TypeError, ValueError):
            self._refuse(f"its {RECORD} is damaged; remove the folder")
        others = [key for key in {**self._work, **work} if work.get(key) != self._work.get(key)]
        if others:
            self._refuse(
                f"holds another training, of which differ: {', '.join(others)}; to go on with that "
                "one, repeat its command, else remove the folder"
            )
        self.found = True

    def _refuse(self, why: str) -> NoReturn:
        raise FileExistsError(errno.EEXIST, why, os.fspath(self.path)) from None

    def _require_room(self) -> None:
        files = self.path.iterdir() if self.found else ()
        needed = self._needed - sum(file.stat().st_size for file in files)
        free = shutil.disk_usage(self.path.resolve().parent).free
        if free < needed:
            why = f"needs {needed / 1e9:.1f} GB, of which {free / 1e9:.1f} GB are free"
            raise OSError(errno.ENOSPC, why, os.fspath(self.path))

    def _hold(self) -> None:
        if fcntl is None:
            return
        lock = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            self._refuse("another process is at work there")
        self._lock = lock


class GrowingArray:
    """A .npy file of known shape, filled from its first row on.

    Rows are written as to any file, because a full disk then is an error; in a memory map it
    would end the process.

    Parameters
    ----------
    path : Path
    shape : (int, int)
    dtype : numpy.dtype
    """

    def __init__(self, path: Path, shape: tuple[int, int], dtype: np.dtype[Any]) -> None:
        header = BytesIO()
        np.lib.format.write_array_header_1_0(
            header,
            {
                "descr": np.lib.format.dtype_to_descr(dtype),
                "fortran_order": False,
                "shape": shape,
            },
        )
        self._path = path
        self._header = header.getvalue()
        self._row = shape[1] * dtype.itemsize
        self.nbytes = len(self._header) + shape[0] * self._row

    def extend(self, rows: int, blocks: Iterable[npt.NDArray[Any]]) -> None:
        """Write blocks of rows after those that are there; return once they are safe on the disk.

        Parameters
        ----------
        rows : int
            That are there; what follows them is overwritten.
        blocks : iterable of ndarrays of shape (n, shape[1])

        Raises
        ------
        OSError
            With the file's name, as when the disk is full.
        """
        with self._path.open("r+b" if rows else "wb") as file:
            try:
                file.write(self._header)
                file.truncate(file.seek(len(self._header) + rows * self._row))
                for block in blocks:
                    file.write(np.ascontiguousarray(block).data)
                file.flush()
                os.fsync(file.fileno())
            except OSError as error:
                raise OSError(error.errno, error.strerror, os.fspath(self._path)) from error

    def mapped(self) -> npt.NDArray[Any]:
        """All rows, once they are there, in a memory map."""
        array: npt.NDArray[Any] = np.load(self._path, mmap_mode="r")
        return array
