"""Many clients at once, for a few seconds: the same loads that the benchmark measures."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import uvloop

from benchmarks import serve as benchmark
from mnist_svm import Recognizer
from tests.support.serving import Served, serving

SECONDS = 3


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving("--queue", "40") as server:
        yield server


@pytest.fixture(scope="module")
def read(test_set) -> list[int]:
    """What the library reads in the images of the loads."""
    return Recognizer.load().classify(test_set.images[:1000]).labels.tolist()


@pytest.fixture
def bear(served, read):
    def borne(name: str):
        (load,) = (load for load in benchmark.loads() if load.name == name)
        load.labels = read
        uvloop.run(benchmark.bear(load, served.port, served.process.pid, SECONDS))
        return load

    return borne


@pytest.mark.parametrize("name", ["arrays", "files"])
def test_32_clients_get_right_answers_and_nothing_else(bear, name):
    load = bear(name)
    assert set(load.statuses) == {200}
    assert load.statuses[200] > 100
    assert load.wrong == 0


def test_memory_stays_flat(bear):
    bear("arrays")
    load = bear("arrays")
    assert load.memory[-1] - load.memory[0] < 20


def test_too_many_are_sent_away_and_served_afterwards(served, bear):
    load = bear("too many")
    assert set(load.statuses) == {200, 503}
    assert load.statuses[200] > 100
    assert load.wrong == 0
    assert set(bear("arrays").statuses) == {200}


def test_waiting_images_are_classified_together(served, bear):
    bear("arrays")
    lines = served.ask("GET", "/metrics").body.decode().splitlines()
    told = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    batches = float(told["mnist_svm_batch_images_count"])
    assert float(told["mnist_svm_batch_images_sum"]) > 2 * batches
