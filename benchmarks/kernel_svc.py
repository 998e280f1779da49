"""Compare KernelSVC with the SVC of scikit-learn and of Intel's extension, on deskewed MNIST.

    pip install -e . --group bench
    python -m benchmarks.kernel_svc

Each implementation in turn fits the 60,000 training images, twice, in separate processes. The first
process also predicts the 10,000 test images five times. Writes the table
``benchmarks/kernel_svc.md`` and the chart ``docs/images/kernel_svc.png``. Takes about ten minutes
on two cores.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from statistics import median

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

from benchmarks.peers import PARAMETERS, available, run
from mnist_svm import Deskew, load_dataset

HERE = Path(__file__).parent
IMAGES = HERE.parent / "docs" / "images"
FITS = 2
PREDICTIONS = 5


def main() -> None:
    """Measure, print and write the table and the chart."""
    names = available()
    results: dict[str, list[dict]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as folder:
        save_deskewed(Path(folder))
        for turn in range(FITS):
            for name in names:
                # Both fits give the same model: predict with the first.
                result = run(name, Path(folder), predictions=0 if turn else PREDICTIONS)
                results[name].append(result)
                print(f"{name:24} fit {result['fit']:6.1f} s", flush=True)
    table = format_table(results)
    print(table)
    (HERE / "kernel_svc.md").write_text(table)
    chart(results).savefig(IMAGES / "kernel_svc.png", dpi=120)


def save_deskewed(folder: Path) -> None:
    """Save deskewed pixels, float32, 0-255, and labels for all implementations."""
    for split, suffix in (("train", ""), ("test", "_test")):
        dataset = load_dataset("mnist", split=split)
        np.save(folder / f"X{suffix}.npy", Deskew().fit_transform(dataset.X))
        np.save(folder / f"y{suffix}.npy", dataset.labels)


def fit_seconds(results: list[dict]) -> float:
    """Return the median over the fits."""
    return median(result["fit"] for result in results)


def predict_seconds(results: list[dict]) -> float:
    """Return the median over the predictions."""
    return median(results[0]["predict"])


def format_table(results: dict[str, list[dict]]) -> str:
    """Return the results as a Markdown table."""
    own, *peers = results
    reference = results.get("sklearn.svm.SVC", results[own])[0]["objectives"]
    rows = []
    for name, runs in results.items():
        fit, predict = fit_seconds(runs), predict_seconds(runs)
        difference = np.abs(np.array(runs[0]["objectives"]) / reference - 1).max()
        rows.append(
            f"| `{name}` | {fit:.1f} s | {predict:.2f} s "
            f"| {max(result['peak'] for result in runs) / 2**20:,.0f} MiB "
            f"| {runs[0]['support_vectors']:,} | {sum(runs[0]['objectives']):.3f} "
            f"| {difference:.0e} | {runs[0]['accuracy']:.2%} |"
        )
    ratios = [
        f"| `{peer}` / ours | {fit_seconds(results[peer]) / fit_seconds(results[own]):.1f} "
        f"| {predict_seconds(results[peer]) / predict_seconds(results[own]):.1f} "
        f"| {results[peer][0]['peak'] / results[own][0]['peak']:.1f} | | | | |"
        for peer in peers
    ]
    parameters = ", ".join(f"{key}={value!r}" for key, value in PARAMETERS.items())
    head = "fit, predict, peak memory, support vectors, dual objective, differs by, accuracy"
    return "\n".join(
        [
            f"Deskewed MNIST, 60,000 x 784, {parameters}, on {os.cpu_count()} cores:",
            f"medians of {FITS} fits and of {PREDICTIONS} predictions of 10,000 images, in one run",
            "of `python -m benchmarks.kernel_svc`.",
            "Memory is the peak of the process, with the data (180 MiB) and all libraries.",
            'The dual objective is the sum over the 45 pairs; "differs by" is the largest relative',
            "difference of a pair from `sklearn.svm.SVC`.",
            "",
            f"| | {head.replace(', ', ' | ')} |",
            "|---" * 8 + "|",
            *rows,
            *ratios,
            "",
        ]
    )


def chart(results: dict[str, list[dict]]) -> plt.Figure:
    """Return a bar chart of the seconds to fit and to predict."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 2.6), layout="constrained")
    parts = (("fit 60,000 images", fit_seconds), ("predict 10,000 images", predict_seconds))
    for axis, (title, seconds_of) in zip(axes, parts, strict=True):
        seconds = [seconds_of(runs) for runs in results.values()]
        colors = ["#1f77b4"] + ["#b0b0b0"] * (len(seconds) - 1)
        bars = axis.barh(list(results), seconds, color=colors)
        labels = [f"{s:.2f} s" if s < 3 else f"{s:.1f} s" for s in seconds]
        axis.bar_label(bars, labels, padding=3)
        axis.set_title(title, loc="left")
        axis.set_xlim(0, 1.2 * max(seconds))
        axis.invert_yaxis()
        axis.spines[["top", "right"]].set_visible(False)
        axis.set_xlabel("seconds")
    axes[1].tick_params(labelleft=False)
    return figure


if __name__ == "__main__":
    main()
