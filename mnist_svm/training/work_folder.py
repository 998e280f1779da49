"""A folder that keeps the intermediate results of a long job, so that it can be resumed."""

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

from mnist_svm._io import FOLDER_LOCK, acquire_lock, atomic_write
from mnist_svm._types import Array

# Version of the folder's content; a folder of another version is refused.
FORMAT = 2
RECORD = "work.json"


class WorkFolder:
    """Context manager: the work folder of a job, created if missing, locked while it is open.

    `job` is everything that the result depends on, as JSON values: a folder of another job is
    refused. `needed` is the total size of the job's files in bytes.
    """

    # Number of finished steps that the folder records.
    steps = 0
    _lock: int | None = None

    def __init__(self, path: str | os.PathLike[str], job: Mapping[str, Any], needed: int) -> None:
        self.path = Path(path)
        # Through JSON, to compare equal to what was read from a file.
        self._job = json.loads(json.dumps({"format": FORMAT, **job}))
        self._needed = needed

    def __enter__(self) -> Self:
        """Lock the folder, and create it or read its record.

        Raises OSError if the folder holds something else or is in use, the disk has too little
        space, or the folder cannot be created or read.
        """
        try:
            if exists := self.path.is_dir():
                self._acquire_lock()
            recorded = exists and self._read_record()
            self._require_space(recorded)
            if not exists:
                self.path.mkdir()
                self._acquire_lock()
            if not recorded:
                self.record(0)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def record(self, steps: int) -> None:
        """Record that the first `steps` steps are finished."""
        with atomic_write(self.path / RECORD) as file:
            file.write(json.dumps({"steps": steps, "job": self._job}, indent=2).encode())
        self.steps = steps

    def _read_record(self) -> bool:
        """Read the record of an interrupted job; return whether there is one."""
        try:
            record = json.loads((self.path / RECORD).read_bytes())
            job, self.steps = record["job"], int(record["steps"])
        except FileNotFoundError:
            # A job interrupted during its first record leaves at most a temporary file.
            expected = (f".{RECORD}", FOLDER_LOCK)
            if any(not file.name.startswith(expected) for file in self.path.iterdir()):
                self._refuse("holds no training to resume; move it away")
            return False
        except (LookupError, TypeError, ValueError):
            self._refuse(f"its {RECORD} is damaged; remove the folder")
        different = [key for key in {**self._job, **job} if job.get(key) != self._job.get(key)]
        if different:
            self._refuse(
                f"holds another training, with different {', '.join(different)}; repeat the "
                "command of that training to resume it, or remove the folder"
            )
        return True

    def _refuse(self, reason: str) -> NoReturn:
        raise FileExistsError(errno.EEXIST, reason, os.fspath(self.path)) from None

    def _require_space(self, recorded: bool) -> None:
        used = sum(file.stat().st_size for file in self.path.iterdir()) if recorded else 0
        free = shutil.disk_usage(self.path.resolve().parent).free
        if free < self._needed - used:
            needed = f"needs {(self._needed - used) / 1e9:.1f} GB of disk space"
            reason = f"{needed}, but only {free / 1e9:.1f} GB are free"
            raise OSError(errno.ENOSPC, reason, os.fspath(self.path))

    def _acquire_lock(self) -> None:
        self._lock = acquire_lock(self.path)
        if self._lock is None:
            self._refuse("is in use by another process")


class GrowingArray:
    """A .npy file of known shape that is filled from its first row on.

    Rows are written with file operations, because a full disk then raises an error; written
    through a memory map, it would kill the process.
    """

    def __init__(self, path: Path, shape: tuple[int, int], dtype: np.dtype[Any]) -> None:
        header, descr = BytesIO(), np.lib.format.dtype_to_descr(dtype)
        layout = {"descr": descr, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(header, layout)
        self.path = path
        self._header = header.getvalue()
        self._row_bytes = shape[1] * dtype.itemsize
        self.nbytes = len(self._header) + shape[0] * self._row_bytes

    def extend(self, n_rows: int, blocks: Iterable[Array]) -> None:
        """Write blocks of rows after the first `n_rows`, and sync them to the disk.

        An OSError, for example of a full disk, has the file's name.
        """
        with self.path.open("r+b" if n_rows else "wb") as file:
            try:
                file.write(self._header)
                file.truncate(file.seek(len(self._header) + n_rows * self._row_bytes))
                for block in blocks:
                    file.write(np.ascontiguousarray(block).data)
                file.flush()
                os.fsync(file.fileno())
            except OSError as error:
                raise OSError(error.errno, error.strerror, os.fspath(self.path)) from error
