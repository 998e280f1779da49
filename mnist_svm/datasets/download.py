"""Download a data set: try mirrors in turn, resume, verify, unpack, move into place."""

from __future__ import annotations

import hashlib
import http.client
import io
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mnist_svm.datasets.archives import unpack
from mnist_svm.datasets.catalog import Archive, DatasetInfo, RemoteFile
from mnist_svm.datasets.formats.idx import FilePath
from mnist_svm.datasets.published import default_data_dir
from mnist_svm.datasets.verify import CHUNK, OVERHEAD, file_fault
from mnist_svm.exceptions import FetchError

TIMEOUT_SECONDS = 30
SCHEMES = ("http", "https", "file")

# A connection that breaks is taken up again where it broke, but not for ever.
MAX_RESUMES = 10

# Called with a file's name, the bytes that are there, and how many there will be (0: unknown).
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class FetchReport:
    """What `fetch` found and did.

    Attributes
    ----------
    folder : where the files are.
    present : names of the files that were there and right.
    downloaded : names of the files that were fetched, with the address each came from; from an
        archive, also those of the other data sets in it.
    """

    folder: Path
    present: tuple[str, ...]
    downloaded: dict[str, str]


def fetch(
    info: DatasetInfo,
    data_dir: FilePath | None = None,
    *,
    mirrors: Sequence[str] = (),
    force: bool = False,
    progress: Progress = lambda name, done, total: None,
    announce: Callable[[RemoteFile], None] = lambda file: None,
) -> FetchReport:
    """Put a data set's files into a folder, each verified by its SHA-256.

    An archive is removed once the files are out of it, those of all data sets that it holds.

    Parameters
    ----------
    info : the catalog's entry
    data_dir : path, optional
        The data directory; files go to ``info.folder`` below it. See `default_data_dir`.
    mirrors : sequence of str, optional
        Base addresses (``http``, ``https`` or ``file``) tried in order instead of the catalog's.
    force : bool, default=False
        Download even what is there and right.
    progress : callable, optional
        Told the file's name, the bytes received, and their expected number (0 if unknown).
    announce : callable, optional
        Told the file before its download.

    Returns
    -------
    FetchReport

    Raises
    ------
    FetchError
        If no mirror gave a file that verified, or a mirror's address is none.
    OSError
        If the folder cannot be written.
    """
    for mirror in mirrors:
        require_address(mirror)
    base = Path(data_dir) if data_dir is not None else default_data_dir()
    folder = base / info.folder
    folder.mkdir(parents=True, exist_ok=True)

    def download(wanted: Sequence[RemoteFile]) -> dict[str, str]:
        return _download_all(wanted, folder, mirrors or info.mirrors, progress, announce)

    downloaded: dict[str, str] = {}
    wanted = list(info.files.values()) if force else missing_files(info, folder)
    if wanted and info.archive:
        downloaded = _fetch_archive(info.archive, folder, download, force=force)
    elif wanted:
        downloaded = download(wanted)
    present = tuple(file.name for file in info.files.values() if file.name not in downloaded)
    return FetchReport(folder, present, downloaded)


def missing_files(info: DatasetInfo, folder: Path) -> list[RemoteFile]:
    """The files of a data set that are not in a folder, or are there with another content.

    Parameters
    ----------
    info : the catalog's entry
    folder : where the files ought to be

    Returns
    -------
    list of RemoteFile
    """
    return [file for file in info.files.values() if not _is_there(file, folder)]


def _is_there(file: RemoteFile, folder: Path) -> bool:
    """Whether a file is there and right, as published or, if that can be told, decompressed."""
    names = [file.name] if file.packed else [file.name, file.stem]
    return any((folder / name).is_file() and not file_fault(folder / name, file) for name in names)


def require_address(mirror: str) -> None:
    """Refuse a mirror's address that could never work.

    Parameters
    ----------
    mirror : str

    Raises
    ------
    FetchError
        If it is no ``http``, ``https`` or ``file`` address.
    """
    if urlsplit(mirror).scheme not in SCHEMES:
        msg = (
            f"mirror {mirror!r}: expected an address that begins with http://, https:// or file:///"
        )
        raise FetchError(msg)


def _fetch_archive(
    archive: Archive,
    folder: Path,
    download: Callable[[Sequence[RemoteFile]], dict[str, str]],
    *,
    force: bool,
) -> dict[str, str]:
    """Bring what an archive holds into the folder: the files' names, and where they came from.

    An archive that an earlier run left, or that was put there by hand, is as good as another.
    """
    path = folder / archive.file.name
    came_from = path.resolve().as_uri()
    if force or not _is_there(archive.file, folder):
        came_from = download([archive.file])[archive.file.name]
    wanted = {
        name: file for name, file in archive.members.items() if force or not _is_there(file, folder)
    }
    unpack(path, wanted, folder)
    path.unlink()
    return {file.name: came_from for file in wanted.values()}


def _download_all(
    wanted: Sequence[RemoteFile],
    folder: Path,
    mirrors: Sequence[str],
    progress: Progress,
    announce: Callable[[RemoteFile], None],
) -> dict[str, str]:
    """Bring files into the folder: their names, and the address that had each right."""
    downloaded: dict[str, str] = {}
    for file in wanted:
        announce(file)
        address, faults = _fetch_file(file, folder, mirrors, progress)
        if address is None:
            lacking = [name for name in (file.name for file in wanted) if name not in downloaded]
            raise FetchError(_advice(file.name, faults, lacking, folder))
        downloaded[file.name] = address
    return downloaded


def _fetch_file(
    file: RemoteFile, folder: Path, mirrors: Sequence[str], progress: Progress
) -> tuple[str | None, dict[str, str]]:
    """Bring one file into the folder: the address that had it right, and others' faults."""
    faults: dict[str, str] = {}
    for mirror in mirrors:
        address = f"{mirror.rstrip('/')}/{file.name}"
        fault = _fetch_from(address, file, folder, progress)
        if fault is None:
            return address, faults
        faults[address] = fault
    return None, faults


def _advice(name: str, faults: Mapping[str, str], lacking: Sequence[str], folder: Path) -> str:
    """What was tried for a file, and how to do without: the message when every mirror failed."""
    tried = [f"  {address}: {fault}" for address, fault in faults.items()]
    by_hand = (
        f"To put the files there by hand: get {', '.join(lacking)} from any source, save in "
        f"{folder.resolve()}, and run fetch again, which will verify what is there."
    )
    return "\n".join([f"{name}: no mirror gave the right file. Tried:", *tried, by_hand])


def _fetch_from(address: str, file: RemoteFile, folder: Path, progress: Progress) -> str | None:
    """Bring one file into the folder from one address; the fault if that failed.

    The bytes gather in a file whose name holds a hash of the address, so that a later run
    resumes what an earlier one left, but never with the bytes of another mirror.
    """
    tag = hashlib.sha256(address.encode()).hexdigest()[:8]
    part = folder / f".{file.name}.{tag}.part"
    # Once more from the start, if the mirror's file may have changed since its first half came.
    for _ in range(2 if part.exists() else 1):
        if fault := _download(address, part, file, progress):
            return fault
        if (fault := file_fault(part, file)) is None:
            with part.open("rb") as complete:
                os.fsync(complete.fileno())
            part.replace(folder / file.name)
            return None
        part.unlink()
    return fault


def _download(address: str, part: Path, file: RemoteFile, progress: Progress) -> str | None:
    """Complete the file ``part`` with what the address holds; the fault if that failed.

    A connection that breaks after bringing something is taken up again. What arrived of a
    broken download is kept for later; what can never become the right file is not.
    """
    for _ in range(MAX_RESUMES):
        before = part.stat().st_size if part.exists() else 0
        headers = {"Range": f"bytes={before}-"} if before else {}
        request = urllib.request.Request(address, headers=headers)
        try:
            response = urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)
        except urllib.error.HTTPError as error:
            if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and before:
                return None  # nothing is missing: the checksum decides
            return f"HTTP {error.code} {error.reason}"
        except urllib.error.URLError as error:
            return str(getattr(error.reason, "strerror", None) or error.reason)
        except (OSError, http.client.HTTPException, ValueError) as error:
            return str(error) or type(error).__name__
        with response:
            complete, have = _receive(response, before, part, file, progress)
        if complete:
            return None
        if have > file.size + OVERHEAD:
            part.unlink()
            return f"more than the {file.size:,} bytes that the whole payload has"
        if have <= before:
            break
    return f"the connection broke after {have:,} bytes"


def _receive(
    response: Any, before: int, part: Path, file: RemoteFile, progress: Progress
) -> tuple[bool, int]:
    """Write a response to ``part``: whether all of it arrived, and the bytes now there."""
    continues = response.headers.get("Content-Range", "").startswith(f"bytes {before}-")
    have = before if continues else 0
    length = response.headers.get("Content-Length", "")
    total = have + int(length) if length.isdigit() else 0
    # Unbuffered, so that a full disk shows where it is written to, not where it is closed.
    with part.open("r+b" if before else "wb", buffering=0) as out:
        out.truncate(have)
        out.seek(have)
        while have <= file.size + OVERHEAD:
            try:
                chunk = response.read(CHUNK)
            except (OSError, http.client.HTTPException):
                return False, have
            if not chunk:
                return have == total or not total, have
            _write(out, chunk)
            have += len(chunk)
            progress(file.name, have, total)
    return False, have


def _write(out: io.FileIO, chunk: bytes) -> None:
    """Write all of a chunk; an error names the file, which the system's own does not."""
    try:
        view = memoryview(chunk)
        while view:
            view = view[out.write(view) :]
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(out.name)) from error
