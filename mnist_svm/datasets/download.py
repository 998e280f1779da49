"""Download data sets: try mirrors in turn, resume, verify, extract, move into place."""

from __future__ import annotations

import hashlib
import http.client
import io
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mnist_svm.datasets.catalog import Archive, DatasetInfo, RemoteFile
from mnist_svm.datasets.downloaded import chosen_data_dir, default_data_dir
from mnist_svm.datasets.types import FilePath
from mnist_svm.datasets.verify import GZIP_OVERHEAD, extract, find_fault
from mnist_svm.exceptions import FetchError

TIMEOUT_SECONDS = 30
SCHEMES = ("http", "https", "file")

# Requests per file and mirror; each continues where the connection broke.
MAX_REQUESTS = 10

# Small, so that a broken connection loses little.
BYTES_PER_READ = 1 << 16

# Called with (file name, bytes received, size in bytes or 0 if unknown).
DownloadProgress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class FetchReport:
    """Result of `fetch`: names of the files that were present and valid, and where others are from.

    The address of each downloaded file is keyed by its name; an archive's files include those of
    the other data sets in it.
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
    progress: DownloadProgress = lambda name, n_bytes, size: None,
    announce: Callable[[RemoteFile], None] = lambda file: None,
) -> FetchReport:
    """Download the files of a data set that are missing or damaged, and verify them.

    With `force`, download also those that are present and valid. Files go to ``info.folder`` below
    the data directory; the default is that of `mnist_svm.datasets.load.load_dataset`. An archive is
    removed after its files, of all data sets, are extracted. `mirrors` are base addresses to try in
    order instead of the catalog's. `announce` is called with each file before its download.

    Raises
    ------
    FetchError
        If no mirror provides a valid file, there is none, or a mirror's address is invalid.
    OSError
        If the folder cannot be written.
    """
    for mirror in mirrors:
        require_address(mirror)
    folder = (chosen_data_dir(data_dir) or default_data_dir(info)) / info.folder

    def download(files: Sequence[RemoteFile]) -> dict[str, str]:
        return _download_all(files, folder, mirrors or info.mirrors, progress, announce)

    downloaded: dict[str, str] = {}
    missing = list(info.files.values()) if force else missing_files(info, folder)
    if missing and not (mirrors or info.mirrors):
        names = ", ".join(file.name for file in missing)
        msg = (
            f"{info.name} has no mirror: copy {names} to {folder} from data/{info.folder} of this "
            "project's repository, or give the address of a folder with them as a mirror"
        )
        raise FetchError(msg)
    folder.mkdir(parents=True, exist_ok=True)
    if missing and info.archive:
        downloaded = _fetch_archive(info.archive, folder, download, force=force)
    elif missing:
        downloaded = download(missing)
    present = tuple(file.name for file in info.files.values() if file.name not in downloaded)
    return FetchReport(folder, present, downloaded)


def missing_files(info: DatasetInfo, folder: Path) -> list[RemoteFile]:
    """List the files of a data set that are missing in a folder, or differ from the catalog."""
    return [file for file in info.files.values() if not _is_valid(file, folder)]


def require_address(mirror: str) -> None:
    """Raise FetchError unless a mirror is an ``http``, ``https`` or ``file`` address."""
    if urlsplit(mirror).scheme not in SCHEMES:
        msg = (
            f"mirror {mirror!r}: expected an address that starts with http://, https:// or file:///"
        )
        raise FetchError(msg)


def _is_valid(file: RemoteFile, folder: Path) -> bool:
    """Return whether a valid file is present, as published or, if verifiable, decompressed."""
    names = [file.name] if file.as_published else [file.name, file.stem]
    paths = [folder / name for name in names]
    return any(path.is_file() and not find_fault(path, file) for path in paths)


def _fetch_archive(
    archive: Archive,
    folder: Path,
    download: Callable[[Sequence[RemoteFile]], dict[str, str]],
    *,
    force: bool,
) -> dict[str, str]:
    """Extract an archive, downloading it if needed; return the files and their source address."""
    path = folder / archive.file.name
    address = path.resolve().as_uri()
    if force or not _is_valid(archive.file, folder):
        address = download([archive.file])[archive.file.name]
    missing = {
        name: file for name, file in archive.members.items() if force or not _is_valid(file, folder)
    }
    extract(path, missing, folder)
    path.unlink()
    return {file.name: address for file in missing.values()}


def _download_all(
    files: Sequence[RemoteFile],
    folder: Path,
    mirrors: Sequence[str],
    progress: DownloadProgress,
    announce: Callable[[RemoteFile], None],
) -> dict[str, str]:
    """Download files; return the address that each came from."""
    downloaded: dict[str, str] = {}
    for file in files:
        announce(file)
        faults: dict[str, str] = {}
        for mirror in mirrors:
            address = f"{mirror.rstrip('/')}/{file.name}"
            fault = _download_verified(address, file, folder, progress)
            if fault is None:
                downloaded[file.name] = address
                break
            faults[address] = fault
        else:
            attempts = "".join(f"  {address}: {fault}\n" for address, fault in faults.items())
            missing = ", ".join(each.name for each in files if each.name not in downloaded)
            msg = (
                f"{file.name}: no mirror provides the right file. Tried:\n{attempts}"
                f"To install the files by hand, download {missing} from any source to "
                f"{folder.resolve()} and run fetch again, which verifies them."
            )
            raise FetchError(msg)
    return downloaded


def _download_verified(
    address: str, file: RemoteFile, folder: Path, progress: DownloadProgress
) -> str | None:
    """Download one file from one address, verify it and move it into place; return the fault."""
    # A later run resumes a partial file, but never one from another address.
    tag = hashlib.sha256(address.encode()).hexdigest()[:8]
    partial_path = folder / f".{file.name}.{tag}.part"
    # A resumed file is invalid if the mirror's file has changed: then start again once.
    for _ in range(2 if partial_path.exists() else 1):
        if fault := _download(address, partial_path, file, progress):
            return fault
        if (fault := find_fault(partial_path, file)) is None:
            # Windows only syncs a file that is open for writing.
            with partial_path.open("r+b") as complete:
                os.fsync(complete.fileno())
            partial_path.replace(folder / file.name)
            return None
        partial_path.unlink()
    return fault


def _download(address: str, path: Path, file: RemoteFile, progress: DownloadProgress) -> str | None:
    """Download or complete `path`; return the fault.

    A partial file is kept for a later run, unless it is too large to become valid.
    """
    for _ in range(MAX_REQUESTS):
        n_before = path.stat().st_size if path.exists() else 0
        headers = {"Range": f"bytes={n_before}-"} if n_before else {}
        request = urllib.request.Request(address, headers=headers)
        try:
            response = urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)
        except urllib.error.HTTPError as error:
            if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and n_before:
                return None  # the file is complete, or the checksum will differ
            return f"HTTP {error.code} {error.reason}"
        except urllib.error.URLError as error:
            return str(getattr(error.reason, "strerror", None) or error.reason)
        except (OSError, http.client.HTTPException, ValueError) as error:
            return str(error) or type(error).__name__
        with response:
            is_complete, n_bytes = _receive(response, n_before, path, file, progress)
        if is_complete:
            return None
        if n_bytes > file.size + GZIP_OVERHEAD:
            path.unlink()
            return f"more than the expected {file.size:,} bytes"
        if n_bytes <= n_before:
            break
    return f"the connection broke after {n_bytes:,} bytes"


def _receive(
    response: Any, n_before: int, path: Path, file: RemoteFile, progress: DownloadProgress
) -> tuple[bool, int]:
    """Append a response to `path`; return whether it is complete, and the size of the file."""
    is_partial = response.headers.get("Content-Range", "").startswith(f"bytes {n_before}-")
    n_bytes = n_before if is_partial else 0
    length = response.headers.get("Content-Length", "")
    size = n_bytes + int(length) if length.isdigit() else 0
    # Unbuffered, so that a full disk raises in _write and not on closing.
    with path.open("r+b" if n_before else "wb", buffering=0) as out:
        out.truncate(n_bytes)
        out.seek(n_bytes)
        while n_bytes <= file.size + GZIP_OVERHEAD:
            try:
                block = response.read(BYTES_PER_READ)
            except (OSError, http.client.HTTPException):
                return False, n_bytes
            if not block:
                return n_bytes == size or not size, n_bytes
            _write(out, block)
            n_bytes += len(block)
            progress(file.name, n_bytes, size)
    return False, n_bytes


def _write(out: io.FileIO, block: bytes) -> None:
    """Write a block; errors get the name of the file, which those of `write` lack."""
    try:
        view = memoryview(block)
        while view:
            view = view[out.write(view) :]
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(out.name)) from error
