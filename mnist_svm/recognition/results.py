"""Results of recognition: predictions, readings of pictures and pages, explanations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mnist_svm._types import Float64Array, Images, Labels
from mnist_svm.pictures.strokes import Box

# A gap wider than this many digit heights separates two numbers of a row.
WIDE_GAP = 1.5


@dataclass(frozen=True)
class Readings:
    """Predictions for n images.

    Attributes
    ----------
    classes : int64 ndarray of shape (k,), labels that the model knows, sorted.
    labels : int64 ndarray of shape (n,), predicted labels, as from the pipeline's ``predict``.
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
    file : path of the picture, as passed by the caller.
    error : reason why the picture could not be read, on one line, or None.
    top : the most probable labels with their probabilities, best first; empty after an error.
    image : uint8 ndarray of shape (28, 28), 0-255, the classified image; None after an error.
    note : part of the file that was read, such as "the first of 3 pages"; None for all of it.
    thumbnail : uint8 ndarray of shape (height, width, 3), 0-255, or None
        The picture, upright and reduced; None unless requested, or if it could not be decoded.
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
    label : predicted label.
    confidence : its probability, 0 to 1.
    box : bounding box in pixels of the picture.
    image : uint8 ndarray of shape (28, 28), 0-255, the classified image.
    probabilities : float64 ndarray of shape (k,), probability of each class.
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
    file, error, note, thumbnail : as in `DigitReading`.
    rows : rows from top to bottom, each the digits from left to right; empty after an error.
    size : height and width of the picture in pixels.
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


@dataclass(frozen=True)
class SupportVector:
    """A support vector and its contribution.

    Attributes
    ----------
    index : row of the SVM's training data; augmented copies come last.
    contribution : its term of the decision function, in units of the margin.
    image : uint8 ndarray of shape (height, width), 0-255, what the SVM stores, as an image.
    """

    index: int
    contribution: float
    image: Images


@dataclass(frozen=True)
class ClassEvidence:
    """Part of one class in the decision between two.

    Attributes
    ----------
    label : the class.
    confidence : its probability, 0 to 1.
    n_support : number of its support vectors in the decision function.
    total : sum of their contributions.
    strongest : those with the largest absolute contributions, in descending order.
    """

    label: int
    confidence: float
    n_support: int
    total: float
    strongest: tuple[SupportVector, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return everything except the confidence and images as JSON types."""
        strongest = [
            {"label": self.label, "index": vector.index, "contribution": vector.contribution}
            for vector in self.strongest
        ]
        evidence = {"digit": self.label, "n": self.n_support, "contribution": self.total}
        return {**evidence, "strongest": strongest}


@dataclass(frozen=True)
class Explanation:
    """Evidence for a prediction, from `mnist_svm.recognition.explain.explain`.

    Attributes
    ----------
    image : uint8 ndarray of shape (28, 28), 0-255, the classified image.
    svm_input : uint8 ndarray of shape (height, width), 0-255, the image as the SVM receives it.
    predicted, rival : ClassEvidence of the predicted label and of the one it is compared with.
    decision_value, intercept : float
        ``predicted.total + rival.total + intercept == decision_value``; positive for the
        predicted label.
    heat_map : float64 ndarray of shape (28, 28)
        Decrease of the decision value if a pixel is inverted.
    one_vs_rest : whether the heat map compares with all other labels, or with the rival alone.
    method : how the heat map was computed, "gradient" or "occlusion".
    svm_number, n_svms : the explained SVM, counted from 1, of those that the model averages.
    """

    image: Images
    svm_input: Images
    predicted: ClassEvidence
    rival: ClassEvidence
    decision_value: float
    intercept: float
    heat_map: Float64Array
    one_vs_rest: bool
    method: str
    svm_number: int
    n_svms: int

    def to_dict(self) -> dict[str, Any]:
        """Return everything except images as JSON types."""
        return {
            "digit": self.predicted.label,
            "confidence": round(self.predicted.confidence, 6),
            "rival": {"digit": self.rival.label, "confidence": round(self.rival.confidence, 6)},
            "svm": self.svm_number,
            "n_svms": self.n_svms,
            "decision": {"value": self.decision_value, "intercept": self.intercept},
            "support_vectors": [self.predicted.to_dict(), self.rival.to_dict()],
            "heat_map": {
                "against": None if self.one_vs_rest else self.rival.label,
                "method": self.method,
                "values": self.heat_map.round(6).tolist(),
            },
        }

    def to_text(self) -> str:
        """Return the decision value as a sum, on one line."""
        terms = " ".join(
            f"{evidence.total:+.2f} ({evidence.n_support:,} support vectors of {evidence.label})"
            for evidence in (self.predicted, self.rival)
        )
        return f"{self.decision_value:+.2f} = {terms} {self.intercept:+.2f} (intercept)"
