"""Choose the parameters of the recipes by cross-validation on MNIST, and on styles held out.

    python -m benchmarks.selection             all recipes, some hours on two cores
    python -m benchmarks.selection gradient    one recipe

The recipes with an everyday form, ``gradient`` and ``best``, are chosen on the training images of
MNIST and of ``styles`` together: MNIST is cut into five runs of neighbours, so that a writer's
digits stay together; of ``styles``, whole countries are held out, and whole families of fonts and
forms of strokes that belong to none. The others are chosen on five stratified folds of MNIST. The
slow ``virtual`` and ``best`` take two of the five folds. Test images are not used.

Writes a table per recipe, ``benchmarks/select_NAME.md``, sorted by the log losses of the
confidences, added up. These separate candidates better than errors: the difference of two error
counts near 250 has a standard deviation of about 10.
"""

from __future__ import annotations

import csv
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
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
from mnist_svm.models.pipelines import MILD, STRONG, matching_names
from mnist_svm.models.recipes import RECIPES
from mnist_svm.training.fit import fit_pipeline

# Description of a candidate, its confidences for all images, and the minutes it took.
Result = tuple[str, np.ndarray, float]

# Rows of the training and of the test part.
Fold = tuple[np.ndarray, np.ndarray]

N_FOLDS = 5
FOLDS_OF = {"virtual": 2, "best": 2}

# Recipes that are chosen on `styles` too, and other weights of its images.
EVERYDAY = ("gradient", "best")
STYLES_WEIGHTS = (0.0, 0.5, 2.0)

STYLES = Path(__file__).resolve().parents[1] / "data" / "styles" / "styles.csv"

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
    # C and the other parameters of the features were chosen before, on MNIST alone.
    "gradient": [
        {},
        {"gradients__directions": 8},
        {"shape": "drop"},
        {"svm__gamma": 3.5e-6},
        {"svm__gamma": 8e-6},
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
        {"estimator__svm__gamma": 8e-6},
    ],
}


def main() -> None:
    """Evaluate the candidates of the named recipes, or of all, and write their tables."""
    for name in sys.argv[1:] or RECIPES:
        train, folds = load_everyday() if name in EVERYDAY else load_mnist()
        folds = folds[: FOLDS_OF.get(name, N_FOLDS)]
        evaluations = {"virtual": _evaluate_pixels, "best": _evaluate_copies}
        evaluate = evaluations.get(name, _evaluate_changes)
        rows = []
        for candidate, confidences, minutes in evaluate(name, train, folds):
            rows.append(_row(candidate, confidences, minutes, train, folds))
            print(rows[-1][-1], flush=True)
        sets = [part.name for part in train.parts]
        columns = [f"{figure} on {name}" for figure in ("errors", "log loss") for name in sets]
        table = [
            f"Candidates for the recipe `{name}`: errors, and log loss of the confidences, in",
            f"cross-validation ({len(folds)} of {N_FOLDS} folds).",
            f"Made by `python -m benchmarks.selection {name}`.",
            "",
            f"| candidate | {' | '.join(columns)} | minutes |",
            f"|---|{'---|' * len(columns)}---|",
            *[row for _, row in sorted(rows)],
            "",
        ]
        Path(__file__).with_name(f"select_{name}.md").write_text("\n".join(table))


def load_mnist() -> tuple[Dataset, list[Fold]]:
    """Return the training images of MNIST, and the folds."""
    mnist = load_dataset("mnist")
    splitter = StratifiedKFold(n_splits=N_FOLDS, shuffle=True, random_state=0)
    return mnist, list(splitter.split(mnist.X, mnist.labels))


def load_everyday() -> tuple[Dataset, list[Fold]]:
    """Return the training images of MNIST and of styles together, and the folds."""
    mnist, styles = load_dataset("mnist"), load_dataset("styles")
    neighbours = np.arange(len(mnist.labels)) * N_FOLDS // len(mnist.labels)
    numbers = np.concatenate([neighbours, style_folds()])
    folds = [(np.flatnonzero(numbers != i), np.flatnonzero(numbers == i)) for i in range(N_FOLDS)]
    return Dataset.concatenate([mnist, styles]), folds


def style_folds() -> np.ndarray:
    """Return the fold that holds out each training image of styles.

    Countries, and the families of fonts and forms of strokes that belong to none, are dealt to the
    folds at random.
    """
    with STYLES.open(newline="", encoding="utf-8") as file:
        styles = [row for row in csv.DictReader(file) if row["part"] == "train"]
    groups = [
        row["country"] or row["style" if row["kind"] == "strokes" else "source"] for row in styles
    ]
    names, numbers = np.unique(groups, return_inverse=True)
    folds = np.random.default_rng(0).permutation(len(names)) % N_FOLDS
    return np.repeat(folds[numbers], [int(row["n_images"]) for row in styles])


def _row(
    candidate: str, confidences: np.ndarray, minutes: float, train: Dataset, folds: list[Fold]
) -> tuple[float, str]:
    """Return the sum of the log losses on the data sets, and the row of the table."""
    labels, sets = _labels(train, folds), train.part_indices[np.concatenate([b for _, b in folds])]
    wrong = confidences.argmax(axis=1) != labels
    of_set = [sets == k for k in range(len(train.parts))]
    errors = [f"{np.count_nonzero(wrong & own)} of {own.sum():,}" for own in of_set]
    losses = [log_loss(labels[own], confidences[own]) for own in of_set]
    cells = [candidate, *errors, *(f"{loss:.5f}" for loss in losses), f"{minutes:.1f}"]
    return sum(losses), f"| {' | '.join(cells)} |"


def _evaluate_changes(name: str, train: Dataset, folds: list[Fold]) -> Iterator[Result]:
    """Evaluate the recipe with other weights of styles, and with each of its changes."""
    if name in EVERYDAY:
        whole = RECIPES[name].pipeline(calibrate=False)
        yield from _evaluate_weights(whole, train, folds, STYLES_WEIGHTS)
    for changes in CANDIDATES[name]:
        pipeline = RECIPES[name].pipeline(calibrate=False)
        names = pipeline.get_params()
        for short, value in changes.items():
            pipeline.set_params(**dict.fromkeys(matching_names(short, names), value))
        yield _describe(**changes) or "the recipe", *_cross_validated(pipeline, train, folds)


def _evaluate_weights(
    pipeline: BaseEstimator,
    train: Dataset,
    folds: list[Fold],
    styles_weights: Sequence[float],
    *parts: str,
) -> Iterator[Result]:
    """Evaluate a pipeline that is trained on styles of other weights."""
    for weight in styles_weights:
        weights = np.where(train.part_indices == 1, np.float64(weight), 1)
        # Without a weight, a set is left out: images of weight 0 are no samples of an SVM.
        used = [(fitted[weights[fitted] > 0], test) for fitted, test in folds]
        weighted = replace(train, weights=weights if weight else None)
        description = _describe(*parts, f"styles:{weight:g}" if weight else "without styles")
        yield description, *_cross_validated(pipeline, weighted, used)


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
    """Evaluate the first view with other weights and other copies, then all views."""
    if name in EVERYDAY:
        sized = _svcs(name)["sized"]
        yield from _evaluate_weights(sized, train, folds, STYLES_WEIGHTS, "sized alone")
        whole = RECIPES[name].pipeline(calibrate=False)
        yield from _evaluate_weights(whole, train, folds, STYLES_WEIGHTS[:1])
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
        learner, logits, _labels(train, folds), cv=N_FOLDS, method="predict_proba"
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
    if not isinstance(pipeline, Pipeline):
        pipeline = make_pipeline(pipeline)
    confidences = [
        fit_pipeline(clone(pipeline), train, fitted).predict_proba(train.X[test])
        for fitted, test in folds
    ]
    return np.concatenate(confidences), (time.perf_counter() - start) / 60


def _describe(*parts: str, **changes: Any) -> str:
    described = (f"{key.replace('__', ' ')} {value}" for key, value in changes.items())
    # scikit-learn breaks long lines.
    return ", ".join([*parts, *(" ".join(each.split()) for each in described)])


if __name__ == "__main__":
    main()
