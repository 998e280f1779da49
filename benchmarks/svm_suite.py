"""Compare KernelSVC with the SVC of three other packages on twelve problems.

    pip install -e . --group bench thundersvm-cpu
    python -m benchmarks.svm_suite
    python -m benchmarks.svm_suite --quick                  all problems at a tenth of their size
    python -m benchmarks.svm_suite --only moons digits --peers sklearn.svm.SVC
    python -m benchmarks.svm_suite --resume results.jsonl   go on where a run was interrupted

On each problem in turn, each implementation runs in a process of its own, which first fits a small
part for warm-up. Writes the tables ``benchmarks/svm_suite.md`` and the chart
``docs/images/svm_suite.png``; of a part of the problems, or of a quick run, beside the raw results,
a file of JSON lines.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import scipy.sparse as sp

from benchmarks.svm_problems import PROBLEMS, Problem, make_problem
from benchmarks.svm_process import IMPLEMENTATIONS
from benchmarks.svm_report import START_UP, Results, chart, format_text

HERE = Path(__file__).parent
IMAGES = HERE.parent / "docs" / "images"
OWN, *PEERS = IMPLEMENTATIONS

# The very first fit of a process is of the problem `small`, and repeated in so many processes.
START_UPS = 3

# Settings of OpenBLAS that other users of a machine do not have.
DROPPED = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")


def main() -> None:
    """Measure, print and write the tables and the chart."""
    arguments = parse_arguments()
    output = arguments.resume or arguments.output
    if output is None:
        output = Path(tempfile.mkdtemp(prefix="svm_suite_")) / "results.jsonl"
    print(f"raw results: {output}", flush=True)
    peers = [name for name in PEERS if name in arguments.peers]
    names = [OWN, *peers]
    chosen = [name for name in (*PROBLEMS, START_UP) if name in arguments.only]
    all_results = {} if arguments.resume is None else read_results(output, quick=arguments.quick)
    if arguments.resume is None:
        output.write_text("")
    for problem in chosen:
        done = all_results.setdefault(problem, {})
        missing = [name for name in names if name not in done]
        for name, result in measure(problem, missing, arguments.quick, arguments.timeout):
            done[name] = result
            record = {"problem": problem, "implementation": name, "quick": arguments.quick}
            with output.open("a") as file:
                file.write(json.dumps({**record, **result}) + "\n")
            print(describe(problem, name, result), flush=True)
    results = {problem: {name: all_results[problem][name] for name in names} for problem in chosen}
    text = format_text(results, names, quick=arguments.quick)
    print(text)
    whole = len(chosen) == len(PROBLEMS) + 1 and not arguments.quick
    tables, charts = (HERE, IMAGES) if whole else (output.parent, output.parent)
    (tables / "svm_suite.md").write_text(text)
    chart(results, peers).savefig(charts / "svm_suite.png", dpi=120)


def parse_arguments() -> argparse.Namespace:
    """Return the arguments of the command line."""
    installed = [name for name in PEERS if find_spec(name.split(".")[0])]
    everything = [*PROBLEMS, START_UP]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=everything, default=everything, metavar="NAME")
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=installed, metavar="NAME")
    parser.add_argument("--quick", action="store_true", help="a tenth of the samples")
    parser.add_argument("--timeout", type=float, default=900, help="seconds of a process")
    parser.add_argument("--output", type=Path, help="file of raw results, overwritten")
    parser.add_argument("--resume", type=Path, help="file of raw results, to go on with")
    return parser.parse_args()


def read_results(path: Path, *, quick: bool) -> dict[str, Results]:
    """Return the results of an earlier run of the same size, by problem, without failures."""
    results: dict[str, Results] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            record = json.loads(line)
        except json.JSONDecodeError:  # interrupted while it was written
            continue
        failed = "error" in record and "stopped" not in record
        if record["quick"] == quick and not failed:
            results.setdefault(record["problem"], {})[record["implementation"]] = record
    return results


def measure(
    problem: str, names: Sequence[str], quick: bool, timeout: float
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the results of implementations on a problem, or on the very first fit."""
    if not names:
        return
    made = make_problem("small" if problem == START_UP else problem, quick=quick)
    about = {
        "title": START_UP if problem == START_UP else made.title,
        "about": made.about,
        "parameters": made.parameters,
        "shape": made.X.shape,
        "classes": len(np.unique(made.y)),
        "predicted": len(made.y_test),
    }
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        save(made, folder)
        del made
        if problem != START_UP:
            for name in names:
                yield name, {**about, **run(name, folder, timeout)}
            return
        runs: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
        for _ in range(START_UPS):
            for name in names:
                runs[name].append(run(name, folder, timeout, "--first"))
    for name, of_name in runs.items():
        failed = next((result for result in of_name if "error" in result), None)
        yield name, {**about, **(failed or {"fit": [result["first"] for result in of_name]})}


def save(problem: Problem, folder: Path) -> None:
    """Save samples, labels and parameters for `benchmarks.svm_process`."""
    for name in ("X", "X_test"):
        samples = getattr(problem, name)
        if sp.issparse(samples):
            sp.save_npz(folder / f"{name}.npz", samples, compressed=False)
        else:
            np.save(folder / f"{name}.npy", samples)
    np.save(folder / "y.npy", problem.y)
    np.save(folder / "y_test.npy", problem.y_test)
    (folder / "parameters.json").write_text(json.dumps(problem.parameters))


def run(name: str, folder: Path, timeout: float, *options: str) -> dict[str, Any]:
    """Measure an implementation in a process; return its results and, if it failed, its error."""
    target = folder / "result.json"
    target.unlink(missing_ok=True)
    command = [sys.executable, "-m", "benchmarks.svm_process", name, str(folder), *options]
    environment = {key: value for key, value in os.environ.items() if key not in DROPPED}
    error, stopped = None, False
    try:
        done = subprocess.run(
            command,
            cwd=HERE.parent,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            timeout=timeout,
        )
    except subprocess.TimeoutExpired:
        error, stopped = f"over {timeout:g} s", True
    else:
        if done.returncode:
            error = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    result = json.loads(target.read_text()) if target.exists() else {}
    if error or not result:
        result["error"] = error or "no result"
    if stopped:
        result["stopped"] = timeout
    return result


def describe(problem: str, name: str, result: dict[str, Any]) -> str:
    """Return a line on a finished measurement."""
    parts = [f"{problem:15} {name:20}"]
    parts += [f"{key} {median(result[key]):8.3f} s" for key in ("fit", "predict") if key in result]
    if "support_vectors" in result:
        parts.append(f"{result['support_vectors']:6,} support vectors")
    if "gap" in result:
        parts.append(f"KKT {result['gap']:.1e}")
    return " ".join([*parts, result.get("error", "")])


if __name__ == "__main__":
    main()
