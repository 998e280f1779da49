"""Tests of the batcher: concurrent requests share batches and get their own results."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnist_svm import Recognizer
from mnist_svm.serve.batching import IMAGES_PER_BATCH, Batcher
from tests.support.serving import TIMEOUT


class Recorder:
    """A classifier that returns the number encoded in each image.

    ``batches`` has the sizes of the batches. While ``gate`` is cleared, calls block; ``is_called``
    is set once one is in progress. The next ``n_errors`` calls raise.
    """

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.gate = threading.Event()
        self.gate.set()
        self.is_called = threading.Event()
        self.n_errors = 0

    def __call__(self, images: np.ndarray) -> np.ndarray:
        self.batches.append(len(images))
        self.is_called.set()
        assert self.gate.wait(TIMEOUT)
        if self.n_errors:
            self.n_errors -= 1
            msg = "broken"
            raise ArithmeticError(msg)
        return images[:, 0, :2].astype(np.float64) @ [[1.0], [256.0]]


def make_images(*numbers: int) -> np.ndarray:
    """Return images with encoded numbers, each less than 65,536."""
    images = np.zeros((len(numbers), 28, 28), dtype=np.uint8)
    images[:, 0, 0] = np.array(numbers) % 256
    images[:, 0, 1] = np.array(numbers) // 256
    return images


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@contextmanager
def one_thread() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as executor:
        yield executor


def run(
    classify: Callable[[np.ndarray], np.ndarray], scenario: Callable[[Batcher], Awaitable[None]]
) -> None:
    """Run a scenario with a batcher; unhandled errors of the event loop fail the test."""
    unhandled: list[dict[str, Any]] = []

    async def play(executor: ThreadPoolExecutor) -> None:
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: unhandled.append(context)
        )
        batcher = Batcher(classify, executor)
        async with asyncio.timeout(TIMEOUT):
            await scenario(batcher)
        gc.collect()

    with one_thread() as executor:
        asyncio.run(play(executor))
    assert unhandled == []


async def predict(batcher: Batcher, *numbers: int) -> list[int]:
    confidences = await batcher.classify(make_images(*numbers))
    assert confidences.shape == (len(numbers), 1)
    return [int(value) for value in confidences[:, 0]]


async def start_blocked(
    batcher: Batcher, recorder: Recorder, number: int
) -> asyncio.Task[list[int]]:
    """Start a request, and return when the classifier blocks on it."""
    recorder.gate.clear()
    recorder.is_called.clear()
    task = asyncio.create_task(predict(batcher, number))
    assert await asyncio.to_thread(recorder.is_called.wait, TIMEOUT)
    return task


async def start(*requests: Awaitable[list[int]]) -> list[asyncio.Task[list[int]]]:
    """Start requests, which wait for a batch."""
    tasks = [asyncio.ensure_future(request) for request in requests]
    # The tasks call the batcher in one turn of the event loop, and it starts a batch in the next.
    for _ in range(2):
        await asyncio.sleep(0)
    return tasks


# --- batches -----------------------------------------------------------------------------


def test_concurrent_requests_share_a_batch(recorder):
    async def scenario(batcher: Batcher) -> None:
        results = await asyncio.gather(*[predict(batcher, number) for number in range(10)])
        assert results == [[number] for number in range(10)]

    run(recorder, scenario)
    assert recorder.batches == [10]


def test_requests_during_a_batch_share_the_next(recorder):
    async def scenario(batcher: Batcher) -> None:
        first = await start_blocked(batcher, recorder, 1)
        others = await start(*[predict(batcher, number, number + 1) for number in range(5)])
        assert recorder.batches == [1]
        recorder.gate.set()
        assert await first == [1]
        assert await asyncio.gather(*others) == [[number, number + 1] for number in range(5)]

    run(recorder, scenario)
    assert recorder.batches == [1, 10]


def no_timer(*arguments: Any, **more: Any) -> asyncio.TimerHandle:
    """Replace ``call_later`` and ``call_at`` of an event loop."""
    pytest.fail("a batch waits")


@pytest.mark.parametrize("sizes", [[1], [2, 3], [IMAGES_PER_BATCH - 1, 1], [1] * IMAGES_PER_BATCH])
def test_an_idle_batcher_classifies_at_once(recorder, monkeypatch, sizes):
    async def scenario(batcher: Batcher) -> None:
        with monkeypatch.context() as patch:
            for name in ("call_later", "call_at"):
                patch.setattr(asyncio.get_running_loop(), name, no_timer)
            requests = [batcher.classify(make_images(*range(size))) for size in sizes]
            results = await asyncio.gather(*requests)
        assert [len(result) for result in results] == sizes

    run(recorder, scenario)
    assert recorder.batches == [sum(sizes)]


def test_a_request_after_a_batch_is_classified_at_once(recorder):
    async def scenario(batcher: Batcher) -> None:
        for number in range(3):
            assert await predict(batcher, number) == [number]

    run(recorder, scenario)
    assert recorder.batches == [1, 1, 1]


@pytest.mark.parametrize(
    ("size", "batches"),
    [(1, [1]), (64, [64]), (65, [64, 1]), (128, [64, 64]), (150, [64, 64, 22])],
)
def test_a_large_request_is_split_into_batches(recorder, size, batches):
    async def scenario(batcher: Batcher) -> None:
        assert await predict(batcher, *range(size)) == list(range(size))

    assert IMAGES_PER_BATCH == 64
    run(recorder, scenario)
    assert recorder.batches == batches


def test_a_small_request_overtakes_the_rest_of_a_later_large_one(recorder):
    async def scenario(batcher: Batcher) -> None:
        order: list[str] = []
        first = await start_blocked(batcher, recorder, 0)
        tasks = await start(predict(batcher, 1), predict(batcher, *range(1000)))
        for name, task in zip(("small", "large"), tasks, strict=True):
            task.add_done_callback(lambda _, name=name: order.append(name))
        recorder.gate.set()
        await asyncio.gather(first, *tasks)
        assert order == ["small", "large"]

    run(recorder, scenario)
    assert max(recorder.batches) <= IMAGES_PER_BATCH


def test_small_requests_fill_the_last_batch_of_a_large_one(recorder):
    async def scenario(batcher: Batcher) -> None:
        tasks = await start(
            predict(batcher, *range(150)), *[predict(batcher, 7) for _ in range(42)]
        )
        results = await asyncio.gather(*tasks)
        assert results == [list(range(150)), *[[7]] * 42]

    run(recorder, scenario)
    assert recorder.batches == [64, 64, 64]


def test_on_batch_gets_the_size_of_each_batch(recorder):
    sizes: list[int] = []

    async def play(executor: ThreadPoolExecutor) -> None:
        batcher = Batcher(recorder, executor, sizes.append)
        await asyncio.gather(predict(batcher, *range(70)), predict(batcher, 1))

    with one_thread() as executor:
        asyncio.run(play(executor))
    assert sizes == recorder.batches == [64, 7]


# --- results ------------------------------------------------------------------------------


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 3 * IMAGES_PER_BATCH), st.integers(0, 3)), min_size=1, max_size=20
    )
)
def test_each_request_gets_its_own_results_in_order(requests):
    recorder = Recorder()
    numbers = count()

    async def late(batcher: Batcher, size: int, turns: int) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)
        mine = [next(numbers) for _ in range(size)]
        assert await predict(batcher, *mine) == mine

    async def scenario(batcher: Batcher) -> None:
        await asyncio.gather(*[late(batcher, size, turns) for size, turns in requests])

    run(recorder, scenario)
    assert sum(recorder.batches) == sum(size for size, _ in requests)
    assert max(recorder.batches) <= IMAGES_PER_BATCH


def test_batches_do_not_change_the_probabilities(test_set):
    recognizer = Recognizer.load(n_jobs=1)
    images = test_set.images[:150]
    alone = recognizer.classify(images).probabilities
    sizes = [1, 2, 70, 3, 1, 40, 33]
    stops = np.cumsum(sizes)
    batches: list[int] = []

    async def play(executor: ThreadPoolExecutor) -> list[np.ndarray]:
        batcher = Batcher(
            lambda some: recognizer.classify(some).probabilities, executor, batches.append
        )
        requests = [images[stop - size : stop] for stop, size in zip(stops, sizes, strict=True)]
        return await asyncio.gather(*[batcher.classify(request) for request in requests])

    with one_thread() as executor:
        results = asyncio.run(play(executor))
    assert len(batches) < len(sizes)
    assert [len(result) for result in results] == sizes
    np.testing.assert_allclose(np.concatenate(results), alone, rtol=1e-9)


# --- errors ---------------------------------------------------------------------------------


def test_an_error_reaches_its_batch_only(recorder):
    async def scenario(batcher: Batcher) -> None:
        recorder.n_errors = 1
        first = await start_blocked(batcher, recorder, 0)
        recorder.gate.set()
        with pytest.raises(ArithmeticError, match="broken"):
            await first
        recorder.n_errors = 1
        failed = await asyncio.gather(
            predict(batcher, 1), predict(batcher, 2), return_exceptions=True
        )
        assert [type(error) for error in failed] == [ArithmeticError] * 2
        assert await asyncio.gather(predict(batcher, 3), predict(batcher, 4)) == [[3], [4]]

    run(recorder, scenario)
    assert recorder.batches == [1, 2, 2]


@pytest.mark.parametrize("bad", [0, 1, 2])
def test_an_error_in_one_part_fails_the_request(recorder, bad):
    def classify(images: np.ndarray) -> np.ndarray:
        recorder.n_errors = int(len(recorder.batches) == bad)
        return recorder(images)

    async def scenario(batcher: Batcher) -> None:
        with pytest.raises(ArithmeticError):
            await predict(batcher, *range(3 * IMAGES_PER_BATCH))
        # The other parts are finished by then.
        assert await predict(batcher, 5) == [5]

    run(classify, scenario)
    assert recorder.batches[bad] == IMAGES_PER_BATCH


def test_a_cancelled_request_is_not_classified(recorder):
    async def scenario(batcher: Batcher) -> None:
        first = await start_blocked(batcher, recorder, 0)
        gone, stays = await start(predict(batcher, 1, 1, 1), predict(batcher, 2))
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        recorder.gate.set()
        assert [await first, await stays] == [[0], [2]]

    run(recorder, scenario)
    assert recorder.batches == [1, 1]


def test_the_rest_of_a_cancelled_large_request_is_not_classified(recorder):
    async def scenario(batcher: Batcher) -> None:
        recorder.gate.clear()
        (large,) = await start(predict(batcher, *range(1000)))
        assert await asyncio.to_thread(recorder.is_called.wait, TIMEOUT)
        large.cancel()
        with pytest.raises(asyncio.CancelledError):
            await large
        recorder.gate.set()
        assert await predict(batcher, 3) == [3]

    run(recorder, scenario)
    assert recorder.batches == [64, 1]


def test_cancelling_a_running_request_does_not_affect_others(recorder):
    async def scenario(batcher: Batcher) -> None:
        recorder.gate.clear()
        gone, stays = await start(predict(batcher, 1, 1), predict(batcher, 2))
        assert await asyncio.to_thread(recorder.is_called.wait, TIMEOUT)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        recorder.gate.set()
        assert await stays == [2]
        assert await predict(batcher, 3) == [3]

    run(recorder, scenario)
    assert recorder.batches == [3, 1]


def test_nothing_is_classified_if_all_requests_are_cancelled(recorder):
    async def scenario(batcher: Batcher) -> None:
        first = await start_blocked(batcher, recorder, 0)
        tasks = await start(*[predict(batcher, number) for number in range(5)])
        for task in tasks:
            task.cancel()
        recorder.gate.set()
        await first
        await asyncio.gather(*tasks, return_exceptions=True)
        assert await predict(batcher, 9) == [9]

    run(recorder, scenario)
    assert recorder.batches == [1, 1]


@pytest.mark.parametrize("size", [1, IMAGES_PER_BATCH, IMAGES_PER_BATCH + 1])
def test_a_closed_executor_fails_all_requests(recorder, size):
    async def scenario(batcher: Batcher) -> None:
        batcher._executor.shutdown()
        requests = [predict(batcher, 1), predict(batcher, *range(size))]
        results = await asyncio.gather(*requests, return_exceptions=True)
        assert [type(error) for error in results] == [RuntimeError, RuntimeError]

    run(recorder, scenario)
    assert recorder.batches == []


def test_a_batch_dropped_by_the_executor_is_cancelled(recorder):
    async def scenario(batcher: Batcher) -> None:
        release = threading.Event()
        batcher._executor.submit(release.wait, TIMEOUT)
        tasks = await start(predict(batcher, *range(IMAGES_PER_BATCH)))
        batcher._executor.shutdown(wait=False, cancel_futures=True)
        release.set()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(results[0], asyncio.CancelledError)

    run(recorder, scenario)
    assert recorder.batches == []
