"""Many concurrent clients for a few seconds, with the loads of the benchmark."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import uvloop

from benchmarks import serve as benchmark
from mnist_svm import Recognizer
from tests.support.serving import Server, serving

pytestmark = pytest.mark.slow

SECONDS = 3


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving("--queue", "40") as server:
        yield server


@pytest.fixture(scope="module")
def predicted(test_set) -> list[int]:
    """Predictions of the library for the images of the loads."""
    return Recognizer.load().classify(test_set.images[:1000]).labels.tolist()


@pytest.fixture
def run_load(server, predicted):
    """Return a function that runs a load of the benchmark, and returns it with its results."""

    def run(name: str):
        (load,) = (load for load in benchmark.loads() if load.name == name)
        load.labels = predicted
        uvloop.run(benchmark.run_load(load, server.port, server.process.pid, SECONDS))
        return load

    return run


@pytest.mark.parametrize("name", ["arrays", "files"])
def test_32_clients_get_correct_predictions(run_load, name):
    load = run_load(name)
    assert set(load.statuses) == {200}
    assert load.statuses[200] > 100
    assert load.wrong == 0


def test_memory_stays_flat(run_load):
    run_load("arrays")
    load = run_load("arrays")
    assert load.memory[-1] - load.memory[0] < 20


def test_too_many_clients_get_503_and_are_served_later(server, run_load):
    load = run_load("too many")
    assert set(load.statuses) == {200, 503}
    assert load.statuses[200] > 100
    assert load.wrong == 0
    assert set(run_load("arrays").statuses) == {200}


def test_rejected_requests_leave_no_memory(run_load):
    run_load("too many")
    load = run_load("too many")
    assert load.statuses[503] > 1000
    assert load.memory[-1] - load.memory[0] < 10


def test_concurrent_images_share_batches(server, run_load):
    run_load("arrays")
    lines = server.request("GET", "/metrics").body.decode().splitlines()
    samples = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    batches = float(samples["mnist_svm_batch_images_count"])
    assert float(samples["mnist_svm_batch_images_sum"]) > 2 * batches
