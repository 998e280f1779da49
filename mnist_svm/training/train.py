"""A recipe and a data set -> a fitted model that says how it was made."""

from __future__ import annotations

import platform
import time
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.pipeline import Pipeline

from mnist_svm.datasets.load import Dataset
from mnist_svm.datasets.subset import stratified_subset
from mnist_svm.exceptions import FormatError
from mnist_svm.models.file import Model
from mnist_svm.models.parameters import Parameters, Value
from mnist_svm.models.recipes import Recipe
from mnist_svm.svm.calibration import Calibrated
from mnist_svm.svm.machines import machines

RECORDED_PACKAGES = ("mnist-svm", "scikit-learn", "numpy", "scipy", "joblib")


def train_model(
    recipe: Recipe,
    dataset: Dataset,
    *,
    parameters: Parameters | None = None,
    changes: Mapping[str, Value] | None = None,
    limit: int | None = None,
    random_state: int = 0,
    n_jobs: int = -1,
) -> Model:
    """Fit a recipe to a data set.

    Parameters
    ----------
    recipe : Recipe
    dataset : Dataset
    parameters : Parameters, optional
        Instead of the recipe's own.
    changes : mapping of names to values, optional
        Of other parameters of the pipeline; see `mnist_svm.models.pipelines.change`.
    limit : int, optional
        Train on that many images, each class in its proportion; see `stratified_subset`.
    random_state : int, default=0
        Seed of the subset and of the solver. The same seed gives bit-equal models.
    n_jobs : int, default=-1
        Threads, as in joblib; -1 takes every core. They change nothing in the model.

    Returns
    -------
    Model

    Raises
    ------
    FormatError
        If the data set has fewer than two classes.
    ValueError
        If ``limit`` is less than the number of classes, or a change cannot be made.
    """
    parameters = parameters or recipe.defaults
    X, y = training_images(dataset, limit, random_state)
    start = time.perf_counter()
    pipeline = recipe.pipeline(
        parameters, changes=changes, random_state=random_state, n_jobs=n_jobs
    ).fit(X, y)
    return fitted_model(
        pipeline,
        recipe,
        dataset,
        parameters=parameters,
        changes=changes or {},
        images=len(y),
        random_state=random_state,
        seconds=time.perf_counter() - start,
    )


def training_images(
    dataset: Dataset, limit: int | None, random_state: int
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """The images to train on, and their labels.

    Parameters
    ----------
    dataset, limit, random_state : see `train_model`

    Returns
    -------
    (uint8 ndarray of shape (n, 784), int64 ndarray of shape (n,))

    Raises
    ------
    FormatError
        If the data set has fewer than two classes.
    ValueError
        If ``limit`` is less than the number of classes.
    """
    classes = np.unique(dataset.labels)
    if len(classes) < 2:
        msg = f"{dataset.name}: every label is {classes[0]}, expected at least two classes"
        raise FormatError(msg)
    X, y = dataset.X, dataset.labels
    if limit is not None and limit < len(y):
        subset = stratified_subset(y, limit, random_state)
        X, y = X[subset], y[subset]
    return X, y


def fitted_model(
    pipeline: Pipeline,
    recipe: Recipe,
    dataset: Dataset,
    *,
    parameters: Parameters,
    changes: Mapping[str, Value],
    images: int,
    random_state: int,
    seconds: float,
    copies: Mapping[str, Any] | None = None,
) -> Model:
    """A fitted pipeline with all that is known of how it was made.

    Parameters
    ----------
    pipeline : sklearn.pipeline.Pipeline
        Of the recipe, fitted, calibrated or not.
    recipe : Recipe
    dataset : Dataset
    parameters, changes : what the pipeline was made with
    images : int
        How many of the data set it was fitted to.
    random_state : int
        Seed of the subset and of the solver.
    seconds : float
        That the fit took.
    copies : mapping of names to plain values, optional
        What is to be told of changed copies that it was fitted to as well.

    Returns
    -------
    Model
    """
    fitted, last = list(machines(pipeline)), pipeline[-1]
    classes = np.unique(dataset.labels).tolist()
    metadata: dict[str, Any] = {
        "recipe": recipe.name,
        "summary": recipe.summary,
        "parameters": asdict(parameters) | ({"pipeline": dict(changes)} if changes else {}),
        "classes": classes,
        # Only where labels do not speak for themselves.
        "class_names": [dataset.class_names[label] for label in classes]
        if dataset.class_names
        else None,
        "machines": len(fitted),
        "support_vectors": sum(len(machine.support_) for machine in fitted),
        "training": {
            "dataset": dataset.name,
            "images": images,
            "of": len(dataset.labels),
            **(copies or {}),
            "random_state": random_state,
            "sha256": dict(dataset.sha256),
            "fit_seconds": round(seconds, 2),
            "kkt_violation": max(machine.kkt_violation_ for machine in fitted),
        },
        "calibration": {
            "temperature": last.temperature_,
            "held_out_images": last.n_held_out_,
            "held_out_calibration_error": last.calibration_error_ if last.n_held_out_ else None,
        }
        if isinstance(last, Calibrated)
        else None,
        # The figures speak of the recipe's own parameters on all of MNIST, of nothing else.
        "cross_validation": asdict(recipe.cross_validation)
        if not (changes or copies)
        and (dataset.name, images, parameters) == ("mnist", 60_000, recipe.defaults)
        else None,
        "versions": {
            "python": platform.python_version(),
            **{package: version(package) for package in RECORDED_PACKAGES},
        },
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return Model(pipeline, metadata)
