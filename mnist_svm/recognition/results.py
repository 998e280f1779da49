"""Results of recognition: predictions, readings of pictures and pages, explanations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from mnist_svm._types import Float64Array, Images, Labels
from mnist_svm.exceptions import PictureError
from mnist_svm.pictures.boxes import Box

# A gap wider than this many digit heights separates two numbers of a row.
WIDE_GAP = 1.5


@dataclass(frozen=True, eq=False)
class Readings:
    """Predictions for n images.

    Attributes
    ----------
    classes : int64 ndarray of shape (k,), labels that the model knows, sorted.
    probabilities : float64 ndarray of shape (n, k), 0 to 1
        Probability of each class; rows sum to 1. Calibrated unless the model was trained without
        calibration.
    """

    classes: Labels
    probabilities: Float64Array

    @property
    def labels(self) -> Labels:
        """Most probable labels: int64 ndarray of shape (n,)."""
        return np.asarray(self.classes[self.probabilities.argmax(axis=1)])

    @property
    def confidence(self) -> Float64Array:
        """Probability of each label: float64 ndarray of shape (n,), 0 to 1."""
        return np.asarray(self.probabilities.max(axis=1))

    def top(self, index: int, k: int = 1) -> list[tuple[int, float]]:
        """Return the k most probable labels of one image with their probabilities, best first."""
        return _rank(self.classes, self.probabilities[index], k)


def _rank(classes: Labels, probabilities: Float64Array, k: int) -> list[tuple[int, float]]:
    order = np.argsort(-probabilities, kind="stable")[:k]
    return list(zip(classes[order].tolist(), probabilities[order].tolist(), strict=True))


@dataclass(frozen=True, eq=False)
class DigitReading:
    """Result for a picture of one digit.

    If the picture could not be read, ``error`` says why, and the properties raise that error.

    Attributes
    ----------
    file : path of the picture as passed by the caller, or a name such as "<array>".
    image : uint8 ndarray of shape (28, 28), 0-255, the classified image; None after an error.
    note : part of the file that was read, such as "the first of 3 pages"; None for all of it.
    error : reason why the picture could not be read, on one line, or None.
    thumbnail : uint8 ndarray of shape (height, width, 3), 0-255, or None
        The picture, upright and reduced; None unless requested, or if it could not be decoded.
    size : height and width of the picture in pixels; zeros if it could not be decoded.
    """

    file: str = ""
    image: Images | None = None
    note: str | None = None
    error: str | None = None
    thumbnail: Images | None = None
    size: tuple[int, int] = (0, 0)
    _prediction: tuple[Labels, Float64Array] | None = field(default=None, repr=False)

    def with_probabilities(self, classes: Labels, probabilities: Float64Array) -> DigitReading:
        """Return a copy of a prepared reading with the result of its classification."""
        # `dataclasses.replace` would take twice as long.
        return DigitReading(
            self.file,
            self.image,
            self.note,
            self.error,
            self.thumbnail,
            self.size,
            (classes, probabilities),
        )

    @property
    def classes(self) -> Labels:
        """Labels that the model knows, sorted: int64 ndarray of shape (k,)."""
        return self._predicted()[0]

    @property
    def probabilities(self) -> Float64Array:
        """Probability of each class: float64 ndarray of shape (k,), 0 to 1; they sum to 1."""
        return self._predicted()[1]

    @property
    def label(self) -> int:
        """Most probable label."""
        classes, probabilities = self._predicted()
        return int(classes[probabilities.argmax()])

    @property
    def confidence(self) -> float:
        """Probability of the label, 0 to 1."""
        return float(self.probabilities.max())

    def top(self, k: int = 1) -> list[tuple[int, float]]:
        """Return the k most probable labels with their probabilities, best first."""
        return _rank(*self._predicted(), k)

    def to_dict(
        self,
        *,
        top: int = 1,
        reject_below: float = 0.0,
        names: Mapping[int, str] = MappingProxyType({}),
        image: bool = False,
    ) -> dict[str, Any]:
        """Return the reading as JSON types, as the command line and the server print it.

        Parameters
        ----------
        top : int, default=1
            Number of most probable labels to list.
        reject_below : float, default=0.0
            With a lower confidence, ``label`` is None and ``rejected`` true.
        names : mapping of int to str, optional
            Names of labels that are not digits; see `Recognizer.class_names`.
        image : bool, default=False
            Whether to include the classified image.

        Returns
        -------
        dict
            ``file``; ``note``, if a part of the file was read; ``error``, or else ``label``,
            ``name`` if it has one, ``confidence``, ``rejected``, ``top``, ``probabilities`` and,
            if requested, ``image``.
        """
        result = _heading(self)
        if self.error is None:
            ((label, confidence),) = self.top()
            rejected = confidence < reject_below
            result["label"] = None if rejected else label
            if not rejected and label in names:
                result["name"] = names[label]
            result |= {
                "confidence": confidence,
                "rejected": rejected,
                "top": [{"label": label, "confidence": p} for label, p in self.top(top)],
                "probabilities": self.probabilities.tolist(),
            }
            if image and self.image is not None:
                result["image"] = self.image.tolist()
        return result

    def _predicted(self) -> tuple[Labels, Float64Array]:
        if self._prediction is None:
            raise _reading_error(self)
        return self._prediction


@dataclass(frozen=True, eq=False)
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

    def to_dict(self, *, reject_below: float = 0.0, image: bool = False) -> dict[str, Any]:
        """Return the digit as JSON types, with the keys of `DigitReading.to_dict` and ``box``."""
        rejected = self.confidence < reject_below
        result = {
            "label": None if rejected else self.label,
            "confidence": self.confidence,
            "rejected": rejected,
            "box": self.box.to_dict(),
            "probabilities": self.probabilities.tolist(),
        }
        return {**result, "image": self.image.tolist()} if image else result


Row = tuple[Digit, ...]


@dataclass(frozen=True, eq=False)
class PageReading:
    """Result for a picture with any number of digits.

    If the picture could not be read, ``error`` says why, and the properties raise that error.

    Attributes
    ----------
    file, note, error, thumbnail, size : as in `DigitReading`.
    rows : rows from top to bottom, each the digits from left to right; empty after an error.
    """

    file: str = ""
    rows: tuple[Row, ...] = ()
    note: str | None = None
    error: str | None = None
    thumbnail: Images | None = None
    size: tuple[int, int] = (0, 0)

    @property
    def text(self) -> str:
        """The digits, one line per row, with a space at each wide gap."""
        return self._text(0.0)

    @property
    def digits(self) -> tuple[Digit, ...]:
        """All digits, row by row."""
        if self.error is not None:
            raise _reading_error(self)
        return tuple(digit for row in self.rows for digit in row)

    def to_dict(self, *, reject_below: float = 0.0, image: bool = False) -> dict[str, Any]:
        """Return the page as JSON types, as the command line and the server print it.

        Parameters
        ----------
        reject_below, image : as in `DigitReading.to_dict`.

        Returns
        -------
        dict
            ``file``; ``note``, if a part of the file was read; ``error``, or else ``width`` and
            ``height`` in pixels, ``text`` and ``rows``: of each, its ``text`` and ``digits``, with
            the keys of `Digit.to_dict`.
        """
        if self.error is not None:
            return _heading(self)
        height, width = self.size
        rows = [
            {
                "text": row_text(row, reject_below=reject_below),
                "digits": [digit.to_dict(reject_below=reject_below, image=image) for digit in row],
            }
            for row in self.rows
        ]
        text = self._text(reject_below)
        return {**_heading(self), "width": width, "height": height, "text": text, "rows": rows}

    def _text(self, reject_below: float) -> str:
        if self.error is not None:
            raise _reading_error(self)
        return "\n".join(row_text(row, reject_below=reject_below) for row in self.rows)


def _heading(reading: DigitReading | PageReading) -> dict[str, Any]:
    optional = {"note": reading.note, "error": reading.error}
    present = {key: value for key, value in optional.items() if value is not None}
    return {"file": reading.file or None, **present}


def _reading_error(reading: DigitReading | PageReading) -> PictureError:
    error = reading.error or "prepared, but not classified yet"
    return PictureError(f"{reading.file}: {error}" if reading.file else error)


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
        evidence = {"label": self.label, "n": self.n_support, "contribution": self.total}
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
            "label": self.predicted.label,
            "confidence": self.predicted.confidence,
            "rival": {"label": self.rival.label, "confidence": self.rival.confidence},
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
