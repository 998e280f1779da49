"""Learning curve: errors of a recipe on the test images against the number of training images."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count, takewhile

import numpy as np

from mnist_svm.datasets.subset import stratified_subset
from mnist_svm.datasets.types import Dataset
from mnist_svm.exceptions import FormatError
from mnist_svm.recognition.recognizer import Recognizer
from mnist_svm.svm.log import log_stage
from mnist_svm.training.train import TrainingConfig, fit_config

# Smallest number of training images; a smaller data set has one point with all its images.
MIN_IMAGES = 500


@dataclass(frozen=True)
class LearningPoint:
    """Test result of a model trained on a subset.

    Attributes
    ----------
    n_train, n_test : numbers of training and test images.
    errors : number of misclassified test images.
    """

    n_train: int
    n_test: int
    errors: int


def require_different_images(train: Dataset, test: Dataset) -> None:
    """Raise FormatError if the training images are the test images: a set has no split."""
    for number, (part, _) in enumerate(zip(train.parts, test.parts, strict=False)):
        of_train, of_test = (each.images[each.part_indices == number] for each in (train, test))
        if np.array_equal(of_train, of_test):
            msg = (
                f"{part.name}: a learning curve needs training images that are not the test images"
            )
            raise FormatError(msg)


def learning_curve(
    config: TrainingConfig, train: Dataset, test: Dataset, *, n_jobs: int = -1
) -> tuple[LearningPoint, ...]:
    """Train on 500, 1,000, 2,000, 5,000, ... and all images, and count the errors on the test set.

    Subsets are stratified. Models are not calibrated, because that takes longer than a small
    training and changes no label. Raises FormatError if the training images are the test images, or
    a subset has a single class.
    """
    require_different_images(train, test)
    sizes = _training_sizes(len(train.labels))
    points = []
    for number, size in enumerate(sizes, start=1):
        with log_stage(f"{size:,} images ({number} of {len(sizes)})"):
            rows = stratified_subset(train.labels, size, config.random_state, train.part_indices)
            if len(np.unique(train.labels[rows])) < 2:
                msg = f"{train.name}: all {size:,} training images are of one class, expected two"
                raise FormatError(msg)
            model = fit_config(config, train, rows, n_jobs=n_jobs, calibrate=False)
            labels = Recognizer(model, n_jobs=n_jobs).classify(test.images).labels
            errors = int(np.count_nonzero(labels != test.labels))
            points.append(LearningPoint(size, len(test.labels), errors))
    return tuple(points)


def _training_sizes(n: int) -> list[int]:
    """Return 500, 1,000, 2,000, 5,000, ... below n, then n: even steps on a logarithmic scale."""
    sizes = (factor * MIN_IMAGES * 10**power for power in count() for factor in (1, 2, 4))
    return [*takewhile(lambda size: size < n, sizes), n]
