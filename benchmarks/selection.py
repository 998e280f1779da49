"""Choose the parameters of the recipes by cross-validation on the training images.

    python -m benchmarks.selection             all recipes, an hour on two cores
    python -m benchmarks.selection gradient    one recipe

Five stratified folds of all 60,000 training images of MNIST, or two of them for the slow recipe
``virtual``; the test set is not used. Writes a table per recipe, ``benchmarks/select_NAME.md``,
sorted by errors. It also has the log loss of the confidences, which separates candidates better:
the difference of two error counts near 250 has a standard deviation of about 10.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from mnist_svm.datasets.load import load_dataset
from mnist_svm.datasets.types import Dataset
from mnist_svm.features.distort import Distortion
from mnist_svm.features.transformers import Deskew
from mnist_svm.models.pipelines import MILD, STRONG
from mnist_svm.models.recipes import RECIPES

# Description of a candidate, its confidences for all images, and the minutes it took.
Result = tuple[str, np.ndarray, float]

# Rows of the training and of the test part.
Fold = tuple[np.ndarray, np.ndarray]

FOLDS = StratifiedKFold(n_splits=5, shuffle=True, random_state=0)
FOLDS_OF = {"virtual": 2}

# Candidates: changes of the parameters of the recipe's pipeline.
CANDIDATES: dict[str, list[dict[str, Any]]] = {
    # coef0 stays 1: for a given C, only its ratio to gamma matters. From the recipe's gamma on,
    # differences are not significant.
    "poly4": [
        {"contrast": "passthrough", "svm__gamma": "scale"},
        {"svm__gamma": "scale"},
        {"svm__gamma": 2.5e-6},
        {"svm__gamma": 5e-6},
        {"svm__gamma": 1e-5},
        {"svm__gamma": 1e-5, "svm__C": 0.01},
        {},
        {"svm__gamma": 4e-5},
        {"svm__gamma": 8e-5},
        {"svm__gamma": 1.6e-4},
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

# Changes of the first view of `virtual`, without copies: image and kernel.
PIXELS: list[dict[str, Any]] = [
    {"normalize": Deskew()},
    {"normalize__upright": False},
    {"prepare": "passthrough"},
    {"prepare__sigma": 1.0},
    {"svm__degree": 4, "svm__gamma": 2e-5, "svm__C": 1e-5},
    {"svm__kernel": "rbf", "svm__gamma": 3e-6, "svm__C": 2.0},
    {"svm__C": 5e-7},
    {"svm__C": 2e-6},
    {"svm__C": 1.0},
]
# Changes of the first view of a recipe with copies.
COPIES: dict[str, list[dict[str, Any]]] = {
    "virtual": [
        {"copies": 8},
        {"copies": 8, "distort": MILD},
    ],
    "best": [
        {"distort": Distortion(displacement=0.3, rotation=0.05, stretch=0.04)},
        {"distort": STRONG},
        {"copies": 4},
    ],
}


def main() -> None:
    """Evaluate the candidates of the named recipes, or of all, and write their tables."""
    train = load_dataset("mnist", split="train")
    for name in sys.argv[1:] or RECIPES:
        folds = list(FOLDS.split(train.X, train.labels))[: FOLDS_OF.get(name, 5)]
        labels = _labels(train, folds)
        evaluations = {"virtual": _evaluate_pixels, "best": _evaluate_copies}
        evaluate = evaluations.get(name, _evaluate_changes)
        rows = []
        for candidate, confidences, minutes in evaluate(name, train, folds):
            errors = int(np.count_nonzero(confidences.argmax(axis=1) != labels))
            loss = log_loss(labels, confidences)
            rows.append((errors, loss, f"| {candidate} | {errors} | {loss:.5f} | {minutes:.1f} |"))
            print(rows[-1][-1], flush=True)
        table = [
            f"Candidates for the recipe `{name}`: errors in cross-validation on {len(labels):,} of",
            f"the 60,000 training images ({len(folds)} of 5 folds), and the log loss of the",
            f"confidences. Made by `python -m benchmarks.selection {name}`.",
            "",
            "| candidate | errors | log loss | minutes |",
            "|---|---|---|---|",
            *[row for _, _, row in sorted(rows)],
            "",
        ]
        Path(__file__).with_name(f"select_{name}.md").write_text("\n".join(table))


def _evaluate_changes(name: str, train: Dataset, folds: list[Fold]) -> Iterator[Result]:
    """Evaluate the recipe with each of its changes."""
    for changes in CANDIDATES[name]:
        pipeline = RECIPES[name].pipeline(calibrate=False).set_params(**changes)
        yield _describe(**changes) or "the recipe", *_cross_validated(pipeline, train, folds)


def _evaluate_pixels(name: str, train: Dataset, folds: list[Fold]) -> Iterator[Result]:
    """Evaluate the first view with changes and without copies, then call `_evaluate_copies`."""
    for changes in [{}, *PIXELS]:
        svc = clone(_svcs(name)["sized"].estimator).set_params(**changes)
        description = _describe("sized alone", "no copies", **changes)
        yield description, *_cross_validated(svc, train, folds)
    yield _evaluate_normalized(name, train, folds)
    yield from _evaluate_copies(name, train, folds)


def _evaluate_normalized(name: str, train: Dataset, folds: list[Fold]) -> Result:
    """Evaluate the first view with copies that are distorted after size normalization."""
    svc = _svcs(name)["sized"]
    normalize, *rest = svc.estimator.steps
    svc.set_params(estimator=Pipeline(rest), copies=8)
    description = _describe("sized alone", "copies of normalised images", copies=8)
    whole = Pipeline([normalize, ("virtual", svc)])
    return description, *_cross_validated(whole, train, folds)


def _evaluate_copies(name: str, train: Dataset, folds: list[Fold]) -> Iterator[Result]:
    """Evaluate the first view with other copies, then all views."""
    for changes in COPIES[name]:
        svc = _svcs(name)["sized"].set_params(**changes)
        yield _describe("sized alone", **changes), *_cross_validated(svc, train, folds)
    yield from _evaluate_views(name, train, folds)


def _evaluate_views(name: str, train: Dataset, folds: list[Fold]) -> Iterator[Result]:
    """Evaluate each view of the digit alone, and ways to combine several views."""
    confidences, minutes = {}, {}
    for view, svc in _svcs(name).items():
        confidences[view], minutes[view] = _cross_validated(svc, train, folds)
        yield f"{view} alone", confidences[view], minutes[view]
    for k in range(2, len(confidences) + 1):
        for views in combinations(confidences, k):
            average = np.mean([confidences[view] for view in views], axis=0)
            all_views = k == len(confidences)
            description = "the recipe" if all_views else f"average of {', '.join(views)}"
            yield description, average, sum(minutes[view] for view in views)
    total_minutes = sum(minutes.values())
    stacked = np.array(list(confidences.values()))
    votes = np.eye(stacked.shape[2])[stacked.argmax(axis=2)].mean(axis=0)
    # Mix in the average: it avoids an infinite log loss, and breaks ties.
    yield "majority vote of all", 0.99 * votes + 0.01 * stacked.mean(axis=0), total_minutes
    logits = np.log(np.concatenate(stacked, axis=1).clip(1e-6))
    learner = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000))
    learned = cross_val_predict(
        learner, logits, _labels(train, folds), cv=FOLDS, method="predict_proba"
    )
    yield "super learner (logistic regression) of all", learned, total_minutes


def _labels(train: Dataset, folds: list[Fold]) -> np.ndarray:
    """Return the labels of the test parts, fold after fold."""
    return np.concatenate([train.labels[test] for _, test in folds])


def _svcs(name: str) -> dict[str, BaseEstimator]:
    return dict(RECIPES[name].pipeline(calibrate=False)["average"].estimators)


def _cross_validated(
    pipeline: BaseEstimator, train: Dataset, folds: list[Fold]
) -> tuple[np.ndarray, float]:
    """Return the confidences for the test parts, fold after fold, and the minutes."""
    start = time.perf_counter()
    confidences = [
        clone(pipeline).fit(train.X[fitted], train.labels[fitted]).predict_proba(train.X[test])
        for fitted, test in folds
    ]
    return np.concatenate(confidences), (time.perf_counter() - start) / 60


def _describe(*parts: str, **changes: Any) -> str:
    return ", ".join(
        [*parts, *(f"{key.replace('__', ' ')} {value}" for key, value in changes.items())]
    )


if __name__ == "__main__":
    main()
