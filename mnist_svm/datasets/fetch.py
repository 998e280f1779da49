"""Download a data set: try mirrors in turn, resume, verify the payload, move into place."""

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

from mnist_svm.datasets.catalog import DatasetInfo, RemoteFile
from mnist_svm.datasets.idx import FilePath, open_payload
from mnist_svm.datasets.load import default_data_dir
from mnist_svm.errors import FetchError, FormatError

CHUNK = 1 << 16
TIMEOUT_SECONDS = 30
SCHEMES = ("http", "https", "file")

# A connection that breaks is taken up again where it broke, but not for ever.
MAX_RESUMES = 10

# What a mirror may add to the payload: gzip's own bytes, for data that do not compress.
OVERHEAD = 1 << 20

# Called with a file's name, the bytes that are there, and how many there will be (0: unknown).
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class FetchReport:
    """What `fetch` found and did.

    Attributes
    ----------
    folder : where the files are.
    present : names of the files that were there and right.
    downloaded : names of the files that were fetched, with the address each came from.
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
) -> FetchReport:
    """Put a data set's files into a folder, each verified by the SHA-256 of its payload.

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

    wanted = list(info.files.values()) if force else missing_files(info, folder)
    downloaded: dict[str, str] = {}
    for file in wanted:
        address, faults = _fetch_file(file, folder, mirrors or info.mirrors, progress)
        if address is None:
            lacking = [name for name in (file.name for file in wanted) if name not in downloaded]
            raise FetchError(_advice(file.name, faults, lacking, folder))
        downloaded[file.name] = address
    present = tuple(file.name for file in info.files.values() if file.name not in downloaded)
    return FetchReport(folder, present, downloaded)


def missing_files(info: DatasetInfo, folder: Path) -> list[RemoteFile]:
    """The files of a data set that are not in a folder, or are there with another payload.

    Parameters
    ----------
    info : the catalog's entry
    folder : where the files ought to be

    Returns
    -------
    list of RemoteFile
    """
    return [
        file
        for file in info.files.values()
        if not any(
            path.is_file() and payload_fault(path, file) is None
            for path in (folder / file.name, (folder / file.name).with_suffix(""))
        )
    ]


def payload_fault(path: Path, file: RemoteFile) -> str | None:
    """What is wrong with a file's payload, or None if it is the catalog's.

    Parameters
    ----------
    path : the file on disk, gzip-compressed or plain
    file : the catalog's entry for it

    Returns
    -------
    str or None
        The payload is read no further than the size it ought to have.
    """
    digest = hashlib.sha256()
    size = 0
    try:
        with open_payload(path) as stream:
            while size <= file.size and (chunk := stream.read(CHUNK)):
                digest.update(chunk)
                size += len(chunk)
    except FormatError as error:
        return str(error).removeprefix(f"{path}: ")
    if size > file.size:
        return f"payload of more than the {file.size:,} bytes expected"
    if digest.hexdigest() != file.sha256:
        return f"expected SHA-256 {file.sha256}, found {digest.hexdigest()} ({size:,} bytes)"
    return None


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
        if (fault := payload_fault(part, file)) is None:
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
