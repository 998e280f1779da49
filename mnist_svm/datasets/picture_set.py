"""The pictures of a data set, brought to MNIST form as `mnist-svm predict` does.

Pillow and the modules of `mnist_svm.pictures` are imported only to read pictures.
"""

from __future__ import annotations

from typing import BinaryIO

import numpy as np

from mnist_svm._types import GreyImage, Images
from mnist_svm.constants import IMAGE_SHAPE, N_PIXELS
from mnist_svm.datasets.arrays import GrowableArray
from mnist_svm.exceptions import FormatError, PictureError


class PictureSet:
    """Collects pictures one at a time, and returns them in MNIST form.

    Parameters
    ----------
    n_expected : int, default=0
        Number of pictures, if known.
    """

    def __init__(self, n_expected: int = 0) -> None:
        self._images = GrowableArray(N_PIXELS, np.uint8)

    def __len__(self) -> int:
        return len(self._images)

    def add(self, file: BinaryIO, name: str) -> None:
        """Decode and add a picture; raise FormatError, with `name`, if it has no digit."""
        from mnist_svm.pictures.decode import decode

        try:
            grey = decode(file).grey
        except PictureError as error:
            msg = f"{name}: {error}"
            raise FormatError(msg) from error
        self.add_grey(grey, name)

    def add_grey(self, grey: GreyImage, name: str) -> None:
        """Add a picture, uint8 of shape (height, width), 0 black to 255 white."""
        from mnist_svm.pictures.normalize import normalize

        try:
            image = normalize(grey)
        except PictureError as error:
            msg = f"{name}: {error}"
            raise FormatError(msg) from error
        self._images.append(image.reshape(1, -1))

    def finish(self) -> tuple[Images, tuple[str, ...]]:
        """Return uint8 images of shape (n, 28, 28), 0-255, and notices."""
        return self._images.to_array().reshape(-1, *IMAGE_SHAPE), ()
