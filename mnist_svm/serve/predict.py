"""Read the digits of uploaded pictures and arrays, in threads."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import Self, TypeVar, TypeVarTuple

import numpy as np
from joblib import cpu_count
from starlette.exceptions import HTTPException

from mnist_svm import __version__
from mnist_svm._types import Float64Array, Images
from mnist_svm.exceptions import PictureError, TooLargeError
from mnist_svm.parallel.threads import single_threaded_blas
from mnist_svm.pictures.decode import Picture, decode
from mnist_svm.pictures.mnist_form import is_mnist_form
from mnist_svm.recognition.recognizer import Recognizer, prepare_reading
from mnist_svm.recognition.results import DigitReading, PageReading
from mnist_svm.serve.batching import Batcher
from mnist_svm.serve.limits import Admission
from mnist_svm.serve.observability import Metrics
from mnist_svm.serve.payloads import Upload, parse_images
from mnist_svm.serve.schemas import ModelCard
from mnist_svm.serve.settings import MAX_PARALLEL_PIXELS, MILLION, Settings

Reading = TypeVar("Reading", DigitReading, PageReading)
Result = TypeVar("Result")
Args = TypeVarTuple("Args")

# A dark stroke on a light background, read once at the start because the first call is slow.
_WARM_UP_PICTURE = np.full((100, 100), 255, dtype=np.uint8)
_WARM_UP_PICTURE[20:80, 45:55] = 0

# Bytes of JSON up to which parsing takes less time than the switch to another thread.
MAX_INLINE_JSON = 32 << 10

# Errors listed in a response when no picture could be read.
MAX_ERRORS = 5


class PredictionService:
    """Read pictures and arrays of many concurrent requests.

    An asynchronous context manager: while it is entered, its threads exist, and BLAS is limited to
    one thread; the recognizer should have ``n_jobs=1``. Methods return one reading per picture, in
    order; some may have an error. If all have, or the body is invalid, they raise HTTPException.
    """

    def __init__(self, recognizer: Recognizer, settings: Settings, metrics: Metrics) -> None:
        self.recognizer = recognizer
        self.settings = settings
        self.metrics = metrics
        self.admission = Admission(settings, metrics)
        self.card = ModelCard(
            name=recognizer.model.info.recipe,
            version=__version__,
            classes=recognizer.classes.tolist(),
        )
        self._classes = recognizer.classes
        self._max_pixels = settings.max_pixels * MILLION

    async def __aenter__(self) -> Self:
        with ExitStack() as stack:
            # The threads below share the cores already.
            stack.enter_context(single_threaded_blas)
            # Separate pools, so that single digits do not wait for pages and large pictures.
            self._digit_pool, self._page_pool, self._large_pool, classify_pool = (
                stack.enter_context(ThreadPoolExecutor(n_threads, name))
                for name, n_threads in [
                    ("digit", cpu_count()),
                    ("page", cpu_count()),
                    ("large", 1),
                    ("classify", 1),
                ]
            )
            self._batcher = Batcher(
                self._predict_proba,
                classify_pool,
                self.metrics.batch_images.observe,
            )
            # Do lazy imports and computations before the first request.
            await _run(self._page_pool, self.recognizer.read_page, _WARM_UP_PICTURE)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await asyncio.to_thread(self._stack.close)

    def replace_model(self, recognizer: Recognizer) -> None:
        """Use a recognizer of the same classes from now on; call from the event loop's thread."""
        self.recognizer = recognizer
        self.card = self.card.model_copy(update={"name": recognizer.model.info.recipe})

    def _predict_proba(self, images: Images) -> Float64Array:
        return self.recognizer.model.predict_proba(images)

    async def read_arrays(self, body: bytes) -> list[DigitReading]:
        """Read one digit per array of a JSON body."""
        is_small = len(body) <= MAX_INLINE_JSON
        if is_small:
            images = parse_images(body)
        else:
            images = await _run(self._digit_pool, parse_images, body)
        if is_small and all(is_mnist_form(image) for image in images):
            readings = [DigitReading(image=image) for image in images]
        else:
            readings = [await _run(self._digit_pool, _prepare_array, image) for image in images]
        self._require_any(readings)
        return await self._classify(readings)

    async def read_digits(self, uploads: Sequence[Upload]) -> list[DigitReading]:
        """Read one digit per picture."""
        task = partial(_prepare_picture, self.recognizer)
        readings = await self._read(uploads, self._digit_pool, task, DigitReading)
        return await self._classify(readings)

    async def read_pages(
        self,
        uploads: Sequence[Upload],
        *,
        digits: int | tuple[int, int] | None = None,
        pattern: str | None = None,
        line: bool = False,
        number: bool = False,
    ) -> list[PageReading]:
        """Read all digits of each picture; the arguments are those of `Recognizer.read_page`."""
        read = partial(
            self.recognizer.read_page,
            digits=digits,
            pattern=pattern,
            line=line,
            number=number,
            # A thread cannot be stopped from outside, so it checks the deadline itself.
            deadline=time.monotonic() + self.settings.timeout,
        )
        task = partial(_read_page, read)
        return await self._read(uploads, self._page_pool, task, PageReading)

    async def _read(
        self,
        uploads: Sequence[Upload],
        pool: Executor,
        task: Callable[[Upload, int], Reading],
        reading_type: type[Reading],
    ) -> list[Reading]:
        """Run a task for each picture, one after another, so that a request uses one thread."""
        readings: list[Reading] = []
        n_too_large = 0
        for upload in uploads:
            try:
                readings.append(await self._run_by_size(pool, task, upload))
            except PictureError as error:
                n_too_large += isinstance(error, TooLargeError)
                readings.append(reading_type(upload.filename, error=str(error)))
        self._require_any(readings, n_too_large)
        return readings

    async def _run_by_size(
        self, pool: Executor, task: Callable[[Upload, int], Reading], upload: Upload
    ) -> Reading:
        """Run a task in a pool, or for a large picture in the single thread for those."""
        try:
            return await _run(pool, task, upload, min(MAX_PARALLEL_PIXELS, self._max_pixels))
        except TooLargeError:
            return await _run(self._large_pool, task, upload, self._max_pixels)

    def _require_any(self, readings: Sequence[Reading], n_too_large: int = 0) -> None:
        """Count pictures in the metrics, and raise if none could be read."""
        errors = [
            f"{reading.file}: {reading.error}" if reading.file else reading.error
            for reading in readings
            if reading.error is not None
        ]
        self.metrics.count_pictures(len(readings) - len(errors), len(errors))
        if len(errors) == len(readings):
            more = f"; and {len(errors) - MAX_ERRORS} more" if len(errors) > MAX_ERRORS else ""
            status = 413 if n_too_large == len(readings) else 422
            raise HTTPException(status, "; ".join(errors[:MAX_ERRORS]) + more)

    async def _classify(self, readings: Sequence[DigitReading]) -> list[DigitReading]:
        """Add the probabilities of all classes to the readings without an error."""
        images = np.concatenate([reading.images for reading in readings])
        probabilities = await self._batcher.classify(images)
        results: list[DigitReading] = []
        start = 0
        for reading in readings:
            stop = start + len(reading.images)
            if stop > start:
                reading = reading.with_choice(self._classes, probabilities[start:stop])
            results.append(reading)
            start = stop
        return results


def _prepare_picture(recognizer: Recognizer, upload: Upload, max_pixels: int) -> DigitReading:
    return prepare_reading(
        upload.content,
        file=upload.filename,
        max_pixels=max_pixels,
        are_several=recognizer.shows_several,
    )


def _prepare_array(image: Images) -> DigitReading:
    try:
        return prepare_reading(Picture(image), file="")
    except PictureError as error:
        return DigitReading(error=str(error))


def _read_page(
    read: Callable[[Picture], PageReading], upload: Upload, max_pixels: int
) -> PageReading:
    picture = decode(upload.content, max_pixels=max_pixels)
    return replace(read(picture), file=upload.filename)


async def _run(pool: Executor, task: Callable[[*Args], Result], *args: *Args) -> Result:
    return await asyncio.get_running_loop().run_in_executor(pool, task, *args)
