"""Files that people take for data sets, but that are not read: what they are, and what to do."""

from __future__ import annotations

import zipfile
from contextlib import suppress
from pathlib import Path

from mnist_svm.exceptions import FormatError

_TO_NPZ = "save images and labels with numpy.savez(FILE, images=..., labels=...)"
_ONE_PICTURE = (
    "a single picture; for one, use mnist-svm predict, for a set, one sub-folder per class"
)

# First bytes, with what such a file is, and what to do.
_SIGNATURES: tuple[tuple[bytes, str, str], ...] = (
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file", _TO_NPZ),
    (b"\x93NUMPY", "a single NumPy array, without labels", _TO_NPZ),
    (b"SQLite format 3\0", "an SQLite database", "export its table as a CSV file"),
    (b"version https://git-lfs", "a pointer of Git LFS, not the file itself", "run git lfs pull"),
    (b"%PDF-", "a PDF file", "use mnist-svm read for the picture of a page"),
    (b"\x89PNG\r\n", _ONE_PICTURE, ""),
    (b"\xff\xd8\xff", _ONE_PICTURE, ""),
    (b"GIF8", _ONE_PICTURE, ""),
    (b"<!doctype html", "a web page, not the file that it offers", "download the file"),
    (b"<html", "a web page, not the file that it offers", "download the file"),
)
# A pickle begins with its protocol; a TIFF, BMP or WebP picture is no text, which says enough.
_PICKLES = tuple(bytes([0x80, protocol]) for protocol in range(2, 6))

# What a zip archive is that has such a member.
_ZIP_MEMBERS: tuple[tuple[str, str, str], ...] = (
    ("data.pkl", "a file of PyTorch's", _TO_NPZ),
    ("[Content_Types].xml", "an office document", "save its table as a CSV file"),
)


def require_not_foreign(path: Path, head: bytes) -> None:
    """Raise FormatError if a file that begins with `head` is of a known kind that is not read."""
    if head.startswith(_PICKLES):
        # Reading one would run what is in it.
        raise _error(path, "a Python pickle, which is a program and not only data", _TO_NPZ)
    for signature, kind, remedy in _SIGNATURES:
        if head[: len(signature)].lower() == signature.lower():
            raise _error(path, kind, remedy)
    if head.startswith(b"PK"):
        for kind, remedy in _kinds_of_zip(path):
            raise _error(path, kind, remedy)


def _kinds_of_zip(path: Path) -> list[tuple[str, str]]:
    # The reader of archives says what is damaged.
    with suppress(zipfile.BadZipFile, OSError, ValueError), zipfile.ZipFile(path) as archive:
        names = {name.rsplit("/", 1)[-1] for name in archive.namelist()}
        return [(kind, remedy) for name, kind, remedy in _ZIP_MEMBERS if name in names]
    return []


def _error(path: Path, kind: str, remedy: str) -> FormatError:
    return FormatError(
        f"{path}: not a data set that can be read, but {kind}{remedy and f'; {remedy}'}"
    )
