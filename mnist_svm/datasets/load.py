"""One front door to labelled images: a catalog name or a folder of IDX files -> `Dataset`."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from mnist_svm.datasets.catalog import CATALOG, DatasetInfo
from mnist_svm.datasets.idx import FilePath, encode_header, read_idx
from mnist_svm.errors import DataMissingError, FormatError

Split = Literal["train", "test"]

# How MNIST and its successors name the files of a split.
STEMS: Mapping[Split, str] = {"train": "train", "test": "t10k"}

IMAGE_SHAPE = (28, 28)


@dataclass(frozen=True)
class Dataset:
    """Labelled images.

    Attributes
    ----------
    name : the catalog's name, or the folder.
    images : uint8 ndarray of shape (n, 28, 28), 0-255, ink bright on a dark ground.
    labels : int64 ndarray of shape (n,).
    sha256 : checksum of each file's payload, keyed by IDX stem.
    """

    name: str
    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    sha256: Mapping[str, str]

    @property
    def X(self) -> npt.NDArray[np.uint8]:  # noqa: N802 - the name that scikit-learn uses
        """The images as uint8 rows, shape (n, 784): what an estimator takes."""
        return self.images.reshape(len(self.images), -1)


def default_data_dir() -> Path:
    """Where data sets live unless told otherwise: ``$MNIST_SVM_DATA``, else ``data``."""
    return Path(os.environ.get("MNIST_SVM_DATA") or "data")


def load_dataset(
    source: FilePath = "mnist", *, split: Split = "train", data_dir: FilePath | None = None
) -> Dataset:
    """Read one split of a data set.

    Parameters
    ----------
    source : str or path, default="mnist"
        A name from the catalog, or a folder that holds ``train-images-idx3-ubyte``,
        ``train-labels-idx1-ubyte`` and their ``t10k-`` counterparts, each with or without ``.gz``.
    split : {"train", "test"}, default="train"
    data_dir : path, optional
        Where the catalog's data sets live; see `default_data_dir`.

    Returns
    -------
    Dataset

    Raises
    ------
    DataMissingError
        If there is no such data set, folder or file.
    FormatError
        If a file is damaged, images are not 28 x 28 of uint8, images and labels disagree in
        number, or a data set of the catalog has not the catalog's checksum.
    """
    info = CATALOG.get(os.fspath(source))
    if info is None and not Path(source).is_dir():
        msg = (
            f"{os.fspath(source)}: neither a folder nor a data set of the catalog "
            f"({', '.join(CATALOG)})"
        )
        raise DataMissingError(msg)
    base = Path(data_dir) if data_dir is not None else default_data_dir()
    folder = base / info.folder if info else Path(source)

    stems = [f"{STEMS[split]}-images-idx3-ubyte", f"{STEMS[split]}-labels-idx1-ubyte"]
    paths = [find_file(folder, stem, info=info, base=base) for stem in stems]
    images, labels = read_pair(*paths)
    checksums = {
        stem: _payload_sha256(array) for stem, array in zip(stems, (images, labels), strict=True)
    }
    if info is not None:
        for stem, path in zip(stems, paths, strict=True):
            _require_checksum(info, stem, path, checksums[stem])
    return Dataset(
        name=os.fspath(source),
        images=images,
        labels=labels.astype(np.int64),
        sha256=checksums,
    )


def read_pair(
    images_path: FilePath, labels_path: FilePath
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Read an IDX file of images and the IDX file of their labels.

    Parameters
    ----------
    images_path, labels_path : paths of the files

    Returns
    -------
    images : uint8 ndarray of shape (n, 28, 28), 0-255
    labels : uint8 ndarray of shape (n,)

    Raises
    ------
    FormatError
        If a file is damaged or of another shape, or the two disagree in number.
    """
    images, labels = read_idx(images_path), read_idx(labels_path)
    if images.dtype != np.uint8 or images.ndim != 3 or images.shape[1:] != IMAGE_SHAPE:
        msg = (
            f"{os.fspath(images_path)}: expected uint8 images of shape (n, 28, 28), "
            f"found {images.dtype} of shape {images.shape}"
        )
        raise FormatError(msg)
    if labels.dtype != np.uint8 or labels.ndim != 1:
        msg = (
            f"{os.fspath(labels_path)}: expected uint8 labels of shape (n,), "
            f"found {labels.dtype} of shape {labels.shape}"
        )
        raise FormatError(msg)
    if len(images) != len(labels):
        msg = (
            f"{os.fspath(images_path)} holds {len(images):,} images, "
            f"but {os.fspath(labels_path)} {len(labels):,} labels: expected one for each"
        )
        raise FormatError(msg)
    if not len(images):
        msg = f"{os.fspath(images_path)}: no images in it"
        raise FormatError(msg)
    return images, labels


def find_file(folder: Path, stem: str, *, info: DatasetInfo | None, base: Path) -> Path:
    """The path of an IDX file, compressed or plain, in a folder.

    Parameters
    ----------
    folder : where to look
    stem : its name without ``.gz``
    info, base : the data set and data directory that `DataMissingError` advises to fetch

    Returns
    -------
    Path

    Raises
    ------
    DataMissingError
        If there is neither.
    """
    for path in (folder / f"{stem}.gz", folder / stem):
        if path.exists():
            return path
    advice = f"; get it with: mnist-svm fetch {info.name} --data-dir {base}" if info else ""
    msg = f"{folder / stem}.gz: no such file{advice}"
    raise DataMissingError(msg)


def _payload_sha256(array: npt.NDArray[Any]) -> str:
    """Checksum of the IDX file that an array of bytes came from.

    The reader is strict, so the file can have held nothing else.
    """
    digest = hashlib.sha256(encode_header(array))
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _require_checksum(info: DatasetInfo, stem: str, path: Path, found: str) -> None:
    expected = info.files[stem].sha256
    if found != expected:
        msg = (
            f"{path}: not the file of {info.name}: expected SHA-256 {expected}, found {found}; "
            "fetch it again, or give its folder with --data to use it as it is"
        )
        raise FormatError(msg)
