"""Reader of the catalog's data sets, from the files that `fetch` downloads."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from threading import Lock

import numpy as np

from mnist_svm._types import Array, Labels
from mnist_svm.datasets.catalog import DatasetInfo, RemoteFile
from mnist_svm.datasets.formats.idx import (
    encode_header,
    read_idx,
    require_images,
    require_same_length,
)
from mnist_svm.datasets.types import FilePath, LabelledImages, Progress, Split, no_progress
from mnist_svm.datasets.verify import find_fault, payload_sha256
from mnist_svm.exceptions import DataMissingError, FormatError

# Held during a download, so that other threads wait for its files.
_fetching = Lock()


def chosen_data_dir(data_dir: FilePath | None) -> Path | None:
    """Return the data directory that the user chose: `data_dir`, or ``$MNIST_SVM_DATA``."""
    chosen = data_dir if data_dir is not None else os.environ.get("MNIST_SVM_DATA")
    return Path(chosen) if chosen else None


def default_data_dir(info: DatasetInfo) -> Path:
    """Return ``data`` if it has files of the data set, as in a clone, or the cache folder."""
    names = {name for file in info.files.values() for name in (file.name, file.stem)}
    in_clone = any((Path("data") / info.folder / name).exists() for name in names)
    return Path("data") if in_clone else cache_dir()


def cache_dir() -> Path:
    """Return the user's cache folder of this package, where the operating system wants it."""
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
        return Path(local, "mnist-svm", "Cache")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "mnist-svm"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "mnist-svm")


def read_catalog(
    info: DatasetInfo, data_dir: FilePath | None, split: Split, progress: Progress = no_progress
) -> LabelledImages:
    """Read one split of a data set of the catalog; fetch it first if it is not in the cache.

    A folder that the user chose is never written to: raises DataMissingError if a file is missing
    there. Otherwise as `read_downloaded`, and FetchError if no mirror provides the files.
    """
    if chosen := chosen_data_dir(data_dir):
        return read_downloaded(info, chosen, split, progress)
    folder = default_data_dir(info)
    try:
        return read_downloaded(info, folder, split, progress)
    except DataMissingError:
        import logging

        from mnist_svm.datasets.download import fetch

        def announce(file: RemoteFile) -> None:
            target = folder / info.folder
            logging.getLogger(__name__).warning("Downloading %s to %s", file.name, target)

        with _fetching:
            fetch(info, folder, announce=announce)
        return read_downloaded(info, folder, split, progress)


def read_downloaded(
    info: DatasetInfo, data_dir: Path, split: Split, progress: Progress = no_progress
) -> LabelledImages:
    """Read and verify one split of a data set of the catalog; its images are upright.

    The files are in ``info.folder`` below `data_dir`. Raises DataMissingError if a file is missing,
    and FormatError if it is damaged or differs from the catalog.
    """
    files = info.splits[split]
    images_path, labels_path = (_find_file(info, file, data_dir) for file in files)
    images = _read_verified(info, files[0], images_path)
    stored_labels = _read_verified(info, files[1], labels_path)
    require_images(images, images_path)
    labels = _to_labels(info, stored_labels, labels_path)
    require_same_length(images, labels, images_path, labels_path)
    if info.transposed:
        images = np.ascontiguousarray(images.swapaxes(1, 2))
    progress(len(images), len(images))
    # The catalog's checksums are those of the arrays, unless they are of other bytes.
    differs = info.transposed or info.wide_labels or any(file.as_published for file in files)
    return LabelledImages(
        images,
        labels,
        {label: name for label, name in info.class_names().items() if name != str(label)},
        sha256=None if differs else (files[0].sha256, files[1].sha256),
    )


def _find_file(info: DatasetInfo, file: RemoteFile, data_dir: Path) -> Path:
    """Find a file, compressed or, if it can be verified then, decompressed."""
    compressed = data_dir / info.folder / file.name
    plain = compressed.with_name(file.stem)
    if compressed.exists():
        return compressed
    if plain.exists() and not file.as_published:
        return plain
    reason = f"{compressed}: no such file"
    if plain.exists():
        reason += f", and {plain.name} cannot be verified without the compressed file"
    msg = f"{reason}; get it with: mnist-svm fetch {info.name} --data-dir {data_dir}"
    raise DataMissingError(msg)


def _read_verified(info: DatasetInfo, file: RemoteFile, path: Path) -> Array:
    """Read an IDX file; raise FormatError unless its checksum and size are the catalog's."""
    if file.as_published and (fault := find_fault(path, file)):
        msg = f"{path}: not the file of {info.name}: {fault}; fetch it again"
        raise FormatError(msg)
    array = read_idx(path, max_bytes=file.size)
    if not file.as_published and (sha256 := payload_sha256(array)) != file.sha256:
        msg = (
            f"{path}: not the file of {info.name}: expected SHA-256 {file.sha256}, found {sha256}; "
            "fetch it again, or pass its folder to --data to use it as it is"
        )
        raise FormatError(msg)
    if (size := len(encode_header(array)) + array.nbytes) != file.size:
        msg = f"{path}: expected {file.size:,} bytes when decompressed, found {size:,}"
        raise FormatError(msg)
    return array


def _to_labels(info: DatasetInfo, stored: Array, path: Path) -> Labels:
    """Extract the labels from a file of labels; raise FormatError if one is not in the catalog."""
    dtype, ndim = (np.int32, 2) if info.wide_labels else (np.uint8, 1)
    if stored.dtype != dtype or stored.ndim != ndim or not stored.shape[-1]:
        msg = (
            f"{path}: expected labels of {np.dtype(dtype)} in {ndim} dimensions, "
            f"found {stored.dtype} of shape {stored.shape}"
        )
        raise FormatError(msg)
    labels: Labels = (stored[:, 0] if info.wide_labels else stored).astype(np.int64)
    if unknown := set(np.unique(labels).tolist()) - set(info.class_names()):
        msg = (
            f"{path}: found label {min(unknown)}, but the labels of {info.name} are "
            f"{info.first_label} to {info.first_label + len(info.classes) - 1}"
        )
        raise FormatError(msg)
    return labels
