"""How time and memory grow with the number of points, beside scikit-learn's SVC and Intel's.

    pip install -e '.[bench]'
    python -m benchmarks.growth

15,000 to 480,000 points: deskewed MNIST and its one-pixel shifts. A machine takes part until a
run of it exceeds ten minutes. Writes the table ``benchmarks/growth.md`` and the chart
``benchmarks/growth.png``. Takes about forty minutes on two cores, and 6 GB of memory with the data.
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

from benchmarks.peers import PROBLEM, available, run
from mnist_svm import Deskew, load_dataset

HERE = Path(__file__).parent
SIZES = (15_000, 30_000, 60_000, 120_000, 240_000, 480_000)
LIMIT = 600

# The growth exponent is fitted from here on.
LARGE = 60_000

# The image itself first, then the shifts along the axes, then along the diagonals.
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
                result = run(name, Path(folder), timeout=LIMIT)
                if result is None:
                    running.discard(name)
                    print(f"{size:>8,} {name:24} more than {LIMIT} s", flush=True)
                    continue
                results[name][size] = result
                peak = result["peak"] / 2**20
                print(f"{size:>8,} {name:24} {result['fit']:7.1f} s {peak:8,.0f} MiB", flush=True)
    table = table_of(results)
    print(table)
    (HERE / "growth.md").write_text(table)
    chart(results).savefig(HERE / "growth.png", dpi=120)


def save_shifted(folder: Path, images: np.ndarray, labels: np.ndarray, size: int) -> None:
    """The first so many of the images, and of their shifts by one pixel."""
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
    """The slope of log seconds over log points, from `LARGE` up to a size."""
    sizes = [size for size in results if LARGE <= size <= up_to]
    if len(sizes) < 2:
        return None
    seconds = [results[size]["fit"] for size in sizes]
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def table_of(results: dict[str, dict[int, dict]]) -> str:
    """The figures in Markdown."""
    rows = []
    for size in SIZES:
        cells = []
        for of in results.values():
            peak = of[size]["peak"] / 2**20 if size in of else 0
            fit = f"{of[size]['fit']:.1f} s, {peak:,.0f} MiB" if size in of else f"over {LIMIT} s"
            cells.append(fit)
        support = results["mnist_svm.KernelSVC"].get(size, {}).get("support_vectors", 0)
        rows.append(f"| {size:,} | {' | '.join(cells)} | {support:,} |")
    exponents = [exponent(of, up_to=SIZES[-1]) for of in results.values()]
    cells = [
        f"{slope:.2f} (to {max(of):,})" if slope else "-"
        for slope, of in zip(exponents, results.values(), strict=True)
    ]
    rows.append(f"| exponent from {LARGE:,} | {' | '.join(cells)} | |")
    shared = min(max(of) for of in results.values())
    cells = [
        f"{slope:.2f}" if (slope := exponent(of, up_to=shared)) else "-" for of in results.values()
    ]
    rows.append(f"| exponent from {LARGE:,} to {shared:,} | {' | '.join(cells)} | |")
    parameters = ", ".join(f"{key}={value!r}" for key, value in PROBLEM.items())
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
    """Seconds and memory over points, both axes logarithmic."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    parts = (("seconds to fit", "fit", 1), ("peak memory, MiB", "peak", 2**20))
    for axis, (title, key, unit) in zip(axes, parts, strict=True):
        for at, (name, of) in enumerate(results.items()):
            ours = at == 0
            axis.loglog(
                list(of),
                [result[key] / unit for result in of.values()],
                marker="o",
                linewidth=2.5 if ours else 1.5,
                color="#1f77b4" if ours else ("#d62728", "#7f7f7f")[at - 1],
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
