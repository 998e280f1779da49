"""Waiting images are classified together: many cost a matrix product little more than one."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mnist_svm.constants import Images

Confidences = npt.NDArray[np.float64]

# Images of a batch; more would keep the others waiting for long.
BATCH = 64

# Seconds that the first of a batch waits for others, once nothing is being classified.
WAIT = 0.004


@dataclass(eq=False)
class _Job:
    images: Images
    answer: asyncio.Future[Confidences]


class Batcher:
    """Classifies the images of many requests together.

    While a batch is classified the next one gathers, and `WAIT` longer, unless it is full: batches
    grow with the load. For use from one event loop.

    Parameters
    ----------
    classify : callable
        From uint8 images of shape (n, 28, 28), 0-255, to confidences of shape (n, k). Called in one
        thread at a time.
    executor : concurrent.futures.Executor
        Where it is called.
    tell : callable, optional
        Told the number of images of each batch.
    """

    def __init__(
        self,
        classify: Callable[[Images], Confidences],
        executor: Executor,
        tell: Callable[[int], Any] = lambda images: None,
    ) -> None:
        self._classify = classify
        self._executor = executor
        self._tell = tell
        self._waiting: deque[_Job] = deque()
        self._busy = False
        self._timer: asyncio.TimerHandle | None = None

    async def classify(self, images: Images) -> Confidences:
        """The confidences in each class of some images.

        Parameters
        ----------
        images : uint8 ndarray of shape (n, 28, 28), 0-255

        Returns
        -------
        float64 ndarray of shape (n, k), 0 to 1
        """
        loop = asyncio.get_running_loop()
        # Parts no larger than a batch, so that other requests get in between.
        parts = [images[start : start + BATCH] for start in range(0, len(images), BATCH)]
        jobs = [_Job(part, loop.create_future()) for part in parts]
        self._waiting.extend(jobs)
        self._gather()
        try:
            return np.concatenate([await job.answer for job in jobs])
        finally:
            # Of a request that was given up, the rest need not be classified.
            for job in jobs:
                job.answer.cancel()

    def _gather(self) -> None:
        """Start when there is enough, or when the first has waited long enough."""
        if self._busy or not self._waiting:
            return
        if sum(len(job.images) for job in self._waiting) >= BATCH:
            self._start()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(WAIT, self._start)

    def _start(self) -> None:
        """Classify what waits, up to a batch."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        batch: list[_Job] = []
        size = 0
        while self._waiting and size + len(self._waiting[0].images) <= BATCH:
            job = self._waiting.popleft()
            if not job.answer.cancelled():
                batch.append(job)
                size += len(job.images)
        self._busy = bool(batch)
        if batch:
            self._tell(size)
            images = np.concatenate([job.images for job in batch])
            loop = asyncio.get_running_loop()
            try:
                running = loop.run_in_executor(self._executor, self._classify, images)
            except RuntimeError as error:
                # It has been closed. Who waits must hear of it.
                running = loop.create_future()
                running.set_exception(error)
            running.add_done_callback(lambda done: self._finish(batch, done))

    def _finish(self, batch: list[_Job], done: asyncio.Future[Confidences]) -> None:
        start = 0
        error = None if done.cancelled() else done.exception()
        for job in batch:
            stop = start + len(job.images)
            if job.answer.done():
                pass
            elif done.cancelled():
                job.answer.cancel()
            elif error is not None:
                job.answer.set_exception(error)
            else:
                job.answer.set_result(done.result()[start:stop])
            start = stop
        self._busy = False
        self._gather()
