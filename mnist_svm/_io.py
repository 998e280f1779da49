"""Atomic writes, by which files and folders appear only when complete, and locks of files."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

# File in a folder that is locked in its place on Windows, which cannot open folders.
FOLDER_LOCK = ".lock"


@contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file that appears at ``path`` only when complete.

    The content is written to a temporary file in the same folder. When the block ends, the
    temporary file is synced to disk and moved to ``path``; when the block raises, it is removed.
    Symbolic links are followed. Devices and pipes such as ``/dev/stdout`` are written directly.
    Raises OSError with the name ``path`` if the folder is missing, read-only or full.
    """
    target = Path(path).resolve()
    with _name_in_errors(path):
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if target.exists() and not target.is_file():
            with target.open("wb") as device:
                yield device
            return
        temporary = _temporary_name(target)
        # Not by tempfile, which permits only the owner to read the file.
        try:
            with temporary.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(target)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise


@contextmanager
def atomic_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Create a folder that appears at ``path`` only when complete; yield a temporary one to fill.

    Raises OSError if ``path`` is anything but missing or an empty folder, or cannot be created.
    """
    target = Path(path).resolve()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        msg = "exists and is not an empty folder"
        raise FileExistsError(errno.EEXIST, msg, os.fspath(path))
    with _name_in_errors(path):
        temporary = _temporary_name(target)
        temporary.mkdir()
        try:
            yield temporary
            if target.exists():
                # Windows does not replace a folder, even an empty one.
                target.rmdir()
            temporary.replace(target)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise


def require_writable(path: str | os.PathLike[str]) -> None:
    """Raise now if `atomic_write` would raise later. Call before long work.

    Raises
    ------
    OSError
        If ``path`` is a folder, or its folder is missing or read-only.
    """
    target = Path(path).resolve()
    with _name_in_errors(path):
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not target.exists() or target.is_file():
            temporary = _temporary_name(target)
            temporary.touch(exist_ok=False)
            temporary.unlink()


def acquire_lock(path: str | os.PathLike[str]) -> int | None:
    """Lock a folder, or a file, which is created if missing, without waiting for others.

    Returns a descriptor, or None if another has the lock. Closing the descriptor unlocks, as does
    the end of the process. On POSIX systems, a child process that inherits it has the lock too.
    """
    path, flags = Path(path), os.O_RDWR | os.O_CREAT
    if path.is_dir():
        if sys.platform == "win32":
            path /= FOLDER_LOCK
        else:
            flags = os.O_RDONLY
    descriptor = os.open(path, flags, 0o644)
    try:
        if sys.platform == "win32":
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        os.close(descriptor)
        return None
    return descriptor


def _temporary_name(target: Path) -> Path:
    """A hidden name in the same folder that no other file has."""
    return target.with_name(f".{target.name[:50]}.{os.urandom(8).hex()}.tmp")


@contextmanager
def _name_in_errors(path: str | os.PathLike[str]) -> Iterator[None]:
    """Replace the file name in file-system errors by `path`.

    A failed write has no file name, and a failed open has that of the temporary file. Errors about
    files in other folders pass unchanged.
    """
    try:
        yield
    except OSError as error:
        folder = str(Path(path).resolve().parent)
        is_ours = error.filename is None or str(error.filename).startswith(folder)
        if error.errno is None or not is_ours:
            raise
        raise OSError(error.errno, error.strerror, os.fspath(path)) from error
