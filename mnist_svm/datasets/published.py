"""The catalog's data sets, read from where `fetch` put them."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mnist_svm.constants import Array
from mnist_svm.datasets.catalog import DatasetInfo, RemoteFile, Split
from mnist_svm.datasets.formats.idx import encode_header, read_idx
from mnist_svm.datasets.formats.idx_pair import require_images, require_pair
from mnist_svm.datasets.verify import file_fault
from mnist_svm.exceptions import DataMissingError, FormatError


def default_data_dir() -> Path:
    """Where data sets live unless told otherwise: ``$MNIST_SVM_DATA``, else ``data``."""
    return Path(os.environ.get("MNIST_SVM_DATA") or "data")


def load_published(
    info: DatasetInfo, split: Split, base: Path
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Read one split of a data set of the catalog.

    Parameters
    ----------
    info : the catalog's entry
    split : {"train", "test"}
    base : the data directory

    Returns
    -------
    images : uint8 ndarray of shape (n, 28, 28), 0-255
        Upright, whichever way they are stored.
    labels : int64 ndarray of shape (n,)
        Those of ``info.class_names()``.

    Raises
    ------
    DataMissingError
        If a file is missing.
    FormatError
        If a file is damaged or not the catalog's.
    OSError
        If a file cannot be opened or read.
    """
    paths = [_find(info, file, base) for file in info.splits[split]]
    images, labels = (
        _read(info, file, path) for file, path in zip(info.splits[split], paths, strict=True)
    )
    require_images(images, paths[0])
    digits = _digits(info, labels, paths[1])
    require_pair(images, digits, *paths)
    if info.transposed:
        images = np.ascontiguousarray(images.swapaxes(1, 2))
    return images, digits


def payload_sha256(array: Array) -> str:
    """Checksum of the IDX file that an array makes.

    The reader is strict, so a file that it came from can have held nothing else.

    Parameters
    ----------
    array : ndarray of a type that IDX has

    Returns
    -------
    str of 64 hexadecimal digits
    """
    digest = hashlib.sha256(encode_header(array))
    digest.update(np.ascontiguousarray(array, dtype=array.dtype.newbyteorder(">")).data)
    return digest.hexdigest()


def _find(info: DatasetInfo, file: RemoteFile, base: Path) -> Path:
    """Where a file is, compressed or, if it can be verified so, plain."""
    packed = base / info.folder / file.name
    plain = base / info.folder / file.stem
    if packed.exists():
        return packed
    if plain.exists() and not file.packed:
        return plain
    missing = f"{packed}: no such file"
    if plain.exists():
        missing += f", and {plain.name} cannot be verified, for only the other's checksum is known"
    msg = f"{missing}; get it with: mnist-svm fetch {info.name} --data-dir {base}"
    raise DataMissingError(msg)


def _read(info: DatasetInfo, file: RemoteFile, path: Path) -> Array:
    """What is in a file, if it is the catalog's."""
    if file.packed and (fault := file_fault(path, file)):
        msg = f"{path}: not the file of {info.name}: {fault}; fetch it again"
        raise FormatError(msg)
    array = read_idx(path, max_bytes=file.size)
    if not file.packed and (found := payload_sha256(array)) != file.sha256:
        msg = (
            f"{path}: not the file of {info.name}: expected SHA-256 {file.sha256}, found {found}; "
            "fetch it again, or give its folder with --data to use it as it is"
        )
        raise FormatError(msg)
    if (size := len(encode_header(array)) + array.nbytes) != file.size:
        msg = f"{path}: expected {file.size:,} bytes when decompressed, found {size:,}"
        raise FormatError(msg)
    return array


def _digits(info: DatasetInfo, labels: Array, path: Path) -> npt.NDArray[np.int64]:
    """The labels in what a file of labels holds."""
    dtype, ndim = (np.int32, 2) if info.wide_labels else (np.uint8, 1)
    if labels.dtype != dtype or labels.ndim != ndim or not labels.shape[-1]:
        msg = (
            f"{path}: expected labels of {np.dtype(dtype)} in {ndim} dimensions, "
            f"found {labels.dtype} of shape {labels.shape}"
        )
        raise FormatError(msg)
    digits = (labels[:, 0] if info.wide_labels else labels).astype(np.int64)
    last = info.first_label + len(info.classes) - 1
    if stray := set(np.unique(digits).tolist()) - set(info.class_names()):
        msg = (
            f"{path}: label {min(stray)}, but those of {info.name} are {info.first_label} to {last}"
        )
        raise FormatError(msg)
    return digits
