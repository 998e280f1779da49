"""Classify images, and read pictures and pages, with a trained model."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property, partial
from itertools import islice
from math import inf
from typing import TYPE_CHECKING, Any, Self, TypeVar, overload

import numpy as np

from mnist_svm._types import Array, GreyImage, Images, Labels
from mnist_svm.exceptions import PictureError
from mnist_svm.models.file import Model, load_model
from mnist_svm.parallel.threads import delayed, threads
from mnist_svm.parallel.workers import workers_for
from mnist_svm.pictures.decode import MAX_PIXELS, Picture, Source, decode, source_name
from mnist_svm.pictures.files import is_single, load_pictures
from mnist_svm.pictures.images import Range, to_mnist_images
from mnist_svm.pictures.normalize import AreSeveral, normalize_candidates
from mnist_svm.recognition.formats import parse_format
from mnist_svm.recognition.no_digit import DigitJudge
from mnist_svm.recognition.results import DigitReading, FieldSpec, Number, PageReading, Readings
from mnist_svm.svm.decisions import ROWS_PER_BLOCK

if TYPE_CHECKING:
    from mnist_svm.pictures.boxes import Box
    from mnist_svm.recognition.pages import PageReader

# Images per task: each task first prepares all support vectors, so it should not be small.
IMAGES_PER_BLOCK = 4 * ROWS_PER_BLOCK

# Pictures that `Recognizer.read` classifies together, and holds in memory.
PICTURES_PER_BLOCK = 500

# Least confidence of each of several digits, where one was expected.
MIN_SEVERAL = 0.8
# Least height of each, as a fraction of the highest's.
MIN_SIMILAR = 0.65
# Greatest distance of their lower ends, as a fraction of the greater height: the two strokes of an
# open 4 end further apart.
MAX_RISE = 0.35

Reading = TypeVar("Reading", DigitReading, PageReading)

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
    >>> recognizer.read("images_test/7.png").label
    7
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
            By default the model shipped with the package.
        n_jobs : int or None, default=-1
            Number of threads, as in joblib.

        Returns
        -------
        Recognizer

        Raises
        ------
        ModelFileError
            If the file does not exist, is not a model file, or is damaged.
        OSError
            If the file cannot be opened or read.
        """
        return cls(load_model(path), n_jobs=n_jobs)

    @property
    def classes(self) -> Labels:
        """Labels that the model knows, sorted: int64 ndarray of shape (k,)."""
        return self.model.classes

    @property
    def class_names(self) -> dict[int, str]:
        """Name of each label; empty if the labels are digits."""
        names = self.model.info.class_names or ()
        return dict(zip(self.classes.tolist(), names, strict=False))

    def classify(
        self,
        images: Any,
        *,
        range: Range | None = None,  # noqa: A002 - the name in JSON too
        progress: Progress = lambda n_done, n_total: None,
    ) -> Readings:
        """Classify images in MNIST form.

        Several blocks of images are distributed over the workers of a Dask cluster, if one is
        active; see `mnist_svm.parallel.workers`.

        Parameters
        ----------
        images : array-like of shape (n, 28, 28), (n, 28, 28, 1), (n, 1, 28, 28) or (n, 784)
            Bright ink on a dark background; or one image, without the first axis. For pictures of
            other sizes or polarity, see `read`.
        range : {"0-255", "0-1", "0-65535"}, optional
            What black and white are. By default "0-1" if the maximum is at most 1, and "0-255" if
            it is 2 to 255.
        progress : callable, optional
            Called with (n_done, n_total).

        Returns
        -------
        Readings

        Raises
        ------
        FormatError
            If shape or type is different, the range is ambiguous or exceeded, or most images have
            dark ink on a bright background.
        """
        return self._classify(to_mnist_images(images, range=range, check_polarity=True), progress)

    def _classify(
        self, images: Images, progress: Progress = lambda n_done, n_total: None
    ) -> Readings:
        n = len(images)
        probabilities = np.empty((n, len(self.classes)))
        blocks = [slice(start, start + IMAGES_PER_BLOCK) for start in range(0, n, IMAGES_PER_BLOCK)]
        # Sending a single block to a cluster takes longer than classifying it.
        with (workers_for if len(blocks) > 1 else threads)(self.n_jobs) as workers:
            workers.share(self.model)
            tasks = (delayed(Model.predict_proba)(self.model, images[block]) for block in blocks)
            for block, result in zip(blocks, workers(tasks), strict=True):
                probabilities[block] = result
                progress(min(block.stop, n), n)
        return Readings(self.classes, probabilities)

    @overload
    def read(self, source: Array, *, thumbnail: int | None = None) -> Any: ...
    @overload
    def read(  # type: ignore[overload-overlap]
        self, source: Source, *, thumbnail: int | None = None
    ) -> DigitReading: ...
    @overload
    def read(
        self, source: Iterable[Source], *, thumbnail: int | None = None
    ) -> Iterator[DigitReading]: ...
    def read(self, source: Any, *, thumbnail: int | None = None) -> Any:
        """Read pictures of one digit each, of any common format, size and polarity.

        Parameters
        ----------
        source : source of a picture, or iterable of sources
            A path, bytes, an open binary file, a Pillow image, or an array of shape (height, width)
            or (height, width, n_channels); see `mnist_svm.pictures.decode.decode`. The path ``-``
            is standard input; a folder stands for the pictures in it, sorted by name; an array of
            shape (n, height, width) for n pictures.
        thumbnail : int, optional
            Longer side in pixels of a copy to keep of each picture; by default none is kept.

        Returns
        -------
        DigitReading, or iterator of DigitReading
            One for a single source; for a folder or an iterable an iterator, which yields one per
            picture, in order, and classifies `PICTURES_PER_BLOCK` together. ``error`` is set if a
            picture could not be read, or shows several digits side by side.
        """
        readings = self._classify_blocks(
            _fill(DigitReading.of_picture(file, picture), picture, self._with_candidates)
            for file, picture in load_pictures(source, thumbnail=thumbnail)
        )
        return next(readings) if is_single(source) else readings

    @overload
    def read_page(
        self,
        source: Array,
        *,
        digits: int | tuple[int, int] | None = None,
        pattern: str | None = None,
        line: bool = False,
        number: bool = False,
        deadline: float = inf,
        thumbnail: int | None = None,
    ) -> Any: ...
    @overload
    def read_page(  # type: ignore[overload-overlap]
        self,
        source: Source,
        *,
        digits: int | tuple[int, int] | None = None,
        pattern: str | None = None,
        line: bool = False,
        number: bool = False,
        deadline: float = inf,
        thumbnail: int | None = None,
    ) -> PageReading: ...
    @overload
    def read_page(
        self,
        source: Iterable[Source],
        *,
        digits: int | tuple[int, int] | None = None,
        pattern: str | None = None,
        line: bool = False,
        number: bool = False,
        deadline: float = inf,
        thumbnail: int | None = None,
    ) -> Iterator[PageReading]: ...
    def read_page(
        self,
        source: Any,
        *,
        digits: int | tuple[int, int] | None = None,
        pattern: str | None = None,
        line: bool = False,
        number: bool = False,
        deadline: float = inf,
        thumbnail: int | None = None,
    ) -> Any:
        """Read pictures with any number of digits, row by row.

        Parameters
        ----------
        source : source of pictures
            As in `read`.
        thumbnail : int, optional
            As in `read`.
        digits : int or tuple of two int, optional
            Number of digits of each number, or the least and the most of them.
        pattern : str, optional
            What each number looks like: ``d`` for a digit, ``0`` to ``9`` for that digit, and any
            other character for a mark that may be there: ``ddd.ddd,-``.
        line : bool, default=False
            Whether each picture shows a single line.
        number : bool, default=False
            Whether each picture shows a single number, and nothing else.
        deadline : float, optional
            Value of `time.monotonic` at which to give up; noise may take a minute.

        Returns
        -------
        PageReading, or iterator of PageReading
            One for a single source; for a folder or an iterable an iterator, which yields one per
            picture, in order. ``error`` is set if a picture could not be read: because it cannot be
            decoded, is blank, shows nothing that could be a digit, or is not read in time.

        Raises
        ------
        ValueError
            If `digits` or `pattern` are none, or do not agree.
        """
        read = partial(
            self._page_reader.read,
            expected=parse_format(digits, pattern),
            is_line=line,
            is_number=number,
            deadline=deadline,
        )
        pages = (
            _fill(
                PageReading.of_picture(file, picture),
                picture,
                lambda reading, grey: replace(reading, content=read(grey)),
            )
            for file, picture in load_pictures(source, thumbnail=thumbnail)
        )
        return next(pages) if is_single(source) else pages

    def read_fields(
        self, grey: GreyImage, fields: Sequence[FieldSpec], *, deadline: float = inf
    ) -> list[Number | None]:
        """Read the numbers in parts of a page, all of them together.

        Parameters
        ----------
        grey : uint8 ndarray of shape (height, width), 0 black to 255 white
        fields : sequence of FieldSpec
            Parts of the page, each with one number at most.
        deadline : float, optional
            Value of `time.monotonic` at which to give up.

        Returns
        -------
        list of Number or None
            For each field, its number, with boxes in pixels of the page; None if it has none.

        Raises
        ------
        PictureError
            If the page is not read in time.
        ValueError
            If what a field expects cannot be.
        """
        return self._page_reader.read_fields(grey, fields, deadline=deadline)

    def shows_several(self, grey: GreyImage) -> bool:
        """Whether a picture that may show several digits does, side by side.

        Parameters
        ----------
        grey : uint8 ndarray of shape (height, width)

        Returns
        -------
        bool
            True if `read_page` finds two digits or more in a row, each of a confidence of at least
            `MIN_SEVERAL`, of similar heights, and on one line.
        """
        try:
            rows = self._page_reader.read(grey).rows
        except PictureError:
            return False
        for row in rows:
            boxes = [digit.box for digit in row.digits if digit.confidence >= MIN_SEVERAL]
            if any(map(_are_alike, boxes, boxes[1:])):
                return True
        return False

    def _with_candidates(self, reading: DigitReading, grey: GreyImage) -> DigitReading:
        return reading.with_candidates(normalize_candidates(grey, are_several=self.shows_several))

    def prepare(self) -> Self:
        """Do the one-time work of the first prediction now.

        Worthwhile before many small predictions; see `mnist_svm.models.file.Model.prepare`.

        Returns
        -------
        Recognizer
            This object.
        """
        for model in (self.model, self._judge_digits.model):
            model.prepare()
        return self

    @cached_property
    def _judge_digits(self) -> DigitJudge:
        return DigitJudge()

    @cached_property
    def _page_reader(self) -> PageReader:
        # Single digits in MNIST form do without scipy.ndimage, whose import takes long.
        from mnist_svm.recognition.pages import PageReader

        return PageReader(
            self.classes, lambda images: self._classify(images).probabilities, self._judge_digits
        )

    def _classify_blocks(self, readings: Iterator[DigitReading]) -> Iterator[DigitReading]:
        while block := list(islice(readings, PICTURES_PER_BLOCK)):
            images = np.concatenate([reading.images for reading in block])
            results = self._classify(images)
            start = 0
            for reading in block:
                stop = start + len(reading.images)
                if stop > start:
                    probabilities = results.probabilities[start:stop]
                    yield reading.with_choice(results.classes, probabilities)
                else:
                    yield reading
                start = stop


def prepare_reading(
    source: Source,
    *,
    file: str | None = None,
    thumbnail: int | None = None,
    max_pixels: int = MAX_PIXELS,
    are_several: AreSeveral | None = None,
) -> DigitReading:
    """Decode and normalize a picture of one digit, for `DigitReading.with_choice`.

    `file` is the name in the reading, by default that of the source; `are_several` as in
    `normalize_candidates`. Raises PictureError if the picture cannot be decoded, is too large
    (TooLargeError), is blank, or shows several digits.
    """
    picture = decode(source, thumbnail=thumbnail, max_pixels=max_pixels)
    reading = DigitReading.of_picture(source_name(source) if file is None else file, picture)
    return reading.with_candidates(normalize_candidates(picture.grey, are_several=are_several))


def _are_alike(left: Box, right: Box) -> bool:
    """Whether neighbours have similar heights and stand on one line."""
    low, high = sorted((left.height, right.height))
    return low >= MIN_SIMILAR * high and abs(left.bottom - right.bottom) <= MAX_RISE * high


def _fill(
    reading: Reading,
    picture: Picture | PictureError,
    complete: Callable[[Reading, GreyImage], Reading],
) -> Reading:
    """Complete a reading with what is seen on the picture, or set the error."""
    if isinstance(picture, PictureError):
        return reading
    try:
        return complete(reading, picture.grey)
    except PictureError as error:
        return replace(reading, error=str(error))
