"""Measure one implementation on one problem, in a process of its own.

`benchmarks.svm_suite` starts this module with arguments, and stops it after a time. So the result
is written after each step.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

# The import of scikit-learn is a part of the start-up that is measured.
import numpy as np

IMPLEMENTATIONS = (
    "mnist_svm.KernelSVC",
    "sklearn.svm.SVC",
    "sklearnex.svm.SVC",
    "thundersvm.SVC",
)

# The warm-up takes these samples, at most half: more than KernelSVC fits in float64, so that it
# runs the same code.
WARM_UP = 6_000

# Repetitions end after so many, or so many seconds.
MAX_REPEATS = 5
REPEAT_SECONDS = 3.0

# Pairs of classes whose optimality is checked, and seconds for that and for the objective.
MAX_PAIRS = 10
CHECK_SECONDS = 30.0

ROWS_PER_BLOCK = 1_024

# Share of C up to which a dual variable may be away from a bound and count as at the bound.
AT_BOUND = 1e-6


def make_svc(name: str, parameters: dict[str, Any]) -> Any:
    """Return an unfitted classifier; the kernel cache, if it has one, is 1 GiB."""
    if name == "mnist_svm.KernelSVC":
        from mnist_svm import KernelSVC

        return KernelSVC(**parameters)
    if name == "sklearn.svm.SVC":
        from sklearn.svm import SVC

        return SVC(**parameters, cache_size=1024)
    if name == "sklearnex.svm.SVC":
        from sklearnex import svm

        return svm.SVC(**parameters, cache_size=1024)
    import thundersvm

    kernel = {"poly": "polynomial"}.get(parameters["kernel"], parameters["kernel"])
    return thundersvm.SVC(**{**parameters, "kernel": kernel}, max_mem_size=1024)


def fit(name: str, parameters: dict[str, Any], X: Any, y: np.ndarray) -> Any:
    """Fit a new classifier."""
    if name == "thundersvm.SVC" and not isinstance(X, np.ndarray):
        # Of sparse samples, its Python module passes int32 labels where its library reads float32.
        y = y.astype(np.float32).view(np.int32)
    return make_svc(name, parameters).fit(X, y)


def load_samples(path: Path) -> Any:
    """Load an .npy file, or the .npz file of a CSR matrix beside it."""
    if path.exists():
        return np.load(path)
    from scipy import sparse

    return sparse.load_npz(path.with_suffix(".npz"))


def repeat(action: Callable[[], Any]) -> tuple[Any, list[float]]:
    """Return the last result of an action, and the seconds of each repetition."""
    seconds: list[float] = []
    while not seconds or (len(seconds) < MAX_REPEATS and sum(seconds) < REPEAT_SECONDS):
        result = None  # frees the memory of the last
        start = time.perf_counter()
        result = action()
        seconds.append(time.perf_counter() - start)
    return result, seconds


class Dual:
    """The solution of the dual problems of all pairs of classes, with kernel values in float64.

    Classes are in the order of the support vectors, because thundersvm has that of their first
    samples. Signs are those of the coefficients, because scikit-learn flips them for two classes.
    """

    def __init__(self, fitted: Any, X: Any, y: np.ndarray, parameters: dict[str, Any]) -> None:
        self._X, self._y, self._parameters = X, y, parameters
        support, coef = np.asarray(fitted.support_), fitted.dual_coef_
        coef = np.asarray(coef.toarray() if hasattr(coef, "toarray") else coef, np.float64)
        if len(coef) == 1:
            # For two classes, the order of the support vectors is free, and some do not sort them.
            order = np.argsort(y[support], kind="stable")
            support, coef = support[order], coef[:, order]
        self._support, self._coef = support, coef
        labels = y[support]
        starts = np.flatnonzero(np.concatenate([[True], labels[1:] != labels[:-1]]))
        self._classes = labels[starts]
        if len(np.unique(labels)) != len(starts):
            msg = "support vectors are not sorted by class"
            raise ValueError(msg)
        ends = [*starts[1:], len(labels)]
        self._slices = [slice(start, end) for start, end in zip(starts, ends, strict=True)]

    def objective(self, seconds: float) -> float | None:
        """Return the sum of the dual objectives of all pairs, sum alpha - 1/2 alpha' Q alpha.

        None if it takes longer.
        """
        deadline = time.perf_counter() + seconds
        vectors = [self._rows(self._support[of_class]) for of_class in self._slices]
        coef = [self._coef[:, of_class] for of_class in self._slices]
        total = np.abs(self._coef).sum()
        for a in range(len(vectors)):
            for block in blocks(len(vectors[a])):
                for b in range(a, len(vectors)):
                    if time.perf_counter() > deadline:
                        return None
                    gram = self._kernel(vectors[a][block], vectors[b])
                    if a == b:
                        total -= np.sum(coef[a][:, block] @ gram * coef[a]) / 2
                    else:
                        total -= coef[a][b - 1, block] @ gram @ coef[b][a]
        return float(total)

    def largest_gap(self, seconds: float) -> tuple[float, int]:
        """Return the largest `gap` of some pairs, and their number: at most `MAX_PAIRS`.

        No further pair is begun after the seconds.
        """
        deadline = time.perf_counter() + seconds
        pairs = list(combinations(range(len(self._classes)), 2))
        chosen = np.linspace(0, len(pairs) - 1, min(len(pairs), MAX_PAIRS)).astype(int)
        gaps: list[float] = []
        for index in chosen:
            if gaps and time.perf_counter() > deadline:
                break
            gaps.append(self.gap(*pairs[index]))
        return max(gaps), len(gaps)

    def gap(self, a: int, b: int) -> float:
        """Return the violation of the optimality conditions that `tol` bounds in libsvm.

        It is m(alpha) - M(alpha) over all samples of the pair, in units of the margin. An intercept
        halfway leaves no sample a larger violation than half of it.

        References
        ----------
        R.-E. Fan, P.-H. Chen, C.-J. Lin, "Working set selection using second order information for
        training SVM", JMLR 6 (2005), section 2.
        """
        positions = np.concatenate(
            [np.arange(s.start, s.stop) for s in (self._slices[a], self._slices[b])]
        )
        pair_coef = np.concatenate(
            [self._coef[b - 1, self._slices[a]], self._coef[a, self._slices[b]]]
        )
        nonzero = pair_coef != 0
        support, pair_coef = self._support[positions[nonzero]], pair_coef[nonzero]
        coef = np.zeros(len(self._y))
        coef[support] = pair_coef
        members = np.flatnonzero(np.isin(self._y, self._classes[[a, b]]))
        is_first, alpha = self._y[members] == self._classes[a], np.abs(coef[members])
        sign_of_first = np.sign(coef[members][is_first].sum())
        signs = np.where(is_first, sign_of_first, -sign_of_first)
        vectors = self._rows(support)
        values = np.concatenate(
            [
                self._kernel(self._rows(members[block]), vectors) @ pair_coef
                for block in blocks(len(members))
            ]
        )
        C = self._parameters["C"]
        can_grow, can_shrink = alpha < (1 - AT_BOUND) * C, alpha > AT_BOUND * C
        up = np.where(signs > 0, can_grow, can_shrink)
        low = np.where(signs > 0, can_shrink, can_grow)
        differences = signs - values
        return float(differences[up].max() - differences[low].min())

    def _rows(self, index: np.ndarray) -> np.ndarray:
        rows = self._X[index]
        return np.asarray(rows.toarray() if hasattr(rows, "toarray") else rows, np.float64)

    def _kernel(self, rows: np.ndarray, others: np.ndarray) -> np.ndarray:
        from sklearn.metrics.pairwise import pairwise_kernels

        parameters = dict(self._parameters)
        name = parameters.pop("kernel")
        return pairwise_kernels(rows, others, metric=name, filter_params=True, **parameters)


def blocks(n: int) -> Iterator[slice]:
    """Cut n rows into blocks."""
    for start in range(0, n, ROWS_PER_BLOCK):
        yield slice(start, min(start + ROWS_PER_BLOCK, n))


def measure(name: str, folder: Path, *, first: bool) -> Iterator[dict[str, Any]]:
    """Yield the measurements, more after each step; or those of the very first fit."""
    X, X_test = (load_samples(folder / f"{part}.npy") for part in ("X", "X_test"))
    y, y_test = (np.load(folder / f"{part}.npy") for part in ("y", "y_test"))
    parameters = json.loads((folder / "parameters.json").read_text())
    start = time.perf_counter()
    if first:
        fit(name, parameters, X, y)
        yield {"first": time.perf_counter() - start}
        return
    some = slice(0, min(len(y) // 2, WARM_UP))
    fit(name, parameters, X[some], y[some]).predict(X_test[some])

    from benchmarks.peers import peak_memory

    fitted, seconds = repeat(lambda: fit(name, parameters, X, y))
    result: dict[str, Any] = {
        "fit": seconds,
        "peak": peak_memory(),
        "support_vectors": len(fitted.support_),
    }
    yield result
    predicted, seconds = repeat(lambda: fitted.predict(X_test))
    result |= {"predict": seconds, "accuracy": float(np.mean(predicted == y_test))}
    yield result
    dual = Dual(fitted, X, y, parameters)
    result["objective"] = dual.objective(CHECK_SECONDS)
    yield result
    result["gap"], result["gap_pairs"] = dual.largest_gap(CHECK_SECONDS)
    yield result


def main() -> None:
    """Measure, and write the result as JSON into the folder of the samples."""
    parser = argparse.ArgumentParser()
    parser.add_argument("name", choices=IMPLEMENTATIONS)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--first", action="store_true")
    arguments = parser.parse_args()
    target = arguments.folder / "result.json"
    for result in measure(arguments.name, arguments.folder, first=arguments.first):
        part = target.with_suffix(".part")
        part.write_text(json.dumps(result))
        part.replace(target)


if __name__ == "__main__":
    main()
