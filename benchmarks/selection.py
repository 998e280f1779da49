"""Choose the parameters of the recipes by cross-validation on the training images.

    python benchmarks/selection.py             all of them, an hour and a half on two cores
    python benchmarks/selection.py gradient    one of them

Five stratified folds over all 60,000 training images of MNIST; the test set is not read. Each
recipe has a table of its own, ``benchmarks/select_NAME.md``, sorted by errors. Beside the errors
stands the log loss of the confidences, which tells candidates apart that chance puts in one order
or the other: the difference of two counts near 250 has a standard deviation of about 10.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mnist_svm.datasets.load import load_dataset
from mnist_svm.imaging.deskew import Deskew
from mnist_svm.imaging.distort import Distortion
from mnist_svm.recipes import RECIPES

# What a candidate is, its confidences in each class for all images, and the minutes it took.
Measured = tuple[str, np.ndarray, float]

FOLDS = StratifiedKFold(n_splits=5, shuffle=True, random_state=0)

# Each candidate is the recipe as it is, but for these parameters of its pipeline.
CANDIDATES: dict[str, list[dict[str, Any]]] = {
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
    # After `KERNELS`.
    "virtual": [
        {},
        {"virtual__distort": Distortion(displacement=0.4, rotation=0.1, stretch=0.08)},
        {"virtual__distort": Distortion(displacement=0.8, rotation=0.1, stretch=0.08)},
        {"virtual__distort": Distortion(rotation=0.1, stretch=0.08)},
        {"virtual__copies": 4},
    ],
    "gradient": [
        {},
        {"svm__C": 1.0},
        {"svm__C": 10.0},
        {"svm__gamma": 5e-6},
        {"svm__gamma": 1.2e-5},
        {"normalize": "passthrough"},
        {"normalize__side": 28},
        {"normalize__side": 40},
        {"normalize__extent": 0.17},
        {"normalize__upright": False},
        {"gradients__directions": 12},
        {"gradients__grid": 5},
        {"gradients__grid": 7},
        {"gradients__smoothing": 0.4},
        {"gradients__smoothing": 0.6},
        {"gradients__power": 0.5},
        {"gradients__power": 1.0},
    ],
}

# For the machine of `virtual`, fitted to the training images alone: the kernel is chosen first.
KERNELS: list[dict[str, Any]] = [
    {"svm__degree": 4, "svm__gamma": 2e-5},
    {"svm__degree": 9, "svm__gamma": 2e-6},
    {"svm__degree": 9, "svm__gamma": 4e-6},
    {"svm__degree": 9, "svm__gamma": 8e-6},
    {"normalize": Deskew()},
]


def main() -> None:
    """Measure the candidates of the recipes that are named, or of all, and write their tables."""
    train = load_dataset("mnist", split="train")
    for name in sys.argv[1:] or RECIPES:
        measured = _views if name == "best" else _candidates
        rows = []
        for candidate, confidences, minutes in measured(name, train.X, train.labels):
            errors = int(np.count_nonzero(confidences.argmax(axis=1) != train.labels))
            loss = log_loss(train.labels, confidences)
            rows.append((errors, loss, f"| {candidate} | {errors} | {loss:.5f} | {minutes:.1f} |"))
            print(rows[-1][-1], flush=True)
        table = [
            f"Candidates for the recipe `{name}`: errors in five-fold cross-validation over the",
            "60,000 training images, and the log loss of the confidences. Made by",
            f"`python benchmarks/selection.py {name}`.",
            "",
            "| candidate | errors | log loss | minutes |",
            "|---|---|---|---|",
            *[row for _, _, row in sorted(rows)],
            "",
        ]
        Path(__file__).with_name(f"select_{name}.md").write_text("\n".join(table))


def _candidates(name: str, X: np.ndarray, labels: np.ndarray) -> Iterator[Measured]:
    """The recipe with each of its changes."""
    recipe = RECIPES[name]
    for changes in KERNELS if name == "virtual" else []:
        machine = recipe.pipeline()["virtual"].estimator.set_params(**changes)
        yield f"no copies, {_told(changes)}", *_cross_validated(machine, X, labels)
    for changes in CANDIDATES[name]:
        pipeline = recipe.pipeline().set_params(**changes)
        yield _told(changes), *_cross_validated(pipeline, X, labels)


def _views(name: str, X: np.ndarray, labels: np.ndarray) -> Iterator[Measured]:
    """Each view of the digit alone, and all ways to make one answer of several."""
    of_views, minutes_of_views = {}, {}
    recipe = dict(RECIPES[name].pipeline()["average"].estimators)
    for view, machine in [*recipe.items(), ("pixels", RECIPES["virtual"].pipeline())]:
        confidences, minutes = _cross_validated(machine, X, labels)
        of_views[view], minutes_of_views[view] = confidences, minutes
        yield f"{view} alone", confidences, minutes
    for k in range(2, len(of_views) + 1):
        for views in combinations(of_views, k):
            several = np.array([of_views[view] for view in views])
            minutes = sum(minutes_of_views[view] for view in views)
            told = "the recipe" if views == tuple(recipe) else f"average of {', '.join(views)}"
            yield told, several.mean(axis=0), minutes
    votes = np.eye(len(np.unique(labels)))[several.argmax(axis=2)].mean(axis=0)
    # A vote of 0 would have an infinite log loss. Ties go to the surer.
    yield "majority vote of all four", 0.99 * votes + 0.01 * several.mean(axis=0), minutes
    logits = np.log(np.concatenate(several, axis=1).clip(1e-6))
    learner = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000))
    stacked = cross_val_predict(learner, logits, labels, cv=FOLDS, method="predict_proba")
    yield "super learner (logistic regression) of all four", stacked, minutes


def _cross_validated(
    pipeline: BaseEstimator, X: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, float]:
    """Confidences of machines that have not seen the image, and the minutes they took."""
    start = time.perf_counter()
    confidences = cross_val_predict(pipeline, X, labels, cv=FOLDS, method="predict_proba")
    return confidences, (time.perf_counter() - start) / 60


def _told(changes: dict[str, Any]) -> str:
    told = [f"{key.replace('__', ' ')} {value}" for key, value in changes.items()]
    return ", ".join(told) or "the recipe"


if __name__ == "__main__":
    main()
