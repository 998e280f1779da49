"""A pair of IDX files: images and the labels that belong to them."""

from __future__ import annotations

import os
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from mnist_svm.constants import IMAGE_SHAPE, Array
from mnist_svm.datasets.catalog import Split
from mnist_svm.datasets.formats.idx import FilePath, read_idx
from mnist_svm.exceptions import FormatError

__all__ = ["STEMS", "Split", "read_images", "read_pair", "require_images", "require_pair"]

# How MNIST and its successors name the files of a split.
STEMS: Mapping[Split, str] = {"train": "train", "test": "t10k"}


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
    OSError
        If a file cannot be opened or read.
    """
    images, labels = read_idx(images_path), read_idx(labels_path)
    require_images(images, images_path)
    if labels.dtype != np.uint8 or labels.ndim != 1:
        msg = (
            f"{os.fspath(labels_path)}: expected uint8 labels of shape (n,), "
            f"found {labels.dtype} of shape {labels.shape}"
        )
        raise FormatError(msg)
    require_pair(images, labels, images_path, labels_path)
    return images, labels


def read_images(path: FilePath) -> npt.NDArray[np.uint8]:
    """Read an IDX file of images.

    Parameters
    ----------
    path : path of the file

    Returns
    -------
    uint8 ndarray of shape (n, 28, 28), 0-255

    Raises
    ------
    FormatError
        If the file is damaged, of another shape, or holds no images.
    OSError
        If the file cannot be opened or read.
    """
    images = read_idx(path)
    require_images(images, path)
    return images


def require_images(images: Array, path: FilePath) -> None:
    """Refuse an array that is no images.

    Parameters
    ----------
    images : ndarray
    path : the file that it came from

    Raises
    ------
    FormatError
        If it is not of uint8 and shape (n, 28, 28), or empty.
    """
    if images.dtype != np.uint8 or images.ndim != 3 or images.shape[1:] != IMAGE_SHAPE:
        msg = (
            f"{os.fspath(path)}: expected uint8 images of shape (n, 28, 28), "
            f"found {images.dtype} of shape {images.shape}"
        )
        raise FormatError(msg)
    if not len(images):
        msg = f"{os.fspath(path)}: no images in it"
        raise FormatError(msg)


def require_pair(
    images: Array, labels: Array, images_path: FilePath, labels_path: FilePath
) -> None:
    """Refuse images and labels that disagree in number.

    Parameters
    ----------
    images, labels : ndarrays
    images_path, labels_path : the files that they came from

    Raises
    ------
    FormatError
        If there is not one label for each image.
    """
    if len(images) != len(labels):
        msg = (
            f"{os.fspath(images_path)} holds {len(images):,} images, "
            f"but {os.fspath(labels_path)} {len(labels):,} labels: expected one for each"
        )
        raise FormatError(msg)
