"""One front door to labelled images: a name, a folder or a file -> `Dataset`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from mnist_svm.constants import Images
from mnist_svm.datasets.arrays import Labelled, Progress
from mnist_svm.datasets.formats.idx import FilePath
from mnist_svm.datasets.formats.idx_pair import STEMS, Split
from mnist_svm.datasets.published import payload_sha256
from mnist_svm.datasets.sources import Source, find_source
from mnist_svm.exceptions import FormatError


@dataclass(frozen=True)
class Dataset:
    """Labelled images.

    Attributes
    ----------
    name : the catalog's name, or the path.
    images : uint8 ndarray of shape (n, 28, 28), 0-255, ink bright on a dark ground.
    labels : int64 ndarray of shape (n,).
    sha256 : checksum of what would be each IDX file's payload, whatever the images came from,
        keyed by IDX stem.
    class_names : what a label means, where it is not the digit itself.
    inverted : whether images are the negatives of what was stored, dark ink on a bright ground.
    """

    name: str
    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    sha256: Mapping[str, str]
    class_names: Mapping[int, str] = field(default_factory=dict)
    inverted: bool = False

    @property
    def X(self) -> npt.NDArray[np.uint8]:  # noqa: N802 - the name that scikit-learn uses
        """The images as uint8 rows, shape (n, 784): what an estimator takes."""
        return self.images.reshape(len(self.images), -1)


def _silent(done: int, total: int) -> None:
    """Tell nobody."""


def load_dataset(
    source: FilePath = "mnist",
    *,
    split: Split = "train",
    data_dir: FilePath | None = None,
    progress: Progress = _silent,
) -> Dataset:
    """Read one split of a data set.

    Parameters
    ----------
    source : str or path, default="mnist"
        A name from the catalog; a folder of IDX files named as MNIST's are, of ``train.csv`` and
        ``test.csv``, of Parquet files, or of pictures in one sub-folder a class, with or without
        ``train`` and ``test`` above them; or a CSV, NumPy, Parquet or IDX file.
    split : {"train", "test"}, default="train"
        A data set that is not parted is read whole for either.
    data_dir : path, optional
        Where the catalog's data sets live; see `mnist_svm.datasets.published.default_data_dir`.
    progress : callable, optional
        Told the number of images done, and of all (0 if unknown).

    Returns
    -------
    Dataset

    Raises
    ------
    DataMissingError
        If there is no such data set, folder, file or split.
    FormatError
        If a file is damaged, images are not 28 x 28 of 0 to 255, images and labels disagree in
        number, there are no labels, or a data set of the catalog has not the catalog's checksum.
    MissingExtraError
        If the format needs a package that is not installed.
    OSError
        If a file cannot be opened or read.
    """
    found = find_source(source, data_dir)
    return as_dataset(found, split, found.part(split)(progress))


def as_dataset(source: Source, split: Split, labelled: Labelled) -> Dataset:
    """What was read as a part of a source, with its checksums.

    Parameters
    ----------
    source : Source
    split : {"train", "test"}
    labelled : Labelled

    Returns
    -------
    Dataset

    Raises
    ------
    FormatError
        If there are no labels.
    """
    if labelled.labels is None:
        msg = (
            f"{source.name}: no labels in its {split} part, which this needs; what the images show "
            "is told by: mnist-svm predict --data"
        )
        raise FormatError(msg)
    stem = f"{STEMS[split]}-" if split in source.parts else ""
    small = labelled.labels.max() <= np.iinfo(np.uint8).max
    labels = labelled.labels.astype(np.uint8 if small else np.int32)
    return Dataset(
        name=source.name,
        images=labelled.images,
        labels=labelled.labels,
        sha256={
            f"{stem}images-idx3-ubyte": payload_sha256(labelled.images),
            f"{stem}labels-idx1-ubyte": payload_sha256(labels),
        },
        class_names=labelled.class_names,
        inverted=labelled.inverted,
    )


def load_images(
    source: FilePath,
    *,
    split: Split = "test",
    data_dir: FilePath | None = None,
    progress: Progress = _silent,
) -> Images:
    """Read the images of one split of a data set, labelled or not.

    Parameters
    ----------
    source, split, data_dir, progress : as for `load_dataset`

    Returns
    -------
    uint8 ndarray of shape (n, 28, 28), 0-255

    Raises
    ------
    DataMissingError, FormatError, MissingExtraError, OSError
        As `load_dataset` does, but for labels.
    """
    return find_source(source, data_dir).part(split)(progress).images
