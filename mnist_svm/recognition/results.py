"""Results of recognition: predictions, and readings of pictures and pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from mnist_svm._types import Float64Array, Images, Labels
from mnist_svm.constants import IMAGE_SHAPE
from mnist_svm.exceptions import PictureError
from mnist_svm.pictures.boxes import Box

if TYPE_CHECKING:
    from mnist_svm.pictures.decode import Picture

# Odds of its label, as a multiple of an earlier candidate's, from which a later one is chosen.
MIN_ODDS_RATIO = 2.0

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


def _choose(probabilities: Float64Array) -> int:
    """Index of the candidate that is chosen; see `DigitReading.with_choice`."""
    confidence = probabilities.max(axis=1)
    best = int(confidence.argmax())
    first, highest = float(confidence[0]), float(confidence[best])
    # The inequality of the odds, without dividing by 0.
    return best if highest * (1 - first) >= MIN_ODDS_RATIO * first * (1 - highest) else 0


@dataclass(frozen=True, eq=False)
class _Reading:
    file: str = ""
    note: str | None = None
    error: str | None = None
    thumbnail: Images | None = None
    size: tuple[int, int] = (0, 0)

    @classmethod
    def of_picture(cls, file: str, picture: Picture | PictureError) -> Self:
        """Return a reading of a picture without its content, or of the reason why there is none."""
        if isinstance(picture, PictureError):
            return cls(file, error=str(picture))
        return cls(file, picture.note, None, picture.thumbnail, picture.size)

    def _require_no_error(self) -> None:
        if self.error is not None:
            raise PictureError(f"{self.file}: {self.error}" if self.file else self.error)

    def _heading(self) -> dict[str, Any]:
        optional = {"note": self.note, "error": self.error}
        return {"file": self.file or None, **{key: x for key, x in optional.items() if x}}


@dataclass(frozen=True, eq=False)
class DigitReading(_Reading):
    """Result for a picture of one digit.

    If the picture could not be read, ``error`` says why, and the properties raise that error.

    Attributes
    ----------
    file : path of the picture as passed by the caller, or a name such as "<array>".
    note : part of the file that was read, such as "the first of 3 pages"; None for all of it.
    error : reason why the picture could not be read, on one line, or None.
    thumbnail : uint8 ndarray of shape (height, width, 3), 0-255, or None
        The picture, upright and reduced; None unless requested, or if it could not be decoded.
    size : height and width of the picture in pixels; zeros if it could not be decoded.
    image : uint8 ndarray of shape (28, 28), 0-255, the classified image; None after an error.
    candidates : uint8 ndarray of shape (m, 28, 28), 0-255, or None
        All images that the picture may stand for, the most plausible first; the classifier chooses
        ``image`` among them. None if there is no other.
    """

    image: Images | None = None
    _prediction: tuple[Labels, Float64Array] | None = field(default=None, repr=False)
    candidates: Images | None = field(default=None, repr=False)

    def with_candidates(self, candidates: Images) -> DigitReading:
        """Return a copy with images to classify: uint8 of shape (m, 28, 28), m >= 1, 0-255."""
        others = candidates if len(candidates) > 1 else None
        return replace(self, image=candidates[0], candidates=others)

    @property
    def images(self) -> Images:
        """Images to classify for `with_choice`, of shape (m, 28, 28); none after an error."""
        if self.candidates is not None:
            return self.candidates
        if self.image is None:
            return np.empty((0, *IMAGE_SHAPE), dtype=np.uint8)
        return self.image[np.newaxis]

    def with_choice(self, classes: Labels, probabilities: Float64Array) -> DigitReading:
        """Return a copy with the image of `images` that is a digit most surely, and its result.

        `probabilities` has shape (m, k). The first image is chosen, unless the odds of the label of
        a later one, p / (1 - p), are `MIN_ODDS_RATIO` times as high or more: then, the image with
        the highest odds.
        """
        reading = self.with_probabilities(classes, probabilities[0])
        if self.candidates is not None:
            chosen = _choose(probabilities)
            vars(reading).update(
                image=self.candidates[chosen], _prediction=(classes, probabilities[chosen])
            )
        return reading

    def with_probabilities(self, classes: Labels, probabilities: Float64Array) -> DigitReading:
        """Return a copy with the result of classifying ``image``."""
        # `replace` takes ten times as long, which a server would notice.
        reading = object.__new__(DigitReading)
        vars(reading).update(vars(self), _prediction=(classes, probabilities))
        return reading

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
        return int(self.classes[self.probabilities.argmax()])

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
        result = self._heading()
        if self.error is None:
            result |= _answer(self, reject_below, image)
            if result["label"] in names:
                result["name"] = names[self.label]
            result["top"] = [{"label": label, "confidence": p} for label, p in self.top(top)]
        return result

    def _predicted(self) -> tuple[Labels, Float64Array]:
        self._require_no_error()
        if self._prediction is None:
            msg = f"{self.file}: prepared, but not classified yet"
            raise PictureError(msg)
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
        return {**_answer(self, reject_below, image), "box": self.box.to_dict()}


def _answer(reading: DigitReading | Digit, reject_below: float, image: bool) -> dict[str, Any]:
    confidence = reading.confidence
    rejected = confidence < reject_below
    answer = {
        "label": None if rejected else reading.label,
        "confidence": confidence,
        "rejected": rejected,
        "probabilities": reading.probabilities.tolist(),
    }
    if image and reading.image is not None:
        answer["image"] = reading.image.tolist()
    return answer


Row = tuple[Digit, ...]


@dataclass(frozen=True, eq=False)
class PageReading(_Reading):
    """Result for a picture with any number of digits.

    If the picture could not be read, ``error`` says why, and the properties raise that error.

    Attributes
    ----------
    file, note, error, thumbnail, size : as in `DigitReading`.
    rows : rows from top to bottom, each the digits from left to right; empty after an error.
    """

    rows: tuple[Row, ...] = ()

    @property
    def text(self) -> str:
        """The digits, one line per row, with a space at each wide gap."""
        self._require_no_error()
        return "\n".join(map(row_text, self.rows))

    @property
    def digits(self) -> Row:
        """All digits, row by row."""
        self._require_no_error()
        return tuple(digit for row in self.rows for digit in row)

    def to_dict(self, *, reject_below: float = 0.0, image: bool = False) -> dict[str, Any]:
        """Return the page as JSON types, as the command line and the server print it.

        With options as in `DigitReading.to_dict`: ``file``; ``note``, if a part of the file was
        read; ``error``, or else ``width`` and ``height`` in pixels, ``text`` and ``rows``: of each,
        its ``text`` and ``digits``, with the keys of `Digit.to_dict`.
        """
        if self.error is not None:
            return self._heading()
        rows: list[dict[str, Any]] = [
            {
                "text": row_text(row, reject_below=reject_below),
                "digits": [digit.to_dict(reject_below=reject_below, image=image) for digit in row],
            }
            for row in self.rows
        ]
        height, width = self.size
        text = "\n".join(row["text"] for row in rows)
        return {**self._heading(), "width": width, "height": height, "text": text, "rows": rows}


def row_text(row: Row, *, reject_below: float = 0.0) -> str:
    """Format a row as text, with a space at each wide gap, and "?" below the confidence."""
    height = float(np.median([digit.box.height for digit in row]))
    text, right = "", row[0].box.left
    for digit in row:
        text += " " if digit.box.left - right > WIDE_GAP * height else ""
        text += digit.text(reject_below)
        right = digit.box.right
    return text
