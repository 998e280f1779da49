"""Log the trials of a search to MLflow and register the best model.

A search is a run; each of its trials is a nested run. Everything goes through `MlflowClient`, which
leaves the process's own tracking URI and active run unchanged.
"""

from __future__ import annotations

import getpass
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import TYPE_CHECKING, NoReturn, Self

from mnist_svm.evaluation.measures import plot_confusion
from mnist_svm.exceptions import MissingExtraError, TrackingError
from mnist_svm.export.mlflow_model import write_mlflow_model
from mnist_svm.tuning.mlflow_session import (
    artifact_location,
    hide_passwords,
    mlflow_session,
    require_database,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

    from mnist_svm.evaluation.measures import Evaluation
    from mnist_svm.models.file import Model
    from mnist_svm.tuning.trials import TrialResult

# Tag of a run: the description that MLflow shows.
NOTE_TAG = "mlflow.note.content"

# Tag of a logged model: the versions that it is registered as.
VERSIONS_TAG = "mlflow.modelVersions"

# Description of the registered model, the same for all versions.
MODEL_DESCRIPTION = (
    "Reads handwritten digits. Input: arrays, lists or data frames of shape (n, 28, 28) or "
    "(n, 784), pixels from 0 to 255, bright ink on a dark background as in MNIST. Output: labels, "
    'or the probability of each label with params={"confidences": True}.'
)


class MLflowTracker:
    """Logs the trials of one search to an MLflow experiment.

    Use it as a context manager: the block is the search's run, which ends as FINISHED, as FAILED if
    the block raises, or as KILLED if it is interrupted. Trials may be logged from other threads;
    leaving the block waits for a trial that is being logged.

    The tracking URI is that of a server, or of a database such as ``sqlite:///mlflow.db``, next to
    which artifacts are stored in the folder ``mlartifacts``. The experiment is created if it does
    not exist. Without MLflow, creating a tracker raises MissingExtraError. All methods raise
    TrackingError if the server does not respond, or the database or the experiment cannot be used.
    """

    def __init__(self, uri: str, experiment: str) -> None:
        self._uri = uri
        self._search_run = ""
        self._trial_runs: dict[int, str] = {}
        self._lock = Lock()
        with mlflow_session(uri, fail_fast=True):
            from mlflow import MlflowClient

            require_database(uri)
            self._client = MlflowClient(uri)
            self._experiment_id = self._open_experiment(experiment)

    def __enter__(self) -> Self:
        with mlflow_session(self._uri):
            self._search_run = self._create_run("tune", time.time(), {})
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        # If MLflow is the cause of `error`, it can fail again: report the first error.
        ignored = () if error is None else (TrackingError,)
        with self._lock, suppress(*ignored), mlflow_session(self._uri, fail_fast=error is not None):
            run_id, self._search_run = self._search_run, ""
            self._client.set_terminated(run_id, _run_status(error))

    @property
    def n_logged(self) -> int:
        """Number of trials logged by this tracker."""
        return len(self._trial_runs)

    def log(self, result: TrialResult) -> None:
        """Log the parameters, metrics, confusion matrix and model of a trial."""
        with self._session() as search_run, self._trial_run(result, search_run) as run_id:
            model_id = self._log_model(run_id, result, result.model) if result.model else None
            _log_values(self._client, run_id, result, model_id)
            _log_confusion(self._client, run_id, result.evaluation)
            self._trial_runs[result.number] = run_id

    def register(self, number: int) -> str:
        """Register the model of a trial that this or an earlier search logged; return its URI.

        The new version, ``models:/NAME/VERSION``, gets the alias ``best``. Raises TrackingError if
        there is no such trial with a model.
        """
        with self._session() as search_run:
            run = self._client.get_run(self._trial_runs.get(number) or self._find_run(number))
            if not (run.outputs and run.outputs.model_outputs):
                self._fail(f"trial {number} was logged without a model to register")
            uri = _register_model(self._client, run, run.outputs.model_outputs[0].model_id)
            best = {"mnist_svm.best_trial": str(number), NOTE_TAG: run.data.tags[NOTE_TAG]}
            for tag, value in best.items():
                self._client.set_tag(search_run, tag, value)
            self._client.log_metric(search_run, "best_accuracy", run.data.metrics["accuracy"])
        return uri

    def _open_experiment(self, name: str) -> str:
        """Return the ID of an experiment, created if necessary."""
        experiment = self._client.get_experiment_by_name(name)
        if experiment is None:
            location = artifact_location(self._uri, name)
            return str(self._client.create_experiment(name, location))
        if experiment.lifecycle_stage != "active":
            restore = f"mlflow experiments restore --experiment-id {experiment.experiment_id}"
            self._fail(f"the experiment {name} was deleted; restore it with: {restore}")
        return str(experiment.experiment_id)

    def _create_run(self, name: str, start: float, tags: Mapping[str, str]) -> str:
        """Create a run that started at `start` (seconds since the epoch); return its ID."""
        tags = {**_source_tags(), "mnist_svm.version": version("mnist-svm"), **tags}
        run = self._client.create_run(self._experiment_id, round(start * 1000), tags, name)
        return str(run.info.run_id)

    @contextmanager
    def _session(self) -> Iterator[str]:
        """Use MLflow, one thread at a time, while the search's run is active; yield its ID."""
        with self._lock:
            if not self._search_run:
                msg = "trials can only be logged and registered while the search is running"
                raise TrackingError(msg)
            with mlflow_session(self._uri):
                yield self._search_run

    @contextmanager
    def _trial_run(self, result: TrialResult, search_run: str) -> Iterator[str]:
        """Open a run nested in the search's run; yield its ID."""
        tags = {
            "mlflow.parentRunId": search_run,
            "mnist_svm.trial": str(result.number),
            "mnist_svm.state": result.state,
            "mnist_svm.recipe": result.recipe,
            "mnist_svm.command": result.command,
            NOTE_TAG: f"Reads {result.accuracy:.2%} of {result.n:,} held-out images correctly. "
            f"To train it: `{result.command}`",
        }
        start = time.time() - result.seconds
        run_id = self._create_run(f"trial {result.number}", start, tags)
        try:
            yield run_id
        except BaseException as error:
            with suppress(Exception):
                self._client.set_terminated(run_id, _run_status(error))
            raise
        self._client.set_terminated(run_id)

    def _log_model(self, run_id: str, result: TrialResult, model: Model) -> str:
        """Log the model of a trial; return its MLflow ID."""
        from mlflow.entities import LoggedModelOutput
        from mlflow.models import Model as MlflowModel

        logged = self._client.create_logged_model(
            self._experiment_id, result.recipe, run_id, tags=_source_tags(), params=_params(result)
        )
        mlflow_model = MlflowModel(
            logged.artifact_location, run_id, model_uuid=logged.model_id, model_id=logged.model_id
        )
        with TemporaryDirectory() as temporary:
            folder = Path(temporary) / "model"
            write_mlflow_model(folder, model, mlflow_model)
            self._client.log_model_artifacts(logged.model_id, str(folder))
        self._client.finalize_logged_model(logged.model_id, "READY")
        step, _ = result.stages[-1]
        self._client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step)])
        return str(logged.model_id)

    def _find_run(self, number: int) -> str:
        """ID of the latest run that an earlier search logged for a trial."""
        runs = self._client.search_runs(
            [self._experiment_id],
            f"tags.`mnist_svm.trial` = '{number}' AND attributes.status = 'FINISHED'",
            order_by=["attributes.start_time DESC"],
            max_results=1,
        )
        if not runs:
            self._fail(f"no trial {number} was logged to this experiment")
        return str(runs[0].info.run_id)

    def _fail(self, problem: str) -> NoReturn:
        msg = f"{hide_passwords(self._uri)}: {problem}"
        raise TrackingError(msg)


def _log_values(
    client: MlflowClient, run_id: str, result: TrialResult, model_id: str | None
) -> None:
    """Log parameters and metrics, with the number of training images as the step."""
    from mlflow.entities import Metric, Param

    now, evaluation = round(time.time() * 1000), result.evaluation
    *earlier, (last, accuracy) = result.stages
    values = {"accuracy": accuracy, "errors": float(result.errors), "seconds": result.seconds}
    for label, recall in zip(evaluation.classes, evaluation.recall, strict=True):
        values[f"recall/{label}"] = float(recall)
    if evaluation.confidence_report is not None:
        values["calibration_error"] = evaluation.confidence_report.calibration_error
    # The accuracies of earlier stages are those of other models.
    metrics = [Metric("accuracy", accuracy, now, step) for step, accuracy in earlier]
    metrics += [Metric(name, x, now, last, model_id=model_id) for name, x in values.items()]
    client.log_batch(run_id, metrics, [Param(*param) for param in _params(result).items()])


def _log_confusion(client: MlflowClient, run_id: str, evaluation: Evaluation) -> None:
    """Log the confusion matrix as JSON, as text and, if matplotlib is installed, as a picture."""
    content = evaluation.to_dict()
    matrix = {name: content[name] for name in ("classes", "confusion_matrix")}
    client.log_dict(run_id, matrix, "confusion_matrix.json")
    client.log_text(run_id, evaluation.to_text() + "\n", "report.txt")
    with suppress(MissingExtraError):
        client.log_figure(run_id, plot_confusion(evaluation), "confusion_matrix.png")


def _register_model(client: MlflowClient, run: Run, model_id: str) -> str:
    """Register the model of a run as a new version with the alias "best"; return its URI."""
    from mlflow.exceptions import MlflowException

    model = client.get_logged_model(model_id)
    name = f"mnist-svm-{run.data.tags['mnist_svm.recipe']}"
    try:
        client.create_registered_model(name, description=MODEL_DESCRIPTION)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    registered = client.create_model_version(
        name,
        # A models:/ URI would be resolved against MLflow's default store, not this one.
        model.artifact_location,
        run.info.run_id,
        description=run.data.tags[NOTE_TAG],
        model_id=model.model_id,
    )
    client.set_registered_model_alias(name, "best", registered.version)
    # MlflowClient does not link the logged model to its version.
    versions = json.loads(model.tags.get(VERSIONS_TAG, "[]"))
    versions.append({"name": name, "version": registered.version})
    client.set_logged_model_tags(model.model_id, {VERSIONS_TAG: json.dumps(versions)})
    return f"models:/{name}/{registered.version}"


def _source_tags() -> dict[str, str]:
    """MLflow's tags for the program and the user."""
    tags = {"mlflow.source.name": "mnist-svm", "mlflow.source.type": "LOCAL"}
    # The user of a container may have no name.
    with suppress(ImportError, KeyError, OSError):
        tags["mlflow.user"] = getpass.getuser()
    return tags


def _params(result: TrialResult) -> dict[str, str]:
    return {name: str(value) for name, value in result.parameters.items()}


def _run_status(error: BaseException | None) -> str:
    """MLflow's status of a run that ended, with or without an error."""
    if error is None:
        return "FINISHED"
    return "FAILED" if isinstance(error, Exception) else "KILLED"
