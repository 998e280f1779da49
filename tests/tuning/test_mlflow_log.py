"""Tests of MLflow logging with a real database, a real tracking server and MLflow's scoring."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from mlflow import MlflowClient
from mlflow.entities import Run
from PIL import Image

from mnist_svm import RECIPES, Dataset, Recognizer, evaluate, load_model, train_model
from mnist_svm.evaluation.measures import Evaluation, plot_confusion
from mnist_svm.exceptions import FormatError, MissingExtraError, TrackingError
from mnist_svm.export.mlflow_model import ScoringModel
from mnist_svm.tuning.mlflow_log import MLflowTracker
from mnist_svm.tuning.mlflow_session import mlflow_session
from mnist_svm.tuning.trials import TrialResult
from tests.support.paths import DIGITS
from tests.support.serving import TIMEOUT, eventually
from tests.support.threads import assert_unchanged, overlap, process_state

pytestmark = [
    pytest.mark.slow,
    *(
        pytest.mark.filterwarnings(f"ignore::{category}:{module}")
        for category in ("DeprecationWarning", "FutureWarning")
        for module in ("mlflow", "pandas")
    ),
]

NAME = "mnist-svm-poly4"


@pytest.fixture(scope="module")
def results(train_set: Dataset, test_set: Dataset) -> list[TrialResult]:
    """Results of two trials, of which the second is better."""
    return [
        make_result(0, 0.001, 200, train_set, test_set, state="pruned"),
        make_result(1, 10.0, 1000, train_set, test_set, state="complete"),
    ]


def make_result(
    number: int, C: float, images: int, train_set: Dataset, test_set: Dataset, **options: Any
) -> TrialResult:
    recipe = RECIPES["poly4"]
    parameters = recipe.defaults.changed(C=C)
    model = train_model(recipe, train_set, parameters=parameters, limit=images)
    true = test_set.labels[:500]
    readings = Recognizer(model).classify(test_set.images[:500])
    evaluation = evaluate(true, readings.labels, readings.confidence)
    accuracy = 1 - evaluation.errors / evaluation.n
    return TrialResult(
        number=number,
        recipe=recipe.name,
        parameters={"C": C, "degree": 4, "gamma": "scale"},
        stages=((images // 2, accuracy / 2), (images, accuracy)),
        n=evaluation.n,
        errors=evaluation.errors,
        evaluation=evaluation,
        model=model,
        seconds=12.5,
        command=f"mnist-svm train --C {C} --limit {images}",
        **options,
    )


@pytest.fixture(scope="module")
def digits() -> np.ndarray:
    """The ten test digits, uint8 of shape (10, 28, 28)."""
    return np.stack([np.asarray(Image.open(path).convert("L")) for path in DIGITS])


@contextmanager
def running_server(
    log: Path, health_path: str, *arguments: str, env: Mapping[str, str] | None = None
) -> Iterator[str]:
    """Run an MLflow server on a free port; yield its URL once `health_path` returns 200."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    address = ["--host", "127.0.0.1", "--port", str(port)]
    # MLflow looks up uvicorn on the PATH, even if the environment is not activated.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", *arguments, *address],
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=log.parent,
            env={**os.environ, "PATH": path, "MLFLOW_DISABLE_TELEMETRY": "true", **(env or {})},
            # Its workers are processes too: kill the whole group.
            start_new_session=True,
        )

    def responds() -> bool:
        assert process.poll() is None, log.read_text()
        try:
            return urllib.request.urlopen(url + health_path, timeout=TIMEOUT).status == 200
        except (urllib.error.URLError, ConnectionError):
            return False

    try:
        eventually(responds)
        yield url
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(TIMEOUT)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('database') / 'mlflow.db'}"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("server")
    options = ["--backend-store-uri", "sqlite:///server.db", "--workers", "1"]
    # Job execution is not needed and doubles the time to start.
    env = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with running_server(folder / "log", "/health", "server", *options, env=env) as url:
        yield url


@pytest.fixture(scope="module", params=["database", "server"])
def uri(request: pytest.FixtureRequest) -> str:
    """Tracking URI of a store that is empty before the first test of this module."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def registered(uri: str, results: list[TrialResult]) -> str:
    """URI of the second of two logged trials, registered."""
    with MLflowTracker(uri, "digits") as tracker:
        for result in results:
            tracker.log(result)
        return tracker.register(1)


@pytest.fixture
def scoring(uri: str) -> Iterator[None]:
    """Use the store in MLflow functions that take no URI."""
    mlflow.set_tracking_uri(uri)
    yield
    mlflow.set_tracking_uri(None)


def runs(uri: str, experiment: str = "digits") -> dict[str, Run]:
    """The runs of an experiment, by name."""
    client = MlflowClient(uri)
    entities = client.search_runs([client.get_experiment_by_name(experiment).experiment_id])
    return {run.info.run_name: client.get_run(run.info.run_id) for run in entities}


def artifact(uri: str, run: Run, name: str, folder: Path) -> Path:
    return Path(MlflowClient(uri).download_artifacts(run.info.run_id, name, str(folder)))


@pytest.mark.usefixtures("registered")
def test_each_trial_is_a_finished_run_nested_in_that_of_the_search(uri):
    by_name = runs(uri)
    assert set(by_name) == {"tune", "trial 0", "trial 1"}
    assert {run.info.status for run in by_name.values()} == {"FINISHED"}
    for name in ("trial 0", "trial 1"):
        assert by_name[name].data.tags["mlflow.parentRunId"] == by_name["tune"].info.run_id


@pytest.mark.usefixtures("registered")
def test_a_run_has_the_parameters_the_state_and_the_command(uri):
    data = runs(uri)["trial 0"].data
    assert data.params == {"C": "0.001", "degree": "4", "gamma": "scale"}
    tags = {name: data.tags[f"mnist_svm.{name}"] for name in ("state", "recipe", "version")}
    assert tags == {"state": "pruned", "recipe": "poly4", "version": version("mnist-svm")}
    assert data.tags["mnist_svm.command"] == "mnist-svm train --C 0.001 --limit 200"


@pytest.mark.usefixtures("registered")
def test_a_run_has_the_metrics(uri, results):
    evaluation, metrics = results[1].evaluation, runs(uri)["trial 1"].data.metrics
    assert metrics["accuracy"] == 1 - evaluation.errors / evaluation.n
    assert metrics["errors"] == evaluation.errors
    assert metrics["seconds"] == 12.5
    assert metrics["calibration_error"] == evaluation.confidence_report.calibration_error
    assert [metrics[f"recall/{label}"] for label in range(10)] == evaluation.recall.tolist()


@pytest.mark.usefixtures("registered")
def test_the_step_of_the_accuracy_is_the_number_of_training_images(uri, results):
    run = runs(uri)["trial 1"].info.run_id
    history = MlflowClient(uri).get_metric_history(run, "accuracy")
    assert [(metric.step, metric.value) for metric in history] == list(results[1].stages)


@pytest.mark.usefixtures("registered")
def test_a_run_lasts_as_long_as_the_trial_took(uri):
    info = runs(uri)["trial 1"].info
    assert info.end_time - info.start_time >= 12_500


@pytest.mark.usefixtures("registered")
def test_a_run_has_the_confusion_matrix(uri, results, tmp_path):
    run, evaluation = runs(uri)["trial 1"], results[1].evaluation
    content = json.loads(artifact(uri, run, "confusion_matrix.json", tmp_path).read_text())
    assert content == {
        "classes": evaluation.classes.tolist(),
        "confusion_matrix": evaluation.matrix.tolist(),
    }
    assert artifact(uri, run, "report.txt", tmp_path).read_text() == evaluation.to_text() + "\n"


@pytest.mark.usefixtures("registered")
def test_a_run_has_the_confusion_matrix_as_a_picture(uri, results, tmp_path):
    plot_confusion(results[1].evaluation).savefig(tmp_path / "expected.png")
    path = artifact(uri, runs(uri)["trial 1"], "confusion_matrix.png", tmp_path)
    with Image.open(path) as picture, Image.open(tmp_path / "expected.png") as expected:
        np.testing.assert_array_equal(np.asarray(picture), np.asarray(expected))


@pytest.mark.usefixtures("registered")
def test_a_run_has_the_model_with_its_metrics(uri, results):
    run = runs(uri)["trial 1"]
    (output,) = run.outputs.model_outputs
    logged = MlflowClient(uri).get_logged_model(output.model_id)
    assert (logged.status, logged.params) == ("READY", run.data.params)
    metrics = [(metric.key, metric.value) for metric in logged.metrics]
    assert sorted(metrics) == sorted(run.data.metrics.items())


@pytest.mark.usefixtures("registered")
def test_the_run_of_the_search_has_the_best_trial(uri):
    by_name = runs(uri)
    search, best = by_name["tune"].data, by_name["trial 1"].data
    assert search.metrics == {"best_accuracy": best.metrics["accuracy"]}
    assert search.tags["mnist_svm.best_trial"] == "1"
    assert search.tags["mlflow.note.content"] == best.tags["mlflow.note.content"]


def test_the_best_is_registered_and_has_the_alias(uri, registered, results):
    model_version = MlflowClient(uri).get_model_version_by_alias(NAME, "best")
    assert registered == f"models:/{NAME}/{model_version.version}"
    assert model_version.run_id == runs(uri)["trial 1"].info.run_id
    accuracy = 1 - results[1].errors / 500
    assert f"{accuracy:.2%} of 500 held-out images" in model_version.description
    assert results[1].command in model_version.description
    (output,) = runs(uri)["trial 1"].outputs.model_outputs
    logged = MlflowClient(uri).get_logged_model(output.model_id)
    versions = json.loads(logged.tags["mlflow.modelVersions"])
    assert (NAME, str(model_version.version)) in [(v["name"], str(v["version"])) for v in versions]


@pytest.mark.usefixtures("scoring")
def test_the_registered_model_reads_the_test_images(registered, digits):
    read = mlflow.pyfunc.load_model(registered).predict(digits)
    assert (read.tolist(), read.dtype) == (list(range(10)), np.int64)


@pytest.mark.usefixtures("scoring", "registered")
def test_the_alias_loads_the_model(digits):
    loaded = mlflow.pyfunc.load_model(f"models:/{NAME}@best")
    rows = pd.DataFrame(digits.reshape(10, 784))
    assert loaded.predict(rows).tolist() == list(range(10))


@pytest.mark.usefixtures("scoring")
def test_the_registered_model_returns_confidences(registered, digits, results):
    confidences = mlflow.pyfunc.load_model(registered).predict(digits, params={"confidences": True})
    expected = Recognizer(results[1].model).classify(digits).probabilities
    np.testing.assert_array_equal(confidences, expected)


@pytest.mark.usefixtures("scoring")
def test_the_example_is_an_image_that_the_model_reads(registered):
    loaded = mlflow.pyfunc.load_model(registered)
    assert loaded.predict(loaded.input_example).tolist() == [1]


@pytest.mark.usefixtures("scoring")
def test_the_registered_model_is_a_model_file_of_the_package(registered, digits, tmp_path):
    folder = Path(mlflow.artifacts.download_artifacts(registered, dst_path=str(tmp_path)))
    model = load_model(folder / "data" / "model.joblib")
    assert Recognizer(model).classify(digits).labels.tolist() == list(range(10))
    assert not list(folder.rglob("*.pkl"))
    assert f"mnist-svm=={version('mnist-svm')}" in (folder / "requirements.txt").read_text()


@pytest.mark.usefixtures("registered")
def test_a_later_search_continues_the_experiment_and_registers_a_new_version(uri, results):
    with MLflowTracker(uri, "digits") as tracker:
        tracker.log(replace(results[0], number=2))
        again = tracker.register(1)
    model_version = MlflowClient(uri).get_model_version_by_alias(NAME, "best")
    assert again == f"models:/{NAME}/{model_version.version}"
    assert model_version.run_id == runs(uri)["trial 1"].info.run_id
    assert "trial 2" in runs(uri)


def test_mlflow_serves_the_registered_model(database, results, digits, tmp_path):
    with MLflowTracker(database, "served") as tracker:
        tracker.log(replace(results[1], recipe="served"))
        served = tracker.register(1)
    arguments = ["models", "serve", "--model-uri", served, "--env-manager", "local"]
    with running_server(
        tmp_path / "log", "/ping", *arguments, env={"MLFLOW_TRACKING_URI": database}
    ) as url:
        body = json.dumps({"inputs": digits.tolist()}).encode()
        head = {"Content-Type": "application/json"}
        request = urllib.request.Request(url + "/invocations", body, head)
        with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
            assert json.load(response) == {"predictions": list(range(10))}


def test_a_search_that_is_interrupted_while_it_logs_is_killed(database, results, monkeypatch):
    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mnist_svm.tuning.mlflow_log.plot_confusion", interrupted)
    with pytest.raises(KeyboardInterrupt), MLflowTracker(database, "interrupted") as tracker:
        tracker.log(results[0])
    by_name = runs(database, "interrupted")
    assert {name: run.info.status for name, run in by_name.items()} == {
        "tune": "KILLED",
        "trial 0": "KILLED",
    }


def test_an_interrupt_waits_for_a_trial_that_is_being_logged(database, results, monkeypatch):
    reached, go = threading.Event(), threading.Event()

    def held(evaluation: Evaluation) -> Figure:
        reached.set()
        assert go.wait(TIMEOUT)
        return plot_confusion(evaluation)

    monkeypatch.setattr("mnist_svm.tuning.mlflow_log.plot_confusion", held)
    with suppress(KeyboardInterrupt), MLflowTracker(database, "threads") as tracker:
        worker = threading.Thread(target=tracker.log, args=[results[0]])
        worker.start()
        assert reached.wait(TIMEOUT)
        threading.Timer(0.2, go.set).start()
        raise KeyboardInterrupt
    by_name = runs(database, "threads")
    worker.join(TIMEOUT)
    assert (by_name["tune"].info.status, by_name["trial 0"].info.status) == ("KILLED", "FINISHED")


def test_logging_after_the_search_is_an_error(database, results):
    with MLflowTracker(database, "ended") as tracker:
        pass
    with pytest.raises(TrackingError, match="while the search is running"):
        tracker.log(results[0])
    assert set(runs(database, "ended")) == {"tune"}


def test_a_search_that_raises_is_failed(database, results):
    with suppress(ZeroDivisionError), MLflowTracker(database, "failed") as tracker:
        tracker.log(results[0])
        raise ZeroDivisionError
    by_name = runs(database, "failed")
    assert (by_name["tune"].info.status, by_name["trial 0"].info.status) == ("FAILED", "FINISHED")


def test_an_unreachable_server_is_an_error_at_once():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(TrackingError) as raised:
            MLflowTracker(url, "digits")
    assert str(raised.value) == (f"{url}: no MLflow server responds; start one with: mlflow server")


def test_a_file_that_is_not_a_database_is_an_error(tmp_path):
    file = tmp_path / "notes.txt"
    file.write_text("no database, but text " * 99)
    with pytest.raises(TrackingError, match=r"notes\.txt: .* is not a database"):
        MLflowTracker(f"sqlite:///{file}", "digits")
    assert file.read_text() == "no database, but text " * 99


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(TrackingError, match="unable to open database file"):
        MLflowTracker(f"sqlite:///{tmp_path}/none/mlflow.db", "digits")


def test_a_password_is_hidden():
    with pytest.raises(TrackingError) as raised:
        MLflowTracker("http://someone:secret@127.0.0.1:9", "digits")
    assert "secret" not in str(raised.value)
    assert "http://127.0.0.1:9: " in str(raised.value)


def test_a_deleted_experiment_is_an_error(database):
    client = MlflowClient(database)
    client.delete_experiment(client.create_experiment("deleted"))
    with pytest.raises(TrackingError, match="the experiment deleted was deleted; restore it with"):
        MLflowTracker(database, "deleted")


def test_a_trial_that_was_never_logged_cannot_be_registered(database):
    with (
        MLflowTracker(database, "empty") as tracker,
        pytest.raises(TrackingError, match="no trial 7 was logged"),
    ):
        tracker.register(7)


def test_a_trial_without_a_model_is_logged_but_cannot_be_registered(database, results):
    with MLflowTracker(database, "folds") as tracker:
        tracker.log(replace(results[0], model=None))
        with pytest.raises(TrackingError, match="trial 0 was logged without a model"):
            tracker.register(0)
    assert runs(database, "folds")["trial 0"].data.metrics["errors"] == results[0].errors


def test_without_mlflow_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'mnist-svm\[mlflow\]'"):
        MLflowTracker("sqlite:///mlflow.db", "digits")


def test_without_matplotlib_there_is_no_picture(database, results, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with MLflowTracker(database, "no picture") as tracker:
        tracker.log(results[0])
    run = runs(database, "no picture")["trial 0"]
    listed = {file.path for file in MlflowClient(database).list_artifacts(run.info.run_id)}
    assert listed == {"confusion_matrix.json", "report.txt"}


def test_logging_to_a_new_database_is_silent_and_changes_nothing_else(
    results, tmp_path, monkeypatch, capfd
):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    environment, address = dict(os.environ), mlflow.get_tracking_uri()
    with MLflowTracker(f"sqlite:///{tmp_path}/mlflow.db", "digits") as tracker:
        tracker.log(results[0])
        tracker.register(0)
    assert capfd.readouterr() == ("", "")
    assert (dict(os.environ), mlflow.get_tracking_uri()) == (environment, address)
    assert mlflow.active_run() is None
    # The artifacts are next to the database, whatever the current folder.
    assert not list((tmp_path / "elsewhere").iterdir())
    assert {path.name for path in tmp_path.iterdir()} >= {"mlflow.db", "mlartifacts"}


def test_overlapping_sessions_change_nothing(monkeypatch):
    class Block:
        @staticmethod
        def do():
            assert os.environ["MLFLOW_UV_AUTO_DETECT"] == "false"

    def work():
        with mlflow_session("sqlite:///mlflow.db"):
            Block.do()

    before = process_state()
    overlap(monkeypatch, Block, "do", work)
    assert_unchanged(before)


def test_no_telemetry_is_sent():
    script = (
        "from mnist_svm.tuning.mlflow_log import MLflowTracker, TrackingError\n"
        "try: MLflowTracker('http://127.0.0.1:9', 'digits')\n"
        "except TrackingError: from mlflow.telemetry import get_telemetry_client\n"
        "assert get_telemetry_client() is None\n"
    )
    # MLflow sends no telemetry if one of these is set.
    opt_outs = ("CI", "PYTEST_CURRENT_TEST", "MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK")
    env = {name: value for name, value in os.environ.items() if name not in opt_outs}
    subprocess.run([sys.executable, "-c", script], env=env, check=True, timeout=TIMEOUT)


@pytest.mark.parametrize(
    "value",
    [
        lambda digits: digits,
        lambda digits: digits.reshape(10, 784),
        lambda digits: digits.astype(np.int64).tolist(),
        lambda digits: digits.astype(np.float64),
        lambda digits: digits / 255,
        lambda digits: pd.DataFrame(digits.reshape(10, 784).astype(np.int32)),
    ],
    ids=["images", "rows", "lists", "floats", "fractions", "data frame"],
)
def test_images_are_accepted_in_every_form(value, results, digits):
    assert ScoringModel(results[1].model).predict(value(digits)).tolist() == list(range(10))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.zeros((280, 280), np.uint8), r"found \(280, 280\)"),
        (np.zeros((1, 100), np.uint8), r"found \(1, 100\)"),
        ([[0] * 784, [0] * 783], "found lists of several lengths"),
        (np.full((1, 784), 1.5), "found 1.5"),
        (np.full((1, 784), 256), "found 256"),
        (np.full((1, 784), -1), "found -1"),
        (np.full((1, 784), np.nan), "found nan"),
        (np.full((1, 784), 255), "bright ink on a dark background"),
        (np.full((1, 784), "1"), "found <U1"),
    ],
)
def test_anything_but_images_is_rejected(value, message, results):
    with pytest.raises(FormatError, match=message):
        ScoringModel(results[1].model).predict(value)
