"""Train a recipe with networks in a folder, so that an interrupted training can go on."""

from __future__ import annotations

import os
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from mnist_svm.datasets.types import Dataset
from mnist_svm.datasets.verify import payload_sha256
from mnist_svm.models.file import Model
from mnist_svm.training.fit import Rows
from mnist_svm.training.train import TrainingConfig, fit_config, select_rows
from mnist_svm.training.work_folder import WorkFolder


def train_resumable(
    config: TrainingConfig,
    dataset: Dataset,
    folder: str | os.PathLike[str],
    *,
    limit: int | None = None,
    n_jobs: int = -1,
    tensorboard: str | None = None,
) -> Model:
    """Train as `mnist_svm.training.train.train_model` does, and keep the networks in a folder.

    If `folder` holds an interrupted training with the same arguments, it is resumed: after the
    last epoch of each network, with the result of an uninterrupted training. Otherwise it is
    created; its parent must exist. The folder remains; remove it when the model is saved. Training
    curves for TensorBoard are written to the folder `tensorboard`, if given.

    Raises
    ------
    FormatError
        If the data set has fewer than two classes.
    MissingExtraError
        If Keras or JAX is not installed.
    OSError
        If `folder` holds something else or is in use, or it cannot be read or written.
    ValueError
        If `limit` is less than the number of classes, or a parameter is invalid.
    """
    rows = select_rows(dataset, limit, config.random_state)
    with WorkFolder(folder, describe_job(config, dataset, rows), 0) as work:
        return fit_config(
            config,
            dataset,
            rows,
            n_jobs=n_jobs,
            calibrate=True,
            checkpoints=os.fspath(work.path),
            tensorboard=tensorboard,
        )


def describe_job(config: TrainingConfig, dataset: Dataset, rows: Rows) -> dict[str, Any]:
    """Return everything that a model depends on, as JSON values, for a `WorkFolder`."""
    weights = None if dataset.weights is None else dataset.weights[rows]
    return {
        "recipe": config.recipe.name,
        "parameters": None if config.parameters is None else asdict(config.parameters),
        "changes": dict(config.changes),
        "n_images": len(dataset.labels[rows]),
        "random_state": config.random_state,
        "sha256": dict(dataset.sha256),
        "weights": None if weights is None else payload_sha256(weights),
        "version": version("mnist-svm"),
    }
