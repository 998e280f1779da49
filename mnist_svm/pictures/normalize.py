"""Normalize a picture of one digit to the form of MNIST's images; see `mnist_form`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mnist_svm._types import GreyImage, Images
from mnist_svm.constants import IMAGE_SHAPE, WHITE
from mnist_svm.exceptions import PictureError
from mnist_svm.pictures.mnist_form import is_mnist_form

# Tells whether a picture, uint8 of shape (height, width), shows several digits side by side.
AreSeveral = Callable[[GreyImage], bool]


def normalize(grey: GreyImage) -> GreyImage:
    """Normalize a picture of one digit to the form of MNIST's images.

    Parameters
    ----------
    grey : uint8 ndarray of shape (height, width), 0 black to 255 white
        See `normalize_candidates`, of whose images the first is returned.

    Returns
    -------
    uint8 ndarray of shape (28, 28), 0-255, ink bright on a dark background

    Raises
    ------
    PictureError
        If the picture is blank, shows several digits, or is of another shape or type.
    """
    return np.asarray(normalize_candidates(grey)[0])


def normalize_candidates(grey: GreyImage, *, are_several: AreSeveral | None = None) -> Images:
    """Normalize a picture of one digit; one in MNIST form, or its negative, stays to the byte.

    Where the picture alone does not tell which side is ink, or whether strokes that the border
    cuts off belong to the digit, there are several images: a classifier sees which is a digit.

    Parameters
    ----------
    grey : uint8 ndarray of shape (height, width), 0 black to 255 white
        Dark ink on a light background or light on dark, unevenly lit. Specks, ruled lines, a frame
        and the edge of a desk are left out.
    are_several : callable, optional
        Called with the picture where it may show several digits; if it returns True, they are
        refused. By default the largest is taken.

    Returns
    -------
    uint8 ndarray of shape (m, 28, 28), 0-255, ink bright on a dark background
        The most plausible image first; m is 1 for almost all pictures, and 6 at most.

    Raises
    ------
    PictureError
        If the picture is blank, shows several digits, or is of another shape or type;
        `mnist_svm.pictures.decode.decode` converts all others.
    """
    polarities = normalize_polarities(grey, are_several=are_several)
    return np.stack([image for images in polarities.values() for image in images])


def normalize_polarities(
    grey: GreyImage, *, are_several: AreSeveral | None = None
) -> dict[bool, list[GreyImage]]:
    """Return the images of `normalize_candidates`, keyed by whether the ink is dark.

    The most plausible polarity is first; there is another one only in doubt.
    """
    if grey.dtype != np.uint8 or grey.ndim != 2:
        msg = f"expected uint8 of shape (height, width), found {grey.dtype} {grey.shape}: decode it"
        raise PictureError(msg)
    if is_mnist_form(grey):
        return {False: [grey]}
    if grey.shape == IMAGE_SHAPE and is_mnist_form(negative := WHITE - grey):
        return {True: [negative]}
    # Most of the time of the first reading would be the import of scipy.ndimage.
    from mnist_svm.pictures.render import find_digits

    return find_digits(grey, are_several)
