"""Results of recognition: of arrays of images, of single pictures, of pages."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mnist_svm.constants import Float64Array, Images, Labels
from mnist_svm.pictures.strokes import Box

# A gap wider than this many digit heights separates two numbers of a row.
WIDE_GAP = 1.5


@dataclass(frozen=True)
class Readings:
    """Predictions for n images.

    Attributes
    ----------
    classes : int64 ndarray of shape (k,)
        Labels that the model knows, sorted.
    labels : int64 ndarray of shape (n,)
        Predicted labels, equal to the pipeline's ``predict``.
    confidences : float64 ndarray of shape (n, k), 0 to 1
        Probability of each class; rows sum to 1. Calibrated unless the model was trained without
        calibration.
    """

    classes: Labels
    labels: Labels
    confidences: Float64Array

    @property
    def confidence(self) -> Float64Array:
        """Probability of the predicted label: float64 ndarray of shape (n,), 0 to 1."""
        return np.asarray(self.confidences.max(axis=1))

    def top(self, index: int, k: int = 1) -> list[tuple[int, float]]:
        """Return the k most probable labels of one image.

        Parameters
        ----------
        index : int
            Index of the image.
        k : int, default=1
            Number of labels.

        Returns
        -------
        list of (label, probability), most probable first
        """
        confidences = self.confidences[index]
        order = np.argsort(-confidences, kind="stable")[:k]
        return [(int(self.classes[c]), float(confidences[c])) for c in order]


@dataclass(frozen=True)
class DigitReading:
    """Result for a picture of one digit.

    Attributes
    ----------
    file : str
        Name of the picture, as passed by the caller.
    error : str or None
        Reason why the picture could not be read, on one line.
    top : tuple of (label, probability)
        The most probable labels, best first; empty if there is an error.
    image : uint8 ndarray of shape (28, 28), 0-255, or None
        The image in MNIST form that was classified; None if there is an error.
    note : str or None
        Part of the file that was read, such as "the first of 3 pages"; None if it was all of it.
    thumbnail : uint8 ndarray of shape (height, width, 3), 0-255, or None
        The upright picture, reduced; None unless requested, or if the file could not be decoded.
    """

    file: str
    error: str | None = None
    top: tuple[tuple[int, float], ...] = ()
    image: Images | None = None
    note: str | None = None
    thumbnail: Images | None = None

    @property
    def label(self) -> int:
        """Predicted label; needs a reading without an error."""
        return self.top[0][0]

    @property
    def confidence(self) -> float:
        """Probability of the predicted label, 0 to 1; needs a reading without an error."""
        return self.top[0][1]


@dataclass(frozen=True)
class Digit:
    """Digit on a page.

    Attributes
    ----------
    label : int
        Predicted label.
    confidence : float
        Probability of the predicted label, 0 to 1.
    box : Box
        Bounding box in pixels of the picture.
    image : uint8 ndarray of shape (28, 28), 0-255
        The image in MNIST form that was classified.
    probabilities : float64 ndarray of shape (k,)
        Probability of each class of the classifier.
    """

    label: int
    confidence: float
    box: Box
    image: Images
    probabilities: Float64Array

    def text(self, reject_below: float) -> str:
        """Return the label, or a question mark if the confidence is below the threshold."""
        return str(self.label) if self.confidence >= reject_below else "?"


Row = tuple[Digit, ...]


@dataclass(frozen=True)
class PageReading:
    """Result for a picture with any number of digits.

    Attributes
    ----------
    file, error, note, thumbnail
        As in `DigitReading`.
    rows : tuple of tuples of Digit
        Rows from top to bottom, digits from left to right; empty if there is an error.
    size : (int, int)
        Height and width of the picture in pixels.
    """

    file: str
    error: str | None = None
    rows: tuple[Row, ...] = ()
    note: str | None = None
    thumbnail: Images | None = None
    size: tuple[int, int] = (0, 0)


def row_text(row: Row, *, reject_below: float = 0.0) -> str:
    """Format a row as text, with a space at each wide gap.

    Parameters
    ----------
    row : tuple of Digit
        From left to right, at least one.
    reject_below : float, default=0.0
        Digits of lower confidence become question marks.

    Returns
    -------
    str
    """
    height = float(np.median([digit.box.height for digit in row]))
    text, right = "", row[0].box.left
    for digit in row:
        text += " " if digit.box.left - right > WIDE_GAP * height else ""
        text += digit.text(reject_below)
        right = digit.box.right
    return text
