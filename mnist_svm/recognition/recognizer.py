"""Recognizer: a trained model that reads images and pictures."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import cached_property
from math import inf
from typing import Self

import numpy as np
import numpy.typing as npt
from joblib import delayed
from sklearn.pipeline import Pipeline

from mnist_svm.constants import IMAGE_SIDE, Images
from mnist_svm.exceptions import PictureError
from mnist_svm.models.file import Model, load_model
from mnist_svm.models.locate import TOUCHING
from mnist_svm.parallel.threads import threads
from mnist_svm.parallel.workers import workers_for
from mnist_svm.pictures.decode import Picture
from mnist_svm.pictures.files import load_pictures
from mnist_svm.pictures.normalize import normalize
from mnist_svm.recognition.pages import PageReader
from mnist_svm.recognition.results import DigitReading, PageReading, Readings, Row
from mnist_svm.svm.decisions import ROWS_PER_BLOCK
from mnist_svm.svm.fitted import fitted_svcs

# Images classified, and pictures decoded, at a time: memory stays bounded by it. Classifying begins
# with work on all support vectors, which few images would not be worth.
IMAGES = 4 * ROWS_PER_BLOCK
PICTURES = 500

# Pixels of a thumbnail's longer side.
THUMBNAIL = 112

# Called with the number of images done, and of all.
Progress = Callable[[int, int], None]


class Recognizer:
    """A trained model that reads images and pictures.

    Parameters
    ----------
    model : Model
        From `mnist_svm.models.file.load_model` or `train`.
    n_jobs : int, default=-1
        Threads that share the blocks of images, as in joblib; -1 takes every core.

    Examples
    --------
    >>> recognizer = Recognizer.load()
    >>> [reading.top[0][0] for reading in recognizer.read(["images_test/7.png"])]
    [7]
    """

    def __init__(self, model: Model, *, n_jobs: int = -1) -> None:
        self.model = model
        self.n_jobs = n_jobs

    @classmethod
    def load(cls, path: str | os.PathLike[str] | None = None, *, n_jobs: int = -1) -> Self:
        """Load a model file.

        Parameters
        ----------
        path : path of the file, optional
            See `mnist_svm.models.locate.find_model`: without a path, one's own model, or the shipped.
        n_jobs : int, default=-1

        Returns
        -------
        Recognizer

        Raises
        ------
        ModelFileError
            If the file is no model file, is damaged, or names anything that it must not.
        OSError
            If the file cannot be opened or read.
        """
        return cls(load_model(path), n_jobs=n_jobs)

    @property
    def classes(self) -> npt.NDArray[np.int64]:
        """The labels that the model knows, sorted: int64 ndarray of shape (k,)."""
        classes: npt.NDArray[np.int64] = self.model.pipeline.classes_
        return classes

    @property
    def class_names(self) -> dict[int, str]:
        """What labels mean, where they are not the digits themselves: empty for digits."""
        names = self.model.metadata.get("class_names") or ()
        return dict(zip(self.classes.tolist(), names, strict=False))

    def classify(
        self, images: Images, *, progress: Progress = lambda done, total: None
    ) -> Readings:
        """Read images that are in MNIST form.

        Many are read by the workers of a Dask cluster, where one is in use; see
        `mnist_svm.parallel.workers`.

        Parameters
        ----------
        images : uint8 ndarray of shape (n, 28, 28), 0-255, ink bright on a dark ground
        progress : callable, optional
            Told the number of images done, and of all.

        Returns
        -------
        Readings
        """
        n, pipeline = len(images), self.model.pipeline
        X = _flat(images)
        confidences = np.empty((n, len(self.classes)))
        blocks = [slice(start, start + IMAGES) for start in range(0, n, IMAGES)]
        # A single block is not worth sending.
        with (workers_for if len(blocks) > 1 else threads)(self.n_jobs) as workers:
            workers.share(pipeline)
            results = workers(delayed(_confidences)(pipeline, X[block]) for block in blocks)
            for block, of_block in zip(blocks, results, strict=True):
                confidences[block] = of_block
                progress(min(block.stop, n), n)
        return Readings(self.classes, self.classes[confidences.argmax(axis=1)], confidences)

    def read(
        self,
        pictures: Iterable[str | os.PathLike[str]],
        *,
        top: int = 1,
        thumbnails: bool = False,
    ) -> Iterator[DigitReading]:
        """Read pictures of one digit each, of any common format, size and polarity.

        Parameters
        ----------
        pictures : iterable of paths
            ``-`` is standard input; a folder stands for the pictures in it, by name.
        top : int, default=1
            How many of the best labels to tell.
        thumbnails : bool, default=False
            Whether to keep a small copy of each picture, for people to look at.

        Yields
        ------
        DigitReading
            One a picture, in order; one that cannot be read has an ``error`` and does not
            keep the others from being read.
        """
        block: list[DigitReading] = []
        for file, picture in load_pictures(pictures, thumbnail=THUMBNAIL if thumbnails else None):
            block.append(_seen(file, picture))
            if len(block) == PICTURES:
                yield from self._answered(block, top)
                block = []
        yield from self._answered(block, top)

    def read_page(self, grey: Images, *, deadline: float = inf) -> tuple[Row, ...]:
        """Read all digits of a decoded picture.

        Parameters
        ----------
        grey : uint8 ndarray of shape (height, width), 0 black to 255 white
            See `mnist_svm.pictures.decode.decode`.
        deadline : float, optional
            When to give up, by `time.monotonic`: noise may take a minute.

        Returns
        -------
        tuple of rows from top to bottom, each a tuple of `mnist_svm.recognition.pages.Digit` from left to right

        Raises
        ------
        PictureError
            If the picture is blank, shows nothing that could be a digit, or is not read in time.
        """
        return self._pages.read(grey, until=deadline)

    def read_pages(
        self, pictures: Iterable[str | os.PathLike[str]], *, thumbnail: int | None = None
    ) -> Iterator[PageReading]:
        """Read pictures of any number of digits, row by row.

        Parameters
        ----------
        pictures : iterable of paths
            ``-`` is standard input; a folder stands for the pictures in it, by name.
        thumbnail : int, optional
            Keep a copy of each picture whose longer side has at most so many pixels.

        Yields
        ------
        PageReading
            One a picture, in order; one that cannot be read has an ``error`` and does not
            keep the others from being read.
        """
        for file, picture in load_pictures(pictures, thumbnail=thumbnail):
            if isinstance(picture, PictureError):
                yield PageReading(file, error=str(picture))
                continue
            size = picture.grey.shape
            seen = PageReading(
                file, note=picture.note, thumbnail=picture.thumbnail, size=(size[0], size[1])
            )
            try:
                yield replace(seen, rows=self.read_page(picture.grey))
            except PictureError as error:
                yield replace(seen, error=str(error))

    def prepare(self) -> Self:
        """Do now what the first reading, and every small one, would begin with.

        For who reads little at a time, again and again. See
        `mnist_svm.svm.classifier.KernelSVC.prepare`.

        Returns
        -------
        Recognizer
            Itself.
        """
        for model in (self.model, self._touching):
            for machine in fitted_svcs(model.pipeline):
                machine.prepare()
        return self

    @cached_property
    def _touching(self) -> Model:
        return load_model(TOUCHING)

    @cached_property
    def _pages(self) -> PageReader:
        touching = self._touching.pipeline
        return PageReader(
            self.classes,
            lambda images: self.classify(images).confidences,
            lambda images: np.asarray(touching.predict_proba(_flat(images))[:, 0]),
        )

    def _answered(self, block: list[DigitReading], top: int) -> Iterator[DigitReading]:
        images = [seen.image for seen in block if seen.image is not None]
        if images:
            readings = self.classify(np.stack(images))
        index = 0
        for seen in block:
            if seen.image is None:
                yield seen
            else:
                yield replace(seen, top=tuple(readings.top(index, top)))
                index += 1


def _confidences(pipeline: Pipeline, X: Images) -> npt.NDArray[np.float64]:
    return np.asarray(pipeline.predict_proba(X))


def _flat(images: Images) -> Images:
    return images.reshape(len(images), IMAGE_SIDE * IMAGE_SIDE)


def _seen(file: str, picture: Picture | PictureError) -> DigitReading:
    """A picture as the classifier will see it, or why it cannot."""
    if isinstance(picture, PictureError):
        return DigitReading(file, error=str(picture))
    seen = DigitReading(file, note=picture.note, thumbnail=picture.thumbnail)
    try:
        return replace(seen, image=normalize(picture.grey))
    except PictureError as error:
        return replace(seen, error=str(error))
