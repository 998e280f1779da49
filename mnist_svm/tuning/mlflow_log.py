"""Trials of a search, logged to MLflow, and the best of them registered there.

A search is one run, each of its trials a run nested in it. All goes through MLflow's client, which
leaves the address and the active run that the process may use otherwise alone.
"""

from __future__ import annotations

import getpass
import json
import logging
import os
import re
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from mnist_svm._optional import require_extra
from mnist_svm.evaluation.measures import plot_confusion
from mnist_svm.exceptions import MissingExtraError, MnistSvmError, TrackingError, error_text
from mnist_svm.export.mlflow_model import write_mlflow_model

if TYPE_CHECKING:
    from mlflow.entities import LoggedModel, Run

    from mnist_svm.evaluation.measures import Evaluation
    from mnist_svm.models.file import Model
    from mnist_svm.tuning.search import Tried

# Beside a local database, what is too large for it.
ARTIFACTS = "mlartifacts"

# Name of the registered version that is used.
ALIAS = "best"

# Of a model, under which versions it is registered.
VERSIONS_TAG = "mlflow.modelVersions"

# Of a run, the description that MLflow shows.
NOTE_TAG = "mlflow.note.content"

# Of the registered model, whatever its version.
DESCRIPTION = (
    "Reads handwritten digits. Takes images of shape (n, 28, 28) or (n, 784) as arrays, lists or "
    "data frames: pixels from 0 to 255, ink bright on a dark ground, as in MNIST. Answers labels, "
    'or with params={"confidences": True} how sure it is of each.'
)

# What MLflow reads from the environment whenever it does something; a user's own setting stands.
SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    # Else the lock file of a project in the current folder would go into each model.
    "MLFLOW_UV_AUTO_DETECT": "false",
    # Where there is no git, its Python package would say so.
    "GIT_PYTHON_REFRESH": "quiet",
}

# A quarter of a minute, where MLflow itself would try for four.
PATIENT = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3"}

# Whether there is a server shows at once.
BRISK = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}


class Tracker:
    """An experiment in MLflow, to which the trials of a search are logged.

    As a context manager it is the search's run, which ends when the block does: as finished, as
    failed if the block raises, as killed if it is interrupted. Trials may be logged from another
    thread; one that is being logged when the block ends is logged first.

    Parameters
    ----------
    uri : str
        MLflow's tracking URI: a database such as ``sqlite:///mlflow.db``, or a server's address.
        The artifacts of a SQLite database go to the folder `ARTIFACTS` beside it.
    experiment : str
        Name of the experiment, which is continued if it is there.

    Raises
    ------
    MissingExtraError
        If MLflow is not installed.
    TrackingError
        If the server does not answer, or the database or the experiment cannot be used.

    Examples
    --------
    >>> with Tracker("sqlite:///mlflow.db", "digits") as tracker:  # doctest: +SKIP
    ...     tracker.log(tried)
    ...     tracker.register(tried.number)
    'models:/mnist-svm-poly4/1'
    """

    def __init__(self, uri: str, experiment: str) -> None:
        self.uri = uri
        self._logged: dict[int, str] = {}
        self._search = ""
        self._lock = Lock()
        with _mlflow(uri, BRISK):
            from mlflow import MlflowClient

            _require_database(uri)
            self._client = MlflowClient(uri)
            self._experiment = self._continued(experiment)

    def __enter__(self) -> Self:
        with _mlflow(self.uri, PATIENT):
            self._search = self._started("tune")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._lock:
            search, self._search = self._search, ""
            if error is None:
                with _mlflow(self.uri, PATIENT):
                    self._client.set_terminated(search)
            else:
                # The server may be what failed; that error is the one to tell.
                with suppress(TrackingError), _mlflow(self.uri, BRISK):
                    self._client.set_terminated(search, _status(error))

    def log(self, tried: Tried) -> None:
        """Log a trial: its parameters, measures, confusion matrix and model.

        Parameters
        ----------
        tried : Tried

        Raises
        ------
        TrackingError
            If MLflow does not take it.
        """
        with self._using() as search, self._run(tried, search) as run:
            model_id = None if tried.model is None else self._log_model(run, tried, tried.model)
            self._log_values(run, tried, model_id)
            self._log_confusion(run, tried.evaluation)
            self._logged[tried.number] = run

    def register(self, number: int) -> str:
        """Register a trial's model, as a new version that has the alias `ALIAS`.

        Parameters
        ----------
        number : int
            Of a trial that was logged to the experiment, now or by an earlier search.

        Returns
        -------
        str
            The model's address in MLflow, ``models:/NAME/VERSION``.

        Raises
        ------
        TrackingError
            If MLflow does not take it, knows no such trial, or none with a model.
        """
        with self._using() as search:
            run = self._client.get_run(self._logged.get(number) or self._found(number))
            if not (run.outputs and run.outputs.model_outputs):
                msg = f"{_shown(self.uri)}: trial {number} was logged without a model to register"
                raise TrackingError(msg)
            model = self._client.get_logged_model(run.outputs.model_outputs[0].model_id)
            name = f"mnist-svm-{run.data.tags['mnist_svm.recipe']}"
            self._name(name)
            registered = self._client.create_model_version(
                name,
                # Not the model's address, which a database would look up in MLflow's default one.
                model.artifact_location,
                run.info.run_id,
                description=run.data.tags[NOTE_TAG],
                model_id=model.model_id,
            )
            self._client.set_registered_model_alias(name, ALIAS, registered.version)
            self._link(model, name, registered.version)
            self._tell_best(search, number, run)
        return f"models:/{name}/{registered.version}"

    def _continued(self, name: str) -> str:
        """The experiment's id."""
        known = self._client.get_experiment_by_name(name)
        if known is None:
            return str(self._client.create_experiment(name, _artifacts(self.uri, name)))
        if known.lifecycle_stage != "active":
            msg = (
                f"{_shown(self.uri)}: the experiment {name} was deleted; restore it with: "
                f"mlflow experiments restore --experiment-id {known.experiment_id}"
            )
            raise TrackingError(msg)
        return str(known.experiment_id)

    def _started(
        self, name: str, *, seconds: float = 0.0, tags: dict[str, str] | None = None
    ) -> str:
        """The id of a new run, begun so many seconds ago."""
        began = round((time.time() - seconds) * 1000)
        told = {"mnist_svm.version": version("mnist-svm"), **(tags or {})}
        run = self._client.create_run(self._experiment, began, {**_origin(), **told}, name)
        return str(run.info.run_id)

    @contextmanager
    def _using(self) -> Iterator[str]:
        """One use of MLflow after the other, while the search is under way: the id of its run."""
        with self._lock:
            if not self._search:
                msg = "trials are logged and registered while their search is under way"
                raise TrackingError(msg)
            with _mlflow(self.uri, PATIENT):
                yield self._search

    @contextmanager
    def _run(self, tried: Tried, search: str) -> Iterator[str]:
        """A run nested in the search's, which ends with the block."""
        tags = {**_tags(tried), "mlflow.parentRunId": search}
        run = self._started(f"trial {tried.number}", seconds=tried.seconds, tags=tags)
        try:
            yield run
        except BaseException as error:
            with suppress(Exception):
                self._client.set_terminated(run, _status(error))
            raise
        self._client.set_terminated(run)

    def _log_model(self, run: str, tried: Tried, model: Model) -> str:
        """The id that the model has in MLflow."""
        from mlflow.entities import LoggedModelOutput
        from mlflow.models import Model as MlflowModel

        logged = self._client.create_logged_model(
            self._experiment, tried.recipe, run, tags=_origin(), params=_parameters(tried)
        )
        about = MlflowModel(
            logged.artifact_location, run, model_uuid=logged.model_id, model_id=logged.model_id
        )
        with TemporaryDirectory() as temporary:
            folder = Path(temporary) / "model"
            write_mlflow_model(folder, model, about)
            self._client.log_model_artifacts(logged.model_id, str(folder))
        self._client.finalize_logged_model(logged.model_id, "READY")
        self._client.log_outputs(run, [LoggedModelOutput(logged.model_id, tried.stages[-1][0])])
        return str(logged.model_id)

    def _log_values(self, run: str, tried: Tried, model_id: str | None) -> None:
        from mlflow.entities import Metric, Param

        now = round(time.time() * 1000)
        *smaller, (images, accuracy) = tried.stages
        # What the model of fewer images did is nothing that this one did.
        metrics = [Metric("accuracy", value, now, step) for step, value in smaller] + [
            Metric(name, value, now, images, model_id=model_id)
            for name, value in (("accuracy", accuracy), *_measures(tried))
        ]
        parameters = [Param(*named) for named in _parameters(tried).items()]
        self._client.log_batch(run, metrics, parameters)

    def _log_confusion(self, run: str, evaluation: Evaluation) -> None:
        """The confusion matrix as numbers and, if matplotlib is there, as a picture."""
        content = evaluation.to_dict()
        counted = {"classes": content["classes"], "confusion_matrix": content["confusion_matrix"]}
        self._client.log_dict(run, counted, "confusion_matrix.json")
        self._client.log_text(run, evaluation.to_text() + "\n", "report.txt")
        with suppress(MissingExtraError):
            self._client.log_figure(run, plot_confusion(evaluation), "confusion_matrix.png")

    def _found(self, number: int) -> str:
        """The run that an earlier search gave a trial; the latest, if there are several."""
        runs = self._client.search_runs(
            [self._experiment],
            f"tags.`mnist_svm.trial` = '{number}' AND attributes.status = 'FINISHED'",
            order_by=["attributes.start_time DESC"],
            max_results=1,
        )
        if not runs:
            msg = f"{_shown(self.uri)}: no trial {number} was logged to this experiment"
            raise TrackingError(msg)
        return str(runs[0].info.run_id)

    def _name(self, name: str) -> None:
        """Make the name that versions are registered under, if it is new."""
        from mlflow.exceptions import MlflowException

        try:
            self._client.create_registered_model(name, description=DESCRIPTION)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise

    def _link(self, model: LoggedModel, name: str, number: int | str) -> None:
        """Have the model's page tell of its version, which MLflow's client leaves out."""
        versions = json.loads(model.tags.get(VERSIONS_TAG, "[]"))
        versions.append({"name": name, "version": number})
        self._client.set_logged_model_tags(model.model_id, {VERSIONS_TAG: json.dumps(versions)})

    def _tell_best(self, search: str, number: int, run: Run) -> None:
        """Show on the search's own run what came of it."""
        told = {"mnist_svm.best_trial": str(number), NOTE_TAG: run.data.tags[NOTE_TAG]}
        for tag, value in told.items():
            self._client.set_tag(search, tag, value)
        self._client.log_metric(search, "best_accuracy", run.data.metrics["accuracy"])


@contextmanager
def _mlflow(uri: str, settings: dict[str, str]) -> Iterator[None]:
    """Use MLflow: without its remarks, and with one clear line for what it raises."""
    with _environment({**SETTINGS, **settings}), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # First: as it is imported, it sets up its loggers.
        require_extra("mlflow", "logging to MLflow needs it", "mlflow")
        try:
            with _only_errors():
                yield
        except Exception as error:
            from requests import RequestException

            # Errors of requests are OSErrors too.
            ours = isinstance(error, (MnistSvmError, OSError))
            if ours and not isinstance(error, RequestException):
                raise
            msg = _shown(f"{uri}: {_reason(error)}")
            raise TrackingError(msg) from error


@contextmanager
def _environment(settings: dict[str, str]) -> Iterator[None]:
    added = {name: value for name, value in settings.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


@contextmanager
def _only_errors() -> Iterator[None]:
    """Keep MLflow, and what sets up its database, from telling of every step."""
    loggers = [logging.getLogger(name) for name in ("mlflow", "alembic", "urllib3")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _require_database(uri: str) -> None:
    """Fail at once if it is a database's address and nothing can be read there.

    MLflow would go on trying for minutes.
    """
    from mlflow.store.db.db_types import DATABASE_ENGINES

    if urlsplit(uri).scheme.split("+")[0] not in DATABASE_ENGINES:
        return
    import sqlalchemy

    engine = sqlalchemy.create_engine(uri)
    try:
        with engine.connect() as connection:
            sqlalchemy.inspect(connection).get_table_names()
    finally:
        engine.dispose()


def _artifacts(uri: str, experiment: str) -> str | None:
    """Where an experiment's artifacts go; None where MLflow or its server knows."""
    if not urlsplit(uri).scheme.startswith("sqlite"):
        return None
    from sqlalchemy import make_url

    database = make_url(uri).database
    if database in (None, "", ":memory:"):
        return None
    folder = re.sub(r"[^\w-]+", "-", experiment, flags=re.ASCII)[:100]
    return (Path(database).resolve().parent / ARTIFACTS / folder).as_uri()


def _origin() -> dict[str, str]:
    """What made a run or a model, and who, in tags that MLflow knows."""
    origin = {"mlflow.source.name": "mnist-svm", "mlflow.source.type": "LOCAL"}
    # A container's user need not have a name.
    with suppress(ImportError, KeyError, OSError):
        origin["mlflow.user"] = getpass.getuser()
    return origin


def _parameters(tried: Tried) -> dict[str, str]:
    return {name: str(value) for name, value in tried.parameters.items()}


def _tags(tried: Tried) -> dict[str, str]:
    accuracy = 1 - tried.errors / tried.n
    return {
        "mnist_svm.trial": str(tried.number),
        "mnist_svm.state": tried.state,
        "mnist_svm.recipe": tried.recipe,
        "mnist_svm.command": tried.command,
        NOTE_TAG: (
            f"Reads {accuracy:.2%} of {tried.n:,} held-out images right. "
            f"To train it: `{tried.command}`"
        ),
    }


def _measures(tried: Tried) -> Iterator[tuple[str, float]]:
    """What was measured at the last stage, by name."""
    yield "errors", tried.errors
    yield "seconds", tried.seconds
    for label, recall in zip(tried.evaluation.classes, tried.evaluation.recall, strict=True):
        yield f"recall/{label}", float(recall)
    if tried.evaluation.confidence_report is not None:
        yield "calibration_error", tried.evaluation.confidence_report.calibration_error


def _status(error: BaseException) -> str:
    """How MLflow calls a run that ended with an error."""
    return "FAILED" if isinstance(error, Exception) else "KILLED"


def _shown(text: str) -> str:
    """A text without the passwords of the addresses in it."""
    return re.sub(r"(?<=//)[^/@\s]*@", "", text)


def _reason(error: Exception) -> str:
    """Why MLflow failed, on one line."""
    from requests import ConnectionError as NoConnection
    from requests import Timeout

    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, (NoConnection, Timeout)):
            return "no MLflow server answers there; start one with: mlflow server"
        cause = cause.__cause__ or cause.__context__
    return f"MLflow cannot use it: {error_text(error)}"
