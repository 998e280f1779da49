"""The pictures of a data set, brought to MNIST form as `mnist-svm predict` does.

Pillow and the modules of `mnist_svm.pictures` are imported only to read pictures.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import BinaryIO

import numpy as np

from mnist_svm._types import GreyImage, Images
from mnist_svm.constants import IMAGE_SHAPE, N_PIXELS, WHITE
from mnist_svm.datasets.arrays import GrowableArray
from mnist_svm.datasets.class_names import number_meant
from mnist_svm.datasets.types import PictureSources, Progress, no_progress
from mnist_svm.exceptions import FormatError, PictureError

# Grey level, of 255, from which a pixel is ink, and median share of ink in the boxes around the
# objects from which these are no strokes: it is 0.42 for MNIST and over 0.7 for clothes.
INK, MIN_SOLID = 64, 0.6

# Share of pictures of one polarity from which those that may be of either are taken to have it, and
# the number of pictures that tell.
MIN_AGREEING, MIN_PICTURES = 0.9, 10


class PictureSet:
    """Collects pictures one at a time, and returns them in MNIST form.

    Pictures of 28 x 28 are kept as they are if all have this size and show other objects than
    digits: they are arrays that were stored as pictures.

    Parameters
    ----------
    class_names : collection of str, default=()
        Names of the classes, if they are known: words show other objects than digits.
    """

    def __init__(self, class_names: Collection[str] = ()) -> None:
        self._class_names = class_names
        self._images = GrowableArray(N_PIXELS, np.uint8)
        # Index and name of each picture of 28 x 28, which is looked at when all are there.
        self._small: list[tuple[int, str]] = []
        self._blank: list[str] = []
        # Whether ink is dark in each picture, and images of the other polarity, of those in doubt.
        self._is_dark: dict[int, bool] = {}
        self._others: dict[int, GreyImage] = {}
        self._names: list[str] = []
        self._sizes: Counter[tuple[int, int]] = Counter()

    def __len__(self) -> int:
        return len(self._images)

    @property
    def sources(self) -> PictureSources:
        """The pictures that were added."""
        return PictureSources(self._names, self._sizes)

    def add(self, file: BinaryIO, name: str) -> None:
        """Decode and add a picture; raise FormatError, with `name`, if it cannot be decoded."""
        from mnist_svm.pictures.decode import decode

        try:
            grey = decode(file).grey
        except PictureError as error:
            msg = f"{name}: {error}"
            raise FormatError(msg) from error
        self.add_grey(grey, name)

    def add_grey(self, grey: GreyImage, name: str) -> None:
        """Add a picture, uint8 of shape (height, width), 0 black to 255 white."""
        self._names.append(name)
        self._sizes[grey.shape[0], grey.shape[1]] += 1
        if grey.shape == IMAGE_SHAPE:
            self._small.append((len(self._images), name))
            image = grey
        else:
            image = self._normalize(grey, name, len(self._images))
        self._images.append(image.reshape(1, -1))

    def finish(self, progress: Progress = no_progress) -> tuple[Images, tuple[str, ...]]:
        """Return uint8 images of shape (n, 28, 28), 0-255, and notices.

        Raises FormatError, with its name, if a picture has no digit.
        """
        images: Images = self._images.to_array().reshape(-1, *IMAGE_SHAPE)
        notices: tuple[str, ...] = ()
        if len(self._small) == len(images) and show_other_objects(images, self._class_names):
            notices = ("has pictures of 28 x 28 that are no digits; they are taken as they are",)
        else:
            for n_done, (index, name) in enumerate(self._small, start=1):
                images[index] = self._normalize(images[index], name, index)
                progress(n_done, len(self._small))
            notices = self._agree_on_polarity(images)
        if self._blank:
            n = len(self._blank)
            which = self._blank[0] if n == 1 else f"{n:,} pictures, the first is {self._blank[0]}"
            notices += (f"has no ink in {which}; left blank",)
        return images, notices

    def _normalize(self, grey: GreyImage, name: str, index: int) -> GreyImage:
        """Normalize a picture, uint8 of any shape; one without ink becomes a blank image."""
        from mnist_svm.pictures.normalize import normalize_polarities
        from mnist_svm.pictures.polarity import BlankPictureError

        try:
            (is_dark, images), *others = normalize_polarities(grey).items()
        except BlankPictureError:
            self._blank.append(name)
            return np.zeros(IMAGE_SHAPE, np.uint8)
        except PictureError as error:
            msg = f"{name}: {error}"
            raise FormatError(msg) from error
        self._is_dark[index] = is_dark
        if others:
            self._others[index] = others[0][1][0]
        return images[0]

    def _agree_on_polarity(self, images: Images) -> tuple[str, ...]:
        """Give pictures that may be of either polarity that of nearly all, in place.

        `mnist-svm predict` asks a classifier, which a set that it does not know yet has not.
        """
        share = sum(self._is_dark.values()) / max(len(self._is_dark), 1)
        majority = share >= 1 / 2
        if len(self._is_dark) < MIN_PICTURES or max(share, 1 - share) < MIN_AGREEING:
            return ()
        strays = [index for index in self._others if self._is_dark[index] != majority]
        for index in strays:
            images[index] = self._others[index]
        if not strays:
            return ()
        level = "dark" if majority else "bright"
        which = f"{len(strays):,} pictures, the first is {self._names[strays[0]]}"
        notice = (
            f"has {level} ink in nearly all pictures, and so in those that do not tell: {which}"
        )
        return (notice,)


def read_picture(file: BinaryIO, name: str) -> Images:
    """Decode one picture to an image in MNIST form; raise FormatError, with `name`, as `add`."""
    pictures = PictureSet()
    pictures.add(file, name)
    return np.asarray(pictures.finish()[0][0])


def show_other_objects(images: Images, class_names: Collection[str]) -> bool:
    """Whether images of 28 x 28, of either polarity, show other objects than digits.

    They do if the names of their classes, where they are known, are words, or if most show solid
    objects instead of strokes.
    """
    if class_names and all(number_meant(name) is None for name in class_names):
        return True
    return len(images) > 1 and _are_solid(images)


def _are_solid(images: Images) -> bool:
    from mnist_svm.datasets.common_form import corner_levels, remove_frame
    from mnist_svm.pictures.mnist_form import extents

    images = images.copy()
    remove_frame(images)
    grounds = corner_levels(images)
    if INK <= np.median(grounds) <= WHITE - INK:
        return False
    ink = np.abs(images - grounds[:, None, None]) > INK
    rows, columns = ink.any(axis=2), ink.any(axis=1)
    areas = extents(rows) * extents(columns)
    (visible,) = np.nonzero(areas)
    shares = ink[visible].sum(axis=(1, 2)) / areas[visible]
    return len(visible) > 0 and float(np.median(shares)) >= MIN_SOLID
