"""Batches of waiting images: who waits together is answered together, and each with its own."""

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
from mnist_svm.serve.batching import BATCH, WAIT, Batcher
from tests.support.serving import PATIENCE


class Recorder:
    """A classifier whose answer for an image is the number in it.

    ``batches`` has the sizes of those begun. While ``gate`` is not set it holds on to its batch;
    ``holding`` tells that it has one. It fails as often as ``faults`` says.
    """

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.gate = threading.Event()
        self.gate.set()
        self.holding = threading.Event()
        self.faults = 0

    def __call__(self, images: np.ndarray) -> np.ndarray:
        self.batches.append(len(images))
        self.holding.set()
        assert self.gate.wait(PATIENCE)
        if self.faults:
            self.faults -= 1
            msg = "out of order"
            raise ArithmeticError(msg)
        return images[:, 0, :2].astype(np.float64) @ [[1.0], [256.0]]


def numbered(*numbers: int) -> np.ndarray:
    """Images with these numbers in them, each less than 65,536."""
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
    classify: Callable[[np.ndarray], np.ndarray], scene: Callable[[Batcher], Awaitable[None]]
) -> None:
    """Play a scene with a batcher; whatever nobody took note of is an error."""
    unseen: list[dict[str, Any]] = []

    async def play(executor: ThreadPoolExecutor) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, what: unseen.append(what))
        batcher = Batcher(classify, executor)
        async with asyncio.timeout(PATIENCE):
            await scene(batcher)
        gc.collect()

    with one_thread() as executor:
        asyncio.run(play(executor))
    assert unseen == []


async def ask(batcher: Batcher, *numbers: int) -> list[int]:
    confidences = await batcher.classify(numbered(*numbers))
    assert confidences.shape == (len(numbers), 1)
    return [int(value) for value in confidences[:, 0]]


async def hold(batcher: Batcher, recorder: Recorder, number: int) -> asyncio.Task[list[int]]:
    """A request that is being classified, and that the gate holds there."""
    recorder.gate.clear()
    recorder.holding.clear()
    task = asyncio.create_task(ask(batcher, number))
    assert await asyncio.to_thread(recorder.holding.wait, PATIENCE)
    return task


async def waiting(*requests: Awaitable[list[int]]) -> list[asyncio.Task[list[int]]]:
    """Requests that have been made."""
    tasks = [asyncio.ensure_future(request) for request in requests]
    await asyncio.sleep(0)
    return tasks


# --- who goes together --------------------------------------------------------------------


def test_requests_that_wait_together_are_classified_together(recorder):
    async def scene(batcher: Batcher) -> None:
        found = await asyncio.gather(*[ask(batcher, number) for number in range(10)])
        assert found == [[number] for number in range(10)]

    run(recorder, scene)
    assert recorder.batches == [10]


def test_while_a_batch_is_classified_the_next_one_gathers(recorder):
    async def scene(batcher: Batcher) -> None:
        first = await hold(batcher, recorder, 1)
        others = await waiting(*[ask(batcher, number, number + 1) for number in range(5)])
        assert recorder.batches == [1]
        recorder.gate.set()
        assert await first == [1]
        assert await asyncio.gather(*others) == [[number, number + 1] for number in range(5)]

    run(recorder, scene)
    assert recorder.batches == [1, 10]


def test_a_lone_request_waits_no_longer_than_it_says(recorder, monkeypatch):
    async def scene(batcher: Batcher) -> None:
        loop = asyncio.get_running_loop()
        made: list[float] = []
        later = loop.call_later

        def recording(delay: float, *rest: Any, **more: Any) -> asyncio.TimerHandle:
            made.append(delay)
            return later(delay, *rest, **more)

        monkeypatch.setattr(loop, "call_later", recording)
        assert await ask(batcher, 7) == [7]
        assert made == [WAIT]

    run(recorder, scene)
    # A person does not notice it.
    assert WAIT <= 0.01


def never(delay: float, call: Callable[[], None]) -> asyncio.TimerHandle:
    """Stands for ``call_later``; nothing is ever called."""
    return asyncio.TimerHandle(delay, call, (), asyncio.get_running_loop())


def test_those_who_come_later_do_not_make_the_first_wait_longer(recorder, monkeypatch):
    async def scene(batcher: Batcher) -> None:
        ends: list[Callable[[], None]] = []

        def recording(delay: float, call: Callable[[], None]) -> asyncio.TimerHandle:
            ends.append(call)
            return never(delay, call)

        with monkeypatch.context() as patch:
            patch.setattr(asyncio.get_running_loop(), "call_later", recording)
            first, second = await waiting(ask(batcher, 1), ask(batcher, 2))
            (end,) = ends
            assert recorder.batches == []
            end()
            assert [await first, await second] == [[1], [2]]

    run(recorder, scene)
    assert recorder.batches == [2]


@pytest.mark.parametrize("sizes", [[BATCH], [BATCH - 1, 1], [1] * BATCH])
def test_a_full_batch_does_not_wait(recorder, monkeypatch, sizes):
    async def scene(batcher: Batcher) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(asyncio.get_running_loop(), "call_later", never)
            requests = [batcher.classify(numbered(*range(size))) for size in sizes]
            found = await asyncio.gather(*requests)
        assert [len(one) for one in found] == sizes

    run(recorder, scene)
    assert recorder.batches == [BATCH]


@pytest.mark.parametrize(
    ("size", "batches"),
    [(1, [1]), (64, [64]), (65, [64, 1]), (128, [64, 64]), (150, [64, 64, 22])],
)
def test_more_than_a_batch_is_cut_in_parts(recorder, size, batches):
    async def scene(batcher: Batcher) -> None:
        assert await ask(batcher, *range(size)) == list(range(size))

    assert BATCH == 64
    run(recorder, scene)
    assert recorder.batches == batches


def test_a_request_gets_in_before_the_rest_of_a_large_one_that_came_after(recorder):
    async def scene(batcher: Batcher) -> None:
        order: list[str] = []
        first = await hold(batcher, recorder, 0)
        tasks = await waiting(ask(batcher, 1), ask(batcher, *range(1000)))
        for name, task in zip(("small", "large"), tasks, strict=True):
            task.add_done_callback(lambda _, name=name: order.append(name))
        recorder.gate.set()
        await asyncio.gather(first, *tasks)
        assert order == ["small", "large"]

    run(recorder, scene)
    assert max(recorder.batches) <= BATCH


def test_what_fills_a_batch_goes_with_the_rest_of_a_large_request(recorder):
    async def scene(batcher: Batcher) -> None:
        tasks = await waiting(ask(batcher, *range(150)), *[ask(batcher, 7) for _ in range(42)])
        found = await asyncio.gather(*tasks)
        assert found == [list(range(150)), *[[7]] * 42]

    run(recorder, scene)
    assert recorder.batches == [64, 64, 64]


def test_the_size_of_each_batch_is_told(recorder):
    told: list[int] = []

    async def play(executor: ThreadPoolExecutor) -> None:
        batcher = Batcher(recorder, executor, told.append)
        await asyncio.gather(ask(batcher, *range(70)), ask(batcher, 1))

    with one_thread() as executor:
        asyncio.run(play(executor))
    assert told == recorder.batches == [64, 7]


# --- who gets what ------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 3 * BATCH), st.integers(0, 3)), min_size=1, max_size=20))
def test_each_request_gets_its_own_answers_in_order(requests):
    recorder = Recorder()
    numbers = count()

    async def late(batcher: Batcher, size: int, turns: int) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)
        mine = [next(numbers) for _ in range(size)]
        assert await ask(batcher, *mine) == mine

    async def scene(batcher: Batcher) -> None:
        await asyncio.gather(*[late(batcher, size, turns) for size, turns in requests])

    run(recorder, scene)
    assert sum(recorder.batches) == sum(size for size, _ in requests)
    assert max(recorder.batches) <= BATCH


def test_digits_are_read_together_as_they_are_alone(test_set):
    recognizer = Recognizer.load(n_jobs=1)
    images = test_set.images[:150]
    alone = recognizer.classify(images).confidences
    sizes = [1, 2, 70, 3, 1, 40, 33]
    stops = np.cumsum(sizes)
    batches: list[int] = []

    async def play(executor: ThreadPoolExecutor) -> list[np.ndarray]:
        batcher = Batcher(
            lambda some: recognizer.classify(some).confidences, executor, batches.append
        )
        requests = [images[stop - size : stop] for stop, size in zip(stops, sizes, strict=True)]
        return await asyncio.gather(*[batcher.classify(request) for request in requests])

    with one_thread() as executor:
        found = asyncio.run(play(executor))
    assert len(batches) < len(sizes)
    assert [len(one) for one in found] == sizes
    np.testing.assert_allclose(np.concatenate(found), alone, rtol=1e-9)


# --- faults -------------------------------------------------------------------------------


def test_an_error_reaches_all_of_its_batch_and_none_of_the_next(recorder):
    async def scene(batcher: Batcher) -> None:
        recorder.faults = 1
        first = await hold(batcher, recorder, 0)
        recorder.gate.set()
        with pytest.raises(ArithmeticError, match="out of order"):
            await first
        recorder.faults = 1
        failed = await asyncio.gather(ask(batcher, 1), ask(batcher, 2), return_exceptions=True)
        assert [type(error) for error in failed] == [ArithmeticError] * 2
        assert await asyncio.gather(ask(batcher, 3), ask(batcher, 4)) == [[3], [4]]

    run(recorder, scene)
    assert recorder.batches == [1, 2, 2]


@pytest.mark.parametrize("bad", [0, 1, 2])
def test_an_error_in_any_part_is_that_of_the_request(recorder, bad):
    def classify(images: np.ndarray) -> np.ndarray:
        recorder.faults = int(len(recorder.batches) == bad)
        return recorder(images)

    async def scene(batcher: Batcher) -> None:
        with pytest.raises(ArithmeticError):
            await ask(batcher, *range(3 * BATCH))
        # What was still under way has ended by then.
        assert await ask(batcher, 5) == [5]

    run(classify, scene)
    assert recorder.batches[bad] == BATCH


def test_a_request_that_was_given_up_is_not_classified(recorder):
    async def scene(batcher: Batcher) -> None:
        first = await hold(batcher, recorder, 0)
        gone, stays = await waiting(ask(batcher, 1, 1, 1), ask(batcher, 2))
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        recorder.gate.set()
        assert [await first, await stays] == [[0], [2]]

    run(recorder, scene)
    assert recorder.batches == [1, 1]


def test_of_a_large_request_that_was_given_up_the_rest_is_not_classified(recorder):
    async def scene(batcher: Batcher) -> None:
        recorder.gate.clear()
        (large,) = await waiting(ask(batcher, *range(1000)))
        assert await asyncio.to_thread(recorder.holding.wait, PATIENCE)
        large.cancel()
        with pytest.raises(asyncio.CancelledError):
            await large
        recorder.gate.set()
        assert await ask(batcher, 3) == [3]

    run(recorder, scene)
    assert recorder.batches == [64, 1]


def test_a_request_given_up_while_it_is_classified_harms_nobody(recorder):
    async def scene(batcher: Batcher) -> None:
        recorder.gate.clear()
        gone, stays = await waiting(ask(batcher, 1, 1), ask(batcher, 2))
        assert await asyncio.to_thread(recorder.holding.wait, PATIENCE)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        recorder.gate.set()
        assert await stays == [2]
        assert await ask(batcher, 3) == [3]

    run(recorder, scene)
    assert recorder.batches == [3, 1]


def test_when_all_have_given_up_nothing_is_classified(recorder):
    async def scene(batcher: Batcher) -> None:
        first = await hold(batcher, recorder, 0)
        tasks = await waiting(*[ask(batcher, number) for number in range(5)])
        for task in tasks:
            task.cancel()
        recorder.gate.set()
        await first
        await asyncio.gather(*tasks, return_exceptions=True)
        assert await ask(batcher, 9) == [9]

    run(recorder, scene)
    assert recorder.batches == [1, 1]


@pytest.mark.parametrize("size", [1, BATCH, BATCH + 1])
def test_a_closed_executor_is_an_error_for_all_who_wait(recorder, size):
    async def scene(batcher: Batcher) -> None:
        batcher._executor.shutdown()
        requests = [ask(batcher, 1), ask(batcher, *range(size))]
        found = await asyncio.gather(*requests, return_exceptions=True)
        assert [type(error) for error in found] == [RuntimeError, RuntimeError]

    run(recorder, scene)
    assert recorder.batches == []


def test_a_batch_that_its_executor_drops_is_not_waited_for(recorder):
    async def scene(batcher: Batcher) -> None:
        release = threading.Event()
        batcher._executor.submit(release.wait, PATIENCE)
        tasks = await waiting(ask(batcher, *range(BATCH)))
        batcher._executor.shutdown(wait=False, cancel_futures=True)
        release.set()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(found[0], asyncio.CancelledError)

    run(recorder, scene)
    assert recorder.batches == []
