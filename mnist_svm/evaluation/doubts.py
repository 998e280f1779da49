"""What a model reads on labelled images, and the labels that it doubts most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mnist_svm._types import BoolArray, Float64Array, Images, IntArray, Labels
from mnist_svm.datasets.orientation import UPRIGHT, turn_upright
from mnist_svm.datasets.types import Dataset, LabelledImages, Progress, no_progress
from mnist_svm.datasets.verify import content_sha256
from mnist_svm.models.info import ModelInfo
from mnist_svm.recognition.classes import as_spelled_by, names_of_labels, names_of_model
from mnist_svm.recognition.recognizer import Recognizer

# Images that are turned upright and read together.
IMAGES_PER_BLOCK = 20_000

# Least share of the images whose label has a name that the model knows: below, the classes are
# others than the model's.
MIN_KNOWN = 0.8

# Recipe that is fitted to read images that the model was trained on, and number of folds: a fit to
# half of MNIST takes 8 seconds of one core.
RECIPE, N_FOLDS = "gradient", 2


@dataclass(frozen=True)
class Doubt:
    """An image whose label a model disagrees with.

    Attributes
    ----------
    index : position in its part, from 0
    file : name of its picture; "" of an array
    label, read : names of the label and of what is read
    confidence : probability of what is read, 0 to 1
    """

    index: int
    file: str
    label: str
    read: str
    confidence: float


@dataclass(frozen=True, eq=False)
class LabelReadings:
    """Labels of images, and what a model reads.

    Attributes
    ----------
    names : names of all classes, of the set and of the model: numbers in order, then words
    rows : integer ndarray of shape (n,), positions of the images in their part, ascending
    labels, read : integer ndarrays of shape (n,), indices in `names`
    confidence : float64 ndarray of shape (n,), 0 to 1
    """

    names: tuple[str, ...]
    rows: IntArray
    labels: IntArray
    read: IntArray
    confidence: Float64Array

    @property
    def correct(self) -> BoolArray:
        """Whether each label is read."""
        return np.asarray(self.labels == self.read)

    @property
    def accuracy(self) -> float:
        """Fraction of the labels that are read, 0 to 1."""
        return float(self.correct.mean())

    def select(self, chosen: BoolArray) -> LabelReadings:
        """Return the readings of some of the images."""
        return replace(
            self,
            rows=self.rows[chosen],
            labels=self.labels[chosen],
            read=self.read[chosen],
            confidence=self.confidence[chosen],
        )

    def matrix(self, counted: BoolArray | slice = slice(None)) -> IntArray:
        """Number of images by label (rows) and reading (columns), of all or of some images."""
        k = len(self.names)
        pairs = self.labels[counted] * k + self.read[counted]
        return np.bincount(pairs, minlength=k * k).reshape(k, k)

    def doubts(self, n: int, names: Sequence[str] = ()) -> list[Doubt]:
        """Return the n images that are read otherwise with the highest confidence, in order.

        `names` are those of the pictures of all images of the part, if it has pictures.
        """
        wrong = np.flatnonzero(~self.correct)
        wrong = wrong[np.argsort(-self.confidence[wrong], kind="stable")][:n]
        return [
            Doubt(
                int(self.rows[i]),
                names[self.rows[i]] if names else "",
                self.names[self.labels[i]],
                self.names[self.read[i]],
                float(self.confidence[i]),
            )
            for i in wrong.tolist()
        ]


def order_names(names: set[str]) -> tuple[str, ...]:
    """Sort names of classes: numbers in order, then words."""
    numbers = {name for name in names if name.isdecimal()}
    return (*sorted(numbers, key=int), *sorted(names - numbers))


def knows_classes(recognizer: Recognizer, labels: Labels, class_names: Mapping[int, str]) -> bool:
    """Whether a model has the classes of at least `MIN_KNOWN` of the images, by name."""
    of_model = labels_of_model(recognizer, labels, class_names)
    n_known = int(np.count_nonzero(of_model >= 0))
    return n_known >= MIN_KNOWN * len(labels) > 0


def labels_of_model(
    recognizer: Recognizer, labels: Labels, class_names: Mapping[int, str]
) -> Labels:
    """Replace each label by the model's of the same name, or by -1 if it has none."""
    known = names_of_model(recognizer.model.info)
    numbers = {name: label for label, name in known.items()}
    names = as_spelled_by(names_of_labels(labels, class_names), known)
    present, inverse = np.unique(labels, return_inverse=True)
    return np.array([numbers.get(names[x], -1) for x in present.tolist()], np.int64)[inverse]


def read_labels(
    recognizer: Recognizer,
    images: Images,
    labels: Labels,
    class_names: Mapping[int, str],
    rows: IntArray,
    orientation: str = UPRIGHT,
    progress: Progress = no_progress,
) -> LabelReadings:
    """Read labelled images in blocks, and compare classes by their names.

    Parameters
    ----------
    recognizer : Recognizer
    images : uint8 ndarray of shape (n, 28, 28), 0-255
    labels : int64 ndarray of shape (n,)
    class_names : name of each label, where it is not the label itself
    rows : integer ndarray of shape (m,), the images to read
    orientation : how the images lie, see `mnist_svm.recognition.orientation`
    progress : callable, optional
        Called with (n_done, m).

    Returns
    -------
    LabelReadings

    Raises
    ------
    FormatError
        If most images of a block have dark ink on a bright background.
    """
    read, confidence = np.empty(len(rows), np.int64), np.empty(len(rows))
    for start in range(0, len(rows), IMAGES_PER_BLOCK):
        block = slice(start, start + IMAGES_PER_BLOCK)
        upright = turn_upright(images[rows[block]], orientation)
        readings = recognizer.classify(upright, range="0-255")
        read[block], confidence[block] = readings.labels, readings.confidence
        progress(min(block.stop, len(rows)), len(rows))
    known = names_of_model(recognizer.model.info)
    own = as_spelled_by(names_of_labels(labels[rows], class_names), known)
    return compare_readings(rows, (labels[rows], own), (read, known), confidence)


def read_out_of_fold(dataset: Dataset, *, n_jobs: int = -1) -> LabelReadings:
    """Read each half of a data set by a model that is trained on the other half.

    A model reads the images that it was trained on as they are labelled, even where a label is
    wrong. The halves are consecutive images of each class, so that digits of one writer stay
    together. Raises FormatError if the data set has fewer than two classes.
    """
    from mnist_svm.models.recipes import RECIPES
    from mnist_svm.svm.log import log_stage
    from mnist_svm.training.train import TrainingConfig, fit_config

    recipe = RECIPES[RECIPE]
    folds = _halves(dataset.labels)
    read, confidence = np.empty(len(folds), np.int64), np.empty(len(folds))
    for fold in range(N_FOLDS):
        with log_stage(f"half {fold + 1} of {N_FOLDS}"):
            config = TrainingConfig(recipe, recipe.defaults)
            rows = np.flatnonzero(folds != fold)
            model = fit_config(config, dataset, rows, n_jobs=n_jobs, calibrate=True)
            recognizer = Recognizer(model, n_jobs=n_jobs)
            held_out = folds == fold
            readings = recognizer.classify(dataset.images[held_out], range="0-255")
            read[held_out], confidence[held_out] = readings.labels, readings.confidence
    names = names_of_labels(dataset.labels, dataset.class_names)
    rows = np.arange(len(folds))
    return compare_readings(rows, (dataset.labels, names), (read, names), confidence)


def _halves(labels: Labels) -> IntArray:
    """Fold of each image, 0 or 1: the first half of each class, and the second."""
    folds = np.zeros(len(labels), np.intp)
    for label in np.unique(labels):
        of_class = np.flatnonzero(labels == label)
        folds[of_class[len(of_class) // N_FOLDS :]] = 1
    return folds


def compare_readings(
    rows: IntArray,
    labels: tuple[Labels, Mapping[int, str]],
    read: tuple[Labels, Mapping[int, str]],
    confidence: Float64Array,
) -> LabelReadings:
    """Compare labels with readings, each with the names of its numbers, by name.

    `rows` are the positions of the images in their part.
    """
    names = order_names({*labels[1].values(), *read[1].values()})
    positions = {name: position for position, name in enumerate(names)}

    def codes(values: Labels, named: Mapping[int, str]) -> IntArray:
        present, inverse = np.unique(values, return_inverse=True)
        return np.array([positions[named[x]] for x in present.tolist()], np.intp)[inverse]

    return LabelReadings(names, rows, codes(*labels), codes(*read), confidence)


def was_trained_on(info: ModelInfo, content: LabelledImages) -> bool:
    """Whether a model was trained on these images with these labels, by their checksums."""
    labels, n = content.labels, len(content.images)
    if labels is None or all(each.size != n for each in info.training.sets):
        return False
    sha256 = content.sha256 or content_sha256(content.images, labels)
    return info.training.includes(dict(zip(("images", "labels"), sha256, strict=True)))
