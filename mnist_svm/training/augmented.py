"""Training on every image and changed copies of it: many points, out of core, that can go on.

The features of all points are in a file in a working folder, and the machine reads them from there:
memory holds the images, and what the solver takes. All that is random depends on the seed and on
the place in the file, so that a training that was stopped and goes on makes the same model to the
bit as one that was not.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from joblib import delayed
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from mnist_svm._io import atomic_write
from mnist_svm.constants import Float64Array, IntArray
from mnist_svm.datasets.types import Dataset
from mnist_svm.features.distort import Distortion
from mnist_svm.models.file import Model
from mnist_svm.models.parameters import Parameters, Value
from mnist_svm.models.pipelines import MILD, STRONG
from mnist_svm.models.recipes import Recipe
from mnist_svm.parallel.threads import threads
from mnist_svm.svm.calibration import (
    Calibrated,
    Fold,
    calibration_folds,
    fit_temperature,
    predict_held_out,
)
from mnist_svm.svm.coupled import CoupledSVC
from mnist_svm.svm.log import logger
from mnist_svm.training.train import fitted_model, training_images
from mnist_svm.training.work_folder import GrowingArray, WorkFolder

# How copies differ from their image. The steps of these recipes before the machine learn nothing
# from images, so that any part of them can be prepared alone.
DISTORTIONS: Mapping[str, Distortion] = MappingProxyType(
    {"gradient": clone(MILD).set_params(shift=1.0), "poly4": STRONG}
)

# Points that one thread makes the features of, from one source of random numbers; and how many of
# these shards are made between two syncs of the disk.
SHARD = 2048
TOGETHER = 16

# MiB for the solver: per million points what its projection wants, within bounds.
MEMORY_OF_A_MILLION, LEAST_MEMORY, MOST_MEMORY = 2048, 1024, 4096

# Bytes for each point and class: what the solver keeps of them, and once more while that is
# replaced.
KEPT = 10


@dataclass(frozen=True)
class Shard:
    """Points that are made together.

    Attributes
    ----------
    number : of the shard.
    copy : 0 for the images themselves.
    start, stop : the first of the images, and the first that is not of them.
    """

    number: int
    copy: int
    start: int
    stop: int


def distortion_of(recipe: Recipe) -> Distortion:
    """How copies of images are changed for a recipe.

    Parameters
    ----------
    recipe : Recipe

    Returns
    -------
    Distortion

    Raises
    ------
    ValueError
        If the recipe makes copies of its own.
    """
    if recipe.name not in DISTORTIONS:
        msg = (
            f"the machines of {recipe.name} have copies of their own, of support vectors; virtual "
            f"copies of every image are for {' and '.join(DISTORTIONS)}"
        )
        raise ValueError(msg)
    return DISTORTIONS[recipe.name]


class AugmentedTraining:
    """Context manager: a training on images and changed copies of each, kept in a folder.

    The same training in the same folder goes on where it was stopped, by whatever it was.

    Parameters
    ----------
    recipe : Recipe
        Of a single machine, see `DISTORTIONS`.
    dataset : Dataset
    folder : path of the working folder
        It takes `nbytes`.
    copies : int
        Of each image, at least 1.
    parameters, changes, limit, random_state, n_jobs : see `mnist_svm.training.train.train_model`

    Attributes
    ----------
    points : int
        Images and copies: copy c of image i, of n, is row ``c * n + i``; c is 0 for itself.
    nbytes : int
        That the working folder takes.
    resumed : bool
        Whether the folder held a part of this training when it was entered.

    Raises
    ------
    FormatError
        If the data set has fewer than two classes.
    ValueError
        If the recipe makes copies of its own, `copies` is less than 1, `limit` is less than the
        number of classes, or a change cannot be made.

    Examples
    --------
    >>> from mnist_svm import RECIPES, load_dataset, save_model
    >>> def train(path):
    ...     digits = load_dataset("mnist")
    ...     with AugmentedTraining(RECIPES["gradient"], digits, "work", copies=4) as training:
    ...         training.make_features()
    ...         save_model(path, training.fit())
    ...         training.remove()
    """

    resumed = False

    def __init__(
        self,
        recipe: Recipe,
        dataset: Dataset,
        folder: str | os.PathLike[str],
        *,
        copies: int,
        parameters: Parameters | None = None,
        changes: Mapping[str, Value] | None = None,
        limit: int | None = None,
        random_state: int = 0,
        n_jobs: int = -1,
    ) -> None:
        if copies < 1:
            msg = f"copies must be at least 1, got {copies!r}"
            raise ValueError(msg)
        self._distortion = distortion_of(recipe)
        self._recipe, self._dataset = recipe, dataset
        self._parameters, self._changes = parameters or recipe.defaults, changes or {}
        self._copies, self._random_state, self._n_jobs = copies, random_state, n_jobs
        self._X, self._y = training_images(dataset, limit, random_state)
        self.points = len(self._y) * (1 + copies)
        pipeline = recipe.pipeline(
            self._parameters,
            changes=changes,
            random_state=random_state,
            n_jobs=n_jobs,
            calibrate=False,
        )
        self._prepare = pipeline[:-1].fit(self._X)
        self._machine: CoupledSVC = pipeline[-1].set_params(working_memory=_memory(self.points))
        some = self._prepare.transform(self._X[:1])
        shape = (self.points, some.shape[1])
        self._file = GrowingArray(Path(folder) / "features.npy", shape, some.dtype)
        self.nbytes = self._file.nbytes + self.points * len(np.unique(self._y)) * KEPT
        self._folder = WorkFolder(folder, self._told(), self.nbytes)
        self._shards = list(_shards(len(self._y), copies))

    def __enter__(self) -> Self:
        """Find what is done, or begin.

        Raises
        ------
        OSError
            If the folder holds something else or is in use, the disk has too little room, or the
            folder cannot be made or read.
        """
        self._start = time.perf_counter()
        self._folder.__enter__()
        self.resumed = self._folder.steps > 0
        return self

    def __exit__(self, *error: object) -> None:
        self._folder.__exit__(*error)

    @property
    def made(self) -> int:
        """Points whose features are in the folder."""
        return self._rows(self._folder.steps)

    def make_features(
        self, progress: Callable[[int, int], None] = lambda done, total: None
    ) -> None:
        """Make the features that are not there yet.

        Parameters
        ----------
        progress : callable, optional
            Told the number of points done, and of all.

        Raises
        ------
        OSError
            If they cannot be written, as when the disk is full.
        """
        with threads(self._n_jobs) as parallel:
            while shards := self._shards[self._folder.steps :][:TOGETHER]:

                def blocks(shards: list[Shard] = shards) -> Iterator[npt.NDArray[Any]]:
                    made = self.made
                    for features in parallel(delayed(self._features)(shard) for shard in shards):
                        yield features
                        made += len(features)
                        progress(made, self.points)

                self._file.extend(self.made, blocks())
                self._folder.note(shards[-1].number + 1)

    def fit(self) -> Model:
        """Calibrate, then fit to all points; their features must be there.

        Returns
        -------
        Model
            As `mnist_svm.training.train.train_model` makes them.

        Raises
        ------
        OSError
            If the folder cannot be read or written.
        """
        X = self._file.mapped()
        codes = np.unique(self._y, return_inverse=True)[1]
        every = calibration_folds(codes)
        confidences = [self._held_out(number, fold, X) for number, fold in enumerate(every, 1)]
        logger.info("fitting to all %s points", f"{self.points:,}")
        fitted = self._fitted(X, "all")
        classifier = Calibrated.from_fitted(self._machine, fitted, fit_temperature(codes, every, confidences))
        return fitted_model(
            Pipeline([*self._prepare.steps, ("svm", classifier)]),
            self._recipe,
            self._dataset,
            parameters=self._parameters,
            changes=self._changes,
            images=len(self._y),
            random_state=self._random_state,
            seconds=time.perf_counter() - self._start,
            copies={
                "virtual_copies": self._copies,
                "points": self.points,
                "resumed": self.resumed,
            },
        )

    def remove(self) -> None:
        """Remove the folder, once the model is safe."""
        self._folder.remove()

    def _told(self) -> dict[str, Any]:
        """All that makes this training differ from another."""
        return {
            "recipe": self._recipe.name,
            "parameters": asdict(self._parameters),
            "pipeline": dict(self._changes),
            "virtual_copies": self._copies,
            "distortion": self._distortion.get_params(),
            "images": len(self._y),
            "random_state": self._random_state,
            "data": dict(self._dataset.sha256),
            "mnist_svm": version("mnist-svm"),
        }

    def _rows(self, shards: int) -> int:
        """How many points the first shards have."""
        return sum(shard.stop - shard.start for shard in self._shards[:shards])

    def _features(self, shard: Shard) -> npt.NDArray[Any]:
        images: npt.NDArray[Any] = self._X[shard.start : shard.stop]
        if shard.copy:
            seed = np.random.SeedSequence([self._random_state, shard.number])
            rng = np.random.RandomState(np.random.MT19937(seed))
            images = self._distortion(images, rng)
        return np.asarray(self._prepare.transform(images))

    def _held_out(self, number: int, fold: Fold, X: npt.NDArray[Any]) -> Float64Array:
        """Confidences in the images of a fold, read by a machine that has seen no copy of them."""
        path = self._folder.path / f"confidences-{number}.npy"
        if not path.exists():
            confidences = predict_held_out(
                fold, lambda known: self._fitted(X, f"fold-{number}", known), X
            )
            with atomic_write(path) as file:
                np.save(file, confidences)
        return np.asarray(np.load(path))

    def _fitted(self, X: npt.NDArray[Any], name: str, known: IntArray | None = None) -> CoupledSVC:
        """A machine fitted to all points, or to some images and all of their copies."""
        weights = None
        if known is not None:
            weights = np.zeros(len(self._y))
            weights[known] = 1
            weights = np.tile(weights, 1 + self._copies)
        machine: CoupledSVC = clone(self._machine)
        machine.set_params(checkpoint=str(self._folder.path / f"{name}.npz"))
        machine.fit(X, np.tile(self._y, 1 + self._copies), weights)
        # No model tells of the folder.
        machine.set_params(checkpoint=None)
        return machine


def _memory(points: int) -> float:
    """MiB for the solver."""
    return min(max(MEMORY_OF_A_MILLION * points / 1e6, LEAST_MEMORY), MOST_MEMORY)


def _shards(images: int, copies: int) -> Iterator[Shard]:
    """All points in the order of their rows: the images, then a copy of each, ..."""
    number = 0
    for copy in range(1 + copies):
        for start in range(0, images, SHARD):
            yield Shard(number, copy, start, min(start + SHARD, images))
            number += 1
