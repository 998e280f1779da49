"""Safe unpacking of archives that come from strangers.

Names that leave the folder, links, and more files or bytes than a data set has are refused, before
or while they are unpacked. A single file that is compressed with bzip2 or xz counts as an archive.
"""

from __future__ import annotations

import bz2
import errno
import gzip
import lzma
import os
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from mnist_svm.datasets.arrays import MAX_QUOTE
from mnist_svm.datasets.formats.idx import BYTES_PER_BLOCK
from mnist_svm.datasets.formats.zstd import ZSTD_SIGNATURE, open_zstd
from mnist_svm.exceptions import FormatError, MissingExtraError, sanitize

MAX_MEMBERS = 1_000_000
# Unpacked, in all.
MAX_UNPACKED = 8 << 30
# Text of digits takes a tenth of its size in an archive; what takes far less is a bomb.
MAX_RATIO, MIN_BOMB = 200, 256 << 20
# Of the list of a zip archive's members, and of a name in a tar archive, in bytes.
MAX_DIRECTORY, MAX_TAR_HEADER = 128 << 20, 1 << 20

ZIP_SIGNATURES = (b"PK\x03\x04", b"PK\x05\x06")
_UNSUPPORTED = {b"7z\xbc\xaf": "7-Zip", b"Rar!": "RAR"}
_TAR_BLOCK = 512

# Exceptions of zipfile, tarfile and the decompressors on damaged archives.
_UNPACKING_ERRORS = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    LookupError,
    MemoryError,
    OverflowError,
    RuntimeError,
    ValueError,
)
# Errors of the file system that names in an archive cause.
_NAME_ERRORS = frozenset(
    {errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.EINVAL, errno.EILSEQ}
)

# Names that are devices in every folder of Windows, with any suffix.
_DEVICES = {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"} | {
    f"{port}{number}" for port in ("COM", "LPT") for number in "0123456789¹²³"
}
_HAS_DEVICES = os.name == "nt"


def is_archive(path: Path) -> bool:
    """Whether a file is an archive, by its first bytes; FormatError if it is an unsupported one."""
    with path.open("rb") as file:
        head = file.read(4)
    if name := _UNSUPPORTED.get(head):
        msg = f"{path}: {name} archives are not supported: unpack it and pass the folder"
        raise FormatError(msg)
    if head in ZIP_SIGNATURES:
        return True
    if head.startswith((b"BZh", b"\xfd7zX")):
        return True
    try:
        with _damage_is_format_error(path), _open_stream(path) as stream:
            return _is_tar_header(stream.read(_TAR_BLOCK))
    except FormatError:
        if head == ZSTD_SIGNATURE:
            raise
        # The readers of other files have their own message for damaged gzip.
        return False


def _is_tar_header(block: bytes) -> bool:
    try:
        tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def has_arrays(path: Path) -> bool:
    """Whether an archive is NumPy's: a zip file with arrays that are in no folder."""
    with path.open("rb") as file:
        if file.read(4) not in ZIP_SIGNATURES:
            return False
    with _damage_is_format_error(path):
        _require_directory(path)
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    return any(name.endswith(".npy") and "/" not in name for name in names)


def unpack(archive: Path, folder: Path) -> None:
    """Unpack an archive into an empty folder, without hidden files; raises as `open_archive`."""
    budget = _Budget(archive, folder)
    with archive.open("rb") as file:
        is_zip = file.read(4) in ZIP_SIGNATURES
    with _damage_is_format_error(archive):
        (_unpack_zip if is_zip else _unpack_tar)(archive, budget)


@contextmanager
def _damage_is_format_error(archive: Path) -> Iterator[None]:
    try:
        yield
    except (FormatError, MissingExtraError):
        raise
    except (*_UNPACKING_ERRORS, OSError) as error:
        # The decompressors' errors have no number; EINVAL points before the start of the file.
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        reason = sanitize(f"{type(error).__name__}: {error}", MAX_QUOTE)
        msg = f"{archive}: damaged or truncated archive ({reason})"
        raise FormatError(msg) from error


class _Budget:
    """Writes members below a folder, and counts them and their bytes against the limits."""

    def __init__(self, archive: Path, folder: Path) -> None:
        self._archive, self._folder = archive, folder
        size = archive.stat().st_size
        self.max_bytes = min(MAX_UNPACKED, max(MIN_BOMB, MAX_RATIO * size))
        self._n_bytes = self._n_members = 0
        self._names: set[tuple[str, ...]] = set()

    def error(self, member: str, reason: str) -> FormatError:
        name = sanitize(member, MAX_QUOTE)
        return FormatError(f"{self._archive}: {name}: {reason}")

    def require_bytes(self, n_bytes: int) -> None:
        """Raise FormatError if the archive has more bytes than the limit."""
        if n_bytes > self.max_bytes:
            msg = (
                f"{self._archive}: unpacks to more than {self.max_bytes >> 20:,} MiB, which is "
                "more than a data set of its size has; unpack it and pass the folder"
            )
            raise FormatError(msg)

    def require_members(self, n_members: int) -> None:
        """Raise FormatError if the archive has more members than the limit."""
        if n_members > MAX_MEMBERS:
            msg = f"{self._archive}: more than {MAX_MEMBERS:,} files; unpack it and pass the folder"
            raise FormatError(msg)

    def count_member(self) -> None:
        self._n_members += 1
        self.require_members(self._n_members)

    def path_of(self, member: str) -> tuple[str, ...] | None:
        """Return the parts of a member's path; None for a hidden file, which is not unpacked."""
        path = member.replace("\\", "/")
        parts = tuple(part for part in path.split("/") if part not in ("", "."))
        if path.startswith("/") or ".." in parts or (parts and ":" in parts[0][:2]):
            raise self.error(member, "its path leads out of the archive; such files are refused")
        is_hidden = any(part.startswith(".") or part == "__MACOSX" for part in parts)
        return None if is_hidden or not parts else parts

    def write(self, member: str, source: IO[bytes]) -> int:
        """Copy a file to its place in the folder; return its size."""
        parts = self.path_of(member)
        if parts is None:
            return 0
        if parts in self._names:
            raise self.error(member, "two files of this name")
        self._names.add(parts)
        start = self._n_bytes
        with self._create(member, self._folder.joinpath(*parts)) as target:
            while block := source.read(BYTES_PER_BLOCK):
                self._n_bytes += len(block)
                self.require_bytes(self._n_bytes)
                target.write(block)
        return self._n_bytes - start

    def _create(self, member: str, target: Path) -> IO[bytes]:
        impossible = self.error(member, "no file can have this name here")
        if _HAS_DEVICES and any(map(_is_device, target.relative_to(self._folder).parts)):
            raise impossible
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            return target.open("xb")
        except (OSError, ValueError) as error:
            if isinstance(error, OSError) and error.errno not in _NAME_ERRORS:
                raise
            raise impossible from error


def _is_device(name: str) -> bool:
    """Whether Windows would open a device, or a stream of another file, by a name."""
    return name.partition(".")[0].rstrip(" ").upper() in _DEVICES or ":" in name


def _unpack_zip(path: Path, budget: _Budget) -> None:
    _require_directory(path)
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        budget.require_members(len(members))
        budget.require_bytes(sum(member.file_size for member in members))
        for member in members:
            name = member.filename
            kind = member.external_attr >> 28
            if kind not in (0, 0o10, 0o4):
                raise budget.error(name, "neither a file nor a folder (a link, perhaps)")
            if member.is_dir() or budget.path_of(name) is None:
                continue
            if member.flag_bits & 0x1:
                reason = "encrypted; unpack the archive with its password, and pass the folder"
                raise budget.error(name, reason)
            try:
                source = archive.open(member)
            except NotImplementedError as error:
                reason = "compressed with an unknown method; unpack it and pass the folder"
                raise budget.error(name, reason) from error
            with source:
                size = budget.write(name, source)
            if size != member.file_size:
                raise budget.error(name, f"truncated: {size:,} of {member.file_size:,} bytes")


def _require_directory(path: Path) -> None:
    """Raise FormatError if the list of members is longer than memory should be spent on."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - (1 << 16) - 22))
        tail = file.read()
    # Where the lengths do not fit 32 bits, these are their largest value.
    found = tail.rfind(b"PK\x05\x06")
    declared = int.from_bytes(tail[found + 12 : found + 16], "little") if found >= 0 else 0
    wide = tail.rfind(b"PK\x06\x06")
    if declared == 0xFFFFFFFF and wide >= 0:
        declared = int.from_bytes(tail[wide + 40 : wide + 48], "little")
    if declared > MAX_DIRECTORY:
        msg = (
            f"{path}: the list of its files takes {declared:,} bytes; unpack it and pass the folder"
        )
        raise FormatError(msg)


class _StrictMember(tarfile.TarInfo):
    """A member whose damage is an error, where tarfile would take it for the end of the archive."""

    @classmethod
    def frombuf(cls, buf: Any, encoding: str, errors: str) -> _StrictMember:
        member = super().frombuf(buf, encoding, errors)
        is_header = member.type not in (*tarfile.REGULAR_TYPES, *_OTHER_TYPES)
        if member.size < 0 or (is_header and member.size > MAX_TAR_HEADER):
            msg = f"a header of {member.size:,} bytes"
            raise tarfile.ReadError(msg)
        return member

    @classmethod
    def fromtarfile(cls, tarfile_: tarfile.TarFile) -> _StrictMember:
        try:
            return super().fromtarfile(tarfile_)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise
        except tarfile.HeaderError as error:
            msg = f"{error} at byte {tarfile_.offset:,}"
            raise tarfile.ReadError(msg) from error


_OTHER_TYPES = (tarfile.DIRTYPE, tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.CONTTYPE)


def _unpack_tar(path: Path, budget: _Budget) -> None:
    """Unpack a tar archive, or a compressed file that is none."""
    with _open_stream(path) as stream:
        counted = _Counted(stream, budget)
        if not _is_tar_header(counted.first):
            budget.write(path.stem, cast("IO[bytes]", counted))
            return
        _unpack_members(counted, budget)
        # The decompressors verify their checksums at the end.
        while counted.read(BYTES_PER_BLOCK):
            pass


def _unpack_members(stream: _Counted, budget: _Budget) -> None:
    fileobj = cast("Any", stream)
    with tarfile.open(fileobj=fileobj, mode="r|", tarinfo=_StrictMember) as archive:
        for member in archive:
            # tarfile keeps a list of all members.
            archive.members = []  # type: ignore[attr-defined]
            budget.count_member()
            parts = budget.path_of(member.name)
            if member.isdir() or parts is None:
                continue
            if not member.isreg() or member.issparse():
                raise budget.error(member.name, "neither a file nor a folder (a link, perhaps)")
            source = archive.extractfile(member)
            size = budget.write(member.name, source) if source is not None else 0
            if size != member.size:
                raise budget.error(member.name, f"truncated: {size:,} of {member.size:,} bytes")


class _Counted:
    """A decompressed stream that ends in FormatError when it has more bytes than the limit."""

    def __init__(self, stream: IO[bytes], budget: _Budget) -> None:
        self._stream, self._budget, self._n_bytes = stream, budget, 0
        # The block that says whether this is a tar archive.
        self.first = self._unread = stream.read(_TAR_BLOCK)

    def read(self, size: int) -> bytes:
        block, self._unread = self._unread[:size], self._unread[size:]
        block += self._stream.read(size - len(block))
        self._n_bytes += len(block)
        self._budget.require_bytes(self._n_bytes)
        return block


@contextmanager
def _open_stream(path: Path) -> Iterator[IO[bytes]]:
    """Open a file, decompressed if it is compressed with gzip, bzip2, xz or Zstandard."""
    with path.open("rb") as file:
        head = file.peek(6)
        if head.startswith(ZSTD_SIGNATURE):
            with open_zstd(file, str(path)) as stream:
                yield stream
        elif head.startswith(b"\x1f\x8b"):
            with gzip.open(file) as stream:
                yield cast("IO[bytes]", stream)
        elif head.startswith(b"BZh"):
            with bz2.open(file) as stream:
                yield cast("IO[bytes]", stream)
        elif head.startswith(b"\xfd7zXZ\0"):
            with lzma.open(file) as stream:
                yield cast("IO[bytes]", stream)
        else:
            yield file
