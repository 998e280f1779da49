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
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Literal, cast

import numpy as np
from joblib import delayed
from sklearn.exceptions import ConvergenceWarning

from mnist_svm._optional import require_extra
from mnist_svm.datasets.load import Dataset
from mnist_svm.datasets.subset import stratified_subset
from mnist_svm.evaluation.measures import Evaluation, evaluate
from mnist_svm.models.file import Model
from mnist_svm.models.parameters import Value
from mnist_svm.models.recipes import Recipe
from mnist_svm.parallel.workers import at_once, on_cluster, workers_for
from mnist_svm.training.train import fitted_model
from mnist_svm.tuning.space import (
    SPACES,
    Ended,
    State,
    divided,
    own_values,
    train_command,
)
from mnist_svm.tuning.splits import Protocol, Rows

# What parameters that cannot be trained with end a trial by.
FAILURES = (ValueError, ArithmeticError, MemoryError, RuntimeWarning, ConvergenceWarning)

if TYPE_CHECKING:
    from mnist_svm.tuning.study import Study

# How the images held out were read, and by what; and from parameters and a number of images to it.
Learned = tuple[Evaluation, Model]
Train = Callable[[Mapping[str, Value], int], Learned]


@dataclass(frozen=True)
class Tried:
    """A trial that was trained and measured now.

    Attributes
    ----------
    number : of the trial in its search, from 0 on.
    state : ``"complete"`` if it was trained on all images that there are, else ``"pruned"``.
    recipe : its name.
    parameters : what was tried, by the names of `mnist_svm.tuning.space.SPACES`.
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
    under_way : the trials at work: one at a time, or on a Dask cluster as many as it can do.
    """

    name: str
    protocol: Protocol
    ended: tuple[Ended, ...]
    under_way: tuple[UnderWay, ...] = ()

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
    require_extra("optuna", "tuning needs Optuna", "tune")


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

    Where a Dask cluster is in use, its workers do a trial each. Then what is tried also depends on
    which of them is done first.

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
    from mnist_svm.tuning.study import Study

    name = search_name(recipe, dataset, protocol)
    study = Study(storage, name, SPACES[recipe.name], own_values(recipe), protocol.random_state)
    standing = Standing(name, protocol, study.ended())

    def tell(trial: Ended, learned: Learned) -> None:
        if observe:
            observe(_tried(trial, learned, school, options))

    deadline = None if timeout is None else time.monotonic() + timeout
    school = School(recipe, dataset, protocol, n_jobs)
    search = _Search(study, standing, trials, deadline, tell, progress or (lambda standing: None))
    if not on_cluster():
        search.go_on(school.train)
        return search.standing
    with workers_for(n_jobs) as workers:
        workers.share(school)

        def train(values: Mapping[str, Value], images: int) -> Learned:
            (learned,) = workers([delayed(School.train)(school, values, images)])
            return cast("Learned", learned)

        at_once(workers.n_jobs, lambda: search.go_on(train))
    return search.standing


class FailedError(Exception):
    """Parameters that cannot be trained with; says why, in one line."""


@dataclass(frozen=True)
class School:
    """Trains a recipe, and reads what was held out."""

    recipe: Recipe
    dataset: Dataset
    protocol: Protocol
    n_jobs: int

    def train(self, values: Mapping[str, Value], images: int) -> Learned:
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
            raise FailedError((str(error) or repr(error)).splitlines()[0]) from error
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


class _Search:
    """Trials of a study, by as many threads as go on with it.

    Parameters
    ----------
    study : Study
    standing : Standing
    trials : int
    deadline : float or None
        When to begin no more, by `time.monotonic`, but the first.
    tell : callable
        Told of each trial that was trained.
    progress : callable
        Told how the search stands, whenever that has changed.
    """

    def __init__(
        self,
        study: Study,
        standing: Standing,
        trials: int,
        deadline: float | None,
        tell: Callable[[Ended, Learned], None],
        progress: Callable[[Standing], None],
    ) -> None:
        self.standing = standing
        self._study, self._trials, self._deadline = study, trials, deadline
        self._tell, self._progress = tell, progress
        self._under_way: dict[int, UnderWay] = {}
        # The study, and who is told, expect one at a time.
        self._lock = Lock()

    def go_on(self, train: Train) -> None:
        """Try until there are enough trials, or time is up."""
        while (begun := self._begin()) is not None:
            number, values = begun
            trial, learned = self._attempt(number, values, train)
            with self._lock:
                self._study.end(trial)
                del self._under_way[number]
                self.standing = replace(self.standing, ended=self._study.ended())
                if learned:
                    self._tell(trial, learned)
                self._show()

    def _begin(self) -> tuple[int, dict[str, Value]] | None:
        with self._lock:
            ended, at_work = len(self.standing.ended), len(self._under_way)
            late = self._deadline is not None and time.monotonic() >= self._deadline
            if ended + at_work >= self._trials or (late and ended + at_work):
                return None
            number, values = self._study.begin()
            self._under_way[number] = UnderWay(number, values, self.standing.protocol.sizes[0])
            return number, values

    def _attempt(
        self, number: int, values: dict[str, Value], train: Train
    ) -> tuple[Ended, Learned | None]:
        """One trial, through all sizes of training set or until it is given up.

        Returns
        -------
        trial : Ended
        learned : how the images were read after the last stage, and by what; None if it failed
        """
        start = time.perf_counter()
        sizes = self.standing.protocol.sizes
        stages: tuple[tuple[int, float], ...] = ()
        state: State = "complete"
        for stage, images in enumerate(sizes):
            with self._lock:
                self._under_way[number] = UnderWay(number, values, images)
                self._show()
            try:
                learned = train(values, images)
            except FailedError as failure:
                seconds = time.perf_counter() - start
                return Ended(number, "failed", values, stages, 0, 0, seconds, str(failure)), None
            evaluation, _ = learned
            accuracy = 1 - evaluation.errors / evaluation.n
            stages += ((images, accuracy),)
            if stage < len(sizes) - 1 and not self._promising(number, stage, accuracy):
                state = "pruned"
                break
        seconds = time.perf_counter() - start
        ended = Ended(number, state, values, stages, evaluation.n, evaluation.errors, seconds)
        return ended, learned

    def _promising(self, number: int, stage: int, accuracy: float) -> bool:
        with self._lock:
            return self._study.promising(number, stage, accuracy)

    def _show(self) -> None:
        under_way = tuple(self._under_way[number] for number in sorted(self._under_way))
        self._progress(replace(self.standing, under_way=under_way))


def _tried(trial: Ended, learned: Learned, school: School, options: Sequence[str]) -> Tried:
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
