"""Whether a file on disk is the one that the catalog means."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import IO

from mnist_svm.datasets.catalog import RemoteFile
from mnist_svm.datasets.formats.idx import open_payload
from mnist_svm.exceptions import FormatError

CHUNK = 1 << 16

# What a mirror may add to the payload: gzip's own bytes, for data that do not compress.
OVERHEAD = 1 << 20


def file_fault(path: Path, file: RemoteFile) -> str | None:
    """What is wrong with a file, or None if it is the catalog's.

    Parameters
    ----------
    path : the file on disk
        Gzip-compressed or plain, if the catalog knows the payload; else as published.
    file : the catalog's entry for it

    Returns
    -------
    str or None
        The file is read no further than the size it may have.

    Raises
    ------
    OSError
        If the file cannot be opened or read.
    """
    if file.packed:
        with path.open("rb") as stream:
            return _fault(stream, file, file.size + OVERHEAD, "file")
    try:
        with open_payload(path) as stream:
            return _fault(stream, file, file.size, "payload")
    except FormatError as error:
        return str(error).removeprefix(f"{path}: ")


def _fault(stream: IO[bytes], file: RemoteFile, most: int, what: str) -> str | None:
    digest = hashlib.sha256()
    size = 0
    while size <= most and (chunk := stream.read(CHUNK)):
        digest.update(chunk)
        size += len(chunk)
    if size > most:
        return f"{what} of more than the {most:,} bytes expected"
    if digest.hexdigest() != file.sha256:
        return f"expected SHA-256 {file.sha256}, found {digest.hexdigest()} ({size:,} bytes)"
    return None
