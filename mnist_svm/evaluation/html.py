"""Report of an evaluation as one self-contained HTML page."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from mnist_svm._optional import require_extra
from mnist_svm._types import Float64Array, Images
from mnist_svm.constants import WHITE
from mnist_svm.datasets.types import Dataset
from mnist_svm.evaluation.charts import (
    chart_svg,
    draw_coverage,
    draw_learning,
    draw_reliability,
    draw_training,
)
from mnist_svm.evaluation.findings import find_faults
from mnist_svm.evaluation.inspection import describe_evaluated
from mnist_svm.evaluation.learning_curve import LearningPoint
from mnist_svm.evaluation.measures import (
    N_CONFUSIONS,
    Evaluation,
    evaluate,
    evaluate_parts,
    require_matplotlib,
    wilson_interval,
)
from mnist_svm.models.info import ModelInfo
from mnist_svm.recognition.results import Readings
from mnist_svm.svm.calibration import N_BINS

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.axes import Axes

# Misread images shown; a page with many more is slow in browsers.
MAX_MISREAD = 500

# Most probable labels listed for a misread image.
N_TOP = 3

# Opacity of the colour of matrix cells: text stays legible at the maximum, and the smallest error
# is visible at the minimum.
MAX_OPACITY, MIN_OPACITY = 0.6, 0.1


@dataclass(frozen=True)
class EvaluationRun:
    """Predictions of a model for test images, and how they were made.

    Attributes
    ----------
    model : name of the model for the reader, such as the name of its file.
    info : how the model was made.
    dataset : the test images.
    readings : predictions for all of them.
    seconds : duration of the predictions.
    learning_curve : its points; empty for none.
    when : date and time, with a time zone.
    epochs : of the training of each network of the model; see `mnist_svm.models.steps.network_logs`
    """

    model: str
    info: ModelInfo
    dataset: Dataset
    readings: Readings
    seconds: float
    learning_curve: Sequence[LearningPoint] = ()
    when: datetime = field(default_factory=lambda: datetime.now(UTC))
    epochs: Sequence[Sequence[Mapping[str, Any]]] = ()


def require_report_extras() -> None:
    """Raise MissingExtraError without matplotlib or Jinja; call before starting work."""
    require_matplotlib()
    require_extra("jinja2", "writing a report needs Jinja", "plot")


def render_report(run: EvaluationRun) -> str:
    """Render the report of an evaluation.

    The page has no scripts and no external resources, and its Content-Security-Policy forbids both.
    At most `MAX_MISREAD` misread images are shown, those with the highest confidence. Raises
    MissingExtraError if matplotlib or Jinja is not installed.
    """
    require_report_extras()
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("mnist_svm.evaluation"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {"count": "{:,}".format, "percent": "{:.2%}".format}
    dataset, readings = run.dataset, run.readings
    evaluation = evaluate(dataset.labels, readings.labels, readings.confidence)
    misread = _misread_images(dataset, readings)
    return environment.get_template("report.html").render(
        run=run,
        evaluation=evaluation,
        parts=evaluate_parts(dataset, readings.labels, readings.confidence),
        report=evaluation.confidence_report,
        summary=_summary(evaluation, run.seconds),
        names=dataset.class_names,
        opacities=_opacities(evaluation),
        linked={(image["true"], image["predicted"]) for image in misread},
        confusions=evaluation.confusions()[:N_CONFUSIONS],
        charts=_charts(evaluation, run),
        misread=misread,
        findings=find_faults([describe_evaluated(dataset, readings)]),
        model_rows=_model_rows(run.info),
        interval=wilson_interval,
        version=version("mnist-svm"),
    )


def _summary(evaluation: Evaluation, seconds: float) -> Iterator[tuple[str, str, str]]:
    """Yield (name, figure, note)."""
    n, errors = evaluation.n, evaluation.errors
    low, high = evaluation.error_interval
    yield "Accuracy", f"{evaluation.accuracy:.2%}", f"{n - errors:,} images read correctly"
    yield "Error rate", f"{evaluation.error_rate:.2%}", f"95% interval {low:.2%} to {high:.2%}"
    yield "Test images", f"{n:,}", f"{errors:,} misread"
    yield "Speed", f"{n / seconds:,.0f}/s", f"images per second, {seconds:,.1f} s in total"
    if evaluation.confidence_report:
        error = evaluation.confidence_report.calibration_error
        yield "Calibration error", f"{error:.2%}", f"expected, over {N_BINS} bins"


def _opacities(evaluation: Evaluation) -> Float64Array:
    """Return the opacity of each cell of the confusion matrix."""
    fractions = evaluation.matrix / np.maximum(evaluation.matrix.sum(axis=1, keepdims=True), 1)
    correct = np.eye(len(fractions), dtype=np.bool_)
    # Errors have a colour scale of their own: on that of the diagonal they would be invisible.
    worst = max(fractions[~correct].max(initial=0), np.finfo(np.float64).tiny)
    error_opacity = MIN_OPACITY + (MAX_OPACITY - MIN_OPACITY) * fractions / worst
    return np.asarray(np.where(correct, MAX_OPACITY * fractions, error_opacity))


def _charts(evaluation: Evaluation, run: EvaluationRun) -> dict[str, Markup]:
    from markupsafe import Markup

    report = evaluation.confidence_report
    charts: dict[str, tuple[Callable[[Axes, Any], None], object]] = {
        "reliability": (draw_reliability, report),
        "coverage": (draw_coverage, report),
    }
    if run.learning_curve:
        charts["learning"] = (draw_learning, run.learning_curve)
    for number, epochs in enumerate(run.epochs, 1):
        charts[f"training{number}"] = (draw_training, epochs)
    # Safe: matplotlib made them from numbers alone.
    return {name: Markup(chart_svg(name, *chart)) for name, chart in charts.items()}  # noqa: S704


def _misread_images(dataset: Dataset, readings: Readings) -> list[dict[str, Any]]:
    """Return the misread images to show, by true label, predicted label and confidence.

    Listed are the most probable labels, and the true label if it is not among them.
    """
    true, predicted, confidence = dataset.labels, readings.labels, readings.confidence
    (wrong,) = np.nonzero(true != predicted)
    wrong = wrong[np.argsort(-confidence[wrong], kind="stable")][:MAX_MISREAD]
    wrong = wrong[np.lexsort((-confidence[wrong], predicted[wrong], true[wrong]))]
    images = []
    for i in wrong.tolist():
        ranked = readings.top(i, len(readings.classes))
        top = ranked[:N_TOP] + [(label, p) for label, p in ranked[N_TOP:] if label == true[i]]
        labels = {"true": int(true[i]), "predicted": int(predicted[i]), "top": top}
        images.append({"index": i, "uri": _data_uri(dataset.images[i]), **labels})
    return images


def _data_uri(image: Images) -> str:
    """Return an image, as dark ink on white, as a data URI."""
    buffer = io.BytesIO()
    Image.fromarray(WHITE - image).save(buffer, format="PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _model_rows(info: ModelInfo) -> dict[str, list[tuple[str, str]]]:
    """Return (name, value) pairs by group."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for group, name, value in info.rows():
        groups.setdefault(group or "model", []).append((name, value))
    return groups
