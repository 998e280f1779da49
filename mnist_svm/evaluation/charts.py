"""Charts of an evaluation as inline SVG, coloured by the CSS variables of the page."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mnist_svm.evaluation.learning_curve import LearningPoint
from mnist_svm.evaluation.measures import ConfidenceReport, wilson_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

# Placeholder colours, replaced by CSS variables that follow the light or dark scheme.
SOFT, LINE, INK = "#010101", "#020202", "#030303"
_VARIABLES = {SOFT: "--soft", LINE: "--line", INK: "--ink"}

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.size": 9,
    "axes.edgecolor": LINE,
    "axes.labelcolor": SOFT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": SOFT,
    "ytick.labelcolor": SOFT,
}

# The accuracy-coverage curve begins where this fraction of the errors is left.
MIN_ERRORS_SHOWN = 0.05


def draw_reliability(axes: Axes, report: ConfidenceReport) -> None:
    """Draw the accuracy of each confidence bin against its mean confidence.

    The area of a dot grows with the logarithm of the number of images; the vertical line is the
    95 % Wilson score interval.
    """
    bins = report.bins
    confidence = np.array([each.confidence for each in bins])
    accuracy = np.array([each.accuracy for each in bins])
    low, high = np.transpose([wilson_interval(each.correct, each.n) for each in bins])
    area = 14 * (1 + np.log10([each.n for each in bins]))
    axes.plot([0, 1], [0, 1], color=SOFT, linewidth=0.9, linestyle=(0, (4, 3)))
    axes.vlines(confidence, low, high, color=INK, linewidth=1.1, alpha=0.6)
    axes.scatter(confidence, accuracy, s=area, color=INK, linewidths=0, zorder=3)
    axes.set(xlim=(min(0.5, confidence.min() - 0.03), 1.02), ylim=(-0.02, 1.03))
    axes.set(xlabel="confidence", ylabel="accuracy")
    _format_percent(axes.xaxis, axes.yaxis)


def draw_coverage(axes: Axes, report: ConfidenceReport) -> None:
    """Draw accuracy against coverage, the fraction of images that are not rejected.

    The dots are the points of ``report.rejection``.
    """
    answered, misread, points = report.answered, report.misread, report.rejection
    n = int(answered[-1])
    few_errors = answered[misread <= MIN_ERRORS_SHOWN * misread[-1]]
    least = min([int(few_errors.max(initial=0)), *(point.n for point in points)])
    shown = answered >= max(n - 1.2 * (n - least), 0)
    accuracy = 1 - misread[shown] / answered[shown]
    axes.plot(answered[shown] / n, accuracy, color=INK, linewidth=1.6)
    coverages, accuracies = zip(*((point.n / n, point.accuracy) for point in points), strict=True)
    axes.scatter(coverages, accuracies, color=INK, s=24, linewidths=0, zorder=3)
    axes.margins(x=0.02, y=0.06)
    axes.set(xlabel="coverage", ylabel="accuracy")
    _format_percent(axes.xaxis, axes.yaxis)


def draw_learning(axes: Axes, points: Sequence[LearningPoint]) -> None:
    """Draw the error rate and its 95 % Wilson score interval against the number of images."""
    from matplotlib.ticker import EngFormatter

    images = [point.n_train for point in points]
    rates = [point.errors / point.n_test for point in points]
    low, high = np.transpose([wilson_interval(point.errors, point.n_test) for point in points])
    axes.fill_between(images, low, high, color=INK, alpha=0.16, linewidth=0)
    axes.plot(images, rates, color=INK, linewidth=1.6, marker="o", markersize=4.5)
    axes.set_xscale("log")
    _set_log_ticks(axes.xaxis, images[-1] / images[0])
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    # An error rate of zero cannot be drawn on a logarithmic scale.
    if min(low) > 0:
        axes.set_yscale("log")
        _set_log_ticks(axes.yaxis, max(high) / min(low))
    axes.set(xlabel="training images", ylabel="error rate")
    _format_percent(axes.yaxis)


def draw_training(axes: Axes, epochs: Sequence[Mapping[str, Any]]) -> None:
    """Draw the loss of a network on its training images and, if there are any, held-out images."""
    from matplotlib.ticker import MaxNLocator

    numbers = [each["epoch"] for each in epochs]
    losses = [each["loss"] for each in epochs]
    held_out = [each["held_out_loss"] for each in epochs]
    axes.plot(numbers, losses, color=SOFT, linewidth=1.2, label="training")
    if any(held_out):
        axes.plot(numbers, held_out, color=INK, linewidth=1.6, label="held out")
        losses += held_out
    axes.set_yscale("log")
    positive = [loss for loss in losses if loss > 0] or [1.0]
    _set_log_ticks(axes.yaxis, max(positive) / min(positive))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel="epoch", ylabel="log loss")
    axes.legend(frameon=False, labelcolor=SOFT)


def _set_log_ticks(axis: Axis, ratio: float) -> None:
    """Set as many ticks on a logarithmic axis as there is room for labels."""
    from matplotlib.ticker import LogLocator, NullLocator

    subs = (1, 2, 5) if np.log10(ratio) < 2.3 else (1,)
    axis.set_major_locator(LogLocator(subs=subs))
    axis.set_minor_locator(NullLocator())


def _format_percent(*axes: Axis) -> None:
    for axis in axes:
        axis.set_major_formatter(lambda fraction, position: f"{100 * fraction:.4g}%")


def chart_svg(name: str, draw: Callable[[Axes, Any], None], data: object) -> str:
    """Return a chart as an SVG element whose ids start with a name, for inlining in HTML."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    no_metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    buffer = io.StringIO()
    with rc_context({**_STYLE, "svg.hashsalt": name}):
        # Inches: with 9-point text, legible at this size on a phone.
        figure = Figure(figsize=(4.4, 3.1), layout="constrained")
        draw(figure.add_subplot(), data)
        figure.savefig(buffer, format="svg", transparent=True, metadata=no_metadata)
    _, svg = buffer.getvalue().split("<svg", 1)
    # The page sets size and font, and an inline style element would apply to the whole page.
    svg = re.sub(r' (?:width|height)="[\d.]+pt"', "", svg, count=2)
    svg = re.sub(r"<style.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"font-family: [^;\"]+;? ?", "", svg)
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", svg)
    for placeholder, variable in _VARIABLES.items():
        svg = svg.replace(placeholder, f"var({variable})")
    return f"<svg{svg}"
