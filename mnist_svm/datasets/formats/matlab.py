"""Images as MATLAB files (.mat): arrays of images and labels, under the names in common use.

MATLAB stores by columns, and so do many of the images: of 20 x 20 pixels in rows of 400, as a
well-known course on machine learning has them, and EMNIST's. Others have their pixels in the order
in which they are read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from mnist_svm._types import Array, Images, Labels
from mnist_svm.constants import IMAGE_SIDE, WHITE
from mnist_svm.datasets.arrays import ROWS_PER_BLOCK, to_labels
from mnist_svm.datasets.class_names import list_names
from mnist_svm.datasets.formats.mat_file import SIGNATURES, read_mat
from mnist_svm.datasets.orientation import TRANSPOSED, UPRIGHT
from mnist_svm.datasets.picture_set import PictureSet
from mnist_svm.datasets.types import LabelledImages, Part, Progress
from mnist_svm.exceptions import FormatError
from mnist_svm.pictures.images import to_mnist_images

_IMAGE_WORDS = frozenset({"x", "images", "image", "imgs", "data", "digits", "fea", "patterns"})
_LABEL_WORDS = frozenset({"y", "labels", "label", "target", "targets", "gnd", "class", "classes"})
_SPLIT_WORDS = {"train": "train", "training": "train", "test": "test", "testing": "test"}

# Two words without anything between them: xtrain, traindata.
_KINDS = "|".join(sorted(_IMAGE_WORDS | _LABEL_WORDS))
_SPLITS = "|".join(_SPLIT_WORDS)
_JOINED = re.compile(rf"({_KINDS})({_SPLITS})|({_SPLITS})({_KINDS})")

# Sides of square images: those of the course, USPS and MNIST.
_SIDES = (28, 20, 16)
# The course's: scaling has left values somewhat out of 0 to 1, and 10 is the label of 0.
COURSE_SIDE, MAX_OVERSHOOT = 20, 0.35
# Pixels of background around smaller images.
_MARGIN = 4


@dataclass(frozen=True)
class _Pair:
    """The arrays of images and of labels of one part, and the names of both."""

    images_name: str
    images: Array
    labels_name: str = ""
    labels: Array | None = None


def is_mat_file(head: bytes) -> bool:
    """Whether the first 128 bytes of a file are those of a MAT file."""
    return head.startswith(SIGNATURES) or (head[124:128] in (b"\x00\x01IM", b"\x01\x00MI"))


def find_mat_parts(path: Path) -> dict[str, Part]:
    """Return the parts "train" and "test", or "all", of a MAT file.

    Raises FormatError if the file is damaged, or has no arrays of images, or has several.
    """
    arrays = read_mat(path)
    pairs = _find_digits(arrays) or _find_pairs(arrays, str(path))
    if not pairs:
        found = list_names(f"{name} {_by(array.shape)}" for name, array in arrays.items())
        msg = (
            f"{path}: expected arrays called X and y, images and labels, or data and label; "
            f"found {found or 'no arrays of numbers'}"
        )
        raise FormatError(msg)
    return {split: Part(partial(_read, pair, path)) for split, pair in pairs.items()}


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _words(name: str) -> list[str]:
    """Return the words of a name: trainX, X_train and dataset.train.images have two or three."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    words = re.findall(r"[a-z]+|\d+", spaced.lower())
    split = _JOINED.fullmatch(name.lower())
    return [word for word in split.groups() if word] if split else words


def _find_pairs(arrays: Mapping[str, Array], source: str) -> dict[str, _Pair]:
    """Return the arrays of images and labels by their names, keyed by part."""
    images: dict[str, str] = {}
    labels: dict[str, str] = {}
    for name in arrays:
        words = _words(name)
        split = next((_SPLIT_WORDS[word] for word in words if word in _SPLIT_WORDS), "all")
        # The last word decides: "image_labels" are labels.
        kinds = [
            kind
            for word in reversed(words)
            for kind, known in ((images, _IMAGE_WORDS), (labels, _LABEL_WORDS))
            if word in known
        ]
        if not kinds:
            continue
        if split in kinds[0]:
            msg = f"{source}: which of the arrays {kinds[0][split]} and {name}? Save one of them"
            raise FormatError(msg)
        kinds[0][split] = name
    if len(images) > 1:
        images.pop("all", None)
    return {
        split: _Pair(name, arrays[name], labels[split], arrays[labels[split]])
        if split in labels
        else _Pair(name, arrays[name])
        for split, name in images.items()
    }


def _find_digits(arrays: Mapping[str, Array]) -> dict[str, _Pair]:
    """Return the parts of a file with one array for each digit: train0 to train9, test0 ..."""
    pairs = {}
    for split in ("train", "test"):
        names = [f"{split}{digit}" for digit in range(10)]
        if set(names) <= arrays.keys() and len({arrays[name].shape[1:] for name in names}) == 1:
            labels = np.repeat(np.arange(10), [len(arrays[name]) for name in names])
            images = np.concatenate([arrays[name] for name in names])
            pairs[split] = _Pair(f"{split}0 to {split}9", images, "labels", labels)
    return pairs


def _read(pair: _Pair, path: Path, progress: Progress) -> LabelledImages:
    source = f"{path}: {pair.images_name}"
    n = None if pair.labels is None else max(pair.labels.shape)
    images = _to_stack(pair.images, n, source)
    labels, notices = _to_labels(pair, path, len(images))
    orientation = UPRIGHT
    if pair.images.ndim == 2 and (_is_course(images) or _is_emnist(pair)):
        orientation = TRANSPOSED
        notices += ("has images that are stored by columns",)
    elif pair.images.ndim == 2:
        notices += ("has images whose pixels are taken row by row",)
    if images.shape[1] == IMAGE_SIDE:
        # Arrays from the file are read-only, and images are inverted in place later.
        levels = np.require(to_mnist_images(images, source=source), requirements="W")
        progress(len(levels), len(levels))
    else:
        is_transposed = orientation == TRANSPOSED
        upright = images.swapaxes(1, 2) if is_transposed else images
        levels, more = _enlarge(upright, source, progress)
        # They are turned upright later, with all others, unless the user says how they lie.
        levels = levels.swapaxes(1, 2) if is_transposed else levels
        notices = (*more, *notices)
    return LabelledImages(levels, labels, notices=notices, orientation=orientation)


def _is_course(images: Array) -> bool:
    return bool(images.shape[1] == COURSE_SIDE)


def _is_emnist(pair: _Pair) -> bool:
    return pair.images_name.startswith("dataset.")


def _to_stack(array: Array, n: int | None, source: str) -> Array:
    """Return images as an array of shape (n, side, side), each as its pixels are stored.

    Raises FormatError if it is not clear which axes are those of an image.
    """
    shape = array.shape
    if array.ndim == 4 and shape[2] == 1:
        array, shape = array[:, :, 0], (*shape[:2], shape[3])
    if array.ndim == 3 and shape[0] == shape[1] in _SIDES and n in (None, shape[2]):
        return np.ascontiguousarray(np.moveaxis(array, 2, 0))
    if array.ndim == 3 and shape[1] == shape[2] in _SIDES and n in (None, shape[0]):
        return np.ascontiguousarray(array)
    ways = [
        (rows, side)
        for side in _SIDES
        for rows in (array, array.T)
        if array.ndim == 2 and rows.shape[1] == side * side and n in (None, rows.shape[0])
    ]
    if len(ways) != 1 or not array.size:
        sizes = ", ".join(f"{side} x {side}" for side in _SIDES)
        labels = "" if n is None else f" and {n:,} labels"
        msg = f"{source}: expected images of {sizes} pixels, found {_by(shape)} numbers{labels}"
        raise FormatError(msg)
    ((rows, side),) = ways
    return np.ascontiguousarray(rows).reshape(-1, side, side)


def _to_labels(pair: _Pair, path: Path, n: int) -> tuple[Labels | None, tuple[str, ...]]:
    """Return labels, and what is said of them; 10 is 0 for images of the course's size."""
    if pair.labels is None:
        return None, ()
    stored = pair.labels
    row = stored.reshape(-1) if stored.shape == (1, n) else stored
    labels = to_labels(row, f"{path}: {pair.labels_name}", n)
    if not len(labels) or (labels.min(), labels.max()) != (1, 10):
        return labels, ()
    if pair.images.ndim == 2 and COURSE_SIDE**2 in pair.images.shape:
        labels[labels == 10] = 0
        return labels, ("has the label 10 for the digit 0",)
    return labels, ("has labels from 1 to 10, of which one may mean 0; they are taken as they are",)


def _enlarge(images: Array, source: str, progress: Progress) -> tuple[Images, tuple[str, ...]]:
    """Bring images of 20 x 20 or 16 x 16 to MNIST form, as pictures with a margin."""
    smallest, largest = float(images.min()), float(images.max())
    is_fraction = images.dtype.kind == "f" and smallest >= -MAX_OVERSHOOT and largest > 0
    notices: tuple[str, ...] = ()
    if is_fraction and largest <= 1 + MAX_OVERSHOOT:
        low, high = 0.0, 1.0
    elif -1 <= smallest < -MAX_OVERSHOOT and largest <= 1:
        low, high = -1.0, 1.0
        notices = ("has values from -1 to 1; -1 is taken for black",)
    elif smallest >= 0 and 1 < largest <= WHITE:
        low, high = 0.0, float(WHITE)
    elif (smallest, largest) == (0, 1):
        low, high = 0.0, 1.0
    else:
        # Comparisons with nan are false.
        msg = (
            f"{source}: expected values from 0 to 1, from -1 to 1 or from 0 to {WHITE}, found "
            f"{smallest:g} to {largest:g}"
        )
        raise FormatError(msg)
    pictures = PictureSet()
    for start in range(0, len(images), ROWS_PER_BLOCK):
        block = (images[start : start + ROWS_PER_BLOCK].astype(np.float64) - low) / (high - low)
        levels = np.rint(np.clip(block, 0, 1) * WHITE).astype(np.uint8)
        edges = np.concatenate([levels[:, [0, -1]], levels[:, :, [0, -1]].swapaxes(1, 2)], axis=1)
        grounds = np.median(edges.reshape(len(edges), -1), axis=1)
        for index, (image, ground) in enumerate(zip(levels, grounds, strict=True), start + 1):
            padded = np.pad(image, _MARGIN, constant_values=int(ground))
            pictures.add_grey(padded, f"{source}: image {index:,}")
            progress(index, len(images))
    levels, more = pictures.finish()
    side = images.shape[1]
    return levels, (
        f"has images of {side} x {side}; they are brought to MNIST form",
        *notices,
        *more,
    )
