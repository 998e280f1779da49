"""Measure time and memory over the number of points, for KernelSVC and the SVC of others.

    pip install -e . --group bench
    python -m benchmarks.growth

The 15,000 to 480,000 points are deskewed MNIST images and their one-pixel shifts. An implementation
is left out once it has taken more than ten minutes. Writes the table ``benchmarks/growth.md`` and
the chart ``docs/images/growth.png``. Takes about forty minutes on two cores and 6 GB of memory.
"""

from __future__ import annotations

import os
import tempfile
from itertools import product
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

from benchmarks.peers import PARAMETERS, available, run
from mnist_svm import Deskew, load_dataset

HERE = Path(__file__).parent
IMAGES = HERE.parent / "docs" / "images"
# Numbers of points.
SIZES = (15_000, 30_000, 60_000, 120_000, 240_000, 480_000)
TIMEOUT = 600  # seconds

# Smallest number of points for the fit of the growth exponent.
MIN_FOR_EXPONENT = 60_000

# Of the lines, KernelSVC first.
COLORS = ("#1f77b4", "#d62728", "#7f7f7f")

# Pixels down and right: no shift first, then those along the axes, then the diagonal ones.
SHIFTS = sorted(product((0, 1, -1), repeat=2), key=lambda shift: abs(shift[0]) + abs(shift[1]))


def main() -> None:
    """Measure, print and write the table and the chart."""
    names = available()
    results: dict[str, dict[int, dict]] = {name: {} for name in names}
    running = set(names)
    train = load_dataset("mnist", split="train")
    deskewed = Deskew().fit_transform(train.X).reshape(-1, 28, 28)
    for size in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            save_shifted(Path(folder), deskewed, train.labels, size)
            for name in [name for name in names if name in running]:
                result = run(name, Path(folder), timeout=TIMEOUT)
                if result is None:
                    running.discard(name)
                    print(f"{size:>8,} {name:24} more than {TIMEOUT} s", flush=True)
                    continue
                results[name][size] = result
                peak = result["peak"] / 2**20
                print(f"{size:>8,} {name:24} {result['fit']:7.1f} s {peak:8,.0f} MiB", flush=True)
    table = format_table(results)
    print(table)
    (HERE / "growth.md").write_text(table)
    chart(results).savefig(IMAGES / "growth.png", dpi=120)


def save_shifted(folder: Path, images: np.ndarray, labels: np.ndarray, size: int) -> None:
    """Save the first `size` of the images and their shifts, and their labels."""
    X = np.lib.format.open_memmap(folder / "X.npy", "w+", np.float32, (size, 784))
    n = len(images)
    for start, (down, right) in zip(range(0, size, n), SHIFTS, strict=False):
        shifted = np.zeros_like(images)
        rows, columns = (slice(max(by, 0), 28 + min(by, 0)) for by in (down, right))
        sources = (slice(max(-by, 0), 28 + min(-by, 0)) for by in (down, right))
        shifted[:, rows, columns] = images[:, *sources]
        X[start : start + n] = shifted.reshape(n, 784)[: size - start]
    X.flush()
    np.save(folder / "y.npy", np.resize(labels, size))


def exponent(results: dict[int, dict], *, up_to: int) -> float | None:
    """Return the slope of log seconds over log points, from `MIN_FOR_EXPONENT` to `up_to`."""
    sizes = [size for size in results if MIN_FOR_EXPONENT <= size <= up_to]
    if len(sizes) < 2:
        return None
    seconds = [results[size]["fit"] for size in sizes]
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def format_table(results: dict[str, dict[int, dict]]) -> str:
    """Return the results as a Markdown table."""
    rows = []
    for size in SIZES:
        cells = []
        for runs in results.values():
            if size in runs:
                peak = runs[size]["peak"] / 2**20
                cells.append(f"{runs[size]['fit']:.1f} s, {peak:,.0f} MiB")
            else:
                cells.append(f"over {TIMEOUT} s")
        support = results["mnist_svm.KernelSVC"].get(size, {}).get("support_vectors", 0)
        rows.append(f"| {size:,} | {' | '.join(cells)} | {support:,} |")
    exponents = [exponent(runs, up_to=SIZES[-1]) for runs in results.values()]
    cells = [
        f"{slope:.2f} (to {max(runs):,})" if slope else "-"
        for slope, runs in zip(exponents, results.values(), strict=True)
    ]
    rows.append(f"| exponent from {MIN_FOR_EXPONENT:,} | {' | '.join(cells)} | |")
    shared = min(max(runs) for runs in results.values())
    exponents = [exponent(runs, up_to=shared) for runs in results.values()]
    cells = [f"{slope:.2f}" if slope else "-" for slope in exponents]
    rows.append(f"| exponent from {MIN_FOR_EXPONENT:,} to {shared:,} | {' | '.join(cells)} | |")
    parameters = ", ".join(f"{key}={value!r}" for key, value in PARAMETERS.items())
    names = " | ".join(f"`{name}`" for name in results)
    return "\n".join(
        [
            f"Deskewed MNIST and its one-pixel shifts, {parameters}, on {os.cpu_count()} cores:",
            "seconds to fit and the peak memory of the process, by `python -m benchmarks.growth`.",
            "",
            f"| points | {names} | support vectors |",
            "|---|" + "---|" * (len(results) + 1),
            *rows,
            "",
        ]
    )


def chart(results: dict[str, dict[int, dict]]) -> plt.Figure:
    """Return a chart of seconds and memory over points, both axes logarithmic."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    parts = (("seconds to fit", "fit", 1), ("peak memory, MiB", "peak", 2**20))
    for axis, (title, key, unit) in zip(axes, parts, strict=True):
        for (name, runs), color in zip(results.items(), COLORS, strict=False):
            axis.loglog(
                list(runs),
                [result[key] / unit for result in runs.values()],
                marker="o",
                linewidth=2.5 if color == COLORS[0] else 1.5,
                color=color,
                label=name,
            )
        axis.set_title(title, loc="left")
        axis.set_xticks(SIZES, [f"{size // 1000}k" for size in SIZES])
        axis.minorticks_off()
        axis.set_xlabel("training points")
        axis.grid(alpha=0.3)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].legend(frameon=False)
    return figure


if __name__ == "__main__":
    main()
