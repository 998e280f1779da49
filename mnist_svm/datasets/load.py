"""Load labelled images from the catalog, a folder or a file."""

from __future__ import annotations

from mnist_svm._types import Images
from mnist_svm.datasets.formats.idx import FILE_PREFIXES
from mnist_svm.datasets.reader import open_dataset
from mnist_svm.datasets.types import Dataset, FilePath, Progress, Split, no_progress
from mnist_svm.datasets.verify import content_sha256
from mnist_svm.exceptions import FormatError


def load_dataset(
    source: FilePath = "mnist",
    *,
    split: Split = "train",
    data_dir: FilePath | None = None,
    orientation: str | None = None,
    progress: Progress = no_progress,
) -> Dataset:
    """Load one split of a data set.

    Pictures are brought to MNIST form as ``mnist-svm predict`` does. Arrays are looked at as a set:
    dark ink on a bright background is inverted, a frame removed, and images on grey are treated
    like pictures. What was assumed or mended is in the result's `notices`.

    Parameters
    ----------
    source : str or os.PathLike, default="mnist"
        A name in the catalog; or a folder, an archive or a file in one of the formats that
        ``mnist-svm convert --help`` lists.
    split : {"train", "test"}, default="train"
        A data set without splits is loaded whole.
    data_dir : str or os.PathLike, optional
        Folder of the catalog's data sets. The default is the environment variable
        ``MNIST_SVM_DATA``; or ``data`` if it has the data set, as in a clone of the repository; or
        the user's cache folder, to which the data set is downloaded when first used.
    orientation : str, optional
        How the images of a file or folder lie: "upright", "transposed" (stored by columns),
        "mirrored", "flipped", "upside-down", "turned-left", "turned-right" or "anti-transposed".
        By default upright, but transposed in files of EMNIST.
    progress : callable, optional
        Called with (n_images_done, n_images); the latter is 0 if unknown.

    Returns
    -------
    Dataset

    Raises
    ------
    DataMissingError
        If there is no such data set, folder, file or split.
    FetchError
        If a data set cannot be downloaded.
    FormatError
        If a file is damaged, images are not 28 x 28 with values of 0 to 255, there are no labels
        or not one for each image, or a file differs from the catalog.
    MissingExtraError
        If the format needs a package that is not installed.
    OSError
        If a file cannot be opened or read.
    """
    reader = open_dataset(source, data_dir, orientation)
    content = reader.read(split, progress)
    if content.labels is None:
        msg = (
            f"{reader.name}: no labels in its {split} split, but they are needed here; "
            "to classify images without labels: mnist-svm predict --data"
        )
        raise FormatError(msg)
    sha256 = content.sha256 or content_sha256(content.images, content.labels)
    prefix = f"{FILE_PREFIXES[split]}-" if split in reader.parts else ""
    return Dataset(
        name=reader.name,
        images=content.images,
        labels=content.labels,
        sha256={
            f"{prefix}images-idx3-ubyte": sha256[0],
            f"{prefix}labels-idx1-ubyte": sha256[1],
        },
        class_names=content.class_names,
        inverted=content.inverted,
        notices=content.notices,
    )


def load_images(
    source: FilePath,
    *,
    split: Split = "test",
    data_dir: FilePath | None = None,
    orientation: str | None = None,
    progress: Progress = no_progress,
) -> Images:
    """Load the images of one split of a data set, with or without labels; see `load_dataset`."""
    return open_dataset(source, data_dir, orientation).read(split, progress).images
