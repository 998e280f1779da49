"""SVM implementations to compare, each run in a separate process to measure its peak memory.

Other benchmarks call `run`, which starts this file with arguments.
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

# The degree-4 polynomial kernel on deskewed pixels, as in the literature.
PARAMETERS = {"kernel": "poly", "degree": 4, "gamma": "scale", "coef0": 1.0, "C": 1.0, "tol": 1e-3}
IMPLEMENTATIONS = ("mnist_svm.KernelSVC", "sklearn.svm.SVC", "sklearnex.svm.SVC")


def make_svc(name: str) -> ClassifierMixin:
    """Return an unfitted classifier; the kernel cache, if it has one, is 1 GiB."""
    if name == "mnist_svm.KernelSVC":
        from mnist_svm import KernelSVC

        return KernelSVC(**PARAMETERS)
    if name == "sklearn.svm.SVC":
        from sklearn.svm import SVC

        return SVC(**PARAMETERS, cache_size=1024)
    from sklearnex import svm

    return svm.SVC(**PARAMETERS, cache_size=1024)


def available() -> list[str]:
    """Return the names of the installed implementations."""
    from importlib.util import find_spec

    return [name for name in IMPLEMENTATIONS if find_spec(name.split(".")[0])]


def run(name: str, folder: Path, *, predictions: int = 0, timeout: float | None = None) -> Any:
    """Fit and predict in a separate process.

    Parameters
    ----------
    name : str
        One of `IMPLEMENTATIONS`.
    folder : Path
        Folder with X.npy and y.npy, and with X_test.npy and y_test.npy for predictions.
    predictions : int, default=0
        Number of times to predict the test set.
    timeout : float, optional
        Seconds after which the process is killed.

    Returns
    -------
    dict or None
        The output of `main`; None if the process was killed.
    """
    command = [sys.executable, "-P", __file__, name, str(folder), "--predictions", str(predictions)]
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, text=True, timeout=timeout, check=True
        )
    except subprocess.TimeoutExpired:
        return None
    return json.loads(done.stdout)


def peak_memory() -> int:
    """Return the peak memory of this process in bytes; 0 where /proc does not exist."""
    # The peak of getrusage includes that of the parent process before the fork.
    status = Path("/proc/self/status")
    lines = status.read_text(encoding="utf-8").splitlines() if status.exists() else []
    kibibytes = [int(line.split()[1]) for line in lines if line.startswith("VmHWM:")]
    return 1024 * kibibytes[0] if kibibytes else 0


def dual_objectives(fitted: Any) -> list[float]:
    """Return the dual objective, sum alpha - 1/2 alpha' Q alpha, of every pair, in float64."""
    ends = np.cumsum(fitted.n_support_)
    slices = [slice(end - n, end) for n, end in zip(fitted.n_support_, ends, strict=True)]
    vectors = fitted.support_vectors_.astype(np.float64)
    gamma = getattr(fitted, "gamma_", None) or fitted._gamma
    objectives = []
    for a, b in combinations(range(len(slices)), 2):
        rows = np.concatenate([vectors[slices[a]], vectors[slices[b]]])
        coef = np.concatenate(
            [fitted.dual_coef_[b - 1, slices[a]], fitted.dual_coef_[a, slices[b]]]
        )
        rows, coef = rows[coef != 0], coef[coef != 0]
        gram = (gamma * rows @ rows.T + PARAMETERS["coef0"]) ** PARAMETERS["degree"]
        objectives.append(float(np.abs(coef).sum() - coef @ gram @ coef / 2))
    return objectives


def main() -> None:
    """Fit, predict and print the measurements as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("name", choices=IMPLEMENTATIONS)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--predictions", type=int, default=0)
    arguments = parser.parse_args()
    X, y = (np.load(arguments.folder / f"{part}.npy") for part in ("X", "y"))
    unfitted = make_svc(arguments.name)
    start = time.perf_counter()
    fitted = unfitted.fit(X, y)
    result: dict[str, Any] = {
        "fit": time.perf_counter() - start,
        "peak": peak_memory(),
        "support_vectors": len(fitted.support_),
    }
    if arguments.predictions:
        X_test, y_test = (np.load(arguments.folder / f"{part}_test.npy") for part in ("X", "y"))
        result["predict"] = []
        for _ in range(arguments.predictions):
            start = time.perf_counter()
            y_pred = fitted.predict(X_test)
            result["predict"].append(time.perf_counter() - start)
        result["accuracy"] = float((y_pred == y_test).mean())
        result["objectives"] = dual_objectives(fitted)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
