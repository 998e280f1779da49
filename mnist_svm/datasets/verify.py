"""Checksums: of files on disk and in zip archives, and of arrays as IDX files."""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO, BinaryIO

import numpy as np

from mnist_svm._io import atomic_write
from mnist_svm._types import Array
from mnist_svm.datasets.catalog import RemoteFile
from mnist_svm.datasets.formats.idx import BYTES_PER_BLOCK, encode_header, open_payload
from mnist_svm.exceptions import FetchError, FormatError

# Bytes that a compressed file may exceed its payload by, if the data are incompressible.
GZIP_OVERHEAD = 1 << 20


def payload_sha256(array: Array) -> str:
    """Compute the SHA-256 of an array's uncompressed IDX file.

    The IDX reader accepts no other file for the same array.
    """
    digest = hashlib.sha256(encode_header(array))
    digest.update(np.ascontiguousarray(array, dtype=array.dtype.newbyteorder(">")).data)
    return digest.hexdigest()


def content_sha256(images: Array, labels: Array) -> tuple[str, str]:
    """Compute the SHA-256 of the IDX files of images and of labels, int32 if over 255."""
    fits_byte = labels.max() <= np.iinfo(np.uint8).max
    stored_labels = labels.astype(np.uint8 if fits_byte else np.int32)
    return payload_sha256(images), payload_sha256(stored_labels)


def find_fault(path: Path, file: RemoteFile) -> str | None:
    """Compare a file on disk with its catalog entry; return what is wrong, or None.

    If the catalog has the checksum of the payload, the file may be plain or gzip-compressed;
    otherwise it must be as published. Raises OSError if it cannot be read.
    """
    if file.as_published:
        with path.open("rb") as stream:
            return _compare(stream, file, file.size + GZIP_OVERHEAD)
    try:
        with open_payload(path) as stream:
            return _compare(stream, file, file.size)
    except FormatError as error:
        return str(error).removeprefix(f"{path}: ")


def extract(archive: Path, members: Mapping[str, RemoteFile], folder: Path) -> None:
    """Extract `members`, by their names in a zip archive, into a folder, and verify them.

    Paths in the archive are never used as targets, and each file appears only when complete and
    verified. Raises FetchError if the archive is damaged, or a file is missing or differs.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            for name, file in members.items():
                _extract_member(opened, name, file, folder)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError) as error:
        msg = f"{archive}: damaged archive ({error})"
        raise FetchError(msg) from error


def _extract_member(opened: zipfile.ZipFile, name: str, file: RemoteFile, folder: Path) -> None:
    try:
        member = opened.getinfo(name)
    except KeyError as error:
        msg = f"{opened.filename}: no {name} in it"
        raise FetchError(msg) from error
    # zipfile decompresses only these block by block and with exceptions of its own.
    known = member.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    is_encrypted = member.flag_bits & 0x1
    if is_encrypted or not known:
        msg = f"{opened.filename}: {name} is encrypted, or compressed with an unknown method"
        raise FetchError(msg)
    with opened.open(member) as source, atomic_write(folder / file.name) as out:
        if fault := _compare(source, file, file.size + GZIP_OVERHEAD, out):
            msg = f"{opened.filename}: {name}: {fault}"
            raise FetchError(msg)


def _compare(
    stream: IO[bytes], file: RemoteFile, max_bytes: int, out: BinaryIO | None = None
) -> str | None:
    """Compare a stream with the catalog entry of its file, and copy it to `out`."""
    digest = hashlib.sha256()
    size = 0
    while block := stream.read(BYTES_PER_BLOCK):
        size += len(block)
        if size > max_bytes:
            return f"more than the expected {file.size:,} bytes"
        digest.update(block)
        if out is not None:
            out.write(block)
    if digest.hexdigest() != file.sha256:
        return f"expected SHA-256 {file.sha256}, found {digest.hexdigest()} ({size:,} bytes)"
    return None
