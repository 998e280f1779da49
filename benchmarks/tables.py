"""Measure time and memory of reading tables of images, next to pandas and pyarrow.

    pip install -e '.[parquet]' pandas
    python -m benchmarks.tables

The tables are MNIST's training images: 42,000 rows, as in Kaggle's train.csv, in the notations of
several programs; then a CSV file of 1.1 GB. Each reading is a process of its own, and ratios are of
two that ran one after the other. pandas reads with its C engine, and its values are copied to uint8
images and int64 labels, which `load_dataset` gives. Writes ``benchmarks/tables.md``. Takes about
ten minutes and 3 GB of disk.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import numpy as np

from mnist_svm import load_dataset

HERE = Path(__file__).parent
N_ROWS = 42_000
REPEATS = 3
LARGE_BYTES = 1_100_000_000

Cell = Callable[[int], str]

# Seconds of process time, and bytes of peak memory beyond those before reading.
READ = """
import json, re, sys, time
import numpy as np
{imports}
path = sys.argv[1]

def peak():
    # The peak of getrusage may be that of the parent process.
    return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])

before = peak()
start = time.process_time()
{read}
seconds = time.process_time() - start
after = peak()
arrays = images.nbytes + labels.nbytes
print(json.dumps(dict(seconds=seconds, peak=(after - before) * 1024, arrays=arrays,
                      sums=[int(images.sum(dtype="u8")), int(labels.sum())])))
"""
OURS = READ.format(
    imports="from mnist_svm.datasets.formats.{module} import {function}",
    read="found = {call}; images, labels = found.images, found.labels",
)
PANDAS = READ.format(
    imports="import pandas as pd",
    read="""
table = pd.{call}
values = table.iloc[:, 1:].to_numpy()
if values.dtype.kind == "f" and values.max() <= 1:
    values = np.rint(values * 255)
images, labels = values.astype(np.uint8), table.iloc[:, 0].to_numpy(np.int64)
""",
)


def main() -> None:
    """Measure, print and write the table."""
    train = load_dataset("mnist", split="train")
    rows = train.images[:N_ROWS].reshape(-1, 784)
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        for name, (write, ours, pandas) in cases().items():
            path = Path(folder) / "table"
            write(path, rows, train.labels[:N_ROWS])
            lines.append(compare(name, path, ours, pandas))
            print(lines[-1], flush=True)
        path = Path(folder) / "large.csv"
        n_rows = write_large(path, train.images.reshape(-1, 784), train.labels)
        lines.append(compare(f"CSV, {n_rows:,} rows", path, csv_call(), pandas_csv(), repeats=1))
        print(lines[-1], flush=True)
    (HERE / "tables.md").write_text(format_table(lines))


def cases() -> dict[str, tuple[Callable[..., None], str, str]]:
    """Return how each table is written, and read by this package and by pandas."""
    digits = [str(value) for value in range(256)]
    floats = [f"{value:.18e}" for value in range(256)]
    fractions = [repr(value / 255) for value in range(256)]
    ours = csv_call()
    parquet = OURS.format(
        module="parquet_files", function="open_parquet", call="open_parquet(Path(path)).read(print)"
    )
    return {
        "CSV, as Kaggle's": (csv_writer(",", digits), ours, pandas_csv()),
        "CSV, quoted": (csv_writer(",", [f'"{x}"' for x in digits]), ours, pandas_csv()),
        "CSV, semicolons": (csv_writer(";", digits), ours, pandas_csv('sep=";"')),
        "CSV, fractions of 1": (csv_writer(",", fractions), ours, pandas_csv()),
        "CSV, np.savetxt": (csv_writer(",", floats), ours, pandas_csv()),
        "Parquet, a column per pixel": (
            write_parquet,
            parquet.replace("import json", "from pathlib import Path\nimport json").replace(
                "(print)", "(lambda done, total: None)"
            ),
            PANDAS.format(call="read_parquet(path)"),
        ),
    }


def csv_call() -> str:
    """Return the script that reads a CSV file with this package."""
    return OURS.format(module="csv", function="read_csv", call="read_csv(path)")


def pandas_csv(options: str = 'sep=","') -> str:
    """Return the script that reads a CSV file with pandas."""
    return PANDAS.format(call=f'read_csv(path, engine="c", {options})')


def csv_writer(separator: str, cells: list[str]) -> Callable[..., None]:
    """Return a function that writes values as these texts."""

    def write(path: Path, rows: np.ndarray, labels: np.ndarray) -> None:
        with path.open("w", encoding="utf-8") as file:
            file.writelines(csv_lines(rows, labels, separator, cells))

    return write


def csv_lines(
    rows: np.ndarray, labels: np.ndarray, separator: str, cells: list[str]
) -> Iterator[str]:
    """Yield the lines of a CSV file."""
    yield separator.join(["label", *(f"pixel{i}" for i in range(784))]) + "\n"
    for row, label in zip(rows.tolist(), labels.tolist(), strict=True):
        # Labels are whole in any notation of the pixels.
        text = f'"{label}"' if cells[0].startswith('"') else str(label)
        yield separator.join([text, *(cells[value] for value in row)]) + "\n"


def write_parquet(path: Path, rows: np.ndarray, labels: np.ndarray) -> None:
    """Write one column per pixel."""
    import pyarrow as pa
    from pyarrow import parquet

    pixels = {f"pixel{i}": rows[:, i] for i in range(784)}
    parquet.write_table(pa.table({"label": labels, **pixels}), path)


def write_large(path: Path, rows: np.ndarray, labels: np.ndarray) -> int:
    """Write the images again and again; return the number of rows."""
    lines = csv_lines(rows, labels, ",", [str(value) for value in range(256)])
    header = next(lines)
    block = "".join(lines)
    n_blocks = -(-LARGE_BYTES // len(block))
    with path.open("w", encoding="utf-8") as file:
        file.write(header)
        for _ in range(n_blocks):
            file.write(block)
    return n_blocks * len(rows)


def compare(name: str, path: Path, ours: str, pandas: str, repeats: int = REPEATS) -> str:
    """Return a row of the table; raise ValueError if the two read other values."""
    ours_runs, pandas_runs = [], []
    for _ in range(repeats):
        ours_runs.append(run(ours, path))
        pandas_runs.append(run(pandas, path))
    if ours_runs[0]["sums"] != pandas_runs[0]["sums"]:
        msg = f"{name}: other values than pandas"
        raise ValueError(msg)
    seconds = [median(x["seconds"] for x in runs) for runs in (ours_runs, pandas_runs)]
    ratio = median(a["seconds"] / b["seconds"] for a, b in zip(ours_runs, pandas_runs, strict=True))
    arrays = ours_runs[0]["arrays"]
    peaks = [max(x["peak"] for x in runs) / arrays for runs in (ours_runs, pandas_runs)]
    return (
        f"| {name} | {path.stat().st_size / 1e6:,.0f} | {seconds[0]:.1f} | {seconds[1]:.1f} "
        f"| {ratio:.2f} | {peaks[0]:.2f} | {peaks[1]:.2f} |"
    )


def run(script: str, path: Path) -> dict:
    """Return what the script prints in a new process."""
    command = [sys.executable, "-c", script, str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def format_table(lines: list[str]) -> str:
    """Return the results as a Markdown table."""
    return "\n".join(
        [
            f"{N_ROWS:,} rows of MNIST, where nothing else is said: seconds of process time to",
            "images and labels, and peak memory as a multiple of these arrays, by",
            '`python -m benchmarks.tables`. pandas: `read_csv(engine="c")` or `read_parquet`, and',
            "the copy to uint8.",
            "",
            "| table | MB | mnist-svm, s | pandas, s | ratio | memory | memory of pandas |",
            "|---|---|---|---|---|---|---|",
            *lines,
            "",
        ]
    )


if __name__ == "__main__":
    main()
