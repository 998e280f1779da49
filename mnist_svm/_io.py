"""Writing files so that no half-written one is ever seen under its final name."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

# Reading the umask means setting it, which other threads would see: once, at import.
_UMASK = os.umask(0)
os.umask(_UMASK)


@contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file that appears under ``path`` only once it is complete.

    The bytes go to a temporary file in the same folder, which is synced to disk and moved
    over ``path`` when the block ends, or removed when the block raises. A symbolic link is
    followed; a device or pipe such as ``/dev/stdout`` is written directly.

    Parameters
    ----------
    path : path of the file to write
        An existing file is replaced.

    Yields
    ------
    binary file object, open for writing

    Raises
    ------
    OSError
        If the folder is missing, read-only or full; always with the file's name.
    """
    target = Path(path).resolve()
    with _named_errors(path):
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if target.exists() and not target.is_file():
            with target.open("wb") as device:
                yield device
            return
        descriptor, temporary = tempfile.mkstemp(
            dir=target.parent, prefix=f".{target.name[:100]}.", suffix=".tmp"
        )
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            # mkstemp grants the owner alone.
            Path(temporary).chmod(0o666 & ~_UMASK)
            Path(temporary).replace(target)
        except BaseException:
            with suppress(OSError):
                Path(temporary).unlink()
            raise


@contextmanager
def atomic_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Make a folder that appears under ``path`` only once it is complete.

    Parameters
    ----------
    path : path of the folder to make
        There may be an empty one.

    Yields
    ------
    Path of the folder to fill meanwhile

    Raises
    ------
    OSError
        If there is something else already, or the folder cannot be made there.
    """
    target = Path(path).resolve()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        msg = "exists, and is no empty folder"
        raise FileExistsError(errno.EEXIST, msg, os.fspath(path))
    with _named_errors(path):
        temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name[:100]}."))
        try:
            yield temporary
            temporary.chmod(0o777 & ~_UMASK)
            temporary.replace(target)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise


def require_writable(path: str | os.PathLike[str]) -> None:
    """Fail now rather than after minutes of work, if `atomic_write` could not write ``path``.

    Parameters
    ----------
    path : path of the file to write later

    Raises
    ------
    OSError
        If ``path`` is a folder, or its folder is missing or read-only.
    """
    target = Path(path).resolve()
    with _named_errors(path):
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not target.exists() or target.is_file():
            with tempfile.TemporaryFile(dir=target.parent):
                pass


@contextmanager
def _named_errors(path: str | os.PathLike[str]) -> Iterator[None]:
    """Give errors of the file system the name of the file that the caller asked for.

    A failed write has no name at all, and a failed open that of the temporary file.
    Errors of other files and kinds, raised by the caller's own code, pass unchanged.
    """
    try:
        yield
    except OSError as error:
        folder = str(Path(path).resolve().parent)
        ours = error.filename is None or str(error.filename).startswith(folder)
        if error.errno is None or not ours:
            raise
        raise OSError(error.errno, error.strerror, os.fspath(path)) from error
