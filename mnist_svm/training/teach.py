"""Teach a model a person's own way of writing, from some pictures that it misread.

The SVMs are fitted again to what the model was trained on, and to the corrections with distorted
copies of each: a few examples then cover a way of writing, and count as much as many images. An SVM
depends on its support vectors only, so where the training images are not to be had, these stand for
them. They lack the images that would speak against a correction, so the result is less exact.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from sklearn.base import clone

from mnist_svm._types import Array, Images, IntArray, Labels
from mnist_svm.constants import IMAGE_SHAPE
from mnist_svm.datasets.load import load_dataset
from mnist_svm.datasets.orientation import ORIENTATIONS, UPRIGHT, turn_upright
from mnist_svm.datasets.types import Dataset, FilePath, Progress, no_progress
from mnist_svm.datasets.verify import payload_sha256
from mnist_svm.exceptions import FormatError
from mnist_svm.features.distort import Distortion
from mnist_svm.models.estimators import to_estimator
from mnist_svm.models.file import Model
from mnist_svm.models.info import ModelInfo, TrainingSet
from mnist_svm.svm.classifier import KernelSVC
from mnist_svm.svm.fitted import svcs_with_transformers
from mnist_svm.svm.log import logger
from mnist_svm.training.leave_one_out import FittedSamples, predict_left_out
from mnist_svm.training.train import select_rows

# Distorted copies of a correction, and how they differ: chosen on hands made up of MNIST's training
# images. Of many corrections there are fewer copies each, but at least MIN_COPIES.
MAX_COPIES, MIN_COPIES = 50, 8
MAX_SAMPLES = 4_000
VARIATION = Distortion(
    displacement=2.0,
    smoothness=6.0,
    rotation=0.25,
    stretch=0.25,
    shift=1.0,
    image_shape=IMAGE_SHAPE,
)

# Images whose features are computed together: more take longer, for the memory of all steps.
BLOCK_SIZE = 20_000

# Corrections that are left out, one at a time, to see what the others teach.
MAX_LEFT_OUT = 10


@dataclass(frozen=True)
class Comparison:
    """Images that are misread before and after teaching.

    Attributes
    ----------
    data : name of the data set
    n : number of images
    before, after : how many of them are misread
    """

    data: str
    n: int
    before: int
    after: int

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a dict."""
        return dict(vars(self))


@dataclass(frozen=True)
class Teaching:
    """A taught model, and what teaching changed.

    Attributes
    ----------
    model : Model
    corrections : how the corrections are read; after teaching, each by a model that learned from
        the others only. Of more than `MAX_LEFT_OUT`, so many are tried.
    n_corrections : number of corrections in all
    """

    model: Model
    corrections: Comparison
    n_corrections: int


def load_corrections(folder: FilePath, info: ModelInfo) -> Dataset:
    """Load the corrections in a folder, for a model; the same picture counts once.

    Raises FormatError if the model has a network, a picture cannot be read, a sub-folder is not
    named by a label of the model, or a picture is in two of them; DataMissingError if there are no
    pictures; OSError if the folder cannot be read.
    """
    _require_svms_alone(info)
    dataset = load_dataset(folder)
    labels = [str(label) for label in info.classes]
    found = [dataset.class_names.get(label, str(label)) for label in np.unique(dataset.labels)]
    if unknown := [name for name in found if name not in labels or dataset.class_names]:
        msg = (
            f"{dataset.name}: expected one sub-folder per label, of {', '.join(labels)}; "
            f"found {', '.join(unknown)}"
        )
        raise FormatError(msg)
    _, first, inverse = np.unique(dataset.X, axis=0, return_index=True, return_inverse=True)
    differs = dataset.labels != dataset.labels[first][inverse.ravel()]
    if differs.any():
        i = int(differs.argmax())
        pair = sorted([int(dataset.labels[i]), int(dataset.labels[first][inverse.ravel()[i]])])
        msg = f"{dataset.name}: the same picture is in {pair[0]} and in {pair[1]}; remove one"
        raise FormatError(msg)
    rows = np.sort(first)
    return replace(dataset, images=dataset.images[rows], labels=dataset.labels[rows])


def load_training_images(
    info: ModelInfo,
    corrections: str,
    data_dir: FilePath | None = None,
    progress: Progress = no_progress,
) -> Dataset:
    """Load the images that a model was trained on, without earlier corrections of this name.

    Raises FormatError if the model cannot be trained again on them in seconds, or they are others
    now; DataMissingError, FetchError, MissingExtraError or OSError if they cannot be had.
    """
    if info.n_svms > 1 or info.training.augmentation:
        what = "has several SVMs" if info.n_svms > 1 else "was trained on virtual copies"
        msg = f"the model {what}: training it again would take minutes"
        raise FormatError(msg)
    sets = [each for each in info.training.sets if not _same_path(each.name, corrections)]
    if not sets:
        msg = f"the model was trained on {corrections} alone"
        raise FormatError(msg)
    datasets = []
    for each in sets:
        dataset = load_dataset(each.name, data_dir=data_dir, progress=progress)
        datasets.append(_as_trained_on(dataset, each))
    joined = Dataset.concatenate(datasets, [each.weight for each in sets])
    n_images = sum(each.n_images for each in sets)
    rows = select_rows(joined, n_images, info.training.random_state)
    weights = None if joined.weights is None else joined.weights[rows]
    return Dataset(joined.name, joined.images[rows], joined.labels[rows], {}, weights=weights)


def _as_trained_on(dataset: Dataset, trained: TrainingSet) -> Dataset:
    """Return a data set as a model was trained on it, turned if it was; or raise FormatError."""
    of_images = next(stem for stem in dataset.sha256 if "images" in stem)
    for orientation in ORIENTATIONS:
        images = turn_upright(dataset.images, orientation)
        is_turned = orientation != UPRIGHT
        sha256 = {**dataset.sha256, **({of_images: payload_sha256(images)} if is_turned else {})}
        if sha256 == dict(trained.sha256):
            return replace(dataset, images=images, sha256=sha256)
    msg = f"{dataset.name}: not the images that the model was trained on"
    raise FormatError(msg)


def teach(
    model: Model, corrections: Dataset, training: Dataset | None = None, *, n_jobs: int = -1
) -> Teaching:
    """Fit the SVMs of a model again, with corrections.

    Parameters
    ----------
    model : Model
        It is not changed.
    corrections : Dataset
        Misread images with their right labels, see `load_corrections`.
    training : Dataset, optional
        What the model was trained on, see `load_training_images`, for a model with one SVM; by
        default its support vectors.
    n_jobs : int, default=-1
        Number of threads, as in joblib.

    Returns
    -------
    Teaching

    Raises
    ------
    FormatError
        If the model has a network.
    """
    _require_svms_alone(model.info)
    start = time.perf_counter()
    pipeline = to_estimator(model.step)
    weights = sorted({each.weight for each in model.info.training.sets})
    n = len(corrections.labels)
    n_copies = max(min(MAX_COPIES, MAX_SAMPLES // n), MIN_COPIES)
    copies = _distorted_copies(corrections.X, n_copies)
    rows = _spread(n)
    fitted = []
    for transformers, svc in [*svcs_with_transformers(pipeline)]:

        def features(X: Images, steps: Sequence[Any] = transformers) -> Array:
            blocks = []
            for first in range(0, len(X), BLOCK_SIZE):
                block = X[first : first + BLOCK_SIZE]
                for step in steps:
                    block = step.transform(block)
                blocks.append(block)
            return np.concatenate(blocks)

        logger.info("computing features")
        base = (
            _support(svc, weights)
            if training is None
            else FittedSamples.of(features(training.X), training.labels, training.weights)
        )
        taught = FittedSamples.of(
            features(copies),
            np.tile(corrections.labels, 1 + n_copies),
            groups=np.tile(np.arange(n), 1 + n_copies),
        )
        support = _refit(svc, base.joined(taught), n_jobs)
        fitted.append((svc, support, taught.X[rows]))
    before = model.classes[model.predict_proba(corrections.images).argmax(axis=1)]
    logger.info("reading each correction without having learned it")
    after = predict_left_out(fitted, rows, corrections.labels[rows], n_jobs)
    counts = [int((labels != corrections.labels[rows]).sum()) for labels in (before[rows], after)]
    added = TrainingSet(corrections.name, n, n, 1.0 + n_copies, dict(corrections.sha256))
    info = _record(model.info, added, [svc for svc, *_ in fitted], start)
    return Teaching(
        Model.from_pipeline(pipeline, info),
        Comparison(corrections.name, len(rows), *counts),
        n,
    )


def _require_svms_alone(info: ModelInfo) -> None:
    """Raise FormatError for a model with a network, which cannot be fitted to a few images."""
    if info.n_weights:
        msg = (
            f"the model, of recipe {info.recipe}, has a network, which a few images cannot teach; "
            "train it again with the corrections as another --data"
        )
        raise FormatError(msg)


def _same_path(one: str, other: str) -> bool:
    one, other = (os.path.normcase(os.path.realpath(path)) for path in (one, other))
    return one == other


def _spread(n: int) -> IntArray:
    """Return the indices of at most `MAX_LEFT_OUT` of n corrections, evenly spread."""
    return np.unique(np.linspace(0, n - 1, min(n, MAX_LEFT_OUT)).round().astype(np.intp))


def _distorted_copies(X: Images, n_copies: int) -> Images:
    """Return images, and distorted copies of each behind them."""
    rng = np.random.RandomState(0)
    copies = [np.rint(VARIATION(X, rng)).astype(np.uint8) for _ in range(n_copies)]
    return np.concatenate([X, *copies])


def _support(svc: KernelSVC, weights: Sequence[float]) -> FittedSamples:
    """Return the support vectors of an SVM, weighted as in its training as far as they show it.

    The dual coefficients of a sample are at most C times its weight, and less if that did not
    matter. So it gets the smallest weight of a data set that they allow.
    """
    labels: Labels = np.repeat(svc.classes_, svc.n_support_)
    used = np.abs(svc.dual_coef_).max(axis=0) / svc.C
    # The solver's sums may exceed the bound by rounding.
    index = np.searchsorted(weights, used * (1 - 1e-6)).clip(max=len(weights) - 1)
    return FittedSamples.of(svc.support_vectors_, labels, np.asarray(weights)[index])


def _refit(svc: KernelSVC, samples: FittedSamples, n_jobs: int) -> FittedSamples:
    """Fit an SVM in its place in the pipeline, and return the samples that it depends on."""
    logger.info("fitting to %s samples", f"{len(samples.y):,}")
    # "scale" would be another number for these samples.
    fitted = clone(svc).set_params(gamma=svc.gamma_, n_jobs=n_jobs)
    fitted.fit(samples.X, samples.y, samples.weights).set_params(gamma=svc.gamma)
    svc.__dict__.update(vars(fitted))
    return samples.rows(svc.support_.astype(np.intp))


def _record(
    info: ModelInfo, added: TrainingSet, svcs: Sequence[KernelSVC], start: float
) -> ModelInfo:
    """Return the information about the taught model, in which a data set replaces its namesake."""
    others = [each for each in info.training.sets if not _same_path(each.name, added.name)]
    sets = [*others, added]
    training = replace(
        info.training,
        sets=tuple(sets),
        n_images=sum(each.n_images for each in sets),
        fit_seconds=round(time.perf_counter() - start, 2),
        kkt_violation=max(svc.kkt_violation_ for svc in svcs),
    )
    return replace(
        info,
        training=training,
        n_support_vectors=sum(len(svc.support_) for svc in svcs),
        cross_validation=None,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
    )
