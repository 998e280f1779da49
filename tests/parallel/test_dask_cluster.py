"""Work on a real Dask cluster: the same results, however many workers there are, or die."""

from __future__ import annotations

import json
import logging
import os
import pickle
import sys
import threading
import time

import numpy as np
import pytest
from distributed import get_task_stream
from joblib import delayed, parallel_config

from mnist_svm import KernelSVC, load_model
from mnist_svm.datasets.formats.idx import write_idx
from mnist_svm.exceptions import ClusterError
from mnist_svm.features.deskew import Deskew
from mnist_svm.parallel.dask_cluster import Cluster, connect
from mnist_svm.parallel.workers import is_cluster_active, workers_for
from mnist_svm.recognition.recognizer import Recognizer
from mnist_svm.svm._solver import samples
from mnist_svm.svm.log import log_to
from tests.support.dask_cluster import DaskCluster, until
from tests.support.paths import DATA
from tests.support.svm_oracle import bits

COMMANDS = {
    "train": ["train", "--limit", 100],
    "tune": ["tune", "--limit", 300],
    "predict": ["predict", "--data", DATA],
}


@pytest.fixture(scope="module")
def dask(tmp_path_factory):
    cluster = DaskCluster(tmp_path_factory.mktemp("dask"))
    yield cluster
    cluster.close()


@pytest.fixture(scope="module")
def digits(train_set):
    """8,000 deskewed images and their labels: enough for kernel values in float32."""
    return Deskew().fit_transform(train_set.X[:8000]), train_set.labels[:8000]


@pytest.fixture
def guesses(monkeypatch):
    """Let the solver project its samples for guesses, as it does where there are many."""
    monkeypatch.setattr(samples, "MANY", 1000)


def machine():
    return KernelSVC(kernel="rbf", gamma=1e-7, C=3.0, random_state=0, working_memory=200)


@pytest.fixture(scope="module")
def alone(digits):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(samples, "MANY", 1000)
        return bits(machine().fit(*digits))


@pytest.mark.parametrize("workers", [1, 3])
def test_a_fit_by_workers_is_that_of_threads_to_the_bit(dask, digits, alone, guesses, workers):
    with connect(dask.have(workers).address), get_task_stream(dask.client) as tasks:
        fitted = machine().fit(*digits)
    assert bits(fitted) == alone
    assert len({task["worker"] for task in tasks.data}) == workers


def test_joblib_s_own_context_is_enough(dask, digits, alone, guesses):
    with parallel_config("dask", client=dask.have(3).client):
        assert bits(machine().fit(*digits)) == alone


class AfterRound(logging.Handler):
    """Lets an event happen once the rounds of a fit have begun."""

    def __init__(self, event):
        super().__init__(logging.INFO)
        self._event = event

    def emit(self, record):
        if "round" in record.getMessage():
            self._event.set()


def test_a_worker_killed_in_the_middle_of_a_fit_costs_time_alone(dask, digits, alone, guesses):
    begun = threading.Event()
    before = dask.have(3).pids()
    killer = dask.killing_one(begun)
    with connect(dask.address), log_to(AfterRound(begun)):
        fitted = machine().fit(*digits)
    killer.join()
    assert bits(fitted) == alone
    assert len(dask.pids()) == len(before) - 1


def test_a_fit_outlives_all_who_had_its_samples(dask, digits, alone, guesses):
    begun = threading.Event()
    before = dask.have(1).pids()

    def replace():
        dask.kill_one_at_work()
        dask.have(1)

    thread = threading.Thread(target=lambda: begun.wait(90) and replace())
    thread.start()
    with connect(dask.address), log_to(AfterRound(begun)):
        fitted = machine().fit(*digits)
    thread.join()
    assert bits(fitted) == alone
    assert not set(dask.pids()) & set(before)


def test_tasks_bring_no_samples_along(dask, digits, monkeypatch):
    sizes, shared = [], []
    placed, share = Cluster._placed, Cluster.share

    def weighed(self, task):
        result = placed(self, task)
        sizes.append(len(pickle.dumps(result[1][1:])))
        return result

    def counted(self, value):
        shared.append(type(value).__name__)
        share(self, value)

    monkeypatch.setattr(Cluster, "_placed", weighed)
    monkeypatch.setattr(Cluster, "share", counted)
    monkeypatch.setattr(samples, "MANY", 1000)
    with connect(dask.have(3).address):
        machine().fit(*digits)
    assert sorted(shared) == ["Projected", "Samples"]
    assert max(sizes) < digits[0].nbytes / 20


def many_digits(test_set, n):
    return np.resize(test_set.images, (n, 28, 28))


def test_predictions_spread_over_the_workers_and_are_those_of_threads(dask, small_model, test_set):
    recognizer, images = Recognizer(small_model), many_digits(test_set, 12_000)
    with connect(dask.have(3).address), get_task_stream(dask.client) as tasks:
        readings = recognizer.classify(images)
    np.testing.assert_array_equal(readings.confidences, recognizer.classify(images).confidences)
    assert len({task["worker"] for task in tasks.data}) == 3


def test_a_worker_killed_in_the_middle_of_predictions_costs_time_alone(dask, small_model, test_set):
    recognizer, images = Recognizer(small_model), many_digits(test_set, 30_000)
    begun = threading.Event()
    dask.have(3)
    killer = dask.killing_one(begun)
    with connect(dask.address):
        readings = recognizer.classify(images, progress=lambda done, total: begun.set())
    killer.join()
    np.testing.assert_array_equal(readings.confidences, recognizer.classify(images).confidences)
    assert len(dask.pids()) == 2


def test_what_a_worker_does_gets_no_more_workers(dask):
    with connect(dask.have(3).address), workers_for(-1) as workers:
        assert list(workers([delayed(is_cluster_active)()])) == [False]


def test_a_task_that_kills_its_workers_ends_the_job_in_one_line(dask):
    def allow(failures):
        def set_on(dask_scheduler):
            dask_scheduler.allowed_failures = failures

        dask.client.run_on_scheduler(set_on)

    dask.have(3)
    allow(0)
    try:
        with (
            connect(dask.address),
            workers_for(-1) as workers,
            pytest.raises(ClusterError, match="1 workers died at the same task"),
        ):
            list(workers([delayed(os._exit)(1)]))
    finally:
        allow(3)


def test_an_error_of_a_task_is_raised_here(dask):
    with (
        connect(dask.have(3).address),
        workers_for(-1) as workers,
        pytest.raises(ZeroDivisionError),
    ):
        list(workers(delayed(divmod)(1, i) for i in (2, 1, 0, 3)))


def test_train_writes_the_model_that_it_writes_without_a_cluster(dask, run, tmp_path):
    options = ["--recipe", "gradient", "--limit", 3000, "--data-dir", DATA]
    here, there = tmp_path / "here.joblib", tmp_path / "there.joblib"
    assert run("train", *options, "-o", here).exit_code == 0
    result = run("train", *options, "-o", there, "--dask", dask.have(3).address)
    assert result.exit_code == 0
    assert "does 3 tasks at a time" in result.stderr
    ours, theirs = (load_model(path).pipeline[-1] for path in (here, there))
    assert bits(ours.estimator_) == bits(theirs.estimator_)
    assert ours.temperature_ == theirs.temperature_


def test_copies_of_every_image_are_learned_by_workers_too(dask, run, tmp_path):
    options = ["--recipe", "gradient", "--limit", 1000, "--virtual-copies", 2, "--data-dir", DATA]
    here, there = tmp_path / "here.joblib", tmp_path / "there.joblib"
    assert run("train", *options, "-o", here).exit_code == 0
    assert run("train", *options, "-o", there, "--dask", dask.have(3).address).exit_code == 0
    ours, theirs = (load_model(path).pipeline[-1] for path in (here, there))
    assert bits(ours.estimator_) == bits(theirs.estimator_)


def test_predict_answers_as_without_a_cluster(dask, run, small_model_file, test_set, tmp_path):
    path = tmp_path / "images-idx3-ubyte"
    write_idx(path, many_digits(test_set, 3000))
    options = ["predict", "--data", path, "--model", small_model_file]
    result = run(*options, "--dask", dask.have(3).address)
    assert result.exit_code == 0
    assert result.stdout == run(*options).stdout


def test_tune_does_trials_side_by_side_and_outlives_a_worker(dask, start, tmp_path):
    dask.have(3)
    process = start(
        *["tune", "--limit", 3000, "--trials", 6, "--json", "--data-dir", DATA],
        *["--storage", f"sqlite:///{tmp_path}/s.db", "--dask", dask.address],
    )
    dask.kill_one_at_work()
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    result = json.loads(out)
    trials = result["trials"]
    assert [trial["number"] for trial in trials] == list(range(6))
    assert trials[0]["state"] == "complete"
    assert trials[0]["parameters"] == result["default"]["parameters"]
    tried = [tuple(trial["parameters"].items()) for trial in trials]
    assert len(set(tried)) == 6
    assert result["best"]["errors"] <= result["default"]["errors"]


@pytest.mark.parametrize("command", COMMANDS)
def test_without_dask_a_hint_comes_before_any_work(command, run, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    result = run(*COMMANDS[command], "--dask", "tcp://127.0.0.1:1")
    assert result.exit_code == 1
    hint = "mnist-svm: error: a cluster needs Dask: pip install 'mnist-svm[dask]'"
    assert result.stderr.splitlines() == [hint]


@pytest.mark.parametrize(
    "address", ["tcp://127.0.0.1:1", "127.0.0.1:1", "127.0.0.1", "no address", "x://y:1", ""]
)
def test_an_address_without_a_scheduler_is_told(address, run, monkeypatch):
    monkeypatch.setattr("mnist_svm.parallel.dask_cluster.PATIENCE", 1)
    result = run("predict", "--data", DATA, "--dask", address)
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1].startswith(
        f"mnist-svm: error: {address}: no Dask scheduler answers"
    )


def test_a_worker_is_no_scheduler(dask):
    (worker,) = dask.have(1).pids()
    with pytest.raises(ClusterError, match="no Dask scheduler answers"), connect(worker):
        pass


def test_a_scheduler_without_workers_is_told(dask, monkeypatch):
    monkeypatch.setattr("mnist_svm.parallel.dask_cluster.PATIENCE", 1)
    address = dask.have(0).address
    told = "has no worker: start some with `dask worker"
    with pytest.raises(ClusterError, match=told), connect(address):
        pass


def test_a_worker_with_another_version_is_told(dask, monkeypatch):
    address = dask.have(1).address
    monkeypatch.setattr("mnist_svm.parallel.dask_cluster.version", lambda package: "99.0")
    told = r"its worker tcp.* has \d.*: install mnist-svm 99.0 there"
    with pytest.raises(ClusterError, match=told), connect(address):
        pass


# Without `site`, Python does not see packages that are installed for development.
STRANGER = """
import sys
sys.path += [path for path in {paths!r} if path.endswith("site-packages")]
from dask.__main__ import main
main()
"""


def test_a_worker_without_this_package_is_told(dask):
    dask.have(0)
    dask.start_worker(before=("-S", "-c", STRANGER.format(paths=sys.path)))
    until(lambda: len(dask.pids()) == 1)
    told = "its worker tcp.* has no mnist-svm: install mnist-svm"
    with pytest.raises(ClusterError, match=told), connect(dask.address):
        pass
    dask.have(0)


def test_a_scheduler_that_is_lost_ends_the_job_in_one_line(digits, tmp_path):
    other = DaskCluster(tmp_path)
    try:
        with connect(other.have(1).address), workers_for(-1) as workers:
            results = workers(delayed(time.sleep)(0.1) for _ in range(600))
            next(results)
            other._processes[0].kill()
            with pytest.raises(ClusterError, match="lost the Dask cluster"):
                list(results)
    finally:
        other.close()
