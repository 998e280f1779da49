"""Train a recipe on a data set, and record how."""

from __future__ import annotations

import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from importlib.metadata import version

import numpy as np
from sklearn.pipeline import Pipeline

from mnist_svm.datasets.subset import stratified_subset
from mnist_svm.datasets.types import Dataset, mean_weight
from mnist_svm.exceptions import FormatError
from mnist_svm.models.file import Model
from mnist_svm.models.info import (
    AugmentationRecord,
    CalibrationRecord,
    ModelInfo,
    TrainingRecord,
    TrainingSet,
)
from mnist_svm.models.parameters import Parameters, Value
from mnist_svm.models.recipes import RECIPES, Recipe
from mnist_svm.networks.backend import import_keras
from mnist_svm.networks.conv_net import ConvNet
from mnist_svm.networks.fitted import fitted_networks
from mnist_svm.svm.calibration import Calibrated
from mnist_svm.svm.ensembles import LogarithmicPool
from mnist_svm.svm.fitted import fitted_svcs
from mnist_svm.training.fit import Rows, fit_pipeline

RECORDED_PACKAGES = ("mnist-svm", "scikit-learn", "numpy", "scipy", "joblib")
NETWORK_PACKAGES = ("keras", "jax")


@dataclass(frozen=True)
class TrainingConfig:
    """A recipe with its parameters and a seed: all that a model depends on, except its data.

    Attributes
    ----------
    recipe : Recipe
    parameters : hyperparameters of the SVMs; None for a recipe without any
    changes : other pipeline parameters, see `mnist_svm.models.pipelines.set_parameters`
    random_state : seed of the subset and of the solver
    """

    recipe: Recipe
    parameters: Parameters | None
    changes: Mapping[str, Value] = field(default_factory=dict)
    random_state: int = 0

    @classmethod
    def from_info(cls, info: ModelInfo) -> TrainingConfig:
        """Return the configuration that a model was trained with.

        Raises FormatError if the recipe is unknown or does not have these parameters, or the model
        was trained on virtual copies of all images.
        """
        reason = "the model cannot be trained again"
        if info.recipe not in RECIPES:
            msg = f"{reason}: its recipe is {info.recipe!r}, expected one of {', '.join(RECIPES)}"
            raise FormatError(msg)
        if info.training.augmentation:
            msg = f"{reason}: it was trained on virtual copies of all images"
            raise FormatError(msg)
        random_state = info.training.random_state
        config = cls(RECIPES[info.recipe], info.parameters, info.changes, random_state)
        try:
            config.pipeline()
        except (TypeError, ValueError) as error:
            msg = f"{reason}: {error}"
            raise FormatError(msg) from error
        return config

    @cached_property
    def has_network(self) -> bool:
        """Whether a network is trained, which needs the extra [cnn]."""
        return any(isinstance(step, ConvNet) for step in self.pipeline().get_params().values())

    def pipeline(self, n_jobs: int = -1, *, calibrate: bool = False) -> Pipeline:
        """Return an unfitted pipeline; see `mnist_svm.models.recipes.Recipe.pipeline`.

        Raises ValueError if a parameter is unknown, or its value invalid.
        """
        return self.recipe.pipeline(
            self.parameters,
            changes=self.changes,
            random_state=self.random_state,
            n_jobs=n_jobs,
            calibrate=calibrate,
        )


def require_extras(config: TrainingConfig) -> None:
    """Raise MissingExtraError if a package that a configuration needs is not installed."""
    if config.has_network:
        import_keras()


def train_model(
    recipe: Recipe | str,
    dataset: Dataset,
    *,
    parameters: Parameters | None = None,
    changes: Mapping[str, Value] | None = None,
    limit: int | None = None,
    random_state: int = 0,
    n_jobs: int = -1,
) -> Model:
    """Train a recipe on a data set, or on several that `Dataset.concatenate` joined.

    The weights of images, if they have any, multiply C.

    Parameters
    ----------
    recipe : Recipe or str
        A recipe or the name of one, such as "gradient".
    dataset : Dataset
    parameters : Parameters or None, default=None
        Hyperparameters of the SVMs; None takes the recipe's defaults.
    changes : mapping of str to value, optional
        Other pipeline parameters, see `mnist_svm.models.pipelines.set_parameters`.
    limit : int or None, default=None
        Number of images to train on, with the same proportions of classes, and of the data sets
        in each class; None takes all.
    random_state : int, default=0
        Seed of the subset and of the solver. Equal seeds give bit-equal models.
    n_jobs : int, default=-1
        Number of threads, as in joblib. The model is the same for any number.

    Returns
    -------
    Model

    Raises
    ------
    FormatError
        If the data set has fewer than two classes.
    ValueError
        If there is no such recipe, ``limit`` is less than the number of classes, or ``changes``
        has an unknown name or an invalid value.
    """
    if isinstance(recipe, str):
        if recipe not in RECIPES:
            msg = f"recipe: expected one of {', '.join(RECIPES)}, found {recipe!r}"
            raise ValueError(msg)
        recipe = RECIPES[recipe]
    config = TrainingConfig(recipe, parameters or recipe.defaults, changes or {}, random_state)
    rows = select_rows(dataset, limit, random_state)
    return fit_config(config, dataset, rows, n_jobs=n_jobs, calibrate=True)


def select_rows(dataset: Dataset, limit: int | None, random_state: int) -> Rows:
    """Return the index of a random subset of `limit` images, stratified, or of all.

    Raises FormatError if the data set has fewer than two classes, ValueError if ``limit`` is less
    than their number.
    """
    classes = np.unique(dataset.labels)
    if len(classes) < 2:
        msg = f"{dataset.name}: every label is {classes[0]}, expected at least two classes"
        raise FormatError(msg)
    if limit is None or limit >= len(dataset.labels):
        return slice(None)
    return stratified_subset(dataset.labels, limit, random_state, dataset.part_indices)


def fit_config(
    config: TrainingConfig,
    dataset: Dataset,
    rows: Rows,
    *,
    n_jobs: int = -1,
    calibrate: bool,
    checkpoints: str | None = None,
    tensorboard: str | None = None,
) -> Model:
    """Fit a configuration's pipeline to some images of a data set.

    Calibration takes further fits and changes no label. Networks store their state in the folder
    `checkpoints`, and their training curves in the folder `tensorboard`, if given. An invalid
    parameter raises ValueError.
    """
    start = time.perf_counter()
    pipeline = config.pipeline(n_jobs, calibrate=calibrate)
    for step in pipeline.get_params().values():
        if isinstance(step, ConvNet):
            step.set_params(checkpoint=checkpoints, tensorboard=tensorboard)
    fit_pipeline(pipeline, dataset, rows)
    seconds = time.perf_counter() - start
    return Model.from_pipeline(pipeline, describe_fit(pipeline, config, dataset, rows, seconds))


def fit_network(
    config: TrainingConfig,
    dataset: Dataset,
    rows: Rows,
    *,
    n_epochs: int,
    checkpoints: str | None = None,
) -> Model:
    """Train a recipe that is a network for the first `n_epochs` of its epochs.

    With the same folder `checkpoints`, a later call goes on where an earlier one ended.
    """
    start = time.perf_counter()
    pipeline = config.pipeline()
    *transformers, network = pipeline
    network.set_params(checkpoint=checkpoints)
    X = dataset.X[rows]
    for transformer in transformers:
        X = transformer.fit_transform(X)
    weights = None if dataset.weights is None else dataset.weights[rows]
    for epoch in network.fit_epochs(X, dataset.labels[rows], weights):
        if epoch.epoch >= n_epochs:
            break
    seconds = time.perf_counter() - start
    return Model.from_pipeline(pipeline, describe_fit(pipeline, config, dataset, rows, seconds))


def describe_fit(
    pipeline: Pipeline,
    config: TrainingConfig,
    dataset: Dataset,
    rows: Rows,
    seconds: float,
    augmentation: AugmentationRecord | None = None,
) -> ModelInfo:
    """Return how a pipeline was fitted to some images of a data set, in `seconds`."""
    recipe, svcs, names = config.recipe, list(fitted_svcs(pipeline)), dataset.class_names
    networks = list(fitted_networks(pipeline))
    packages = RECORDED_PACKAGES + (NETWORK_PACKAGES if networks else ())
    calibration, classifier = None, getattr(pipeline[-1], "final_estimator_", pipeline[-1])
    if isinstance(classifier, Calibrated | ConvNet | LogarithmicPool):
        n_held_out = classifier.n_held_out_
        error = classifier.calibration_error_ if n_held_out else None
        # The exponents of a pool are its temperature.
        temperature = getattr(classifier, "temperature_", 1.0)
        calibration = CalibrationRecord(temperature, n_held_out, error)
    classes = np.unique(dataset.labels).tolist()
    default = not config.changes and augmentation is None and config.parameters == recipe.defaults
    sets = _training_sets(dataset, rows)
    n_images = sum(each.n_images for each in sets)
    # The cross-validated error is that of the defaults on all training images.
    is_full = sets[0].n_images == 60_000 and n_images == len(dataset.labels)
    return ModelInfo(
        recipe=recipe.name,
        summary=recipe.summary,
        parameters=config.parameters,
        changes=dict(config.changes),
        classes=tuple(classes),
        class_names=tuple(names.get(x, str(x)) for x in classes) if names else None,
        n_svms=len(svcs),
        n_support_vectors=sum(len(svc.support_) for svc in svcs),
        n_weights=sum(weights.size for net in networks for weights in net.weights_) or None,
        training=TrainingRecord(
            sets=sets,
            n_images=n_images,
            random_state=config.random_state,
            fit_seconds=round(seconds, 2),
            kkt_violation=max((svc.kkt_violation_ for svc in svcs), default=None),
            augmentation=augmentation,
        ),
        calibration=calibration,
        cross_validation=recipe.cross_validation_on(dataset.sources)
        if default and is_full
        else None,
        versions={"python": platform.python_version()} | {p: version(p) for p in packages},
        date=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _training_sets(dataset: Dataset, rows: Rows) -> tuple[TrainingSet, ...]:
    """Describe the data sets that the images of some rows are from."""
    indices = dataset.part_indices[rows]
    weights = np.ones(len(indices)) if dataset.weights is None else dataset.weights[rows]
    sets = []
    for number, part in enumerate(dataset.parts):
        used = weights[indices == number]
        # A small subset can have no image of a small data set.
        weight = mean_weight(used) if len(used) else 1.0
        sets.append(TrainingSet(part.name, len(used), part.n_images, weight, dict(part.sha256)))
    return tuple(sets)
