"""Work on a real Dask cluster: results do not depend on the number of workers, or on losses."""

from __future__ import annotations

import json
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
from mnist_svm.features.transformers import Deskew
from mnist_svm.parallel.dask_cluster import Cluster, connect
from mnist_svm.parallel.workers import is_cluster_active, workers_for
from mnist_svm.recognition.recognizer import Recognizer
from mnist_svm.svm._solver import factors
from mnist_svm.svm.log import log_to
from tests.support.dask_cluster import DaskCluster
from tests.support.paths import DATA
from tests.support.serving import TIMEOUT, eventually
from tests.support.svm_oracle import fit_bits

pytestmark = pytest.mark.cluster

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
def approximate_rounds(monkeypatch):
    """Project the samples for approximate rounds, which otherwise needs 40,000 samples."""
    monkeypatch.setattr(factors, "MIN_SAMPLES_TO_PROJECT", 1000)


def make_svc():
    return KernelSVC(kernel="rbf", gamma=1e-7, C=3.0, random_state=0, cache_size=200)


@pytest.fixture(scope="module")
def local_bits(digits):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(factors, "MIN_SAMPLES_TO_PROJECT", 1000)
        return fit_bits(make_svc().fit(*digits))


@pytest.mark.parametrize("workers", [1, 3])
def test_a_fit_by_workers_is_bit_equal_to_that_of_threads(
    dask, digits, local_bits, approximate_rounds, workers
):
    with connect(dask.scale(workers).address), get_task_stream(dask.client) as tasks:
        fitted = make_svc().fit(*digits)
    assert fit_bits(fitted) == local_bits
    assert len({task["worker"] for task in tasks.data}) == workers


def test_joblib_s_own_context_suffices(dask, digits, local_bits, approximate_rounds):
    with parallel_config("dask", client=dask.scale(3).client):
        assert fit_bits(make_svc().fit(*digits)) == local_bits


def after_round(event):
    """A context that sets an event once the rounds of a fit have begun."""
    return log_to(lambda message: event.set() if "round" in message else None)


def test_a_fit_survives_the_loss_of_a_worker(dask, digits, local_bits, approximate_rounds):
    begun = threading.Event()
    before = dask.scale(3).pids()
    killer = dask.kill_busy_worker_after(begun)
    with connect(dask.address), after_round(begun):
        fitted = make_svc().fit(*digits)
    killer.join()
    assert fit_bits(fitted) == local_bits
    assert len(dask.pids()) == len(before) - 1


def test_a_fit_survives_the_loss_of_all_copies_of_its_samples(
    dask, digits, local_bits, approximate_rounds
):
    begun = threading.Event()
    before = dask.scale(1).pids()

    def replace():
        dask.kill_busy_worker()
        dask.scale(1)

    thread = threading.Thread(target=lambda: begun.wait(TIMEOUT) and replace())
    thread.start()
    with connect(dask.address), after_round(begun):
        fitted = make_svc().fit(*digits)
    thread.join()
    assert fit_bits(fitted) == local_bits
    assert not set(dask.pids()) & set(before)


def test_tasks_do_not_contain_the_samples(dask, digits, monkeypatch):
    sizes, shared = [], []
    with_futures, share = Cluster._with_futures, Cluster.share

    def measured(self, task):
        result = with_futures(self, task)
        sizes.append(len(pickle.dumps(result[1][1:])))
        return result

    def recorded(self, value):
        shared.append(type(value).__name__)
        share(self, value)

    monkeypatch.setattr(Cluster, "_with_futures", measured)
    monkeypatch.setattr(Cluster, "share", recorded)
    monkeypatch.setattr(factors, "MIN_SAMPLES_TO_PROJECT", 1000)
    with connect(dask.scale(3).address):
        make_svc().fit(*digits)
    assert sorted(shared) == ["ProjectedSamples", "Samples"]
    assert max(sizes) < digits[0].nbytes / 20


def many_digits(test_set, n):
    return np.resize(test_set.images, (n, 28, 28))


def test_predictions_use_all_workers_and_equal_those_of_threads(dask, small_model, test_set):
    recognizer, images = Recognizer(small_model), many_digits(test_set, 12_000)
    with connect(dask.scale(3).address), get_task_stream(dask.client) as tasks:
        readings = recognizer.classify(images)
    np.testing.assert_array_equal(readings.probabilities, recognizer.classify(images).probabilities)
    assert len({task["worker"] for task in tasks.data}) == 3


def test_predictions_survive_the_loss_of_a_worker(dask, small_model, test_set):
    recognizer, images = Recognizer(small_model), many_digits(test_set, 30_000)
    begun = threading.Event()
    dask.scale(3)
    killer = dask.kill_busy_worker_after(begun)
    with connect(dask.address):
        readings = recognizer.classify(images, progress=lambda done, total: begun.set())
    killer.join()
    np.testing.assert_array_equal(readings.probabilities, recognizer.classify(images).probabilities)
    assert len(dask.pids()) == 2


def test_tasks_do_not_use_the_cluster_themselves(dask):
    with connect(dask.scale(3).address), workers_for(-1) as workers:
        assert list(workers([delayed(is_cluster_active)()])) == [False]


def test_a_task_that_kills_its_workers_is_a_cluster_error(dask):
    def set_allowed_failures(n):
        def set_on_scheduler(dask_scheduler):
            dask_scheduler.allowed_failures = n

        dask.client.run_on_scheduler(set_on_scheduler)

    dask.scale(3)
    set_allowed_failures(0)
    try:
        with (
            connect(dask.address),
            workers_for(-1) as workers,
            pytest.raises(ClusterError, match="1 workers died at the same task"),
        ):
            list(workers([delayed(os._exit)(1)]))
    finally:
        set_allowed_failures(3)


def test_an_error_of_a_task_is_raised_in_the_client(dask):
    with (
        connect(dask.scale(3).address),
        workers_for(-1) as workers,
        pytest.raises(ZeroDivisionError),
    ):
        list(workers(delayed(divmod)(1, i) for i in (2, 1, 0, 3)))


def test_train_writes_the_same_model_with_a_cluster(dask, run, tmp_path):
    options = ["--recipe", "gradient", "--limit", 3000, "--data-dir", DATA]
    local, remote = tmp_path / "local.joblib", tmp_path / "remote.joblib"
    assert run("train", *options, "-o", local).exit_code == 0
    result = run("train", *options, "-o", remote, "--dask", dask.scale(3).address)
    assert result.exit_code == 0
    assert "runs 3 tasks at a time" in result.stderr
    svc_local, svc_remote = (load_model(path).pipeline[-1] for path in (local, remote))
    assert fit_bits(svc_local.estimator_) == fit_bits(svc_remote.estimator_)
    assert svc_local.temperature_ == svc_remote.temperature_


def test_training_with_virtual_copies_writes_the_same_model_with_a_cluster(dask, run, tmp_path):
    options = ["--recipe", "gradient", "--limit", 1000, "--virtual-copies", 2, "--data-dir", DATA]
    local, remote = tmp_path / "local.joblib", tmp_path / "remote.joblib"
    assert run("train", *options, "-o", local).exit_code == 0
    assert run("train", *options, "-o", remote, "--dask", dask.scale(3).address).exit_code == 0
    svc_local, svc_remote = (load_model(path).pipeline[-1] for path in (local, remote))
    assert fit_bits(svc_local.estimator_) == fit_bits(svc_remote.estimator_)


def test_predict_prints_the_same_with_a_cluster(dask, run, small_model_file, test_set, tmp_path):
    path = tmp_path / "images-idx3-ubyte"
    write_idx(path, many_digits(test_set, 3000))
    options = ["predict", "--data", path, "--model", small_model_file]
    result = run(*options, "--dask", dask.scale(3).address)
    assert result.exit_code == 0
    assert result.stdout == run(*options).stdout


def test_tune_survives_the_loss_of_a_worker(dask, start, tmp_path):
    dask.scale(3)
    process = start(
        *["tune", "--limit", 3000, "--trials", 6, "--json", "--data-dir", DATA],
        *["--storage", f"sqlite:///{tmp_path}/s.db", "--dask", dask.address],
    )
    dask.kill_busy_worker()
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    result = json.loads(out)
    trials = result["trials"]
    assert [trial["number"] for trial in trials] == list(range(6))
    assert trials[0]["state"] == "complete"
    assert trials[0]["parameters"] == result["default"]["parameters"]
    tried_parameters = [tuple(trial["parameters"].items()) for trial in trials]
    assert len(set(tried_parameters)) == 6
    assert result["best"]["errors"] <= result["default"]["errors"]


@pytest.mark.parametrize("command", COMMANDS)
def test_without_dask_commands_fail_with_a_hint(command, run, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    result = run(*COMMANDS[command], "--dask", "tcp://127.0.0.1:1")
    assert result.exit_code == 1
    hint = "mnist-svm: error: a cluster needs Dask: pip install 'mnist-svm[dask]'"
    assert result.stderr.splitlines() == [hint]


@pytest.mark.parametrize(
    "address", ["tcp://127.0.0.1:1", "127.0.0.1:1", "127.0.0.1", "no address", "x://y:1", ""]
)
def test_an_address_without_a_scheduler_is_an_error(address, run, monkeypatch):
    monkeypatch.setattr("mnist_svm.parallel.dask_cluster.CONNECT_TIMEOUT", 1)
    result = run("predict", "--data", DATA, "--dask", address)
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1].startswith(
        f"mnist-svm: error: {address}: no Dask scheduler answers"
    )


def test_the_address_of_a_worker_is_an_error(dask):
    (worker,) = dask.scale(1).pids()
    with pytest.raises(ClusterError, match="no Dask scheduler answers"), connect(worker):
        pass


def test_a_scheduler_without_workers_is_an_error(dask, monkeypatch):
    monkeypatch.setattr("mnist_svm.parallel.dask_cluster.CONNECT_TIMEOUT", 1)
    address = dask.scale(0).address
    message = "has no worker: start some with `dask worker"
    with pytest.raises(ClusterError, match=message), connect(address):
        pass


def test_a_worker_with_another_version_is_an_error(dask, monkeypatch):
    address = dask.scale(1).address
    monkeypatch.setattr("mnist_svm.parallel.dask_cluster.version", lambda package: "99.0")
    message = r"its worker tcp.* has \d.*: install mnist-svm 99.0 there"
    with pytest.raises(ClusterError, match=message), connect(address):
        pass


# Without `site`, Python does not find editable installs.
DASK_WITHOUT_THIS_PACKAGE = """
import sys
sys.path += [path for path in {paths!r} if path.endswith("site-packages")]
from dask.__main__ import main
main()
"""


def test_a_worker_without_this_package_is_an_error(dask):
    dask.scale(0)
    dask.start_worker(
        python_arguments=("-S", "-c", DASK_WITHOUT_THIS_PACKAGE.format(paths=sys.path))
    )
    eventually(lambda: len(dask.pids()) == 1)
    message = "its worker tcp.* has no mnist-svm: install mnist-svm"
    with pytest.raises(ClusterError, match=message), connect(dask.address):
        pass
    dask.scale(0)


def test_the_loss_of_the_scheduler_is_a_cluster_error(digits, tmp_path):
    other = DaskCluster(tmp_path)
    try:
        with connect(other.scale(1).address), workers_for(-1) as workers:
            results = workers(delayed(time.sleep)(0.1) for _ in range(600))
            next(results)
            other._processes[0].kill()
            with pytest.raises(ClusterError, match="lost the Dask cluster"):
                list(results)
    finally:
        other.close()
