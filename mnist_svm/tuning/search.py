"""Search for the parameters of a recipe that misread the fewest held-out images.

Each trial trains on a small part of the training images, then on more, then on all; a network
trains on all, for some epochs, then for more. It is evaluated on the held-out images after each
stage and pruned if it falls behind.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import TYPE_CHECKING, cast

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from mnist_svm._optional import require_extra
from mnist_svm._types import IntArray
from mnist_svm.datasets.subset import stratified_subset
from mnist_svm.datasets.types import Dataset, join_sources
from mnist_svm.evaluation.measures import Evaluation, evaluate
from mnist_svm.exceptions import error_text
from mnist_svm.models.file import Model
from mnist_svm.models.parameters import Value
from mnist_svm.models.recipes import Recipe
from mnist_svm.parallel.threads import delayed
from mnist_svm.parallel.workers import is_cluster_active, run_in_threads, workers_for
from mnist_svm.svm.convergence import require_convergence
from mnist_svm.training.train import TrainingConfig, fit_config, fit_network
from mnist_svm.tuning.space import SPACES, default_values, format_train_command, training_config
from mnist_svm.tuning.splits import EvaluationProtocol, make_protocol
from mnist_svm.tuning.trials import RunningTrial, SearchState, Trial, TrialResult, TrialState

if TYPE_CHECKING:
    from mnist_svm.tuning.study import Study

# Errors that mean that the parameters cannot be trained. They end the trial, not the search.
TRAINING_ERRORS = (ValueError, ArithmeticError, MemoryError, ConvergenceWarning)

# Called with parameter values and the size of a stage: training images, or epochs.
Train = Callable[[Mapping[str, Value], int], tuple[Evaluation, Model]]


@dataclass(frozen=True)
class SearchOptions:
    """Options of a search.

    Attributes
    ----------
    n_trials : number of trials, including those of earlier runs of the same search.
    timeout : seconds after which no further trial starts, except the first; None for no limit.
    storage : URL of the database that stores the search, such as ``sqlite:///tune.db``, so that it
        can be resumed; None to keep the search in memory.
    n_jobs : number of threads, as in joblib. The result does not depend on it.
    train_options : options that are added to the ``mnist-svm train`` commands of the results.
    """

    n_trials: int = 30
    timeout: float | None = None
    storage: str | None = None
    n_jobs: int = -1
    train_options: tuple[str, ...] = ()


def require_optuna() -> None:
    """Raise MissingExtraError unless Optuna is installed."""
    require_extra("optuna", "tuning needs Optuna", "tune")


def search_name(recipe: Recipe, dataset: Dataset, protocol: EvaluationProtocol) -> str:
    """Return a name that two searches share only if their trials are comparable."""
    space, checksums = SPACES[recipe.name], sorted(dataset.sha256.items())
    compared: tuple[object, ...] = (
        space,
        default_values(recipe),
        checksums,
        protocol.stages,
    )
    if dataset.sources != (dataset.name,):
        compared += (dataset.sources,)
    digest = hashlib.sha256(repr(compared).encode()).hexdigest()[:8]
    # The last part of a path is enough: NAME:WEIGHT.
    data = join_sources(
        Path(part.name).name + source.removeprefix(part.name)
        for part, source in zip(dataset.parts, dataset.sources, strict=True)
    )
    description = f"{recipe.name} on {data}, {protocol}"
    return f"{description}, seed {protocol.random_state}, {digest}"


def tune(
    recipe: Recipe,
    dataset: Dataset,
    protocol: EvaluationProtocol | None = None,
    options: SearchOptions | None = None,
    *,
    on_trial: Callable[[TrialResult], None] | None = None,
    on_progress: Callable[[SearchState], None] | None = None,
) -> SearchState:
    """Search for better parameters of a recipe.

    The first trial has the recipe's default parameters and is never pruned, so the best trial is at
    least as good as the defaults. The parameters of the others come from Optuna's tree-structured
    Parzen estimator; successive halving prunes them. The same seed gives the same trials, even if
    the search is interrupted and resumed.

    On an active Dask cluster, each worker runs one trial at a time; the parameters then also depend
    on the order in which trials finish.

    Parameters
    ----------
    recipe : Recipe
    dataset : Dataset
        The training images.
    protocol : EvaluationProtocol, optional
        Training and held-out images, from `mnist_svm.tuning.splits.make_protocol`, which by default
        holds out the last sixth.
    options : SearchOptions, optional
    on_trial : callable, optional
        Called with the result of each trial that was trained in this run.
    on_progress : callable, optional
        Called with the state of the search whenever it changes.

    Returns
    -------
    SearchState

    Raises
    ------
    MissingExtraError
        If Optuna is not installed.
    StudyError
        If the database cannot be used.
    """
    require_optuna()
    from mnist_svm.tuning.study import Study

    protocol = protocol or make_protocol(dataset, epochs=recipe.epochs)
    options = options or SearchOptions()
    name, first = search_name(recipe, dataset, protocol), default_values(recipe)
    study = Study(options.storage, name, SPACES[recipe.name], first, protocol.random_state)
    with TemporaryDirectory(prefix="mnist-svm-") as folder:
        trainer = TrialTrainer(recipe, dataset, protocol, options.n_jobs, folder)
        search = _Search(name, study, trainer, options, on_trial, on_progress)
        if not is_cluster_active():
            search.run(trainer.train)
            return search.state
        with workers_for(options.n_jobs) as workers:
            workers.share(trainer)

            def train_remotely(values: Mapping[str, Value], size: int) -> tuple[Evaluation, Model]:
                (result,) = workers([delayed(TrialTrainer.train)(trainer, values, size)])
                return cast("tuple[Evaluation, Model]", result)

            run_in_threads(workers.n_jobs, lambda: search.run(train_remotely))
    return search.state


class TrainingFailedError(Exception):
    """Training failed with these parameters; the message is one line."""


@dataclass(frozen=True)
class TrialTrainer:
    """Train a recipe and evaluate it on the held-out images.

    In `folder`, if there is one and this machine has it, networks keep their state for the next
    stage.
    """

    recipe: Recipe
    dataset: Dataset
    protocol: EvaluationProtocol
    n_jobs: int
    folder: str | None = None

    def train(self, values: Mapping[str, Value], size: int) -> tuple[Evaluation, Model]:
        """Train on `size` images of each fold, or for so many epochs; return the last model too."""
        config = training_config(self.recipe, values, self.protocol.random_state)
        y_true, y_pred = [], []
        try:
            # A fit that overflows or stops early does not measure its parameters.
            with require_convergence(), np.errstate(divide="raise", over="raise", invalid="raise"):
                for rows, held_out in self.protocol.splits:
                    model = self._fit(config, rows, size)
                    y_true.append(self.dataset.labels[held_out])
                    y_pred.append(model.pipeline.predict(self.dataset.X[held_out]))
        except TRAINING_ERRORS as error:
            raise TrainingFailedError(error_text(error)) from error
        return evaluate(np.concatenate(y_true), np.concatenate(y_pred)), model

    def _fit(self, config: TrainingConfig, rows: IntArray, size: int) -> Model:
        if self.protocol.epochs:
            folder = self.folder if self.folder and Path(self.folder).is_dir() else None
            return fit_network(config, self.dataset, rows, n_epochs=size, checkpoints=folder)
        # In the last stage, use all images of a fold: folds can differ by one image.
        if size < self.protocol.train_sizes[-1]:
            labels, parts = self.dataset.labels[rows], self.dataset.part_indices[rows]
            seed = self.protocol.random_state
            rows = rows[stratified_subset(labels, size, seed, parts)]
        return fit_config(config, self.dataset, rows, n_jobs=self.n_jobs, calibrate=False)


@dataclass
class _Search:
    """Runs the trials of a study; several threads can call `run`.

    Optuna's own `optimize` can neither restart an unfinished trial nor seed the sampler per trial.
    """

    name: str
    study: Study
    trainer: TrialTrainer
    options: SearchOptions
    on_trial: Callable[[TrialResult], None] | None
    on_progress: Callable[[SearchState], None] | None

    def __post_init__(self) -> None:
        timeout = self.options.timeout
        self.deadline = time.monotonic() + (inf if timeout is None else timeout)
        self.finished = self.study.finished_trials()
        self.running: dict[int, RunningTrial] = {}
        # Guards the study, the two collections of trials and the callbacks.
        self.lock = Lock()

    @property
    def state(self) -> SearchState:
        running = tuple(self.running[number] for number in sorted(self.running))
        return SearchState(self.name, self.trainer.protocol, self.finished, running)

    def run(self, train: Train) -> None:
        """Run trials until there are enough or the timeout has passed."""
        while (started := self._start_trial()) is not None:
            trial = self._run_trial(*started, train)
            with self.lock:
                self.study.finish(trial)
                del self.running[trial.number]
                self.finished = self.study.finished_trials()
                if self.on_trial and isinstance(trial, TrialResult):
                    self.on_trial(trial)
                self._report_progress()

    def _start_trial(self) -> tuple[int, dict[str, Value]] | None:
        with self.lock:
            n_started = len(self.finished) + len(self.running)
            timed_out = n_started > 0 and time.monotonic() >= self.deadline
            if timed_out or n_started >= self.options.n_trials:
                return None
            number, values = self.study.start_trial()
            protocol = self.trainer.protocol
            stage = protocol.describe_stage(protocol.stages[0])
            self.running[number] = RunningTrial(number, values, stage)
            return number, values

    def _run_trial(self, number: int, values: dict[str, Value], train: Train) -> Trial:
        """Train and evaluate stage after stage, until the last one or until the trial is pruned."""
        start = time.perf_counter()
        protocol = self.trainer.protocol
        stages: tuple[tuple[int, float], ...] = ()
        state: TrialState = "complete"
        for stage, size in enumerate(protocol.stages):
            with self.lock:
                self.running[number] = RunningTrial(number, values, protocol.describe_stage(size))
                self._report_progress()
            try:
                evaluation, model = train(values, size)
            except TrainingFailedError as error:
                seconds = time.perf_counter() - start
                return Trial(number, "failed", values, stages, 0, 0, seconds, str(error))
            accuracy = 1 - evaluation.errors / evaluation.n
            stages += ((size, accuracy),)
            if size < protocol.stages[-1]:
                with self.lock:
                    if self.study.should_prune(number, stage, accuracy):
                        state = "pruned"
                        break
        recipe, sources = self.trainer.recipe, self.trainer.dataset.sources
        return TrialResult(
            number=number,
            state=state,
            parameters=values,
            stages=stages,
            n=evaluation.n,
            errors=evaluation.errors,
            seconds=time.perf_counter() - start,
            recipe=recipe.name,
            evaluation=evaluation,
            model=None if protocol.folds else model,
            command=format_train_command(recipe, sources, values, self.options.train_options),
        )

    def _report_progress(self) -> None:
        if self.on_progress:
            self.on_progress(self.state)
