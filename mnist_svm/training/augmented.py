"""Train on all images and virtual copies of them: out of core, and resumable.

The features of all samples are in a file of a work folder, and the solver reads them from there:
memory holds the images and the solver's own arrays. All random numbers depend on the seed and on
the position in that file, so that an interrupted and resumed training gives a bit-equal model.
"""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from math import ceil
from pathlib import Path
from types import MappingProxyType

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from mnist_svm._io import atomic_write
from mnist_svm._types import Array, Float64Array, Images, IntArray, Labels
from mnist_svm.datasets.types import Dataset, Progress, no_progress
from mnist_svm.features.distort import Distortion
from mnist_svm.models.file import Model
from mnist_svm.models.info import AugmentationRecord
from mnist_svm.models.pipelines import MILD, STRONG
from mnist_svm.models.recipes import Recipe
from mnist_svm.parallel.threads import Workers, delayed, threads
from mnist_svm.svm.calibration import Calibrated, fit_temperature
from mnist_svm.svm.coupled import CoupledSVC
from mnist_svm.svm.held_out import Fold, calibration_folds, predict_held_out
from mnist_svm.svm.log import logger
from mnist_svm.training.resumable import describe_job
from mnist_svm.training.train import TrainingConfig, describe_fit, select_rows
from mnist_svm.training.work_folder import GrowingArray, WorkFolder

# Distortions of the copies. The transformers of these recipes learn nothing from the images, so
# that any part of the features can be computed alone.
DISTORTIONS: Mapping[str, Distortion] = MappingProxyType(
    {"gradient": clone(MILD).set_params(shift=1.0), "poly4": STRONG}
)

# Samples whose features one task computes, from one random generator.
SAMPLES_PER_SHARD = 2048

# Shards between two syncs of the features to the disk.
SHARDS_PER_SYNC = 16

# Memory of the solver in MiB: per million samples, and its bounds.
MIB_PER_MILLION, MIN_MIB, MAX_MIB = 2048, 1024, 6144

# Bytes of a checkpoint per sample and class: twice 5, while a new one replaces the old one.
CHECKPOINT_BYTES = 10


@dataclass(frozen=True)
class AugmentedSamples:
    """Images and virtual copies: sample ``c * n + i`` is copy c of image i; copy 0, the image.

    Attributes
    ----------
    X : uint8 ndarray of shape (n, 784)
    y : int64 ndarray of shape (n,)
    weights : float64 ndarray of shape (n,), or None if all are 1
    sources : integer ndarray of shape (n,), the number of the data set that each image is from;
        None for a single one
    n_copies : copies per image
    distortion : Distortion that makes a copy
    transformers : fitted pipeline from pixels to features
    random_state : seed of the distortions
    """

    X: Images
    y: Labels
    weights: Float64Array | None
    sources: IntArray | None
    n_copies: int
    distortion: Distortion
    transformers: Pipeline
    random_state: int

    def __len__(self) -> int:
        return len(self.y) * (1 + self.n_copies)

    def repeat(self, values: Array) -> Array:
        """Return a value for each sample from a value for each image."""
        return np.tile(values, 1 + self.n_copies)

    def shards(self) -> range:
        """Return the shard numbers in row order; a shard is a part of one copy."""
        return range(ceil(len(self.y) / SAMPLES_PER_SHARD) * (1 + self.n_copies))

    def position(self, shard: int) -> tuple[int, int]:
        """Return the copy of a shard, and the image of its first sample."""
        copy, i = divmod(shard, ceil(len(self.y) / SAMPLES_PER_SHARD))
        return copy, i * SAMPLES_PER_SHARD

    def features(self, shard: int) -> Array:
        """Compute the features of a shard."""
        copy, first = self.position(shard)
        images: Array = self.X[first : first + SAMPLES_PER_SHARD]
        if copy:
            seed = np.random.SeedSequence([self.random_state, shard])
            rng = np.random.RandomState(np.random.MT19937(seed))
            images = self.distortion(images, rng)
        return np.asarray(self.transformers.transform(images))


def require_augmentable(recipe: Recipe) -> None:
    """Raise ValueError for a recipe that cannot be trained on copies of all images."""
    if recipe.name not in DISTORTIONS:
        recipes = " and ".join(DISTORTIONS)
        msg = f"virtual copies of all images are for the recipes {recipes}, not for {recipe.name}"
        raise ValueError(msg)


def train_augmented(
    config: TrainingConfig,
    dataset: Dataset,
    folder: str | os.PathLike[str],
    *,
    copies: int,
    limit: int | None = None,
    n_jobs: int = -1,
    progress: Progress = no_progress,
) -> Model:
    """Train on the images of a data set and virtual copies of each.

    If `folder` holds an interrupted training with the same arguments, it is resumed. Otherwise it
    is created; its parent must exist. The folder remains; remove it when the model is saved.
    `limit` and `n_jobs` are those of `mnist_svm.training.train.train_model`. `progress` is called
    with (n_done, n_total) while features are computed; the fits are logged, see
    `mnist_svm.svm.log`.

    Raises
    ------
    FormatError
        If the data set has fewer than two classes.
    OSError
        If `folder` holds something else or is in use, the disk is too small, or the folder cannot
        be read or written.
    ValueError
        If the recipe makes virtual copies itself, `copies` is less than 1, `limit` is less than
        the number of classes, or a parameter is invalid.
    """
    require_augmentable(config.recipe)
    if copies < 1:
        msg = f"copies must be at least 1, got {copies!r}"
        raise ValueError(msg)
    start = time.perf_counter()
    rows, pipeline = select_rows(dataset, limit, config.random_state), config.pipeline(n_jobs)
    X, y = dataset.X[rows], dataset.labels[rows]
    samples = AugmentedSamples(
        X,
        y,
        None if dataset.weights is None else dataset.weights[rows],
        dataset.part_indices[rows] if len(dataset.parts) > 1 else None,
        copies,
        DISTORTIONS[config.recipe.name],
        pipeline[:-1].fit(X),
        config.random_state,
    )
    first = samples.transformers.transform(X[:1])
    file = GrowingArray(Path(folder) / "features.npy", (len(samples), first.shape[1]), first.dtype)
    needed = file.nbytes + len(samples) * len(np.unique(y)) * CHECKPOINT_BYTES
    job = describe_job(config, dataset, rows) | {
        "virtual_copies": copies,
        "distortion": samples.distortion.get_params(),
    }
    with WorkFolder(folder, job, needed) as work:
        resumed = work.steps > 0
        _write_features(samples, work, file, n_jobs, progress)
        features = np.load(file.path, mmap_mode="r")
        classifier = _fit_calibrated(pipeline[-1], samples, features, work)
    seconds = time.perf_counter() - start
    pipeline = Pipeline([*samples.transformers.steps, ("svm", classifier)])
    augmentation = AugmentationRecord(copies, len(samples), resumed)
    return Model.from_pipeline(
        pipeline, describe_fit(pipeline, config, dataset, rows, seconds, augmentation)
    )


def _write_features(
    samples: AugmentedSamples, work: WorkFolder, file: GrowingArray, n_jobs: int, progress: Progress
) -> None:
    """Compute the features that the file does not have yet."""
    shards = samples.shards()

    def compute(n_done: int, parallel: Workers) -> Generator[Array, None, None]:
        batch = shards[work.steps :][:SHARDS_PER_SYNC]
        for features in parallel(delayed(samples.features)(shard) for shard in batch):
            yield features
            n_done += len(features)
            progress(n_done, len(samples))

    with threads(n_jobs) as parallel:
        while work.steps < len(shards):
            copy, image = samples.position(work.steps)
            n_done = copy * len(samples.y) + image
            # joblib's iterator must be closed in this thread, even if the disk is full.
            with closing(compute(n_done, parallel)) as blocks:
                file.extend(n_done, blocks)
            work.record(min(work.steps + SHARDS_PER_SYNC, len(shards)))


def _fit_calibrated(
    svc: CoupledSVC, samples: AugmentedSamples, X: Array, work: WorkFolder
) -> Calibrated:
    """Fit the temperature on held-out images, then the SVM to all samples."""
    mib = min(max(MIB_PER_MILLION * len(samples) / 1e6, MIN_MIB), MAX_MIB)
    svc.set_params(cache_size=mib)
    y = samples.repeat(samples.y)

    def fit(name: str, images: IntArray | None = None) -> CoupledSVC:
        weights = samples.weights
        if images is not None:
            used = np.bincount(images, minlength=len(samples.y)).astype(float)
            weights = used if weights is None else used * weights
        # A copy has the weight of its image.
        repeated = None if weights is None else samples.repeat(weights)
        fitted: CoupledSVC = clone(svc)
        fitted.set_params(checkpoint=str(work.path / f"{name}.npz")).fit(X, y, repeated)
        # The model must not depend on the folder.
        fitted.set_params(checkpoint=None)
        return fitted

    def predictions(number: int, fold: Fold) -> Float64Array:
        path = work.path / f"predictions-{number}.npy"
        if not path.exists():
            held_out = predict_held_out(fold, partial(fit, f"fold-{number}"), X, codes)
            with atomic_write(path) as file:
                np.save(file, held_out)
        return np.asarray(np.load(path))

    codes = np.unique(samples.y, return_inverse=True)[1]
    folds = calibration_folds(codes, None, samples.sources)
    held_out = [predictions(number, fold) for number, fold in enumerate(folds, 1)]
    calibration = fit_temperature(codes, folds, held_out, samples.weights)
    logger.info("fitting to all %s samples", f"{len(samples):,}")
    return Calibrated.from_fitted(svc, fit("all"), calibration)
