"""Taking single files out of a zip archive, trusting nothing that it says of itself."""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

from mnist_svm._io import atomic_write
from mnist_svm.datasets.catalog import RemoteFile
from mnist_svm.datasets.verify import CHUNK, OVERHEAD
from mnist_svm.exceptions import FetchError

# What the standard library unpacks a chunk at a time with errors of its own kinds.
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

ENCRYPTED = 0x1


def unpack(archive: Path, members: Mapping[str, RemoteFile], folder: Path) -> None:
    """Put files of an archive into a folder, each verified by its SHA-256.

    No other member is looked at, and no path of the archive's is written to. Each file appears
    only when complete and verified.

    Parameters
    ----------
    archive : path of the zip file
    members : the files, as published, keyed by their names in the archive
    folder : where they go, under the catalog's names

    Raises
    ------
    FetchError
        If the archive is damaged, or lacks a file, or has another in its place.
    OSError
        If the archive cannot be read or the folder written.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            for name, file in members.items():
                _unpack(opened, name, file, folder)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError) as error:
        msg = f"{archive}: damaged archive ({error})"
        raise FetchError(msg) from error


def _unpack(opened: zipfile.ZipFile, name: str, file: RemoteFile, folder: Path) -> None:
    try:
        member = opened.getinfo(name)
    except KeyError as error:
        msg = f"{opened.filename}: no {name} in it"
        raise FetchError(msg) from error
    if member.flag_bits & ENCRYPTED or member.compress_type not in METHODS:
        msg = f"{opened.filename}: {name} is encrypted, or compressed in an unknown way"
        raise FetchError(msg)
    digest = hashlib.sha256()
    size = 0
    with opened.open(member) as source, atomic_write(folder / file.name) as out:
        while chunk := source.read(CHUNK):
            size += len(chunk)
            if size > file.size + OVERHEAD:
                msg = f"{opened.filename}: {name} is more than the {file.size:,} bytes expected"
                raise FetchError(msg)
            digest.update(chunk)
            out.write(chunk)
        if digest.hexdigest() != file.sha256:
            msg = (
                f"{opened.filename}: {name}: expected SHA-256 {file.sha256}, "
                f"found {digest.hexdigest()} ({size:,} bytes)"
            )
            raise FetchError(msg)
