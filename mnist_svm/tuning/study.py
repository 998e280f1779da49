"""A search that Optuna keeps in a database, so that it goes on where it was ended.

What is tried next depends on the seed and on the trials before, on nothing else: a search that was
killed and started again tries what it would have tried anyway.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict

import numpy as np
import optuna
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.pruners import SuccessiveHalvingPruner
from optuna.samplers import TPESampler
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy import create_engine, inspect
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from mnist_svm.exceptions import StudyError
from mnist_svm.models.parameters import Value
from mnist_svm.tuning.space import Ended, Range, Real, Space, State, Whole, rounded

# Of the trials that were trained on as many images, the better half goes on to more.
REDUCTION = 2

STATES: Mapping[TrialState, State] = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
}
ENDS: Mapping[State, TrialState] = {told: state for state, told in STATES.items()}

# Key of what is kept of a trial that ended, beside its parameters.
RECORD = "record"

# A table that each of Optuna's databases has.
TABLE = "trial_intermediate_values"


class Study:
    """A search by its name: what was tried, and what to try next.

    Parameters
    ----------
    storage : str or None
        Address of the database, as SQLAlchemy takes it; None keeps nothing.
    name : str
        A search of that name goes on.
    space : mapping of names to ranges
    first : mapping of names to values
        What is tried first, to the end.
    random_state : int

    Raises
    ------
    StudyError
        If the database cannot be used. So do all methods.
    """

    def __init__(
        self,
        storage: str | None,
        name: str,
        space: Space,
        first: Mapping[str, Value],
        random_state: int,
    ) -> None:
        self._storage, self._space, self._first = storage, space, first
        self._random_state = random_state
        self._trials: dict[int, Trial] = {}
        with self._plainly():
            if storage is not None:
                _require_no_other_tables(storage)
            self._study = optuna.create_study(
                storage=storage,
                study_name=name,
                direction="maximize",
                load_if_exists=True,
                pruner=SuccessiveHalvingPruner(min_resource=1, reduction_factor=REDUCTION),
            )

    def ended(self) -> tuple[Ended, ...]:
        """The trials that ended, in order."""
        with self._plainly():
            trials = self._study.get_trials(deepcopy=False, states=tuple(STATES))
        return tuple(_ended(trial) for trial in trials)

    def begin(self) -> tuple[int, dict[str, Value]]:
        """The next trial: one that was under way when the search was killed, or a new one.

        Returns
        -------
        number : int
        parameters : dict
        """
        with self._plainly():
            begun = self._study.get_trials(deepcopy=False)
            if not begun:
                self._study.enqueue_trial(dict(self._first))
            trial = self._left(begun) or self._study.ask()
            seed = np.random.SeedSequence([self._random_state, trial.number]).generate_state(1)
            # Others may be under way, and what they try is not to be tried twice.
            self._study.sampler = TPESampler(seed=int(seed[0]), constant_liar=True)
            chosen = {name: _suggested(trial, name, of) for name, of in self._space.items()}
            self._trials[trial.number] = trial
        return trial.number, chosen

    def promising(self, number: int, stage: int, accuracy: float) -> bool:
        """Whether a trial is worth going on with. The first always is.

        Parameters
        ----------
        number : int
            Of the trial.
        stage : int
            How many smaller training sets there were before.
        accuracy : float
            After training on this one.
        """
        with self._plainly():
            trial = self._trials[number]
            trial.report(accuracy, REDUCTION**stage)
            # The first is asked of too, to be a rival of the others.
            return not trial.should_prune() or number == 0

    def end(self, trial: Ended) -> None:
        """Keep what came of the trial.

        Parameters
        ----------
        trial : Ended
        """
        record = asdict(trial)
        del record["number"], record["state"], record["parameters"]
        value = trial.stages[-1][1] if trial.state == "complete" else None
        with self._plainly():
            self._trials[trial.number].set_user_attr(RECORD, record)
            self._study.tell(self._trials.pop(trial.number), value, ENDS[trial.state])

    def _left(self, begun: list[FrozenTrial]) -> Trial | None:
        for trial in begun:
            if trial.state is TrialState.RUNNING and trial.number not in self._trials:
                return Trial(self._study, trial._trial_id)  # noqa: SLF001 - it has no other name
        return None

    @contextmanager
    def _plainly(self) -> Iterator[None]:
        """Keep Optuna silent, and tell errors of its databases in one line."""
        verbosity = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield
        except UpdateFinishedTrialError as error:
            msg = f"{shown_address(self._storage)}: another process works on this search"
            raise StudyError(msg) from error
        except (SQLAlchemyError, StorageInternalError, ImportError, RuntimeError) as error:
            if isinstance(error, StudyError):
                raise
            msg = f"{shown_address(self._storage)}: {_reason(error)}"
            raise StudyError(msg) from error
        finally:
            optuna.logging.set_verbosity(verbosity)


def _require_no_other_tables(storage: str) -> None:
    """Keep out of databases that hold something else."""
    engine = create_engine(storage)
    try:
        tables = inspect(engine).get_table_names()
    finally:
        engine.dispose()
    if tables and TABLE not in tables:
        msg = (
            f"{shown_address(storage)}: a database of something else, expected one of Optuna; "
            "give another with --storage"
        )
        raise StudyError(msg)


def shown_address(storage: str | None) -> str:
    """The address of a database without its password.

    Parameters
    ----------
    storage : str or None

    Returns
    -------
    str
    """
    try:
        return make_url(str(storage)).render_as_string(hide_password=True)
    except SQLAlchemyError:
        return str(storage)


def _reason(error: BaseException) -> str:
    """What a database said, without the statement that it was said of."""
    if isinstance(error, StorageInternalError) and error.__cause__ is not None:
        error = error.__cause__
    said = error.orig if isinstance(error, DBAPIError) and error.orig else error
    return str(said).splitlines()[0]


def _suggested(trial: Trial, name: str, of: Range) -> Value:
    if isinstance(of, Real):
        return rounded(trial.suggest_float(name, of.low, of.high, log=of.log))
    if isinstance(of, Whole):
        return trial.suggest_int(name, of.low, of.high, step=of.step)
    return trial.suggest_categorical(name, [False, True])


def _ended(trial: FrozenTrial) -> Ended:
    record = dict(trial.user_attrs[RECORD])
    stages = tuple((images, accuracy) for images, accuracy in record.pop("stages"))
    parameters = {
        name: rounded(value) if isinstance(value, float) else value
        for name, value in trial.params.items()
    }
    return Ended(trial.number, STATES[trial.state], parameters, stages, **record)
