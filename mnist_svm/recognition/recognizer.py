"""Classify images, and read pictures and pages, with a trained model."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import cached_property
from itertools import islice, starmap
from math import inf
from typing import Self

import numpy as np
from sklearn.pipeline import Pipeline

from mnist_svm._types import Float64Array, Images, Labels
from mnist_svm.constants import IMAGE_SHAPE, N_PIXELS
from mnist_svm.exceptions import PictureError
from mnist_svm.models.file import Model, load_model
from mnist_svm.models.locate import TOUCHING
from mnist_svm.parallel.threads import delayed, threads
from mnist_svm.parallel.workers import workers_for
from mnist_svm.pictures.decode import Picture
from mnist_svm.pictures.files import load_pictures
from mnist_svm.pictures.normalize import normalize
from mnist_svm.recognition.pages import PageReader
from mnist_svm.recognition.results import DigitReading, PageReading, Readings, Row
from mnist_svm.svm.decisions import ROWS_PER_BLOCK
from mnist_svm.svm.fitted import fitted_svcs

# Images per task: each task first prepares all support vectors, so it should not be small.
IMAGES_PER_BLOCK = 4 * ROWS_PER_BLOCK

# Pictures that `Recognizer.read` classifies together, and holds in memory.
PICTURES_PER_BLOCK = 500

# Longer side of a thumbnail in pixels.
THUMBNAIL_SIDE = 112

# Called with (n_done, n_total).
Progress = Callable[[int, int], None]


class Recognizer:
    """Reader of digits with a trained model.

    Parameters
    ----------
    model : Model
        From `mnist_svm.load_model` or `mnist_svm.train_model`.
    n_jobs : int or None, default=-1
        Number of threads, as in joblib.

    Examples
    --------
    >>> recognizer = Recognizer.load()
    >>> [reading.label for reading in recognizer.read(["images_test/7.png"])]
    [7]
    """

    def __init__(self, model: Model, *, n_jobs: int | None = -1) -> None:
        self.model = model
        self.n_jobs = n_jobs

    @classmethod
    def load(cls, path: str | os.PathLike[str] | None = None, *, n_jobs: int | None = -1) -> Self:
        """Load a model file.

        Parameters
        ----------
        path : str or os.PathLike, optional
            By default the file that `mnist_svm.models.locate.find_model` chooses.
        n_jobs : int or None, default=-1
            Number of threads, as in joblib.

        Returns
        -------
        Recognizer

        Raises
        ------
        ModelFileError
            If the file is not a model file, is damaged, or names a class that is not allowed.
        OSError
            If the file cannot be opened or read.
        """
        return cls(load_model(path), n_jobs=n_jobs)

    @property
    def classes(self) -> Labels:
        """Labels that the model knows, sorted: int64 ndarray of shape (k,)."""
        classes: Labels = self.model.pipeline.classes_
        return classes

    @property
    def class_names(self) -> dict[int, str]:
        """Name of each label; empty if the labels are digits."""
        names = self.model.info.class_names or ()
        return dict(zip(self.classes.tolist(), names, strict=False))

    def classify(
        self, images: Images, *, progress: Progress = lambda n_done, n_total: None
    ) -> Readings:
        """Classify images in MNIST form.

        Several blocks of images are distributed over the workers of a Dask cluster, if one is
        active; see `mnist_svm.parallel.workers`.

        Parameters
        ----------
        images : uint8 ndarray of shape (n_images, 28, 28), 0-255
            Bright ink on a dark background.
        progress : callable, optional
            Called with (n_done, n_total).

        Returns
        -------
        Readings
        """
        n, pipeline = len(images), self.model.pipeline
        X = images.reshape(n, N_PIXELS)
        confidences = np.empty((n, len(self.classes)))
        blocks = [slice(start, start + IMAGES_PER_BLOCK) for start in range(0, n, IMAGES_PER_BLOCK)]
        # Sending a single block to a cluster takes longer than classifying it.
        with (workers_for if len(blocks) > 1 else threads)(self.n_jobs) as workers:
            workers.share(pipeline)
            results = workers(delayed(_predict_proba)(pipeline, X[block]) for block in blocks)
            for block, result in zip(blocks, results, strict=True):
                confidences[block] = result
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
        pictures : iterable of str or os.PathLike
            ``-`` is standard input; a folder stands for the pictures in it, sorted by name.
        top : int, default=1
            Number of most probable labels to report.
        thumbnails : bool, default=False
            Whether to keep a copy of each picture, at most `THUMBNAIL_SIDE` pixels a side.

        Yields
        ------
        DigitReading
            One per picture, in order; ``error`` is set if the picture could not be read.
        """
        loaded = load_pictures(pictures, thumbnail=THUMBNAIL_SIDE if thumbnails else None)
        readings = starmap(_normalized, loaded)
        while block := list(islice(readings, PICTURES_PER_BLOCK)):
            yield from self._classify_block(block, top)

    def read_page(self, grey: Images, *, deadline: float = inf) -> tuple[Row, ...]:
        """Read all digits of a decoded picture.

        Parameters
        ----------
        grey : uint8 ndarray of shape (height, width), 0 black to 255 white
            See `mnist_svm.pictures.decode.decode`.
        deadline : float, optional
            Value of `time.monotonic` at which to give up; noise may take a minute.

        Returns
        -------
        tuple of tuples of Digit
            Rows from top to bottom, digits from left to right.

        Raises
        ------
        PictureError
            If the picture is blank, shows nothing that could be a digit, or is not read in time.
        """
        return self._page_reader.read(grey, deadline=deadline)

    def read_pages(
        self, pictures: Iterable[str | os.PathLike[str]], *, thumbnail: int | None = None
    ) -> Iterator[PageReading]:
        """Read pictures with any number of digits, row by row.

        Parameters
        ----------
        pictures : iterable of str or os.PathLike
            ``-`` is standard input; a folder stands for the pictures in it, sorted by name.
        thumbnail : int, optional
            Longer side in pixels of a copy to keep of each picture; by default none is kept.

        Yields
        ------
        PageReading
            One per picture, in order; ``error`` is set if the picture could not be read.
        """
        for file, picture in load_pictures(pictures, thumbnail=thumbnail):
            if isinstance(picture, PictureError):
                yield PageReading(file, error=str(picture))
                continue
            height, width = picture.grey.shape
            page = PageReading(
                file, note=picture.note, thumbnail=picture.thumbnail, size=(height, width)
            )
            try:
                yield replace(page, rows=self.read_page(picture.grey))
            except PictureError as error:
                yield replace(page, error=str(error))

    def prepare(self) -> Self:
        """Do the one-time work of the first prediction now.

        Worthwhile before many small predictions; see
        `mnist_svm.svm.classifier.KernelSVC.prepare`.

        Returns
        -------
        Recognizer
            This object.
        """
        for model in (self.model, self._touching_model):
            for svc in fitted_svcs(model.pipeline):
                svc.prepare()
        return self

    @cached_property
    def _touching_model(self) -> Model:
        """Classifier of single digits (class 1) and several touching ones (class 2)."""
        return load_model(TOUCHING)

    @cached_property
    def _page_reader(self) -> PageReader:
        touching = self._touching_model.pipeline
        return PageReader(
            self.classes,
            lambda images: self.classify(images).confidences,
            lambda images: np.asarray(touching.predict_proba(images.reshape(-1, N_PIXELS))[:, 0]),
        )

    def _classify_block(self, block: list[DigitReading], top: int) -> Iterator[DigitReading]:
        images = [reading.image for reading in block if reading.image is not None]
        readings = self.classify(np.array(images, np.uint8).reshape(-1, *IMAGE_SHAPE))
        index = 0
        for reading in block:
            if reading.image is None:
                yield reading
            else:
                yield replace(reading, top=tuple(readings.top(index, top)))
                index += 1


def _predict_proba(pipeline: Pipeline, X: Images) -> Float64Array:
    return np.asarray(pipeline.predict_proba(X))


def _normalized(file: str, picture: Picture | PictureError) -> DigitReading:
    """Return a reading with the image in MNIST form, or with the reason why there is none."""
    if isinstance(picture, PictureError):
        return DigitReading(file, error=str(picture))
    reading = DigitReading(file, note=picture.note, thumbnail=picture.thumbnail)
    try:
        return replace(reading, image=normalize(picture.grey))
    except PictureError as error:
        return replace(reading, error=str(error))
