"""Choose the parameters of the recipes by cross-validation on the training images.

    python benchmarks/select.py             all of them, an hour and a half on two cores
    python benchmarks/select.py gradient    one of them

Five stratified folds over all 60,000 training images of MNIST; the test set is not read. Each
recipe has a table of its own, ``benchmarks/select_NAME.md``, sorted by errors. Beside the errors
stands the log loss of the confidences, which tells candidates apart that chance puts in one order
or the other: the difference of two counts near 250 has a standard deviation of about 10.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from mnist_svm.datasets.load import load_dataset
from mnist_svm.recipes import RECIPES

FOLDS = StratifiedKFold(n_splits=5, shuffle=True, random_state=0)

# Each candidate is the recipe as it is, but for these parameters of its pipeline.
Changes = dict[str, Any]

CANDIDATES: dict[str, list[Changes]] = {
    # coef0 stays 1: only its ratio to gamma matters, given C.
    "poly4": [
        {"contrast": "passthrough", "svm__gamma": "scale"},
        {"svm__gamma": "scale"},
        {"svm__gamma": 2.5e-6},
        {"svm__gamma": 5e-6},
        {"svm__gamma": 1e-5},
        {"svm__gamma": 1e-5, "svm__C": 0.01},
        {},
        {"svm__gamma": 4e-5},
    ],
    "gradient": [
        {},
        {"svm__C": 3.0},
        {"svm__C": 30.0},
        {"svm__gamma": "auto"},
        {"normalize": "passthrough"},
        {"normalize__side": 28},
        {"normalize__side": 56},
        {"normalize__extent": 0.16},
        {"normalize__extent": 0.2},
        {"normalize__upright": False},
        {"gradients__directions": 8},
        {"gradients__directions": 16},
        {"gradients__grid": 5},
        {"gradients__grid": 9},
        {"gradients__smoothing": 0.35},
        {"gradients__smoothing": 0.7},
        {"gradients__power": 0.35},
        {"gradients__power": 1.0},
    ],
}


def main() -> None:
    """Measure the candidates of the recipes that are named, or of all, and write their tables."""
    train = load_dataset("mnist", split="train")
    for name in sys.argv[1:] or CANDIDATES:
        rows = list(_measured(name, train.X, train.labels))
        table = [
            f"Candidates for the recipe `{name}`: errors in five-fold cross-validation over the",
            "60,000 training images, and the log loss of the confidences. Made by",
            f"`python benchmarks/select.py {name}`.",
            "",
            "| candidate | errors | log loss | minutes |",
            "|---|---|---|---|",
            *[row for _, row in sorted(rows)],
            "",
        ]
        Path(__file__).with_name(f"select_{name}.md").write_text("\n".join(table))


def _measured(
    name: str, X: np.ndarray, labels: np.ndarray
) -> Iterator[tuple[tuple[int, float], str]]:
    """Errors and log loss of each candidate of a recipe, and its row."""
    for changes in CANDIDATES[name]:
        pipeline = RECIPES[name].pipeline().set_params(**changes)
        start = time.perf_counter()
        confidences = cross_val_predict(pipeline, X, labels, cv=FOLDS, method="predict_proba")
        minutes = (time.perf_counter() - start) / 60
        yield _row(_told(changes), confidences, labels, minutes)


def _told(changes: Changes) -> str:
    told = [f"{key.replace('__', ' ')} {value}" for key, value in changes.items()]
    return ", ".join(told) or "the recipe"


def _row(
    candidate: str, confidences: np.ndarray, labels: np.ndarray, minutes: float
) -> tuple[tuple[int, float], str]:
    errors = int(np.count_nonzero(confidences.argmax(axis=1) != labels))
    loss = log_loss(labels, confidences)
    row = f"| {candidate} | {errors} | {loss:.5f} | {minutes:.1f} |"
    print(row, flush=True)
    return (errors, loss), row


if __name__ == "__main__":
    main()
