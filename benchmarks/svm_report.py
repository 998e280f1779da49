"""Tables and chart of `benchmarks.svm_suite`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.metadata import version
from statistics import median
from typing import Any, NamedTuple

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt

from benchmarks.svm_problems import QUICK
from benchmarks.svm_process import IMPLEMENTATIONS

OWN, *PEERS = IMPLEMENTATIONS
REFERENCE = "sklearn.svm.SVC"

PACKAGES = {
    "sklearn.svm.SVC": "scikit-learn",
    "sklearnex.svm.SVC": "scikit-learn-intelex",
    "thundersvm.SVC": "thundersvm-cpu",
}

START_UP = "start-up"

# KernelSVC is the line at a ratio of 1.
OWN_COLOR = "#1f77b4"
COLORS = dict(zip(PEERS, ("#d62728", "#7f7f7f", "#2ca02c"), strict=True))

# Results of a problem, by implementation.
Results = dict[str, dict[str, Any]]


class Ratio(NamedTuple):
    """What a peer takes over what KernelSVC takes; `at_least` if the peer was stopped."""

    value: float
    at_least: bool = False

    def __str__(self) -> str:
        """Return two or three digits."""
        digits = 2 if self.value < 1.95 else 1 if self.value < 99.5 else 0
        return f"{'> ' if self.at_least else ''}{self.value:,.{digits}f}"


def amount(result: dict[str, Any], key: str) -> float | None:
    """Return median seconds, or the bytes of peak memory; None if not measured."""
    value = result.get(key)
    return median(value) if isinstance(value, list) else value


def ratio(results: Results, peer: str, key: str) -> Ratio | None:
    """Return what a peer takes over what KernelSVC takes; None if one of them failed."""
    own, other = amount(results[OWN], key), amount(results[peer], key)
    if own is None:
        return None
    if other is not None:
        return Ratio(other / own)
    stopped = results[peer].get("stopped") if key == "fit" else None
    return Ratio(stopped / own, at_least=True) if stopped else None


def format_text(all_results: dict[str, Results], names: Sequence[str], *, quick: bool) -> str:
    """Return the tables in Markdown, with what was measured."""
    peers = names[1:]
    packages = ["numba", *(PACKAGES[peer] for peer in peers)]
    versions = ", ".join(f"{package} {version(package)}" for package in packages)
    problems = {name: results for name, results in all_results.items() if name != START_UP}
    fits = fit_table(all_results, peers)
    predictions = ratio_table(problems, peers, "predict", "predict")
    memory = ratio_table(problems, peers, "peak", "memory")
    size = f", with one of {QUICK} samples" if quick else ""
    text = [
        f"`KernelSVC` and the SVC of others on {os.cpu_count()} cores, by",
        f"`python -m benchmarks.svm_suite`{size}. {versions}.",
        "",
        *summary(problems, peers),
        "",
        "Seconds to fit: the median of five fits, or of those in three seconds, after a warm-up.",
        '"Ours" are seconds, and the others are multiples of them. The kernel cache of others is',
        f"1 GiB. {START_UP} is the import and the first fit of a process, of the samples of small.",
        "",
        *fits,
        "",
        "Seconds to predict:",
        "",
        *predictions,
        "",
        "Peak memory of the process, with the data and all libraries:",
        "",
        *memory,
        "",
        "Objective: the sum over all pairs of classes of the dual objective, in float64; shown is",
        f"the relative difference from `{REFERENCE}`, and larger is better. KKT: the violation of",
        "the optimality conditions that tol, 0.001, bounds in libsvm; over all training samples,",
        "the largest of at most ten pairs.",
        "",
        *optimality_table(problems, names),
        "",
        "The problems:",
        "",
        *(problem_line(results[OWN]) for results in problems.values()),
        "",
    ]
    return "\n".join(text)


def summary(problems: dict[str, Results], peers: Sequence[str]) -> list[str]:
    """Return on how many problems KernelSVC fits at least as fast, and three times as fast."""
    lines = []
    for peer in peers:
        ratios = [ratio(results, peer, "fit") for results in problems.values()]
        values = [each.value for each in ratios if each]
        as_fast, thrice = (sum(value >= limit for value in values) for limit in (1, 3))
        lines.append(
            f"- Fits at least as fast as `{peer}` on {as_fast} of {len(problems)} problems, and at "
            f"least three times as fast on {thrice}."
        )
    return lines


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table in Markdown."""
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]


def shown(result: dict[str, Any], key: str) -> str:
    """Return seconds or MiB, or why there are none."""
    value = amount(result, key)
    if value is None:
        return result.get("error", "-").replace("|", "/") if key == "fit" else "-"
    if key == "peak":
        return f"{value / 2**20:,.0f} MiB"
    return f"{value:#.3g} s" if value < 100 else f"{value:.0f} s"


def ratio_cells(results: Results, peers: Sequence[str], key: str) -> list[str]:
    """Return the ratios of the peers; what they take themselves, where KernelSVC failed."""
    return [str(ratio(results, peer, key) or shown(results[peer], key)) for peer in peers]


def fit_table(all_results: dict[str, Results], peers: Sequence[str]) -> list[str]:
    """Return the table of problems and of seconds to fit."""
    rows = []
    for results in all_results.values():
        own = results[OWN]
        n, d = own["shape"]
        counts = [result.get("support_vectors") for result in results.values()]
        support = next((f"{count:,} ({count / n:.0%})" for count in counts if count), "-")
        cells = [own["title"], f"{n:,} x {d}", str(own["classes"]), support]
        cells += [shown(own, "fit"), *ratio_cells(results, peers, "fit")]
        rows.append(cells)
    head = ["fit", "samples x features", "classes", "support vectors", "ours"]
    return table([*head, *over_ours(peers)], rows)


def ratio_table(
    problems: dict[str, Results], peers: Sequence[str], key: str, title: str
) -> list[str]:
    """Return the table of one measurement."""
    rows = [
        [
            results[OWN]["title"],
            *([f"{results[OWN]['predicted']:,}"] if key == "predict" else []),
            shown(results[OWN], key),
            *ratio_cells(results, peers, key),
        ]
        for results in problems.values()
    ]
    samples = ["samples"] if key == "predict" else []
    return table([title, *samples, "ours", *over_ours(peers)], rows)


def over_ours(peers: Sequence[str]) -> list[str]:
    """Return the heads of the columns of ratios."""
    return [f"`{peer}` / ours" for peer in peers]


def optimality_table(problems: dict[str, Results], names: Sequence[str]) -> list[str]:
    """Return the table of objectives and violations."""
    compared = [name for name in names if name != REFERENCE]
    rows = []
    for results in problems.values():
        reference = results.get(REFERENCE, {}).get("objective")
        cells = [results[OWN]["title"]]
        for name in compared:
            objective = results[name].get("objective")
            known = reference is not None and objective is not None
            cells.append(f"{(objective - reference) / abs(reference):+.0e}" if known else "-")
        for name in names:
            gap = results[name].get("gap")
            cells.append("-" if gap is None else f"{max(gap, 0):.1e}")
        rows.append(cells)
    heads = [f"objective, {short(name)}" for name in compared]
    return table(["", *heads, *(f"KKT, {short(name)}" for name in names)], rows)


def short(name: str) -> str:
    """Return a name for a narrow column."""
    return "ours" if name == OWN else name.split(".")[0]


def problem_line(result: dict[str, Any]) -> str:
    """Return the item of a list that tells of a problem."""
    parameters = {**result["parameters"], "gamma": float(f"{result['parameters']['gamma']:.3g}")}
    shown_parameters = ", ".join(f"{key}={value}" for key, value in parameters.items())
    return f"- {result['title']}: {result['about']}; {shown_parameters}"


def chart(all_results: dict[str, Results], peers: Sequence[str]) -> plt.Figure:
    """Return a chart of the ratios to fit and to predict; an arrow is a peer that was stopped."""
    height = 1.3 + 0.3 * len(all_results)
    figure, axes = plt.subplots(1, 2, figsize=(9, height), layout="constrained", sharey=True)
    for axis, key in zip(axes, ("fit", "predict"), strict=True):
        axis.axvline(1, color=OWN_COLOR, linewidth=2)
        for peer in peers:
            for row, results in enumerate(all_results.values()):
                found = ratio(results, peer, key)
                if found:
                    marker = ">" if found.at_least else "o"
                    axis.plot(found.value, row, marker, color=COLORS[peer], alpha=0.85)
            axis.plot([], [], "o", color=COLORS[peer], label=peer)
        axis.set_xscale("log")
        axis.xaxis.set_major_formatter("{x:g}")
        axis.set_title(f"seconds to {key}, divided by those of KernelSVC", loc="left", fontsize=10)
        axis.grid(alpha=0.3)
        axis.spines[["top", "right"]].set_visible(False)
    titles = [results[OWN]["title"] for results in all_results.values()]
    axes[0].set_yticks(range(len(titles)), titles)
    axes[0].set_ylim(len(titles) - 0.5, -0.5)
    figure.legend(
        *axes[0].get_legend_handles_labels(),
        loc="outside lower center",
        ncols=max(len(peers), 1),
        frameon=False,
    )
    return figure
