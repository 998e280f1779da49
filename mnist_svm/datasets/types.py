"""Types shared by the modules of `mnist_svm.datasets`."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from mnist_svm._types import Images, Labels

FilePath = str | os.PathLike[str]
Split = Literal["train", "test"]

# Called with (n_done, n_total); n_total is 0 if unknown.
Progress = Callable[[int, int], None]


def no_progress(n_done: int, n_total: int) -> None:
    """Report nothing."""


@dataclass(frozen=True)
class LabelledImages:
    """Images and their labels, as read from any format.

    Attributes
    ----------
    images : uint8 ndarray of shape (n_images, 28, 28), 0-255
    labels : int64 ndarray of shape (n_images,), or None if the source has no labels
    class_names : name of each label, where it is not the label itself
    inverted : whether the source has dark ink on a bright background
    sha256 : checksums of the IDX payloads of images and labels, if the reader computed them
    """

    images: Images
    labels: Labels | None
    class_names: Mapping[int, str] = field(default_factory=dict)
    inverted: bool = False
    sha256: tuple[str, str] | None = None


@dataclass(frozen=True)
class Dataset:
    """Labelled images of one split.

    Attributes
    ----------
    name : name in the catalog, or path
    images : uint8 ndarray of shape (n_images, 28, 28), 0-255, bright ink on a dark background
    labels : int64 ndarray of shape (n_images,)
    sha256 : checksums of the payloads that images and labels have as IDX files, whatever the
        source format, keyed by the stem of the IDX file's name
    class_names : name of each label, where it is not the label itself
    inverted : whether the images are negatives of a source with dark ink on a bright background
    """

    name: str
    images: Images
    labels: Labels
    sha256: Mapping[str, str]
    class_names: Mapping[int, str] = field(default_factory=dict)
    inverted: bool = False

    @property
    def X(self) -> Images:  # noqa: N802 - scikit-learn's name
        """Images as rows for an estimator: uint8 ndarray of shape (n_images, 784)."""
        return self.images.reshape(len(self.images), -1)

    @property
    def y(self) -> Labels:
        """The labels, under scikit-learn's name."""
        return self.labels
