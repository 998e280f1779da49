"""Train on MNIST and virtual copies of each image: one million points, and eight million.

    python -m benchmarks.large                  about 25 minutes, 8 GB of memory, 5 GB of disk
    python -m benchmarks.large --copies 8 --limit 6000         a quick test; writes no table

Each training with copies is interrupted with Ctrl-C after some rounds of the last fit, and resumed
with the same command. A training without copies is for comparison. Each is a process of the CLI.
Writes ``benchmarks/large.md``: what they took and gave, and where the time went.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mnist_svm.models.file import load_model
from mnist_svm.svm.fitted import fitted_svcs

HERE = Path(__file__).parent
TICK_SECONDS = 0.02

# Rounds of the last fit before the interruption, and the exit code after it.
ROUNDS = 3
EXIT_CODE = 130

COLUMNS = [
    "training",
    "points",
    "features on disk",
    "time",
    "peak memory",
    "excluding mapped files",
    "rounds",
    "support vectors",
    "test errors",
]
PARTS = [
    "points",
    "features",
    "calibration",
    "fit: solving pairs",
    "approximate scans",
    "exact scans",
    "all else",
]


@dataclass(frozen=True)
class Run:
    """A finished process.

    Attributes
    ----------
    exit_code : int
    stdout : str
    started : time of the start, in seconds since 1970.
    seconds : run time.
    peak : peak resident memory in bytes, with mapped files.
    anonymous : peak resident memory in bytes without mapped files, sampled 50 times a second.
    """

    exit_code: int
    stdout: str
    started: float
    seconds: float
    peak: int
    anonymous: int


def main() -> None:
    """Measure, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--copies", type=int, nargs="+", default=[16, 134])
    parser.add_argument("--limit", type=int, help="number of images to train on")
    arguments = parser.parse_args()
    limit = ["--limit", str(arguments.limit)] if arguments.limit else []
    options = ["--recipe", "gradient", *limit]
    # Not the default folder for temporary files, which may be in memory.
    with tempfile.TemporaryDirectory(dir=HERE) as folder:
        model = Path(folder) / "model.joblib"
        rows = [_row("images alone", model, [_finished(_train(model, options))])]
        print(rows[-1], flush=True)
        with_copies = [_with_copies(model, options, copies) for copies in arguments.copies]
    note = (
        f"The trainings with copies were interrupted with Ctrl-C in round {ROUNDS} of the last fit "
        "and resumed with the same command: times before + after. Memory is the larger of both."
    )
    table = _table(COLUMNS, [*rows, *(row for row, _ in with_copies)])
    if not arguments.limit:
        title = f"Recipe `gradient` on {os.cpu_count()} cores, by `python -m benchmarks.large`."
        times = _table(PARTS, [times for _, times in with_copies])
        text = [title, "", *table, "", note, "", "Where the time went:", "", *times, ""]
        (HERE / "large.md").write_text("\n".join(text))


def _table(columns: list[str], rows: list[str]) -> list[str]:
    return [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}", *rows]


def _with_copies(model: Path, options: list[str], copies: int) -> tuple[str, str]:
    """Rows of both tables for a training that is interrupted and resumed."""
    options = [*options, "--virtual-copies", str(copies)]
    interrupter = Interrupter(Path(f"{model}.work"))
    first = _train(model, options, interrupter)
    if first.exit_code != EXIT_CODE:
        sys.exit(f"ended with {first.exit_code} before {ROUNDS} rounds: {first.stdout}")
    parts = [first, _finished(_train(model, options))]
    row = _row(f"{copies} copies of each", model, parts, interrupter.features)
    times = _times(model, parts, interrupter)
    print(row, times, sep="\n", flush=True)
    return row, times


def _times(model: Path, parts: list[Run], interrupter: Interrupter) -> str:
    """A row of seconds; those of the fit are from its log."""
    (svc,) = fitted_svcs(load_model(model).pipeline)
    rounds = svc.fit_log_
    features = interrupter.features_written - parts[0].started
    calibration = interrupter.calibrated - interrupter.features_written
    scans = [sum(r["scan_seconds"] for r in rounds if r["exact"] == exact) for exact in (0, 1)]
    solving = rounds[-1]["seconds"] - sum(scans)
    seconds = [features, calibration, solving, *scans]
    seconds.append(sum(part.seconds for part in parts) - sum(seconds))
    cells = [f"{svc.shape_fit_[0]:,}", *(f"{value:,.0f} s" for value in seconds)]
    return f"| {' | '.join(cells)} |"


class Interrupter:
    """Interrupts a training once its checkpoint has been written a number of times.

    Parameters
    ----------
    folder : Path
        Work folder of the training.

    Attributes
    ----------
    features : int
        Size of the file of features in bytes.
    features_written, calibrated : float
        When these stages ended, in seconds since 1970.
    """

    features = 0
    features_written = calibrated = 0.0

    def __init__(self, folder: Path) -> None:
        self._features = folder / "features.npy"
        self._predictions = folder / "predictions-1.npy"
        self._checkpoint = folder / "all.npz"
        self._write_times: set[int] = set()

    def __call__(self, pid: int) -> None:
        """Check the checkpoint; interrupt the process if it is time."""
        with suppress(FileNotFoundError):
            written = self._checkpoint.stat().st_mtime_ns
            self.features = self._features.stat().st_size
            self.features_written = self._features.stat().st_mtime
            self.calibrated = self._predictions.stat().st_mtime
            if written not in self._write_times and len(self._write_times) + 1 == ROUNDS:
                os.kill(pid, signal.SIGINT)
            self._write_times.add(written)


def _train(
    model: Path,
    options: list[str],
    watch: Callable[[int], None] = lambda pid: None,
) -> Run:
    """Run a training; call `watch` with its process id while it runs."""
    command = [sys.executable, "-m", "mnist_svm", "train", *options, "-o", str(model), "--json"]
    started, start = time.time(), time.perf_counter()
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        cwd=HERE.parent,
        # Processes in the background of a shell inherit that Ctrl-C is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    anonymous = 0
    while True:
        ended, status, usage = os.wait4(process.pid, os.WNOHANG)
        if ended:
            break
        anonymous = max(anonymous, _anonymous(process.pid))
        watch(process.pid)
        time.sleep(TICK_SECONDS)
    seconds = time.perf_counter() - start
    assert process.stdout is not None
    code = os.waitstatus_to_exitcode(status)
    # Linux counts in KiB.
    stdout = process.stdout.read()
    return Run(code, stdout, started, seconds, usage.ru_maxrss * 1024, anonymous)


def _anonymous(pid: int) -> int:
    """Resident memory of a process in bytes, without mapped files."""
    match = re.search(r"RssAnon:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(encoding="utf-8"))
    return int(match[1]) * 1024 if match else 0


def _finished(run: Run) -> Run:
    if run.exit_code:
        sys.exit(f"a training ended with {run.exit_code}")
    return run


def _row(name: str, model: Path, parts: list[Run], features: int = 0) -> str:
    """A row for a training, in one part or several."""
    trained = json.loads(parts[-1].stdout)
    (svc,) = fitted_svcs(load_model(model).pipeline)
    evaluated = _evaluated(model)
    cells = [
        name,
        f"{svc.shape_fit_[0]:,}",
        f"{features / 1e6:,.0f} MB" if features else "",
        " + ".join(f"{part.seconds:,.0f}" for part in parts) + " s",
        f"{max(part.peak for part in parts) / 2**30:.1f} GiB",
        f"{max(part.anonymous for part in parts) / 2**30:.1f} GiB",
        f"{len(svc.fit_log_)}",
        f"{trained['n_support_vectors']:,}",
        f"{evaluated['errors']} of {evaluated['n']:,}",
    ]
    return f"| {' | '.join(cells)} |"


def _evaluated(model: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "mnist_svm", "eval", "-m", str(model), "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, cwd=HERE.parent)
    evaluation: dict[str, Any] = json.loads(done.stdout)
    return evaluation


if __name__ == "__main__":
    main()
