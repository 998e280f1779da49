"""Train on every image of MNIST and changed copies of each: one and two million points.

    python -m benchmarks.large
    python -m benchmarks.large --copies 4 --limit 3000      a trial; writes no table

Each training is interrupted with Ctrl-C after some rounds of the fit to all points, and goes on by
the same command. Beside them stands a training without copies, in the same run. Each is a process
of its own: what a user starts, with all that it takes. Writes ``benchmarks/large.md``.
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

# Of the fit to all points, before it is interrupted.
ROUNDS = 3
INTERRUPTED = 130

COLUMNS = [
    "training",
    "points",
    "features on disk",
    "time",
    "peak memory",
    "beside mapped files",
    "rounds",
    "support vectors",
    "test errors",
]


@dataclass(frozen=True)
class Run:
    """A process that has ended.

    Attributes
    ----------
    code : its exit code.
    said : what it printed.
    seconds : from its start to its end.
    peak : bytes in memory at its peak, mapped files among them, as the system counted.
    anonymous : the most bytes beside mapped files that were seen, fifty times a second.
    """

    code: int
    said: str
    seconds: float
    peak: int
    anonymous: int


def main() -> None:
    """Measure, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--copies", type=int, nargs="+", default=[16, 33])
    parser.add_argument("--limit", type=int, help="train on that many images")
    given = parser.parse_args()
    options = ["--recipe", "gradient", *(["--limit", str(given.limit)] if given.limit else [])]
    # The working folder is to be on a disk, which a folder for temporary files need not be.
    with tempfile.TemporaryDirectory(dir=HERE) as folder:
        model = Path(folder) / "model.joblib"
        rows = [_row("images alone", model, [_finished(_train(model, options))])]
        print(rows[-1], flush=True)
        rows += [_with_copies(model, options, copies) for copies in given.copies]
    told = (
        f"The trainings with copies were interrupted with Ctrl-C, {ROUNDS} rounds into the fit to "
        "all points, and went on by the same command: before + after. Memory is the larger of both."
    )
    table = [f"| {' | '.join(COLUMNS)} |", f"|{'---|' * len(COLUMNS)}", *rows]
    if not given.limit:
        what = f"Recipe `gradient` on {os.cpu_count()} cores, by `python -m benchmarks.large`."
        (HERE / "large.md").write_text("\n".join([what, "", *table, "", told, ""]))


def _with_copies(model: Path, options: list[str], copies: int) -> str:
    """A training that is interrupted, and goes on."""
    options = [*options, "--virtual-copies", str(copies)]
    interrupter = Interrupter(Path(f"{model}.work"))
    first = _train(model, options, interrupter)
    if first.code != INTERRUPTED:
        sys.exit(f"ended with {first.code} before {ROUNDS} rounds: {first.said}")
    parts = [first, _finished(_train(model, options))]
    row = _row(f"{copies} copies of each", model, parts, interrupter.features)
    print(row, flush=True)
    return row


class Interrupter:
    """Presses Ctrl-C once a checkpoint has been replaced often enough.

    Parameters
    ----------
    folder : Path
        The training's working folder.

    Attributes
    ----------
    features : int
        Bytes of the file of features.
    """

    features = 0

    def __init__(self, folder: Path) -> None:
        self._features = folder / "features.npy"
        self._checkpoint = folder / "all.npz"
        self._seen: set[int] = set()

    def __call__(self, pid: int) -> None:
        """Look at the files, and act."""
        with suppress(FileNotFoundError):
            replaced = self._checkpoint.stat().st_mtime_ns
            self.features = self._features.stat().st_size
            if replaced not in self._seen and len(self._seen) + 1 == ROUNDS:
                os.kill(pid, signal.SIGINT)
            self._seen.add(replaced)


def _train(
    model: Path,
    options: list[str],
    look: Callable[[int], None] = lambda pid: None,
) -> Run:
    """A training, looked at while it runs."""
    command = [sys.executable, "-m", "mnist_svm", "train", *options, "-o", str(model), "--json"]
    start = time.perf_counter()
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        cwd=HERE.parent,
        # A shell in the background hands on that Ctrl-C is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    anonymous = 0
    while True:
        ended, status, usage = os.wait4(process.pid, os.WNOHANG)
        if ended:
            break
        anonymous = max(anonymous, _anonymous(process.pid))
        look(process.pid)
        time.sleep(TICK_SECONDS)
    seconds = time.perf_counter() - start
    assert process.stdout is not None
    code = os.waitstatus_to_exitcode(status)
    # Linux counts in KiB.
    return Run(code, process.stdout.read(), seconds, usage.ru_maxrss * 1024, anonymous)


def _anonymous(pid: int) -> int:
    """Bytes in memory that are of no file."""
    found = re.search(r"RssAnon:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) * 1024 if found else 0


def _finished(run: Run) -> Run:
    if run.code:
        sys.exit(f"a training ended with {run.code}")
    return run


def _row(name: str, model: Path, parts: list[Run], features: int = 0) -> str:
    """What a training came to, in one part or several."""
    trained = json.loads(parts[-1].said)
    (machine,) = fitted_svcs(load_model(model).pipeline)
    evaluated = _evaluated(model)
    cells = [
        name,
        f"{machine.shape_fit_[0]:,}",
        f"{features / 1e6:,.0f} MB" if features else "",
        " + ".join(f"{part.seconds:,.0f}" for part in parts) + " s",
        f"{max(part.peak for part in parts) / 2**30:.1f} GiB",
        f"{max(part.anonymous for part in parts) / 2**30:.1f} GiB",
        f"{len(machine.fit_log_)}",
        f"{trained['support_vectors']:,}",
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
