"""Classify the images of concurrent requests in batches.

A matrix product of many images costs little more than one of a single image.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial

import numpy as np

from mnist_svm._types import Float64Array, Images

# Images per batch. Larger batches would delay the requests that come after them.
IMAGES_PER_BATCH = 64

# After a batch, at least so many waiting images are classified at once, while the results of the
# batch are sent. Fewer wait for some turns of the event loop, in which clients that got a result
# may send their next image: a batch of one takes a third of the time of a batch of 16.
MIN_WAITING = 8
TURNS_TO_WAIT = 3


@dataclass(eq=False)
class _Job:
    images: Images
    result: asyncio.Future[Float64Array]


class Batcher:
    """Collect images from concurrent calls and classify them together.

    While nothing is classified, images are classified at once, together with those that arrive in
    the same turn of the event loop. The next batch is collected while one is classified, so batches
    grow with the load. For use from a single event loop. `classify` takes uint8 images of shape
    (n, 28, 28), 0-255, and returns probabilities of shape (n, k); at most one call runs at a time,
    in `executor`. `on_batch` is called with the number of images of each batch.
    """

    def __init__(
        self,
        classify: Callable[[Images], Float64Array],
        executor: Executor,
        on_batch: Callable[[int], object] = lambda n_images: None,
    ) -> None:
        self._classify = classify
        self._executor = executor
        self._on_batch = on_batch
        self._queue: deque[_Job] = deque()
        # Whether a batch is being classified, or will be in the next turn of the event loop.
        self._is_running = False

    async def classify(self, images: Images) -> Float64Array:
        """Classify images in batches with those of other calls; see `Batcher` for the shapes."""
        loop = asyncio.get_running_loop()
        # Split large requests, so that images of other requests get into the batches between.
        jobs = [
            _Job(images[start : start + IMAGES_PER_BATCH], loop.create_future())
            for start in range(0, len(images), IMAGES_PER_BATCH)
        ]
        self._queue.extend(jobs)
        if not self._is_running:
            self._is_running = True
            self._start_after(1)
        try:
            results = [await job.result for job in jobs]
            return results[0] if len(results) == 1 else np.concatenate(results)
        finally:
            # After a cancellation or an error, do not classify the remaining parts.
            for job in jobs:
                job.result.cancel()

    def _start_after(self, n_turns: int) -> None:
        """Start a batch after some turns of the event loop, in which requests may arrive."""
        start = self._start if n_turns == 1 else partial(self._start_after, n_turns - 1)
        asyncio.get_running_loop().call_soon(start)

    def _start(self) -> None:
        """Classify up to `IMAGES_PER_BATCH` images of the queue."""
        batch: list[_Job] = []
        size = 0
        while self._queue and size + len(self._queue[0].images) <= IMAGES_PER_BATCH:
            job = self._queue.popleft()
            if not job.result.cancelled():
                batch.append(job)
                size += len(job.images)
        self._is_running = bool(batch)
        if batch:
            self._on_batch(size)
            images = np.concatenate([job.images for job in batch])
            loop = asyncio.get_running_loop()
            try:
                running = loop.run_in_executor(self._executor, self._classify, images)
            except RuntimeError as error:
                # The executor is shut down; pass the error on to the callers.
                running = loop.create_future()
                running.set_exception(error)
            running.add_done_callback(lambda done: self._finish(batch, done))

    def _finish(self, batch: list[_Job], done: asyncio.Future[Float64Array]) -> None:
        """Distribute the result of a batch, and schedule the next."""
        start = 0
        error = None if done.cancelled() else done.exception()
        for job in batch:
            stop = start + len(job.images)
            if job.result.done():
                pass
            elif done.cancelled():
                job.result.cancel()
            elif error is not None:
                job.result.set_exception(error)
            else:
                job.result.set_result(done.result()[start:stop])
            start = stop
        n_waiting = sum(len(job.images) for job in self._queue)
        self._start_after(1 if n_waiting >= MIN_WAITING else TURNS_TO_WAIT)
