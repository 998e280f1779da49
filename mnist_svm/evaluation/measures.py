"""Accuracy, per-class measures, calibration and rejection: as text, JSON and a plot."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from mnist_svm._optional import require_extra
from mnist_svm._types import BoolArray, Float64Array, IntegerArray
from mnist_svm.datasets.types import Dataset
from mnist_svm.svm.calibration import N_BINS, bin_indices, calibration_error

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Confusions listed, the most frequent ones.
N_CONFUSIONS = 8

# Fractions of the images that are rejected, the least confident first.
REJECTION_RATES = (0.0, 0.005, 0.01, 0.02, 0.05)


@dataclass(frozen=True)
class RejectionPoint:
    """Errors left when the least confident images are rejected.

    Attributes
    ----------
    share : intended fraction of rejected images, 0 to 1.
    reject_below : images of lower confidence are rejected, 0 to 1.
    n : number of images left; images with equal confidence stay together, so it may be larger
        than intended.
    errors : number of misread images among them.
    """

    share: float
    reject_below: float
    n: int
    errors: int

    @property
    def accuracy(self) -> float:
        """Accuracy on the images left, 0 to 1."""
        return 1 - self.errors / self.n


@dataclass(frozen=True)
class CalibrationBin:
    """Images with confidence in the interval (low, high].

    Attributes
    ----------
    low, high : edges of the interval, 0 to 1.
    n : number of images, at least one.
    confidence : their mean confidence, 0 to 1.
    correct : number of correctly read images among them.
    """

    low: float
    high: float
    n: int
    confidence: float
    correct: int

    @property
    def accuracy(self) -> float:
        """Fraction of correctly read images, 0 to 1."""
        return self.correct / self.n


@dataclass(frozen=True)
class ConfidenceReport:
    """Calibration of the confidence and accuracy under rejection.

    Attributes
    ----------
    calibration_error : expected calibration error, 0 to 1; see
        `mnist_svm.svm.calibration.calibration_error`.
    rejection : one RejectionPoint for each of `REJECTION_RATES`.
    bins : the non-empty bins of the calibration error, by ascending confidence.
    answered, misread : int64 ndarrays of shape (m,), for the m distinct confidences in descending
        order: ``answered[i]`` counts the images with confidence >= the i-th; ``misread[i]`` counts
        the errors among them.
    """

    calibration_error: float
    rejection: tuple[RejectionPoint, ...]
    bins: tuple[CalibrationBin, ...]
    answered: IntegerArray
    misread: IntegerArray

    def to_dict(self) -> dict[str, Any]:
        """Return the calibration error and the rejection points as JSON types."""
        return {
            "expected_calibration_error": self.calibration_error,
            "rejection": [
                {**asdict(point), "accuracy": point.accuracy} for point in self.rejection
            ],
        }

    def to_text(self) -> str:
        """Return the calibration error and the rejection points as text."""
        lines = [
            f"Calibration error  {self.calibration_error:.2%}   (expected, over {N_BINS} bins)",
            "",
            "Rejecting the least confident images",
            "rejected   images left   errors left   accuracy   reject below",
        ]
        lines += [
            f"{point.share:>8.1%}{point.n:>14,}{point.errors:>14,}"
            f"{point.accuracy:>11.2%}{point.reject_below:>15.4f}"
            for point in self.rejection
        ]
        return "\n".join(lines)


@dataclass(frozen=True)
class Evaluation:
    """Comparison of predicted with true labels.

    Attributes
    ----------
    classes : int64 ndarray of shape (k,), all true and predicted labels, sorted.
    matrix : int64 ndarray of shape (k, k), confusion matrix: true labels in rows, predicted labels
        in columns.
    precision, recall, f1 : float64 ndarrays of shape (k,), 0 to 1; 0 where undefined.
    confidence_report : ConfidenceReport, or None if the confidences are not known.
    """

    classes: IntegerArray
    matrix: IntegerArray
    precision: Float64Array
    recall: Float64Array
    f1: Float64Array
    confidence_report: ConfidenceReport | None = None

    @property
    def n(self) -> int:
        """Number of images."""
        return int(self.matrix.sum())

    @property
    def errors(self) -> int:
        """Number of misread images."""
        return self.n - int(self.matrix.trace())

    @property
    def error_rate(self) -> float:
        """Fraction of misread images, 0 to 1."""
        return self.errors / self.n

    @property
    def accuracy(self) -> float:
        """Fraction of correctly read images, 0 to 1."""
        return 1 - self.error_rate

    @property
    def error_interval(self) -> tuple[float, float]:
        """95 % Wilson score interval of the error rate, 0 to 1 (Wilson 1927)."""
        return wilson_interval(self.errors, self.n)

    def confusions(self) -> list[tuple[int, int, int]]:
        """Return (true label, predicted label, number of images), most frequent first."""
        labels = self.classes.tolist()
        counts = np.ndenumerate(self.matrix)
        confusions = [(labels[i], labels[j], int(n)) for (i, j), n in counts if n and i != j]
        return sorted(confusions, key=lambda confusion: -confusion[2])

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON types."""
        per_class = {
            "label": self.classes,
            "n": self.matrix.sum(axis=1),
            "precision": self.precision,
            "recall": self.recall,
            "f1": self.f1,
        }
        columns = [values.tolist() for values in per_class.values()]
        return {
            "n": self.n,
            "errors": self.errors,
            "accuracy": self.accuracy,
            "error_rate": self.error_rate,
            "error_rate_interval_95": list(self.error_interval),
            "classes": self.classes.tolist(),
            "confusion_matrix": self.matrix.tolist(),
            "per_class": [dict(zip(per_class, row)) for row in zip(*columns, strict=True)],
            "confusions": [
                {"true": true, "read": read, "n": n} for true, read, n in self.confusions()
            ],
            **(self.confidence_report.to_dict() if self.confidence_report else {}),
        }

    def to_summary(self) -> dict[str, Any]:
        """Return the overall figures as JSON types."""
        figures = self.to_dict()
        names = ("n", "errors", "accuracy", "error_rate", "error_rate_interval_95")
        return {
            name: figures[name]
            for name in (*names, "expected_calibration_error")
            if name in figures
        }

    def to_line(self) -> str:
        """Return the overall figures as one line."""
        line = f"{self.accuracy:>7.2%}   ({self.errors:,} of {self.n:,} misread)"
        if self.confidence_report:
            line += f"   calibration error {self.confidence_report.calibration_error:.2%}"
        return line

    def to_text(self) -> str:
        """Return everything as text, at most 80 columns wide for ten classes."""
        low, high = self.error_interval
        interval = f"95% interval {low:.2%} to {high:.2%}"
        lines = [
            f"Accuracy    {self.accuracy:.2%}   ({self.n:,} images)",
            f"Error rate  {self.error_rate:.2%}   ({self.errors:,} misread; {interval})",
            "",
            *self._matrix_lines(),
        ]
        confusions = [
            f"{true} as {read}: {n}" for true, read, n in self.confusions()[:N_CONFUSIONS]
        ]
        if confusions:
            lines += ["", "Most frequent confusions (true digit, read as)"]
            lines += [
                "  " + "".join(f"{text:<18}" for text in confusions[start : start + 4]).rstrip()
                for start in range(0, len(confusions), 4)
            ]
        if self.confidence_report:
            lines += ["", self.confidence_report.to_text()]
        return "\n".join(lines)

    def _matrix_lines(self) -> list[str]:
        """Return the confusion matrix with the per-class measures to its right."""
        width = max(5, len(f"{self.matrix.max()}") + 1)
        head = "".join(f"{label:>{width}}" for label in self.classes)
        lines = [
            f"{'':4}{'read as':^{len(head)}}".rstrip(),
            f"true{head}{'prec':>8}{'recall':>8}{'F1':>8}",
        ]
        for label, counts, *measures in zip(
            self.classes, self.matrix, self.precision, self.recall, self.f1, strict=True
        ):
            cells = "".join(f"{n or '.':>{width}}" for n in counts)
            lines.append(f"{label:>4}{cells}" + "".join(f"{value:8.2%}" for value in measures))
        return lines


def wilson_interval(count: int, n: int) -> tuple[float, float]:
    """Return the 95 % Wilson score interval of the proportion ``count / n`` (Wilson 1927)."""
    interval = binomtest(count, n).proportion_ci(0.95, method="wilson")
    return float(interval.low), float(interval.high)


def evaluate(
    y_true: IntegerArray, y_pred: IntegerArray, confidence: Float64Array | None = None
) -> Evaluation:
    """Compare predicted with true labels.

    Parameters
    ----------
    y_true, y_pred : integer ndarrays of shape (n,), n at least 1
    confidence : float64 ndarray of shape (n,), 0 to 1, optional
        Probabilities of the predicted labels; needed for the confidence report.

    Returns
    -------
    Evaluation
    """
    classes = np.unique(np.concatenate([y_true, y_pred]))
    precision, recall, f1, _ = precision_recall_fscore_support(
        y_true, y_pred, labels=classes, zero_division=0
    )
    matrix = confusion_matrix(y_true, y_pred, labels=classes)
    report = None if confidence is None else _confidence_report(confidence, y_true == y_pred)
    return Evaluation(classes, matrix, precision, recall, f1, report)


def evaluate_parts(
    dataset: Dataset, y_pred: IntegerArray, confidence: Float64Array
) -> dict[str, Evaluation]:
    """Evaluate each of the data sets that were joined, or the single one, by its name.

    `y_pred` and `confidence` are those of all images, as in `evaluate`.
    """
    evaluations = {}
    for number, part in enumerate(dataset.parts):
        inside = dataset.part_indices == number
        evaluations[part.name] = evaluate(
            dataset.labels[inside], y_pred[inside], confidence[inside]
        )
    return evaluations


def _confidence_report(confidence: Float64Array, correct: BoolArray) -> ConfidenceReport:
    ordered = np.sort(confidence)
    points = []
    for rate in REJECTION_RATES:
        rejected = round(rate * len(ordered))
        threshold = float(ordered[rejected]) if rejected else 0.0
        left = correct[confidence >= threshold]
        points.append(RejectionPoint(rate, threshold, len(left), int(np.count_nonzero(~left))))
    descending = np.argsort(-confidence, kind="stable")
    # Last position of each distinct confidence.
    last = np.flatnonzero(np.diff(confidence[descending], append=-1.0)).astype(np.int64)
    return ConfidenceReport(
        calibration_error=calibration_error(confidence, correct),
        rejection=tuple(points),
        bins=tuple(_calibration_bins(confidence, correct)),
        answered=last + 1,
        misread=np.cumsum(~correct[descending], dtype=np.int64)[last],
    )


def _calibration_bins(confidence: Float64Array, correct: BoolArray) -> Iterator[CalibrationBin]:
    bins = bin_indices(confidence)
    for index in np.unique(bins):
        inside = bins == index
        yield CalibrationBin(
            low=index / N_BINS,
            high=(index + 1) / N_BINS,
            n=int(inside.sum()),
            confidence=float(confidence[inside].mean()),
            correct=int(correct[inside].sum()),
        )


def require_matplotlib() -> None:
    """Raise MissingExtraError without matplotlib; call before work that ends in a plot."""
    require_extra("matplotlib.figure", "drawing a plot needs matplotlib", "plot")


def plot_confusion(evaluation: Evaluation) -> Figure:
    """Draw the confusion matrix as a heat map, normalized by row.

    Raises MissingExtraError if matplotlib is not installed.
    """
    require_matplotlib()
    from matplotlib.colors import PowerNorm
    from matplotlib.figure import Figure

    fractions = evaluation.matrix / np.maximum(evaluation.matrix.sum(axis=1, keepdims=True), 1)
    figure = Figure(figsize=(7.5, 6.8), layout="constrained", dpi=150)
    axes = figure.add_subplot()
    # A few errors in a thousand images would be invisible on a linear scale.
    image = axes.imshow(fractions, cmap="Blues", norm=PowerNorm(0.3, vmin=0, vmax=1))
    for (row, column), n in np.ndenumerate(evaluation.matrix):
        if n:
            color = "white" if fractions[row, column] > 0.2 else "black"
            axes.text(column, row, f"{n}", ha="center", va="center", color=color, fontsize=9)
    labels = [str(label) for label in evaluation.classes]
    axes.set_xticks(np.arange(len(labels)), labels)
    axes.set_yticks(np.arange(len(labels)), labels)
    misread = f"{evaluation.errors:,} of {evaluation.n:,} images misread"
    title = f"Accuracy {evaluation.accuracy:.2%}: {misread}"
    axes.set(xlabel="predicted digit", ylabel="true digit", title=title)
    figure.colorbar(image, ax=axes, label="fraction of the true digit's images", shrink=0.8)
    return figure
