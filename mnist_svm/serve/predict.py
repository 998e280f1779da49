"""Pictures and arrays of requests -> what is read in them, without keeping the event loop."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, Self, TypeVar

import numpy as np
import numpy.typing as npt
from joblib import cpu_count

from mnist_svm.constants import Images
from mnist_svm.exceptions import PictureError, TooLargeError
from mnist_svm.parallel.threads import single_threaded_blas
from mnist_svm.pictures.decode import decode
from mnist_svm.pictures.normalize import is_mnist_form, normalize
from mnist_svm.recognition.recognizer import Recognizer
from mnist_svm.recognition.results import Row
from mnist_svm.serve.arrays import images_of
from mnist_svm.serve.batching import Batcher
from mnist_svm.serve.bodies import Upload
from mnist_svm.serve.settings import SMALL

Part = TypeVar("Part")
Result = TypeVar("Result")

# A stroke, dark on light.
_A_ONE = np.full((100, 100), 255, dtype=np.uint8)
_A_ONE[20:80, 45:55] = 0

# Bytes of JSON that are looked at in the event loop: to hand them to a thread would take longer.
SHORT = 32 << 10


@dataclass(frozen=True)
class Seen:
    """What the classifier will see of a picture.

    Attributes
    ----------
    file : its name, if it has one.
    image : uint8 ndarray of shape (28, 28), 0-255; None if there is an error.
    note : which part of the file it is; None if it is all.
    error : why it cannot be read; None if it can.
    """

    file: str | None = None
    image: Images | None = None
    note: str | None = None
    error: PictureError | None = None


@dataclass(frozen=True)
class SeenPage:
    """What was read on a picture of any number of digits.

    Attributes
    ----------
    file, note, error : see `Seen`.
    rows : from top to bottom; empty if there is an error.
    size : height and width in pixels; None if the picture could not be decoded.
    """

    file: str | None = None
    rows: tuple[Row, ...] = ()
    size: tuple[int, int] | None = None
    note: str | None = None
    error: PictureError | None = None


class Reading:
    """Reads the pictures and arrays of requests, of many at a time.

    An asynchronous context manager: threads and the limit on BLAS's own are there while it is
    entered.

    Parameters
    ----------
    recognizer : Recognizer
        With one thread: there are others here.
    max_pixels : int
        Of a picture.
    tell : callable, optional
        Told the number of images of each batch.
    """

    def __init__(
        self, recognizer: Recognizer, *, max_pixels: int, tell: Callable[[int], Any]
    ) -> None:
        self.recognizer = recognizer
        self._max_pixels = max_pixels
        self._tell = tell

    async def __aenter__(self) -> Self:
        with ExitStack() as stack:
            # Threads share the cores; BLAS's would fight them for these.
            stack.enter_context(single_threaded_blas)
            # Pages and large pictures take long, and digits shall not wait for them.
            self._preparing, self._paging, self._large, classifying = (
                stack.enter_context(ThreadPoolExecutor(threads, name))
                for name, threads in [
                    ("prepare", cpu_count()),
                    ("page", cpu_count()),
                    ("large", 1),
                    ("classify", 1),
                ]
            )
            self._batcher = Batcher(
                lambda images: self.recognizer.classify(images).confidences,
                classifying,
                self._tell,
            )
            # What is imported and computed at first use is not left to the first request.
            await _each(self._paging, self.recognizer.read_page, [_A_ONE])
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *error: object) -> None:
        await asyncio.to_thread(self._stack.close)

    async def arrays(self, body: bytes) -> list[Seen]:
        """Bring the arrays of a JSON body into MNIST form.

        Parameters
        ----------
        body : bytes

        Returns
        -------
        list of Seen, one an image

        Raises
        ------
        ProblemError
            See `mnist_svm.serve.arrays.images_of`.
        """
        if len(body) > SHORT:
            (images,) = await _each(self._preparing, images_of, [body])
        else:
            images = images_of(body)
            if all(is_mnist_form(image) for image in images):
                return [Seen(image=image) for image in images]
        return await _each(self._preparing, _of_array, list(images))

    async def files(self, uploads: Sequence[Upload]) -> list[Seen]:
        """Decode pictures of one digit each and bring them into MNIST form.

        Parameters
        ----------
        uploads : sequence of Upload

        Returns
        -------
        list of Seen, one each
        """
        return [await self._file(upload) for upload in uploads]

    async def pages(self, uploads: Sequence[Upload], seconds: float) -> list[SeenPage]:
        """Read pictures of any number of digits.

        Parameters
        ----------
        uploads : sequence of Upload
        seconds : float
            Time for all of them; a thread cannot be ended from outside.

        Returns
        -------
        list of SeenPage, one each
        """
        until = time.monotonic() + seconds
        return [await self._page(upload, until) for upload in uploads]

    async def classified(self, seen: Sequence[Seen]) -> list[npt.NDArray[np.float64] | None]:
        """The confidences in each class for what is seen, with that of other requests.

        Parameters
        ----------
        seen : sequence of Seen

        Returns
        -------
        list of float64 ndarrays of shape (k,), or None for an error
        """
        images = [one.image for one in seen if one.image is not None]
        found = iter(await self._batcher.classify(np.stack(images)) if images else ())
        return [None if one.image is None else next(found) for one in seen]

    async def _file(self, upload: Upload) -> Seen:
        try:
            return await self._of_any_size(self._preparing, _of_file, upload)
        except PictureError as error:
            return Seen(upload.file, error=error)

    async def _page(self, upload: Upload, until: float) -> SeenPage:
        try:
            task = partial(_of_page, self.recognizer, until)
            return await self._of_any_size(self._paging, task, upload)
        except PictureError as error:
            return SeenPage(upload.file, error=error)

    async def _of_any_size(
        self, executor: Executor, task: Callable[[Upload, int], Result], upload: Upload
    ) -> Result:
        """What a task makes of a picture; of large ones, one after another."""
        loop = asyncio.get_running_loop()
        try:
            most = min(SMALL, self._max_pixels)
            return await loop.run_in_executor(executor, task, upload, most)
        except TooLargeError:
            return await loop.run_in_executor(self._large, task, upload, self._max_pixels)


def _of_file(upload: Upload, max_pixels: int) -> Seen:
    picture = decode(io.BytesIO(upload.content), max_pixels=max_pixels)
    return Seen(upload.file, normalize(picture.grey), picture.note)


def _of_page(recognizer: Recognizer, until: float, upload: Upload, max_pixels: int) -> SeenPage:
    picture = decode(io.BytesIO(upload.content), max_pixels=max_pixels)
    size = picture.grey.shape[0], picture.grey.shape[1]
    try:
        rows = recognizer.read_page(picture.grey, deadline=until)
    except PictureError as error:
        return SeenPage(upload.file, (), size, picture.note, error)
    return SeenPage(upload.file, rows, size, picture.note)


def _of_array(image: Images) -> Seen:
    try:
        return Seen(image=normalize(image))
    except PictureError as error:
        return Seen(error=error)


async def _each(
    executor: Executor, task: Callable[[Part], Result], parts: Sequence[Part]
) -> list[Result]:
    """The results of a task for each part, one after another, so that a request has one thread."""
    loop = asyncio.get_running_loop()
    return [await loop.run_in_executor(executor, task, part) for part in parts]
