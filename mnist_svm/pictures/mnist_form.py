"""Whether images have the form of MNIST's.

MNIST's digits are bright on a dark background, scaled with anti-aliasing to a longer side of 20
pixels, and placed in 28 x 28 with the centre of mass at pixel (14, 14), to the nearest pixel.
(LeCun, Cortes, Burges; the centre as measured on all 70,000.)
"""

from __future__ import annotations

import numpy as np

from mnist_svm._types import Array, BoolArray, GreyImage, Images, IntegerArray
from mnist_svm.constants import IMAGE_SHAPE, IMAGE_SIDE, N_PIXELS
from mnist_svm.pictures.boxes import border_pixels, bounding_box

# Longer side of a digit in MNIST form, and row and column of its centre of mass, in pixels.
DIGIT_SIDE = 20
CENTRE = 14

# Tolerances, for images that were compressed as JPEG: highest grey level of the background and of
# what is outside of the box of the digit, lowest maximum, range of the longer side, and distance of
# the centre of mass, in pixels.
MAX_BACKGROUND, MAX_OUTSIDE, MIN_MAXIMUM = 16, 32, 128
MIN_SIDE, MAX_SIDE, MAX_OFFSET = DIGIT_SIDE - 6, DIGIT_SIDE + 2, 1

_INDICES = np.arange(IMAGE_SIDE)


def is_mnist_form(grey: GreyImage) -> bool:
    """Whether a picture has the form of MNIST's images, with tolerance for JPEG compression.

    It is 28 x 28, its border dark, its ink bright, about 20 pixels high or wide, and centred by
    mass. True for all of MNIST.
    """
    if grey.shape != IMAGE_SHAPE:
        return False
    # A server does this a thousand times a second: plain sums and sorting are the fastest.
    edge = np.sort(border_pixels(grey))
    median = (int(edge[len(edge) // 2 - 1]) + int(edge[len(edge) // 2])) / 2
    if median > MAX_BACKGROUND or grey.max() < MIN_MAXIMUM:
        return False
    if not MIN_SIDE <= bounding_box(grey > MAX_OUTSIDE).longer_side <= MAX_SIDE:
        return False
    sums = (grey.sum(axis=axis, dtype=np.int64) for axis in (1, 0))
    return all(abs(_INDICES @ along / along.sum() - CENTRE) <= MAX_OFFSET for along in sums)


def are_mnist_form(images: Images) -> BoolArray:
    """Whether each image has the form of MNIST's, as `is_mnist_form`; bool of shape (n,)."""
    flat = images.reshape(len(images), N_PIXELS)
    valid = np.median(ring_pixels(images, 0), axis=1) <= MAX_BACKGROUND
    valid &= flat.max(axis=1, initial=0) >= MIN_MAXIMUM
    ink = images > MAX_OUTSIDE
    sides = np.stack([extents(np.asarray(ink.any(axis=axis))) for axis in (1, 2)])
    longer = sides.max(axis=0)
    valid &= (longer >= MIN_SIDE) & (longer <= MAX_SIDE)
    mass = np.maximum(flat.sum(axis=1, dtype=np.int64), 1)
    for axis in (1, 2):
        centre = images.sum(axis=axis, dtype=np.int64) @ _INDICES / mass
        valid &= np.abs(centre - CENTRE) <= MAX_OFFSET
    return np.asarray(valid)


def ring_pixels(images: Array, depth: int) -> Array:
    """Return the pixels of each image at a distance from the border: shape (n, m)."""
    _, height, width = images.shape
    inner = images[:, depth : height - depth, depth : width - depth]
    sides = [inner[:, 0], inner[:, -1], inner[:, 1:-1, 0], inner[:, 1:-1, -1]]
    return np.concatenate(sides, axis=1)


def extents(occupied: BoolArray) -> IntegerArray:
    """Return the length from the first to the last true element of each row; int of shape (n,)."""
    first = occupied.argmax(axis=1)
    last = occupied.shape[1] - occupied[:, ::-1].argmax(axis=1)
    return np.where(occupied.any(axis=1), last - first, 0)
