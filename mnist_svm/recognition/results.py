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
            result |= _answer(self, self.confidence < reject_below, image)
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

    def to_dict(self, *, rejected: bool = False, image: bool = False) -> dict[str, Any]:
        """Return the digit as JSON types, with the keys of `DigitReading.to_dict` and ``box``.

        `rejected` is whether its number is.
        """
        return {**_answer(self, rejected, image), "box": self.box.to_dict()}


def _answer(reading: DigitReading | Digit, rejected: bool, image: bool) -> dict[str, Any]:
    answer = {
        "label": None if rejected else reading.label,
        "confidence": reading.confidence,
        "rejected": rejected,
        "probabilities": reading.probabilities.tolist(),
    }
    if image and reading.image is not None:
        answer["image"] = reading.image.tolist()
    return answer


@dataclass(frozen=True)
class Cell:
    """Place in a ruled table: all from 0.

    Attributes
    ----------
    table : number of the table on the page.
    row, column : row and column of the cell.
    """

    table: int
    row: int
    column: int


@dataclass(frozen=True, eq=False)
class Number:
    """Number on a page.

    Attributes
    ----------
    digits : its digits, from left to right.
    confidence : probability that all of them are right, 0 to 1.
    box : bounding box in pixels of the picture.
    cell : its place, if it is in a ruled table.
    """

    digits: tuple[Digit, ...]
    confidence: float
    box: Box
    cell: Cell | None = None

    @property
    def text(self) -> str:
        """Its digits."""
        return "".join(str(digit.label) for digit in self.digits)

    def to_text(self, reject_below: float = 0.0) -> str:
        """Return its digits, or a question mark if the confidence is below the threshold."""
        return self.text if self.confidence >= reject_below else "?"

    def to_dict(self, *, reject_below: float = 0.0) -> dict[str, Any]:
        """Return the number as JSON types, without its digits."""
        rejected = self.confidence < reject_below
        number: dict[str, Any] = {
            "text": None if rejected else self.text,
            "confidence": self.confidence,
            "rejected": rejected,
            "box": self.box.to_dict(),
        }
        if self.cell is not None:
            cell = self.cell
            number |= {"table": cell.table, "row": cell.row, "column": cell.column}
        return number


@dataclass(frozen=True, eq=False)
class Row:
    """Numbers in a row of a page, from left to right."""

    numbers: tuple[Number, ...]

    @property
    def text(self) -> str:
        """The numbers, with a space between them."""
        return self.to_text()

    @property
    def digits(self) -> tuple[Digit, ...]:
        """The digits of all numbers."""
        return tuple(digit for number in self.numbers for digit in number.digits)

    def to_text(self, reject_below: float = 0.0) -> str:
        """Return the numbers, each "?" if its confidence is below the threshold."""
        return " ".join(number.to_text(reject_below) for number in self.numbers)


@dataclass(frozen=True)
class FieldSpec:
    """A part of a page that holds one number.

    Attributes
    ----------
    box : the part, in pixels of the page.
    digits : number of its digits, or the least and the most of them; None if that is not known.
    pattern : see `mnist_svm.recognition.formats.parse_format`.
    """

    box: Box
    digits: int | tuple[int, int] | None = None
    pattern: str | None = None


@dataclass(frozen=True, eq=False)
class PageContent:
    """What is on a page.

    Attributes
    ----------
    rows : rows of numbers, from top to bottom.
    tables : number of rows and columns of each ruled table, from top to bottom.
    """

    rows: tuple[Row, ...] = ()
    tables: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, eq=False)
class PageReading(_Reading):
    """Result for a picture with any number of digits.

    If the picture could not be read, ``error`` says why, and the properties raise that error.

    Attributes
    ----------
    file, note, error, thumbnail, size : as in `DigitReading`.
    content : its numbers and tables; empty after an error.
    """

    content: PageContent = field(default_factory=PageContent)

    @property
    def rows(self) -> tuple[Row, ...]:
        """Rows of numbers, from top to bottom; none after an error."""
        return self.content.rows

    @property
    def tables(self) -> tuple[tuple[int, int], ...]:
        """Number of rows and columns of each ruled table; see `Number.cell`."""
        return self.content.tables

    @property
    def text(self) -> str:
        """The numbers, one line per row, with a space between those of a row."""
        self._require_no_error()
        return "\n".join(row.text for row in self.rows)

    @property
    def numbers(self) -> tuple[Number, ...]:
        """All numbers, row by row."""
        self._require_no_error()
        return tuple(number for row in self.rows for number in row.numbers)

    @property
    def digits(self) -> tuple[Digit, ...]:
        """All digits, row by row."""
        self._require_no_error()
        return tuple(digit for row in self.rows for digit in row.digits)

    def to_dict(self, *, reject_below: float = 0.0, image: bool = False) -> dict[str, Any]:
        """Return the page as JSON types, as the command line and the server print it.

        With options as in `DigitReading.to_dict`, of which `reject_below` is for whole numbers:
        ``file``; ``note``, if a part of the file was read; ``error``, or else ``width`` and
        ``height`` in pixels, ``text`` and ``rows``: of each, its ``text``, its ``numbers``, with
        the keys of `Number.to_dict`, and its ``digits``, with those of `Digit.to_dict`; ``tables``:
        ``rows`` and ``columns`` of each ruled table.
        """
        if self.error is not None:
            return self._heading()
        rows: list[dict[str, Any]] = [
            {
                "text": row.to_text(reject_below),
                "numbers": [number.to_dict(reject_below=reject_below) for number in row.numbers],
                "digits": [
                    digit.to_dict(rejected=number.confidence < reject_below, image=image)
                    for number in row.numbers
                    for digit in number.digits
                ],
            }
            for row in self.rows
        ]
        height, width = self.size
        text = "\n".join(row["text"] for row in rows)
        tables = [{"rows": n_rows, "columns": n_columns} for n_rows, n_columns in self.tables]
        page = {"width": width, "height": height, "text": text, "rows": rows, "tables": tables}
        return {**self._heading(), **page}
