"""Curves of an evaluation, as SVG that takes its colours from the page around it."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mnist_svm.evaluation.learning_curve import LearningPoint
from mnist_svm.evaluation.measures import ConfidenceReport, wilson_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

# Stand-ins for what style sheets know and matplotlib does not: colours that change with the light.
SOFT, LINE, INK = "#010101", "#020202", "#030303"
_VARIABLES = {SOFT: "--soft", LINE: "--line", INK: "--ink"}

# Inches; with text of nine points it can be read on a telephone, where it is shown unscaled.
SIZE = (4.4, 3.1)

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

# The surest images are not shown beyond the point where so small a part of the errors is left.
SHOWN_ERRORS = 0.05

# More decades than these have no room for a tick at 1, 2 and 5 of each.
ROOMY_DECADES = 2.3


def reliability_chart(confidence_report: ConfidenceReport) -> str:
    """Draw what share of the images of each bin was read right, against their confidence.

    Parameters
    ----------
    confidence_report : ConfidenceReport

    Returns
    -------
    str
        An SVG element. A dot's area grows with the logarithm of the number of images, the line
        through it is the 95 % Wilson score interval.
    """

    def draw(axes: Axes) -> None:
        bins = confidence_report.bins
        confidence = np.array([part.confidence for part in bins])
        accuracy = np.array([part.accuracy for part in bins])
        low, high = np.transpose([wilson_interval(part.right, part.n) for part in bins])
        area = 14 * (1 + np.log10([part.n for part in bins]))
        axes.plot([0, 1], [0, 1], color=SOFT, linewidth=0.9, linestyle=(0, (4, 3)))
        axes.vlines(confidence, low, high, color=INK, linewidth=1.1, alpha=0.6)
        axes.scatter(confidence, accuracy, s=area, color=INK, linewidths=0, zorder=3)
        axes.set_xlim(min(0.5, confidence.min() - 0.03), 1.02)
        axes.set_ylim(-0.02, 1.03)
        axes.set_xlabel("confidence")
        axes.set_ylabel("read right")
        _in_percent(axes.xaxis, axes.yaxis)

    return _svg("reliability", draw)


def coverage_chart(confidence_report: ConfidenceReport) -> str:
    """Draw the accuracy on the surest images against their share of all.

    Parameters
    ----------
    confidence_report : ConfidenceReport

    Returns
    -------
    str
        An SVG element. The dots are the points of ``confidence_report.coverage``.
    """

    def draw(axes: Axes) -> None:
        answered, misread = confidence_report.answered, confidence_report.misread
        n = int(answered[-1])
        few = answered[misread <= SHOWN_ERRORS * misread[-1]]
        least = min([int(few.max(initial=0)), *(point.n for point in confidence_report.coverage)])
        seen = answered >= max(n - 1.2 * (n - least), 0)
        points = confidence_report.coverage
        axes.plot(answered[seen] / n, 1 - misread[seen] / answered[seen], color=INK, linewidth=1.6)
        shares, accuracies = [point.n / n for point in points], [point.accuracy for point in points]
        axes.scatter(shares, accuracies, color=INK, s=24, linewidths=0, zorder=3)
        axes.margins(x=0.02, y=0.06)
        axes.set_xlabel("images answered, the surest first")
        axes.set_ylabel("of these, read right")
        _in_percent(axes.xaxis, axes.yaxis)

    return _svg("coverage", draw)


def learning_chart(lessons: Sequence[LearningPoint]) -> str:
    """Draw the error rate against the number of training images, both on logarithmic scales.

    Parameters
    ----------
    lessons : sequence of LearningPoint, at least one

    Returns
    -------
    str
        An SVG element. The band is the 95 % Wilson score interval.
    """

    def draw(axes: Axes) -> None:
        from matplotlib.ticker import EngFormatter

        images = [lesson.images for lesson in lessons]
        rates = [lesson.errors / lesson.n for lesson in lessons]
        low, high = np.transpose([wilson_interval(each.errors, each.n) for each in lessons])
        axes.fill_between(images, low, high, color=INK, alpha=0.16, linewidth=0)
        axes.plot(images, rates, color=INK, linewidth=1.6, marker="o", markersize=4.5)
        axes.set_xscale("log")
        _few_ticks(axes.xaxis, images[-1] / images[0])
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        # None misread has no place on a logarithmic scale.
        if min(low) > 0:
            axes.set_yscale("log")
            _few_ticks(axes.yaxis, max(high) / min(low))
        axes.set_xlabel("training images")
        axes.set_ylabel("misread")
        _in_percent(axes.yaxis)

    return _svg("learning", draw)


def _few_ticks(axis: Axis, ratio: float) -> None:
    """Ticks of a logarithmic axis that have room for their labels."""
    from matplotlib.ticker import LogLocator, NullLocator

    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if np.log10(ratio) < ROOMY_DECADES else (1,)))
    axis.set_minor_locator(NullLocator())


def _in_percent(*axes: Axis) -> None:
    for axis in axes:
        axis.set_major_formatter(lambda share, position: f"{100 * share:.4g}%")


def _svg(name: str, draw: Callable[[Axes], None]) -> str:
    """Draw, and make of it an element for a page that has others and colours of its own."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    buffer = io.StringIO()
    with rc_context({**_STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=SIZE, layout="constrained")
        draw(figure.add_subplot())
        figure.savefig(buffer, format="svg", transparent=True, metadata=nothing)
    _, svg = buffer.getvalue().split("<svg", 1)
    # The page sets size and font, and a style sheet in here would be all the page's.
    svg = re.sub(r' (?:width|height)="[\d.]+pt"', "", svg, count=2)
    svg = re.sub(r"<style.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"font-family: [^;\"]+;? ?", "", svg)
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", svg)
    for stand_in, variable in _VARIABLES.items():
        svg = svg.replace(stand_in, f"var({variable})")
    return f"<svg{svg}"
