"""Machines to compare, each run in a process of its own so that its peak memory is its own.

Other benchmarks import `run`; a process is this file with arguments.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin

# The problem: the degree-4 polynomial on deskewed pixels, as in the literature.
PROBLEM = {"kernel": "poly", "degree": 4, "gamma": "scale", "coef0": 1.0, "C": 1.0, "tol": 1e-3}
MACHINES = ("mnist_svm.KernelSVC", "sklearn.svm.SVC", "sklearnex.svm.SVC")


def machine(name: str) -> ClassifierMixin:
    """An unfitted machine for the problem, with 1 GiB to work in where it can be told."""
    if name == "mnist_svm.KernelSVC":
        from mnist_svm import KernelSVC

        return KernelSVC(**PROBLEM)
    if name == "sklearn.svm.SVC":
        from sklearn.svm import SVC

        return SVC(**PROBLEM, cache_size=1024)
    from sklearnex import svm

    return svm.SVC(**PROBLEM, cache_size=1024)


def available() -> list[str]:
    """The machines that are installed."""
    from importlib.util import find_spec

    return [name for name in MACHINES if find_spec(name.split(".")[0])]


def run(name: str, folder: Path, *, predictions: int = 0, timeout: float | None = None) -> Any:
    """Fit a machine in a process of its own, and predict so many times.

    Parameters
    ----------
    name : one of `MACHINES`
    folder : Path
        Holds X.npy and y.npy, and X_test.npy and y_test.npy if there are predictions.
    predictions : int
        How often to predict the test set.
    timeout : float, optional
        Seconds after which the process is ended.

    Returns
    -------
    dict, or None if it took too long
    """
    command = [sys.executable, __file__, name, str(folder), "--predictions", str(predictions)]
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, text=True, timeout=timeout, check=True
        )
    except subprocess.TimeoutExpired:
        return None
    return json.loads(done.stdout)


def peak_memory() -> int:
    """Bytes that this process had in memory at the most; 0 where it cannot be told."""
    # What getrusage says is never below what the parent had.
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    kibibytes = [int(line.split()[1]) for line in lines if line.startswith("VmHWM:")]
    return 1024 * kibibytes[0] if kibibytes else 0


def dual_objectives(fitted: Any) -> list[float]:
    """Sum alpha - 1/2 alpha' Q alpha of every pair, in float64 from the public attributes."""
    ends = np.cumsum(fitted.n_support_)
    mine = [slice(end - n, end) for n, end in zip(fitted.n_support_, ends, strict=True)]
    vectors = fitted.support_vectors_.astype(np.float64)
    gamma = getattr(fitted, "gamma_", None) or fitted._gamma
    found = []
    for a, b in combinations(range(len(mine)), 2):
        rows = np.concatenate([vectors[mine[a]], vectors[mine[b]]])
        coef = np.concatenate([fitted.dual_coef_[b - 1, mine[a]], fitted.dual_coef_[a, mine[b]]])
        rows, coef = rows[coef != 0], coef[coef != 0]
        gram = (gamma * rows @ rows.T + PROBLEM["coef0"]) ** PROBLEM["degree"]
        found.append(float(np.abs(coef).sum() - coef @ gram @ coef / 2))
    return found


def main() -> None:
    """Run one machine and print what was measured as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("name", choices=MACHINES)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--predictions", type=int, default=0)
    given = parser.parse_args()
    X, y = (np.load(given.folder / f"{part}.npy") for part in ("X", "y"))
    unfitted = machine(given.name)
    start = time.perf_counter()
    fitted = unfitted.fit(X, y)
    result: dict[str, Any] = {
        "fit": time.perf_counter() - start,
        "peak": peak_memory(),
        "support_vectors": len(fitted.support_),
    }
    if given.predictions:
        X_test, y_test = (np.load(given.folder / f"{part}_test.npy") for part in ("X", "y"))
        result["predict"] = []
        for _ in range(given.predictions):
            start = time.perf_counter()
            read = fitted.predict(X_test)
            result["predict"].append(time.perf_counter() - start)
        result["accuracy"] = float((read == y_test).mean())
        result["objectives"] = dual_objectives(fitted)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
