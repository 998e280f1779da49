"""What every reader gives, and the checks that arrays of any origin pass on the way there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from mnist_svm.constants import IMAGE_SHAPE, N_PIXELS, WHITE, Array, Images, Labels
from mnist_svm.exceptions import FormatError

# Images looked at a time, so that a check of wide numbers takes little memory.
BLOCK = 4096


# Told the number of images done, and of all (0 if unknown).
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Labelled:
    """Images and what they show.

    Attributes
    ----------
    images : uint8 ndarray of shape (n, 28, 28), 0-255.
    labels : int64 ndarray of shape (n,); None if nobody said what they show.
    class_names : what a label means, where it is not the digit itself.
    inverted : whether the ink was dark on a bright ground; see `bright_on_dark`.
    """

    images: Images
    labels: Labels | None
    class_names: Mapping[int, str] = field(default_factory=dict)
    inverted: bool = False


def bright_on_dark(labelled: Labelled) -> Labelled:
    """Turn images of dark ink on a bright ground into their negatives, as MNIST's are.

    Parameters
    ----------
    labelled : Labelled
        Its images may be changed in place.

    Returns
    -------
    Labelled
        The same, if most of the border of all images is dark: what has ink at its border does not
        have it in most of its images.
    """
    images = labelled.images
    border = images[:, :: IMAGE_SHAPE[0] - 1].mean() + images[:, :, :: IMAGE_SHAPE[1] - 1].mean()
    if border / 2 <= WHITE / 2:
        return labelled
    return replace(labelled, images=np.subtract(WHITE, images, out=images), inverted=True)


def in_full_range(labelled: Labelled) -> Labelled:
    """Make 1 white in images of nothing but 0 and 1.

    Parameters
    ----------
    labelled : Labelled
        Its images may be changed in place.

    Returns
    -------
    Labelled
    """
    images = labelled.images
    if images.max() == 1:
        np.multiply(images, WHITE, out=images)
    return labelled


class Growing:
    """An array that grows by blocks of rows.

    The system moves large memory without copying it, so that growth is cheap in small steps, and
    all blocks together never stand there twice.

    Parameters
    ----------
    width : columns; None for a vector
    dtype : numpy dtype
    """

    def __init__(self, width: int | None, dtype: npt.DTypeLike) -> None:
        self._rows = np.empty((0,) if width is None else (0, width), dtype)
        self._n = 0

    def __len__(self) -> int:
        return self._n

    def append(self, block: Array) -> None:
        """Add rows at the end."""
        end = self._n + len(block)
        if end > len(self._rows):
            self._resize(max(end, len(self._rows) * 17 // 16))
        self._rows[self._n : end] = block
        self._n = end

    def array(self) -> Array:
        """The rows, as an array of just their number; ends the growth."""
        self._resize(self._n)
        return self._rows

    def _resize(self, n: int) -> None:
        # Nobody else has been given the array yet.
        self._rows.resize((n, *self._rows.shape[1:]), refcheck=False)


def shown(text: str) -> str:
    """What a file says, fit to stand in an error: printable, on one line, and short.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
    """
    return "".join(letter if letter.isprintable() else "?" for letter in text[:100])


def to_images(array: Array, what: str, *, first: int = 1) -> Images:
    """Take an array for images.

    Parameters
    ----------
    array : ndarray of shape (n, 28, 28), (n, 28, 28, 1) or (n, 784)
        Of whole numbers from 0 to 255, whatever their type.
    what : str
        What an error calls it.
    first : int, default=1
        How an error counts the first image.

    Returns
    -------
    uint8 ndarray of shape (n, 28, 28)

    Raises
    ------
    FormatError
        If there is none, or the shape or a number is another.
    """
    if array.shape[1:] not in {IMAGE_SHAPE, (*IMAGE_SHAPE, 1), (N_PIXELS,)} or not len(array):
        msg = f"{what}: expected images of shape (n, 28, 28) or (n, 784), found {array.shape}"
        raise FormatError(msg)
    return _whole(array, what, np.uint8, WHITE, first).reshape(-1, *IMAGE_SHAPE)


def to_labels(array: Array, what: str, n: int, *, first: int = 1) -> Labels:
    """Take an array for the labels of n images.

    Parameters
    ----------
    array : ndarray of shape (n,) or (n, 1)
        Of whole numbers from 0 on, whatever their type.
    what : str
        What an error calls it.
    n : int
    first : int, default=1
        How an error counts the first image.

    Returns
    -------
    int64 ndarray of shape (n,)

    Raises
    ------
    FormatError
        If the shape or a number is another.
    """
    if array.shape not in {(n,), (n, 1)}:
        msg = f"{what}: expected {n:,} labels, one for each image, found shape {array.shape}"
        raise FormatError(msg)
    return _whole(array, what, np.int64, np.iinfo(np.int32).max, first).reshape(n)


def _whole(array: Array, what: str, dtype: npt.DTypeLike, largest: int, first: int) -> Array:
    """The same numbers as another type, if they are whole and from 0 to the largest."""
    if array.dtype == dtype and array.dtype == np.uint8:
        return np.ascontiguousarray(array)
    if array.dtype.kind not in "buif":
        msg = f"{what}: expected numbers, found {shown(str(array.dtype))}"
        raise FormatError(msg)
    whole = np.empty(array.shape, dtype)
    for start in range(0, len(array), BLOCK):
        block = array[start : start + BLOCK]
        # Of what is not a number, no comparison holds.
        sound = (block >= 0) & (block <= largest)
        if block.dtype.kind == "f":
            sound &= block == np.floor(block)
        if not sound.all():
            row, *_ = np.unravel_index(np.argmin(sound), sound.shape)
            found = block[~sound].flat[0]
            msg = (
                f"{what}: image {first + start + row:,}: expected whole numbers from 0 to "
                f"{largest:,}, found {found:g}"
            )
            raise FormatError(msg)
        whole[start : start + BLOCK] = block
    return whole
