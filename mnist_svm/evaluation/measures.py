"""From true and read labels and confidences to measures, as text, JSON or a picture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from mnist_svm._optional import require_extra
from mnist_svm.constants import IntegerArray
from mnist_svm.svm.calibration import N_BINS, bin_indices, calibration_error

if TYPE_CHECKING:
    from matplotlib.figure import Figure


# How many of the most frequent confusions are told.
MOST_CONFUSED = 8

# Shares of the images, the least sure, that are rejected one after the other.
REJECTED = (0.0, 0.005, 0.01, 0.02, 0.05)


@dataclass(frozen=True)
class Coverage:
    """What is left when the least sure images are rejected.

    Attributes
    ----------
    share : of the images, the least sure, that were to be rejected; 0 to 1.
    threshold : images of less confidence are rejected, others are not; 0 to 1.
    n : images left. Images of one confidence stay together, so there may be a few more.
    errors : of these, images misread.
    """

    share: float
    threshold: float
    n: int
    errors: int

    @property
    def accuracy(self) -> float:
        """Share of the images left that were read right, 0 to 1."""
        return 1 - self.errors / self.n


@dataclass(frozen=True)
class Bin:
    """Images of about the same confidence: more than ``low``, at most ``high``.

    Attributes
    ----------
    low, high : 0 to 1.
    n : images, at least one.
    confidence : mean of theirs, 0 to 1.
    right : of these images, those that were read right.
    """

    low: float
    high: float
    n: int
    confidence: float
    right: int

    @property
    def accuracy(self) -> float:
        """Share of the images that were read right, 0 to 1."""
        return self.right / self.n


@dataclass(frozen=True)
class ConfidenceReport:
    """How far a classifier's confidence can be relied on.

    Attributes
    ----------
    calibration_error : expected calibration error, 0 to 1.
        See `mnist_svm.svm.calibration.calibration_error`.
    coverage : one for each share of `REJECTED`.
    bins : those that the calibration error is the mean over and that hold images, by confidence.
    answered, misread : int64 ndarrays of shape (m,)
        The surest images by number, ascending, and how many of these are misread; one pair for
        each of the m confidences that there are.
    """

    calibration_error: float
    coverage: tuple[Coverage, ...]
    bins: tuple[Bin, ...]
    answered: npt.NDArray[np.int64]
    misread: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Evaluation:
    """How a classifier did on labelled images.

    Attributes
    ----------
    classes : int64 ndarray of shape (k,), sorted: every label that is true or was read.
    matrix : int64 ndarray of shape (k, k), images counted by true label (row) and read
        label (column).
    precision, recall, f1 : float64 ndarrays of shape (k,), 0 to 1; 0 where undefined.
    confidence_report : ConfidenceReport, or None where confidences are not known.
    """

    classes: IntegerArray
    matrix: npt.NDArray[np.int64]
    precision: npt.NDArray[np.float64]
    recall: npt.NDArray[np.float64]
    f1: npt.NDArray[np.float64]
    confidence_report: ConfidenceReport | None = None

    @property
    def n(self) -> int:
        """Number of images."""
        return int(self.matrix.sum())

    @property
    def errors(self) -> int:
        """Number of images misread."""
        return self.n - int(self.matrix.trace())

    @property
    def error_interval(self) -> tuple[float, float]:
        """95 % Wilson score interval of the error rate, 0 to 1 (Wilson 1927)."""
        return wilson_interval(self.errors, self.n)

    def confusions(self) -> list[tuple[int, int, int]]:
        """Misreadings as (true label, read label, number of images), most frequent first."""
        wrong = self.matrix - np.diag(self.matrix.diagonal())
        order = np.argsort(-wrong, axis=None, kind="stable")
        rows, columns = np.unravel_index(order, wrong.shape)
        return [
            (int(self.classes[row]), int(self.classes[column]), int(wrong[row, column]))
            for row, column in zip(rows, columns, strict=True)
            if wrong[row, column]
        ]

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain types, for JSON."""
        return {
            "n": self.n,
            "errors": self.errors,
            "accuracy": 1 - self.errors / self.n,
            "error_rate": self.errors / self.n,
            "error_rate_interval_95": list(self.error_interval),
            "classes": self.classes.tolist(),
            "confusion_matrix": self.matrix.tolist(),
            "per_class": [
                {
                    "label": int(label),
                    "n": int(support),
                    "precision": float(precision),
                    "recall": float(recall),
                    "f1": float(f1),
                }
                for label, support, precision, recall, f1 in zip(
                    self.classes,
                    self.matrix.sum(axis=1),
                    self.precision,
                    self.recall,
                    self.f1,
                    strict=True,
                )
            ],
            "confusions": [
                {"true": true, "read": read, "n": n} for true, read, n in self.confusions()
            ],
            **self._sureness_dict(),
        }

    def to_text(self) -> str:
        """Everything as text that fits 80 columns for ten classes."""
        low, high = self.error_interval
        interval = f"95% interval {low:.2%} to {high:.2%}"
        lines = [
            f"Accuracy    {1 - self.errors / self.n:.2%}   ({self.n:,} images)",
            f"Error rate  {self.errors / self.n:.2%}   ({self.errors:,} misread; {interval})",
            "",
            *self._matrix_lines(),
        ]
        confusions = [
            f"{true} as {read}: {n}" for true, read, n in self.confusions()[:MOST_CONFUSED]
        ]
        if confusions:
            lines += ["", "Most frequent confusions (true digit, read as)"]
            lines += [
                "  " + "".join(f"{text:<18}" for text in confusions[start : start + 4]).rstrip()
                for start in range(0, len(confusions), 4)
            ]
        return "\n".join([*lines, *self._sureness_lines()])

    def _matrix_lines(self) -> list[str]:
        """The confusion matrix, and each digit's measures to its right."""
        width = max(5, len(f"{self.matrix.max()}") + 1)
        head = "".join(f"{label:>{width}}" for label in self.classes)
        lines = [
            f"{'':4}{'read as':^{len(head)}}".rstrip(),
            f"true{head}{'prec':>8}{'recall':>8}{'F1':>8}",
        ]
        for label, row, *measures in zip(
            self.classes, self.matrix, self.precision, self.recall, self.f1, strict=True
        ):
            cells = "".join(f"{n or '.':>{width}}" for n in row)
            lines.append(f"{label:>4}{cells}" + "".join(f"{part:8.2%}" for part in measures))
        return lines

    def _sureness_dict(self) -> dict[str, Any]:
        if self.confidence_report is None:
            return {}
        return {
            "expected_calibration_error": self.confidence_report.calibration_error,
            "rejection": [
                {
                    "share": point.share,
                    "reject_below": point.threshold,
                    "n": point.n,
                    "errors": point.errors,
                    "accuracy": point.accuracy,
                }
                for point in self.confidence_report.coverage
            ],
        }

    def _sureness_lines(self) -> list[str]:
        """The calibration error, and what is left when images are rejected."""
        if self.confidence_report is None:
            return []
        error = self.confidence_report.calibration_error
        return [
            "",
            f"Calibration error  {error:.2%}   (expected, over {N_BINS} bins of the confidence)",
            "",
            "Rejecting the least sure",
            "rejected   images left   errors left   accuracy   reject below",
            *(
                f"{point.share:>8.1%}{point.n:>14,}{point.errors:>14,}"
                f"{point.accuracy:>11.2%}{point.threshold:>15.4f}"
                for point in self.confidence_report.coverage
            ),
        ]


def wilson_interval(count: int, n: int) -> tuple[float, float]:
    """95 % Wilson score interval of a share (Wilson 1927).

    Parameters
    ----------
    count : int
        0 to n.
    n : int
        At least 1.

    Returns
    -------
    low, high : float
        0 to 1.
    """
    interval = binomtest(count, n).proportion_ci(0.95, method="wilson")
    return float(interval.low), float(interval.high)


def evaluate(
    true: IntegerArray, read: IntegerArray, confidence: npt.NDArray[np.float64] | None = None
) -> Evaluation:
    """Compare read labels with the true ones.

    Parameters
    ----------
    true, read : integer ndarrays of shape (n,), n at least 1
    confidence : float64 ndarray of shape (n,), 0 to 1, optional
        In each label read. With it, the evaluation also tells how far it can be relied on.

    Returns
    -------
    Evaluation
    """
    classes = np.unique(np.concatenate([true, read]))
    precision, recall, f1, _ = precision_recall_fscore_support(
        true, read, labels=classes, zero_division=0
    )
    matrix = confusion_matrix(true, read, labels=classes)
    confidence_report = None if confidence is None else _sureness(confidence, true == read)
    return Evaluation(classes, matrix, precision, recall, f1, confidence_report)


def _sureness(confidence: npt.NDArray[np.float64], right: npt.NDArray[np.bool_]) -> ConfidenceReport:
    ordered = np.sort(confidence)
    points = []
    for share in REJECTED:
        rejected = round(share * len(ordered))
        threshold = float(ordered[rejected]) if rejected else 0.0
        left = right[confidence >= threshold]
        points.append(Coverage(share, threshold, len(left), int(np.count_nonzero(~left))))
    answered, misread = _by_threshold(confidence, right)
    error, bins = calibration_error(confidence, right), tuple(_bins(confidence, right))
    return ConfidenceReport(error, tuple(points), bins, answered, misread)


def _bins(confidence: npt.NDArray[np.float64], right: npt.NDArray[np.bool_]) -> Iterator[Bin]:
    """The bins of `calibration_error` that hold images."""
    bins = bin_indices(confidence)
    for index in np.unique(bins):
        inside = bins == index
        mean, hits = float(confidence[inside].mean()), int(right[inside].sum())
        yield Bin(index / N_BINS, (index + 1) / N_BINS, int(inside.sum()), mean, hits)


def _by_threshold(
    confidence: npt.NDArray[np.float64], right: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """How many images are left, and how many of them misread, at each possible threshold."""
    order = np.argsort(-confidence, kind="stable")
    last = np.flatnonzero(np.diff(confidence[order], append=-1.0)).astype(np.int64)
    return last + 1, np.cumsum(~right[order], dtype=np.int64)[last]


def require_matplotlib() -> None:
    """Fail early if `plot_confusion` could not draw.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    """
    require_extra("matplotlib.figure", "drawing a plot needs matplotlib", "plot")


def plot_confusion(evaluation: Evaluation) -> Figure:
    """Draw the confusion matrix as a heat map, each row in parts of its digit's images.

    Parameters
    ----------
    evaluation : Evaluation

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    """
    require_matplotlib()
    from matplotlib.colors import PowerNorm
    from matplotlib.figure import Figure

    shares = evaluation.matrix / np.maximum(evaluation.matrix.sum(axis=1, keepdims=True), 1)
    figure = Figure(figsize=(7.5, 6.8), layout="constrained", dpi=150)
    axes = figure.add_subplot()
    # A handful of misreadings in a thousand would be invisible on a linear scale.
    image = axes.imshow(shares, cmap="Blues", norm=PowerNorm(0.3, vmin=0, vmax=1))
    for (row, column), count in np.ndenumerate(evaluation.matrix):
        if count:
            light = shares[row, column] > 0.2
            color = "white" if light else "black"
            axes.text(column, row, f"{count}", ha="center", va="center", color=color, fontsize=9)
    ticks = np.arange(len(evaluation.classes))
    axes.set_xticks(ticks, [str(label) for label in evaluation.classes])
    axes.set_yticks(ticks, [str(label) for label in evaluation.classes])
    axes.set_xlabel("read as")
    axes.set_ylabel("true digit")
    axes.set_title(
        f"{1 - evaluation.errors / evaluation.n:.2%} of {evaluation.n:,} images read right, "
        f"{evaluation.errors:,} misread"
    )
    figure.colorbar(image, ax=axes, label="share of the true digit's images", shrink=0.8)
    return figure
