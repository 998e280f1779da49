"""A search that is stored in an Optuna study, so that it can be resumed.

The parameters of a trial depend only on the seed, its number and the trials before it, so a search
that was killed and resumed runs the same trials as one that was not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import optuna
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.pruners import SuccessiveHalvingPruner
from optuna.samplers import TPESampler
from optuna.storages import InMemoryStorage, RDBStorage
from sqlalchemy import create_engine, inspect
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from mnist_svm._optional import silence_loggers
from mnist_svm.exceptions import StudyError, error_text
from mnist_svm.models.parameters import Value
from mnist_svm.tuning.space import (
    FloatRange,
    IntRange,
    NameChoice,
    Range,
    SearchSpace,
    round_significant,
)
from mnist_svm.tuning.trials import Trial, TrialState

# One in REDUCTION_FACTOR trials of a stage, the best ones, goes on to the next stage.
REDUCTION_FACTOR = 2

TRIAL_STATES: Mapping[optuna.trial.TrialState, TrialState] = {
    optuna.trial.TrialState.COMPLETE: "complete",
    optuna.trial.TrialState.PRUNED: "pruned",
    optuna.trial.TrialState.FAIL: "failed",
}
OPTUNA_STATES = {state: optuna_state for optuna_state, state in TRIAL_STATES.items()}

# Fields of a `Trial` that Optuna has no place for, and the user attribute that holds them.
RECORD_FIELDS = ("stages", "n", "errors", "seconds", "reason")
RECORD = "record"

# A table of every Optuna database.
OPTUNA_TABLE = "trial_intermediate_values"


class Study:
    """The stored trials of a search, and the parameters of the next one.

    `storage` is a database URL, as in SQLAlchemy, or None to keep the study in memory. A study of
    this `name` is resumed. `first` holds the parameters of the first trial, which is never pruned.
    All methods raise StudyError if the database cannot be used.
    """

    def __init__(
        self,
        storage: str | None,
        name: str,
        space: SearchSpace,
        first: Mapping[str, Value],
        random_state: int,
    ) -> None:
        self._url, self._space, self._first = storage, space, first
        self._random_state = random_state
        self._running: dict[int, optuna.trial.Trial] = {}
        with self._translate_errors():
            if storage is not None:
                _require_optuna_database(storage)
            self._storage = InMemoryStorage() if storage is None else RDBStorage(storage)
            self._study = optuna.create_study(
                storage=self._storage,
                study_name=name,
                direction="maximize",
                load_if_exists=True,
                pruner=SuccessiveHalvingPruner(min_resource=1, reduction_factor=REDUCTION_FACTOR),
            )

    def finished_trials(self) -> tuple[Trial, ...]:
        """The finished trials, by number."""
        with self._translate_errors():
            trials = self._study.get_trials(deepcopy=False, states=tuple(TRIAL_STATES))
        return tuple(_to_trial(trial) for trial in trials)

    def start_trial(self) -> tuple[int, dict[str, Value]]:
        """Restart a trial that a killed search left, or start one; return number and parameters."""
        with self._translate_errors():
            stored = self._study.get_trials(deepcopy=False)
            if not stored:
                self._study.enqueue_trial(dict(self._first))
            running = optuna.trial.TrialState.RUNNING
            numbers = {trial.number for trial in stored if trial.state is running}
            # Number of a trial that an earlier process left running.
            unfinished = min(numbers - self._running.keys(), default=None)
            number = len(stored) if unfinished is None else unfinished
            seed = np.random.SeedSequence([self._random_state, number]).generate_state(1)
            # constant_liar keeps the sampler away from the parameters of other running trials.
            self._study.sampler = TPESampler(
                seed=int(seed[0]), constant_liar=True, multivariate=False
            )
            trial = self._study.ask() if unfinished is None else self._stored_trial(number)
            parameters = {name: self._suggest(trial, name, x) for name, x in self._space.items()}
            self._running[trial.number] = trial
        return trial.number, parameters

    def should_prune(self, number: int, stage: int, accuracy: float) -> bool:
        """Store a running trial's accuracy at a stage (from 0); return whether to prune it.

        Trial 0 is never pruned.
        """
        with self._translate_errors():
            trial, step = self._running[number], REDUCTION_FACTOR**stage
            stored = self._study.get_trials(deepcopy=False)[number]
            # A restarted trial may have reported it before. For a finished one, this raises.
            if step not in stored.intermediate_values or stored.state.is_finished():
                trial.report(accuracy, step)
            # The pruner ranks a trial only if it was asked about it, so ask about trial 0 as well.
            return trial.should_prune() and number != 0

    def finish(self, trial: Trial) -> None:
        """Store a finished trial."""
        record = {name: getattr(trial, name) for name in RECORD_FIELDS}
        value = trial.stages[-1][1] if trial.state == "complete" else None
        with self._translate_errors():
            self._running[trial.number].set_user_attr(RECORD, record)
            self._study.tell(self._running.pop(trial.number), value, OPTUNA_STATES[trial.state])

    def _stored_trial(self, number: int) -> optuna.trial.Trial:
        study_id = self._storage.get_study_id_from_name(self._study.study_name)
        trial_id = self._storage.get_trial_id_from_study_id_trial_number(study_id, number)
        return optuna.trial.Trial(self._study, trial_id)

    def _suggest(self, trial: optuna.trial.Trial, name: str, values: Range) -> Value:
        if name in trial.params and not (trial.number == 0 and name in self._first):
            # Stored by a search that was killed before it stored the others: draw it again, so
            # that the random numbers of the others are the same.
            stored = self._study.get_trials(deepcopy=False)[trial.number]
            self._study.sampler.sample_independent(
                self._study, stored, name, trial.distributions[name]
            )
        if isinstance(values, FloatRange):
            value = trial.suggest_float(name, values.low, values.high, log=values.log)
            return round_significant(value)
        if isinstance(values, IntRange):
            return trial.suggest_int(name, values.low, values.high, step=values.step)
        if isinstance(values, NameChoice):
            return trial.suggest_categorical(name, values.names)
        return trial.suggest_categorical(name, [False, True])

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        """Silence Optuna and turn its database errors into a one-line StudyError."""
        try:
            with silence_loggers(("optuna",)):
                yield
        except StudyError:
            raise
        except UpdateFinishedTrialError as error:
            msg = f"{hide_password(self._url)}: another process works on this search"
            raise StudyError(msg) from error
        except (SQLAlchemyError, StorageInternalError, ImportError, RuntimeError) as error:
            msg = f"{hide_password(self._url)}: {_reason(error)}"
            raise StudyError(msg) from error


def _require_optuna_database(url: str) -> None:
    """Refuse a database that holds the tables of another application."""
    tables = inspect(create_engine(url, poolclass=NullPool)).get_table_names()
    if tables and OPTUNA_TABLE not in tables:
        msg = (
            f"{hide_password(url)}: the database belongs to another application, expected an empty "
            "one or one of Optuna; choose another with --storage"
        )
        raise StudyError(msg)


def hide_password(url: str | None) -> str:
    """Return a database URL with its password replaced by asterisks."""
    try:
        return make_url(str(url)).render_as_string(hide_password=True)
    except SQLAlchemyError:
        return str(url)


def _reason(error: BaseException) -> str:
    """First line of the database driver's message, without the SQL statement."""
    if isinstance(error, StorageInternalError) and error.__cause__ is not None:
        error = error.__cause__
    original = error.orig if isinstance(error, DBAPIError) and error.orig else error
    return error_text(original)


def _to_trial(trial: optuna.trial.FrozenTrial) -> Trial:
    record = dict(trial.user_attrs[RECORD])
    stages = tuple((images, accuracy) for images, accuracy in record.pop("stages"))
    parameters = {
        name: round_significant(value) if isinstance(value, float) else value
        for name, value in trial.params.items()
    }
    return Trial(trial.number, TRIAL_STATES[trial.state], parameters, stages, **record)
