"""An evaluation as one HTML page that holds all it shows: for people, and to be passed on."""

from __future__ import annotations

import base64
import io
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from mnist_svm._optional import require_extra
from mnist_svm.datasets.types import Dataset
from mnist_svm.evaluation.charts import coverage_chart, learning_chart, reliability_chart
from mnist_svm.evaluation.learning_curve import LearningPoint
from mnist_svm.evaluation.measures import (
    MOST_CONFUSED,
    Evaluation,
    evaluate,
    require_matplotlib,
    wilson_interval,
)
from mnist_svm.recognition.results import Readings
from mnist_svm.svm.calibration import N_BINS

if TYPE_CHECKING:
    from markupsafe import Markup

# More would be a page that browsers are slow to show and nobody sees through.
MOST_MISREAD = 500

# Guesses told of a misread image, besides the true label.
GUESSES = 3

# How opaque the colour of a cell may be, so that text on it stays legible, and of a cell with the
# least error that there is, so that it is seen.
DEEPEST, PALEST = 0.6, 0.1


@dataclass(frozen=True)
class Measurement:
    """A model's reading of test images, and the circumstances.

    Attributes
    ----------
    model : how to speak of the model, such as the name of its file.
    metadata : what it says of itself.
    dataset : the test images.
    readings : of all of them.
    seconds : that the reading took.
    lessons : the learning curve; empty if there is none.
    when : date and time, with a time zone.
    """

    model: str
    metadata: Mapping[str, Any]
    dataset: Dataset
    readings: Readings
    seconds: float
    lessons: Sequence[LearningPoint] = ()
    when: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(frozen=True)
class Cell:
    """One of the confusion matrix.

    Attributes
    ----------
    n : images.
    shade : how opaque its colour is, 0 to 1.
    right : whether they were read right.
    shown : whether there is one of them among the misread images.
    read : label.
    """

    n: int
    shade: float
    right: bool
    shown: bool
    read: int


@dataclass(frozen=True)
class Misread:
    """An image that was misread.

    Attributes
    ----------
    index : in the test set, from 0.
    true, read : labels.
    guesses : label and confidence, best first.
    image : its address, which holds it.
    """

    index: int
    true: int
    read: int
    guesses: list[tuple[int, float]]
    image: str


def require_page() -> None:
    """Fail early if `report_page` could not write a page.

    Raises
    ------
    MissingExtraError
        If matplotlib or Jinja is not installed.
    """
    require_matplotlib()
    require_extra("jinja2", "writing a report needs Jinja", "plot")


def report_page(measured: Measurement) -> str:
    """Write a page on how a model did.

    The page loads nothing, runs nothing, and forbids the browser both. Of very many misread images
    it shows the `MOST_MISREAD` that the model was surest of.

    Parameters
    ----------
    measured : Measurement

    Returns
    -------
    str
        HTML.

    Raises
    ------
    MissingExtraError
        If matplotlib or Jinja is not installed.
    """
    require_page()
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("mnist_svm"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {"count": "{:,}".format, "percent": "{:.2%}".format}
    dataset, readings = measured.dataset, measured.readings
    evaluation = evaluate(dataset.labels, readings.labels, readings.confidence)
    misread = _misread(dataset, readings)
    return environment.get_template("report.html").render(
        measured=measured,
        recipe=measured.metadata.get("recipe", "a model"),
        evaluation=evaluation,
        figures=_figures(evaluation, measured.seconds),
        names=dataset.class_names,
        matrix=_matrix(evaluation, {(one.true, one.read) for one in misread}),
        confusions=evaluation.confusions()[:MOST_CONFUSED],
        charts=_charts(evaluation, measured.lessons),
        misread=misread,
        groups=_groups(measured.metadata),
        interval=wilson_interval,
        version=version("mnist-svm"),
    )


def _figures(evaluation: Evaluation, seconds: float) -> Iterator[tuple[str, str, str]]:
    """What is told first: name, figure and a word on it."""
    n, errors = evaluation.n, evaluation.errors
    low, high = evaluation.error_interval
    yield "Accuracy", f"{1 - errors / n:.2%}", f"{n - errors:,} images read right"
    yield "Error rate", f"{errors / n:.2%}", f"95% interval {low:.2%} to {high:.2%}"
    yield "Test images", f"{n:,}", f"{errors:,} misread"
    yield "Speed", f"{n / seconds:,.0f}/s", f"images a second, {seconds:,.1f} s in all"
    if evaluation.confidence_report is not None:
        error = evaluation.confidence_report.calibration_error
        yield "Calibration error", f"{error:.2%}", f"expected, over {N_BINS} bins of the confidence"


def _matrix(
    evaluation: Evaluation, shown: Container[tuple[int, int]]
) -> list[tuple[int, list[Cell]]]:
    """The rows of the confusion matrix, by true label."""
    shares = evaluation.matrix / np.maximum(evaluation.matrix.sum(axis=1, keepdims=True), 1)
    right = np.eye(len(shares), dtype=np.bool_)
    # Against what was read right, a handful of errors in a thousand could not be seen.
    worst = max(shares[~right].max(initial=0), np.finfo(np.float64).tiny)
    shades = np.where(right, DEEPEST * shares, PALEST + (DEEPEST - PALEST) * shares / worst)
    shades[evaluation.matrix == 0] = 0
    labels = evaluation.classes.tolist()
    return [
        (
            true,
            [
                Cell(int(n), float(shade), read == true, (true, read) in shown, read)
                for read, n, shade in zip(labels, counts, row, strict=True)
            ],
        )
        for true, counts, row in zip(labels, evaluation.matrix, shades, strict=True)
    ]


def _charts(evaluation: Evaluation, lessons: Sequence[LearningPoint]) -> dict[str, Markup]:
    from markupsafe import Markup

    charts = {"learning": learning_chart(lessons)} if lessons else {}
    if evaluation.confidence_report is not None:
        charts["reliability"] = reliability_chart(evaluation.confidence_report)
        charts["coverage"] = coverage_chart(evaluation.confidence_report)
    # matplotlib made them, of nothing but numbers.
    return {name: Markup(svg) for name, svg in charts.items()}  # noqa: S704


def _misread(dataset: Dataset, readings: Readings) -> list[Misread]:
    """Those that are shown, by true and then by read label, the surest of each pair first."""
    true, read, confidence = dataset.labels, readings.labels, readings.confidence
    (wrong,) = np.nonzero(true != read)
    wrong = wrong[np.argsort(-confidence[wrong], kind="stable")][:MOST_MISREAD]
    wrong = wrong[np.lexsort((-confidence[wrong], read[wrong], true[wrong]))]
    return [
        Misread(
            index=int(index),
            true=int(true[index]),
            read=int(read[index]),
            guesses=_guesses(readings, int(index), int(true[index])),
            image=_data_uri(dataset.images[index]),
        )
        for index in wrong
    ]


def _guesses(readings: Readings, index: int, true: int) -> list[tuple[int, float]]:
    """The best guesses, and the true label wherever it came in."""
    ranked = readings.top(index, len(readings.classes))
    return ranked[:GUESSES] + [guess for guess in ranked[GUESSES:] if guess[0] == true]


def _data_uri(image: npt.NDArray[np.uint8]) -> str:
    """A picture in dark ink on white, as an address that holds it."""
    buffer = io.BytesIO()
    Image.fromarray(255 - image).save(buffer, format="PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _groups(metadata: Mapping[str, Any]) -> dict[str, list[tuple[str, str]]]:
    """What the model says of itself, under headings."""
    plain = {key: value for key, value in metadata.items() if not isinstance(value, Mapping)}
    nested = {key: value for key, value in metadata.items() if isinstance(value, Mapping)}
    groups = {_spaced(key): list(_rows(value)) for key, value in {"model": plain, **nested}.items()}
    return {heading: rows for heading, rows in groups.items() if rows}


def _rows(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from ((f"{_spaced(key)}: {name}", text) for name, text in _rows(value))
        elif isinstance(value, (list, tuple)):
            yield _spaced(key), " ".join(map(str, value))
        elif value is not None:
            yield _spaced(key), f"{value:.6g}" if isinstance(value, float) else str(value)


def _spaced(key: object) -> str:
    return str(key).replace("_", " ")
