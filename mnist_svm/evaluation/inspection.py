"""What a data set has in it: the facts of each part, and its faults."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from mnist_svm._types import Images, IntArray, Labels
from mnist_svm.datasets.orientation import UPRIGHT
from mnist_svm.datasets.types import Dataset, LabelledImages, PictureSources, Progress
from mnist_svm.evaluation.doubts import (
    Doubt,
    LabelReadings,
    compare_readings,
    knows_classes,
    labels_of_model,
    order_names,
    read_labels,
)
from mnist_svm.evaluation.image_measures import ImageMeasures, measure_images
from mnist_svm.exceptions import FormatError
from mnist_svm.pictures.mnist_form import are_mnist_form
from mnist_svm.recognition.classes import names_of_labels
from mnist_svm.recognition.orientation import Orientation, find_orientation
from mnist_svm.recognition.recognizer import Recognizer
from mnist_svm.recognition.results import Readings

# Images of a part that are compared with MNIST's form, evenly spaced.
FORM_SAMPLE = 2000

# Brightest pixel of a set that is too dim to be read.
MAX_DIM = 127

# Images that the orientation is found on are chosen of these, evenly spaced.
ORIENTATION_SAMPLE = 5000

# Confidence with which half of all digits are read, at least; letters are read with 0.6.
MIN_MEDIAN_CONFIDENCE = 0.85
# Accuracy from which images are those of the model's classes.
MIN_ACCURACY = 0.6

# Fewer images are not judged by what is read.
MIN_READ = 1

# Opens a progress line for what is done: takes its name, and yields a progress callback.
ShowProgress = Callable[[str], AbstractContextManager[Progress]]


@dataclass(frozen=True, eq=False)
class PartFacts:
    """Facts of one part of a data set, without its images.

    Attributes
    ----------
    name : "train", "test", or "all" of a data set without splits
    n : number of images, at least 1
    notices : what was assumed or mended while reading
    inverted : whether the images were stored with dark ink on a bright background
    labels : int64 ndarray of shape (n,), indices in `names`; None without labels
    names : names of the classes that occur, or are named: numbers in order, then words
    measures : of each image
    in_mnist_form : fraction of a sample of the images that has MNIST's form, 0 to 1
    orientation : how the images lie; None if that cannot be told
    readings : what the model reads, of the images that are neither blank, inverted nor framed, once
        turned upright; None if the classes are not those of the model
    not_read : reason why there are no readings, or None
    pictures : the pictures that the images were made of; None of arrays
    """

    name: str
    n: int
    notices: tuple[str, ...]
    inverted: bool
    labels: IntArray | None
    names: tuple[str, ...]
    measures: ImageMeasures
    in_mnist_form: float
    orientation: Orientation | None
    readings: LabelReadings | None
    not_read: str | None
    pictures: PictureSources | None

    @cached_property
    def counts(self) -> dict[str, int]:
        """Number of images of each class, by name; empty without labels."""
        if self.labels is None:
            return {}
        counts = np.bincount(self.labels, minlength=len(self.names)).tolist()
        return dict(zip(self.names, counts, strict=True))

    @cached_property
    def n_faulty(self) -> dict[str, int]:
        """Number of images with each kind of fault."""
        measures = self.measures
        faults = {
            "dark_ink": measures.inverted,
            "grey_ground": measures.on_grey,
            "framed": measures.in_frame,
            "blank": measures.blank,
            "noise": measures.noise,
        }
        return {name: int(np.count_nonzero(flags)) for name, flags in faults.items()}

    @property
    def sizes(self) -> Mapping[tuple[int, int], int]:
        """Number of pictures of each size (height, width); empty of arrays."""
        return self.pictures.sizes if self.pictures else {}

    def doubts(self, n: int) -> list[Doubt]:
        """Return the n labels that the model contradicts with the highest confidence, in order."""
        if self.readings is None:
            return []
        return self.readings.doubts(n, self.pictures.names if self.pictures else ())

    @property
    def n_copies(self) -> int:
        """Number of images that are copies of others in this part; blank ones do not count."""
        digests = self.measures.digest[~self.measures.blank]
        return len(digests) - len(np.unique(digests))

    @cached_property
    def shows_digits(self) -> bool:
        """Whether classes and images are digits, the latter upright and as the model reads them."""
        upright = self.orientation is not None and self.orientation.name == UPRIGHT
        if self.readings is None or not upright or not {*self.readings.names} <= DIGITS:
            return False
        return self.is_plausible

    @cached_property
    def is_plausible(self) -> bool:
        """Whether the images are of the model's classes, whatever their labels."""
        if self.readings is None:
            return False
        confident = float(np.median(self.readings.confidence)) >= MIN_MEDIAN_CONFIDENCE
        return confident or self.readings.accuracy >= MIN_ACCURACY

    def to_dict(self) -> dict[str, Any]:
        """Return the facts as JSON types."""
        levels = np.flatnonzero(self.measures.levels)
        found = self.orientation
        return {
            "part": self.name,
            "images": self.n,
            "notices": list(self.notices),
            "inverted": self.inverted,
            "classes": self.counts,
            "picture_sizes": [
                {"height": height, "width": width, "pictures": n}
                for (height, width), n in sorted(self.sizes.items(), key=lambda item: -item[1])
            ],
            "lowest": int(levels[0]),
            "highest": int(levels[-1]),
            "grey_levels": len(levels),
            **self.n_faulty,
            "in_mnist_form": self.in_mnist_form,
            "longer_side": float(np.median(self.measures.longer_side)),
            "centre": np.median(self.measures.centre, axis=0).tolist(),
            "copies": self.n_copies,
            "orientation": found.name if found else None,
            "read": len(self.readings.rows) if self.readings else 0,
            "accuracy": self.readings.accuracy if self.readings else None,
            "confidence": float(np.median(self.readings.confidence)) if self.readings else None,
            "not_read": self.not_read,
        }


# Names of classes that are digits; 10 stands for 0 in some data sets.
DIGITS = frozenset(map(str, range(11)))


def inspect_part(
    name: str, content: LabelledImages, recognizer: Recognizer, show: ShowProgress
) -> PartFacts:
    """Measure and read the images of one part of a data set.

    Parameters
    ----------
    name : str
        "train", "test" or "all".
    content : LabelledImages
        At least one image.
    recognizer : Recognizer
        The model that reads them, if it has the same classes.
    show : callable
        Opens a progress line.

    Returns
    -------
    PartFacts
    """
    with show("Measuring") as progress:
        measures = measure_images(content.images, progress)
    rows = np.flatnonzero(measures.sound)
    orientation = readings = None
    reason = _reason_not_to_read(content, recognizer, rows)
    if reason is None and content.labels is not None:
        try:
            with show("Reading") as progress:
                orientation, readings = _read(
                    recognizer, content.images, content.labels, content.class_names, rows, progress
                )
        except FormatError as error:
            reason = str(error)
    return _combine(name, content, measures, orientation, readings, reason)


def describe_evaluated(dataset: Dataset, results: Readings) -> PartFacts:
    """Return the facts of a test set that is read already, all of it and as it lies."""
    measures = measure_images(dataset.images)
    content = LabelledImages(
        dataset.images,
        dataset.labels,
        dataset.class_names,
        inverted=dataset.inverted,
        notices=dataset.notices,
    )
    known = {
        label: dataset.class_names.get(label, str(label)) for label in results.classes.tolist()
    }
    every = compare_readings(
        np.arange(len(results.labels)),
        (dataset.labels, names_of_labels(dataset.labels, dataset.class_names)),
        (results.labels, known),
        results.confidence,
    )
    readings = every.select(measures.sound)
    if len(readings.rows) < MIN_READ:
        return _combine("test", content, measures, None, None, "too few images are sound")
    accuracy = readings.accuracy
    upright = Orientation(UPRIGHT, accuracy, accuracy, len(readings.rows))
    return _combine("test", content, measures, upright, readings, None)


def _combine(
    name: str,
    content: LabelledImages,
    measures: ImageMeasures,
    orientation: Orientation | None,
    readings: LabelReadings | None,
    reason: str | None,
) -> PartFacts:
    sample = content.images[_spread(np.arange(len(content.images)), FORM_SAMPLE)]
    labels, names = _number_classes(content.labels, content.class_names)
    return PartFacts(
        name=name,
        n=len(content.images),
        notices=content.notices,
        inverted=content.inverted,
        labels=labels,
        names=names,
        measures=measures,
        in_mnist_form=float(are_mnist_form(sample).mean()),
        orientation=orientation,
        readings=readings,
        not_read=reason,
        pictures=content.pictures,
    )


def _number_classes(
    labels: Labels | None, class_names: Mapping[int, str]
) -> tuple[IntArray | None, tuple[str, ...]]:
    """Return the rank of each label among the names of classes, and these names."""
    if labels is None:
        return None, ()
    occurring = names_of_labels(labels, class_names)
    names = order_names({*occurring.values(), *class_names.values()})
    positions = {name: position for position, name in enumerate(names)}
    ranks = {label: positions[name] for label, name in occurring.items()}
    present, inverse = np.unique(labels, return_inverse=True)
    return np.array([ranks[label] for label in present.tolist()], np.intp)[inverse], names


def _reason_not_to_read(
    content: LabelledImages, recognizer: Recognizer, rows: IntArray
) -> str | None:
    """Return why the labels cannot be compared with what the model reads, or None."""
    if content.labels is None:
        return "there are no labels"
    if content.images.max() <= MAX_DIM:
        return f"the brightest pixel is {content.images.max()}, expected 255"
    if len(rows) < MIN_READ:
        return f"only {len(rows):,} images are neither blank, inverted, framed nor on grey"
    if not knows_classes(recognizer, content.labels[rows], content.class_names):
        return "the classes are not those of the model"
    return None


def _spread(rows: IntArray, most: int) -> IntArray:
    """Return at most so many rows, evenly spaced."""
    return rows[:: -(-len(rows) // most)]


def _read(
    recognizer: Recognizer,
    images: Images,
    labels: Labels,
    class_names: Mapping[int, str],
    rows: IntArray,
    progress: Progress,
) -> tuple[Orientation, LabelReadings]:
    """Find the orientation of some images, and read them, turned upright.

    Raises FormatError if most of them have dark ink.
    """
    sample = _spread(rows, ORIENTATION_SAMPLE)
    of_model = labels_of_model(recognizer, labels[sample], class_names)
    found = find_orientation(recognizer, images[sample], of_model)
    return found, read_labels(recognizer, images, labels, class_names, rows, found.name, progress)
