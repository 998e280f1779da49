"""A recipe and a training set -> the parameters that read the most of held-out images right.

Each trial trains on a small part of the images, then on more, then on all, and reads those that
were held out; after each part, the trials that are behind are given up.
"""

from __future__ import annotations

import hashlib
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import StratifiedKFold

from mnist_svm.datasets.load import Dataset
from mnist_svm.errors import MissingExtraError
from mnist_svm.modelfile import Model
from mnist_svm.recipes import Recipe, Value
from mnist_svm.report import Evaluation, evaluate
from mnist_svm.searchspace import (
    SPACES,
    Ended,
    State,
    divided,
    own_values,
    train_command,
)
from mnist_svm.training import fitted_model, stratified_subset

# Parts of the images that a trial trains on, one after the other ...
PARTS = (1 / 25, 1 / 5, 1.0)
# ... where they have so many images of a class, on average.
ENOUGH = 20

# Without folds, one image in so many is held out: of MNIST's 60,000, the last 10,000.
HELD_OUT = 6

# What parameters that cannot be trained with end a trial by.
FAILURES = (ValueError, ArithmeticError, MemoryError, RuntimeWarning, ConvergenceWarning)

if TYPE_CHECKING:
    from mnist_svm.study import Study

Rows = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Tried:
    """A trial that was trained and measured now.

    Attributes
    ----------
    number : of the trial in its search, from 0 on.
    state : ``"complete"`` if it was trained on all images that there are, else ``"pruned"``.
    recipe : its name.
    parameters : what was tried, by the names of `mnist_svm.searchspace.SPACES`.
    stages : images trained on and accuracy on those held out, for each size of training set.
    n : images held out, or of all folds.
    errors : of these, images misread after the last stage.
    evaluation : how all of them were read. Confidences are not calibrated, and left out.
    model : of the last stage; None with folds, each of which has one.
    seconds : that the trial took.
    command : ``mnist-svm train`` with these parameters.
    """

    number: int
    state: Literal["complete", "pruned"]
    recipe: str
    parameters: dict[str, Value]
    stages: tuple[tuple[int, float], ...]
    n: int
    errors: int
    evaluation: Evaluation
    model: Model | None
    seconds: float
    command: str


@dataclass(frozen=True)
class Protocol:
    """What trials are trained and measured on. The test set has no part in it.

    Attributes
    ----------
    images : of the data set that take part.
    folds : number of folds; None if one part of the images is held out.
    splits : rows to train on and rows to read, of each fold.
    sizes : of the training sets, one after the other; the last is all there is of a fold.
    random_state : seed of subsets, folds and machines.
    """

    images: int
    folds: int | None
    splits: tuple[tuple[Rows, Rows], ...]
    sizes: tuple[int, ...]
    random_state: int

    @property
    def n(self) -> int:
        """Images that are read."""
        return sum(len(held) for _, held in self.splits)

    def __str__(self) -> str:
        if self.folds:
            return f"{self.folds} folds of {self.images:,} images"
        return f"{self.n:,} of {self.images:,} images held out"


@dataclass(frozen=True)
class UnderWay:
    """The trial that is being trained: its number, its parameters, and on how many images."""

    number: int
    parameters: dict[str, Value]
    images: int


@dataclass(frozen=True)
class Standing:
    """How a search stands.

    Attributes
    ----------
    name : of the search.
    protocol : Protocol
    ended : trials that ended, in order, those of earlier runs as well.
    under_way : the trial at work, if any.
    """

    name: str
    protocol: Protocol
    ended: tuple[Ended, ...]
    under_way: UnderWay | None = None

    @property
    def ranking(self) -> list[Ended]:
        """The trials that were trained on all images, best first; of equals, the earlier."""
        complete = [trial for trial in self.ended if trial.state == "complete"]
        return sorted(complete, key=lambda trial: trial.errors)

    @property
    def default(self) -> Ended | None:
        """The trial of the recipe's own parameters, if it is complete."""
        return next((trial for trial in self.ranking if trial.number == 0), None)


def require_optuna() -> None:
    """Fail early if `tune` could not search.

    Raises
    ------
    MissingExtraError
        If Optuna is not installed.
    """
    try:
        import_module("optuna")
    except ImportError as error:
        msg = "tuning needs Optuna: pip install 'mnist-svm[tune]'"
        raise MissingExtraError(msg) from error


def protocol_for(
    dataset: Dataset, *, folds: int | None = None, limit: int | None = None, random_state: int = 0
) -> Protocol:
    """What to train and measure on.

    Parameters
    ----------
    dataset : Dataset
        The training images.
    folds : int, optional
        Read each image once, by a machine trained on the other folds. Without, the last sixth is
        read by a machine trained on the rest; or, where a class is missing there, as in images
        sorted by class, any sixth of each class.
    limit : int, optional
        Take so many images, each class in its proportion.
    random_state : int, default=0

    Returns
    -------
    Protocol

    Raises
    ------
    ValueError
        If not all of the classes would be in each part.
    """
    y = dataset.labels
    rows = np.arange(len(y))
    if limit is not None and limit < len(y):
        rows = stratified_subset(y, limit, random_state)
    if folds is None:
        splits = [_held_out(rows, y[rows], random_state)]
    else:
        splits = _folds(rows, y[rows], folds, random_state)
    classes = len(np.unique(y))
    for part in (part for split in splits for part in split):
        if classes < 2 or len(np.unique(y[part])) < classes:
            msg = (
                f"{len(rows):,} images of {dataset.name} are too few for each part of them to hold "
                f"all {classes} classes"
            )
            raise ValueError(msg)
    most = min(len(known) for known, _ in splits)
    sizes = [size for part in PARTS[:-1] if (size := int(most * part)) >= ENOUGH * classes]
    return Protocol(len(rows), folds, tuple(splits), (*sizes, most), random_state)


def _held_out(rows: Rows, labels: npt.NDArray[np.int64], random_state: int) -> tuple[Rows, Rows]:
    n, classes = len(rows) // HELD_OUT, len(np.unique(labels))
    held = np.arange(len(rows)) >= len(rows) - n
    if len(np.unique(labels[held])) < classes <= n:
        held[:] = False
        held[stratified_subset(labels, n, random_state)] = True
    return rows[~held], rows[held]


def _folds(
    rows: Rows, labels: npt.NDArray[np.int64], folds: int, random_state: int
) -> list[tuple[Rows, Rows]]:
    if np.unique(labels, return_counts=True)[1].min() < folds:
        msg = f"{folds} folds need as many images of each class"
        raise ValueError(msg)
    split = StratifiedKFold(folds, shuffle=True, random_state=random_state).split(rows, labels)
    return [(rows[known], rows[held]) for known, held in split]


def search_name(recipe: Recipe, dataset: Dataset, protocol: Protocol) -> str:
    """A name that searches share if, and only if, their trials can be compared.

    Parameters
    ----------
    recipe : Recipe
    dataset : Dataset
    protocol : Protocol

    Returns
    -------
    str
    """
    parts = (
        SPACES[recipe.name],
        own_values(recipe),
        sorted(dataset.sha256.items()),
        protocol.sizes,
    )
    digest = hashlib.sha256(repr(parts).encode()).hexdigest()[:8]
    told = f"{recipe.name} on {Path(dataset.name).name}, {protocol}"
    return f"{told}, seed {protocol.random_state}, {digest}"


def tune(
    recipe: Recipe,
    dataset: Dataset,
    protocol: Protocol,
    *,
    trials: int = 30,
    timeout: float | None = None,
    storage: str | None = None,
    n_jobs: int = -1,
    options: Sequence[str] = (),
    observe: Callable[[Tried], None] | None = None,
    progress: Callable[[Standing], None] | None = None,
) -> Standing:
    """Search for better parameters of a recipe.

    The first trial has the recipe's own parameters and is trained to the end, so that the best of
    all is at least as good. The others are drawn by Optuna's tree-structured Parzen estimator,
    and pruned by successive halving. The same seed tries the same parameters, however often the
    search is interrupted.

    Parameters
    ----------
    recipe : Recipe
    dataset : Dataset
        The training images.
    protocol : Protocol
        From `protocol_for`.
    trials : int, default=30
        Of the whole search, those of earlier runs counted.
    timeout : float, optional
        Begin no trial after so many seconds, but for the first.
    storage : str, optional
        Address of a database, such as ``sqlite:///tune.db``, in which the search is kept and
        goes on; without, it is forgotten.
    n_jobs : int, default=-1
        Threads, as in joblib; -1 takes every core. They change nothing in the result.
    options : sequence of str
        Further ones for the commands that are told.
    observe : callable, optional
        Called with each trial that has just been trained.
    progress : callable, optional
        Called whenever something has changed.

    Returns
    -------
    Standing

    Raises
    ------
    MissingExtraError
        If Optuna is not installed.
    StudyError
        If the database cannot be used.
    """
    require_optuna()
    from mnist_svm.study import Study

    start = time.monotonic()
    name = search_name(recipe, dataset, protocol)
    study = Study(storage, name, SPACES[recipe.name], own_values(recipe), protocol.random_state)
    school = _School(recipe, dataset, protocol, n_jobs)
    standing = Standing(name, protocol, study.ended())

    def show(under_way: UnderWay | None) -> None:
        if progress:
            progress(replace(standing, under_way=under_way))

    while len(standing.ended) < trials:
        if standing.ended and timeout is not None and time.monotonic() - start >= timeout:
            break
        trial, learned = _attempt(study, school, show)
        study.end(trial)
        standing = replace(standing, ended=study.ended())
        if learned and observe:
            observe(_tried(trial, learned, school, options))
    show(None)
    return standing


class _FailedError(Exception):
    """Parameters that cannot be trained with; says why, in one line."""


@dataclass(frozen=True)
class _School:
    """Trains a recipe, and reads what was held out."""

    recipe: Recipe
    dataset: Dataset
    protocol: Protocol
    n_jobs: int

    def train(self, values: Mapping[str, Value], images: int) -> tuple[Evaluation, Model]:
        """Train on so many images, of each fold; gives the model of the last."""
        X, y = self.dataset.X, self.dataset.labels
        read = []
        try:
            with warnings.catch_warnings():
                # What is not at its optimum, or overflowed, says nothing about its parameters.
                warnings.simplefilter("error", ConvergenceWarning)
                warnings.simplefilter("error", RuntimeWarning)
                for known, held in self.protocol.splits:
                    model = self._fitted(values, self._rows(known, images))
                    read.append(model.pipeline.predict(X[held]))
        except FAILURES as error:
            raise _FailedError((str(error) or repr(error)).splitlines()[0]) from error
        true = np.concatenate([y[held] for _, held in self.protocol.splits])
        return evaluate(true, np.concatenate(read)), model

    def _rows(self, known: Rows, images: int) -> Rows:
        # Of all there are, folds may have one more.
        if images == self.protocol.sizes[-1]:
            return known
        labels = self.dataset.labels[known]
        return known[stratified_subset(labels, images, self.protocol.random_state)]

    def _fitted(self, values: Mapping[str, Value], rows: Rows) -> Model:
        parameters, changes = divided(self.recipe, values)
        seed = self.protocol.random_state
        start = time.perf_counter()
        pipeline = self.recipe.pipeline(
            parameters, changes=changes, random_state=seed, n_jobs=self.n_jobs, calibrate=False
        ).fit(self.dataset.X[rows], self.dataset.labels[rows])
        return fitted_model(
            pipeline,
            self.recipe,
            self.dataset,
            parameters=parameters,
            changes=changes,
            images=len(rows),
            random_state=seed,
            seconds=time.perf_counter() - start,
        )


def _attempt(
    study: Study, school: _School, show: Callable[[UnderWay], None]
) -> tuple[Ended, tuple[Evaluation, Model] | None]:
    """One trial, through all sizes of training set or until it is given up.

    Returns
    -------
    trial : Ended
    learned : how the images were read after the last stage, and by what; None if it failed
    """
    start = time.perf_counter()
    number, values = study.begin()
    sizes = school.protocol.sizes
    stages: tuple[tuple[int, float], ...] = ()
    state: State = "complete"
    for stage, images in enumerate(sizes):
        show(UnderWay(number, values, images))
        try:
            evaluation, model = school.train(values, images)
        except _FailedError as failure:
            seconds = time.perf_counter() - start
            return Ended(number, "failed", values, stages, 0, 0, seconds, str(failure)), None
        accuracy = 1 - evaluation.errors / evaluation.n
        stages += ((images, accuracy),)
        if stage < len(sizes) - 1 and not study.promising(stage, accuracy):
            state = "pruned"
            break
    seconds = time.perf_counter() - start
    ended = Ended(number, state, values, stages, evaluation.n, evaluation.errors, seconds)
    return ended, (evaluation, model)


def _tried(
    trial: Ended, learned: tuple[Evaluation, Model], school: _School, options: Sequence[str]
) -> Tried:
    evaluation, model = learned
    return Tried(
        number=trial.number,
        state="complete" if trial.state == "complete" else "pruned",
        recipe=school.recipe.name,
        parameters=trial.parameters,
        stages=trial.stages,
        n=trial.n,
        errors=trial.errors,
        evaluation=evaluation,
        model=None if school.protocol.folds else model,
        seconds=trial.seconds,
        command=train_command(school.recipe, school.dataset.name, trial.parameters, options),
    )
