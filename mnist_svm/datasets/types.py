"""Types shared by the modules of `mnist_svm.datasets`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Literal

import numpy as np

from mnist_svm._types import Float64Array, Images, IntArray, Labels
from mnist_svm.datasets.orientation import UPRIGHT
from mnist_svm.exceptions import FormatError

FilePath = str | os.PathLike[str]
Split = Literal["train", "test"]

# Called with (n_done, n_total); n_total is 0 if unknown.
Progress = Callable[[int, int], None]


def no_progress(n_done: int, n_total: int) -> None:
    """Report nothing."""


@dataclass(frozen=True)
class PictureSources:
    """The pictures that images were made of.

    Attributes
    ----------
    names : name of each, such as its path
    sizes : number of pictures of each size (height, width), in pixels
    """

    names: Sequence[str]
    sizes: Mapping[tuple[int, int], int]


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
    notices : what was assumed or mended while reading; each a clause to follow the name of the
        data set, such as "has its labels in the last column"
    orientation : how the images lie, a key of `mnist_svm.datasets.orientation.ORIENTATIONS`
    pictures : the pictures that the images were made of; None of arrays
    """

    images: Images
    labels: Labels | None
    class_names: Mapping[int, str] = field(default_factory=dict)
    inverted: bool = False
    sha256: tuple[str, str] | None = None
    notices: tuple[str, ...] = ()
    orientation: str = UPRIGHT
    pictures: PictureSources | None = None


@dataclass(frozen=True)
class Part:
    """One split of a data set that exists, but is not read yet.

    Attributes
    ----------
    read : function that reads it
    names : function that returns its class names without reading its images, where that is cheap
    """

    read: Callable[[Progress], LabelledImages]
    names: Callable[[], Mapping[int, str]] | None = None

    def class_names(self) -> Mapping[int, str]:
        """Return the name of each label that is not the label itself."""
        return self.read(no_progress).class_names if self.names is None else self.names()


@dataclass(frozen=True)
class DatasetPart:
    """One of the data sets that a `Dataset` consists of.

    Attributes
    ----------
    name : name in the catalog, or path
    n_images : number of its images, which are consecutive
    sha256 : checksums, see `Dataset`
    """

    name: str
    n_images: int
    sha256: Mapping[str, str]


@dataclass(frozen=True)
class Dataset:
    """Labelled images of one split.

    Attributes
    ----------
    name : name in the catalog, or path; for several data sets, their names and weights, such as
        "mnist + styles:2"
    images : uint8 ndarray of shape (n_images, 28, 28), 0-255, bright ink on a dark background
    labels : int64 ndarray of shape (n_images,)
    sha256 : checksums of the payloads that images and labels have as IDX files, whatever the
        source format, keyed by the stem of the IDX file's name; for several data sets, by
        ``NAME/STEM``
    class_names : name of each label, where it is not the label itself
    inverted : whether the images, or some of them, are negatives of a source with dark ink on a
        bright background
    weights : float64 ndarray of shape (n_images,), positive: factor of C for each image in
        training; None if all are 1
    concatenated : the data sets that `concatenate` joined, in order; empty for a single one
    notices : what was assumed or mended while reading, see `LabelledImages`
    """

    name: str
    images: Images
    labels: Labels
    sha256: Mapping[str, str]
    class_names: Mapping[int, str] = field(default_factory=dict)
    inverted: bool = False
    weights: Float64Array | None = None
    concatenated: tuple[DatasetPart, ...] = ()
    notices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        n = len(self.labels)
        if self.weights is not None and (
            self.weights.shape != (n,)
            or not (np.isfinite(self.weights).all() and (self.weights > 0).all())
        ):
            msg = f"{self.name}: weights must be positive and finite, one for each of {n:,} images"
            raise ValueError(msg)
        if self.concatenated and sum(part.n_images for part in self.concatenated) != n:
            msg = f"{self.name}: the data sets that it consists of do not have {n:,} images in all"
            raise ValueError(msg)

    @property
    def X(self) -> Images:  # noqa: N802 - scikit-learn's name
        """Images as rows for an estimator: uint8 ndarray of shape (n_images, 784)."""
        return self.images.reshape(len(self.images), -1)

    @property
    def y(self) -> Labels:
        """The labels, under scikit-learn's name."""
        return self.labels

    @property
    def parts(self) -> tuple[DatasetPart, ...]:
        """The data sets that this one consists of: those it was made of, or itself alone."""
        return self.concatenated or (DatasetPart(self.name, len(self.labels), self.sha256),)

    @property
    def part_indices(self) -> IntArray:
        """Index in `parts` of each image: integer ndarray of shape (n_images,), ascending."""
        sizes = [part.n_images for part in self.parts]
        return np.repeat(np.arange(len(sizes)), sizes)

    @property
    def sources(self) -> tuple[str, ...]:
        """NAME or NAME:WEIGHT of each part, as the option ``--data`` takes them."""
        ends = np.cumsum([part.n_images for part in self.parts])[:-1]
        weights = map(mean_weight, np.split(_weights(self), ends))
        return tuple(map(weighted_name, (part.name for part in self.parts), weights))

    @classmethod
    def concatenate(
        cls, datasets: Sequence[Dataset], weights: Sequence[float] | None = None
    ) -> Dataset:
        """Join data sets of the same classes, to train or evaluate on all of them.

        Each stays in one piece, in the given order. Data sets that were joined before stay apart
        in `parts`, and their weights are multiplied.

        Parameters
        ----------
        datasets : sequence of Dataset
            At least one, with different names.
        weights : sequence of float, optional
            One for each data set, positive: how often each of its images counts in training, as a
            factor of C. The default is 1.

        Returns
        -------
        Dataset

        Raises
        ------
        FormatError
            If two data sets have the same name, or another name for the same label.
        ValueError
            If there is no data set, or not one positive, finite weight for each.
        """
        factors = [1.0] * len(datasets) if weights is None else [float(x) for x in weights]
        if not datasets or len(factors) != len(datasets):
            msg = f"expected a weight for each data set, got {len(factors)} for {len(datasets)}"
            raise ValueError(msg)
        _require_joinable(datasets)
        each = np.concatenate(
            [
                np.full(len(dataset.labels), factor) * _weights(dataset)
                for dataset, factor in zip(datasets, factors, strict=True)
            ]
        )
        parts = tuple(part for dataset in datasets for part in dataset.parts)
        joined = cls(
            name="",
            images=np.concatenate([dataset.images for dataset in datasets]),
            labels=np.concatenate([dataset.labels for dataset in datasets]),
            sha256={
                f"{part.name}/{stem}": digest
                for part in parts
                for stem, digest in part.sha256.items()
            },
            class_names={k: v for dataset in datasets for k, v in dataset.class_names.items()},
            inverted=any(dataset.inverted for dataset in datasets),
            weights=None if (each == 1).all() else each,
            concatenated=parts,
        )
        return replace(joined, name=join_sources(joined.sources))


def mean_weight(weights: Float64Array) -> float:
    """Return the mean of some weights, without rounding if all are equal."""
    return float(weights[0] if weights.min() == weights.max() else weights.mean())


def join_sources(sources: Iterable[str]) -> str:
    """Return the name of several data sets together, from NAME or NAME:WEIGHT of each."""
    return " + ".join(sources)


def weighted_name(name: str, weight: float) -> str:
    """Return NAME:WEIGHT, or the name alone for weight 1."""
    return name if weight == 1 else f"{name}:{weight:.12g}"


def _weights(dataset: Dataset) -> Float64Array:
    return np.ones(len(dataset.labels)) if dataset.weights is None else dataset.weights


def _require_joinable(datasets: Sequence[Dataset]) -> None:
    """Raise FormatError if two data sets have the same name, or differ in the name of a label."""
    names = [part.name for dataset in datasets for part in dataset.parts]
    if twice := {name for name in names if names.count(name) > 1}:
        msg = f"{min(twice)}: given twice; a weight makes its images count more: {min(twice)}:2"
        raise FormatError(msg)
    for one, other in combinations(datasets, 2):
        first, second = _classes(one), _classes(other)
        different = [x for x in sorted(first.keys() & second.keys()) if first[x] != second[x]]
        if different:
            listed = " and ".join(
                f"{dataset.name} ({', '.join(classes[label] for label in sorted(classes))})"
                for dataset, classes in ((one, first), (other, second))
            )
            label = different[0]
            msg = (
                f"the classes of {listed} do not go together: label {label} is "
                f"{first[label]!r} in the first and {second[label]!r} in the second"
            )
            raise FormatError(msg)


def _classes(dataset: Dataset) -> dict[int, str]:
    """Return the name of each label that a data set has or names."""
    labels = {*np.unique(dataset.labels).tolist(), *dataset.class_names}
    return {label: dataset.class_names.get(label, str(label)) for label in labels}
