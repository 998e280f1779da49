"""Normalize a picture of one digit to the form of MNIST's images.

MNIST's digits are bright on a dark background, scaled with anti-aliasing to a longer side of 20
pixels, and placed in 28 x 28 with the centre of mass at pixel (14, 14), to the nearest pixel.
(LeCun, Cortes, Burges; the centre as measured on all 70,000.)
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mnist_svm._types import GreyImage, Images
from mnist_svm.constants import IMAGE_SHAPE, IMAGE_SIDE
from mnist_svm.exceptions import PictureError
from mnist_svm.pictures.boxes import border_pixels, bounding_box

# Longer side of a digit in MNIST form, and row and column of its centre of mass, in pixels.
DIGIT_SIDE = 20
CENTRE = 14

# Tells whether a picture, uint8 of shape (height, width), shows several digits side by side.
AreSeveral = Callable[[GreyImage], bool]


def normalize(grey: GreyImage) -> GreyImage:
    """Normalize a picture of one digit: return the first of its `normalize_candidates`."""
    return np.asarray(normalize_candidates(grey)[0])


def normalize_candidates(grey: GreyImage, *, are_several: AreSeveral | None = None) -> Images:
    """Normalize a picture of one digit; return one that is in MNIST form unchanged.

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
    if grey.dtype != np.uint8 or grey.ndim != 2:
        msg = f"expected uint8 of shape (height, width), found {grey.dtype} {grey.shape}: decode it"
        raise PictureError(msg)
    if is_mnist_form(grey):
        return grey[np.newaxis]
    # Most of the time of the first reading would be the import of scipy.ndimage.
    from mnist_svm.pictures.render import find_digits

    return np.stack(find_digits(grey, are_several))


def is_mnist_form(grey: GreyImage) -> bool:
    """Whether a picture has the form of MNIST's images, with tolerance for JPEG compression.

    It is 28 x 28, its border dark, its ink bright, about 20 pixels high or wide, and centred by
    mass. True for all of MNIST.
    """
    if grey.shape != IMAGE_SHAPE:
        return False
    # A server does this a thousand times a second: plain sums and sorting are the fastest.
    edge = np.sort(border_pixels(grey))
    if int(edge[len(edge) // 2 - 1]) + int(edge[len(edge) // 2]) > 2 * 16 or grey.max() < 128:
        return False
    box = bounding_box(grey > 32)
    if not DIGIT_SIDE - 6 <= box.longer_side <= DIGIT_SIDE + 2:
        return False
    sums = (grey.sum(axis=axis, dtype=np.int64) for axis in (1, 0))
    return all(abs(_INDICES @ along / along.sum() - CENTRE) <= 1 for along in sums)


_INDICES = np.arange(IMAGE_SIDE)
