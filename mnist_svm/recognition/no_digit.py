"""Tell digits from other ink: parts of digits, two of them, marks, lines, letters, specks."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt

from mnist_svm._types import Float64Array, Images
from mnist_svm.features.gradients import gradient_features
from mnist_svm.features.place import N_FEATURES, place_features
from mnist_svm.models.file import Model, load_model
from mnist_svm.models.locate import NO_DIGIT

# Parameters of the gradient features, chosen on lines drawn of training digits.
DIRECTIONS, GRID, SMOOTHING, POWER = 8, 5, 0.5, 0.4

# Features are multiples of it: the model file is half as large.
STEP = 12

N_COLUMNS = DIRECTIONS * GRID**2 + N_FEATURES


def digit_features(images: Images, own: Images, others: Images) -> npt.NDArray[np.uint8]:
    """Features of candidates: uint8 of shape (n, `N_COLUMNS`).

    The arguments are the images of `mnist_svm.recognition.candidates.Candidate`, of shape
    (n, 28, 28).
    """
    gradients = gradient_features(
        images, directions=DIRECTIONS, grid=GRID, smoothing=SMOOTHING, power=POWER
    )
    features = np.concatenate([gradients, place_features(own, others)], axis=1)
    return np.asarray(features // STEP * STEP)


class DigitJudge:
    """The shipped model that tells digits from other ink."""

    @cached_property
    def model(self) -> Model:
        """Classifier of parts of digits (class 0), digits (1) and other ink (2)."""
        return load_model(NO_DIGIT, n_columns=N_COLUMNS)

    def __call__(self, images: Images, own: Images, others: Images) -> Float64Array:
        """Probabilities of being a part of digits or several, a digit, and other ink: (n, 3)."""
        return self.model.predict_rows(digit_features(images, own, others))
