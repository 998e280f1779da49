"""Which side of the ground ink is on: dark on light, or light on dark."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from mnist_svm.constants import Float32Array, GreyImage
from mnist_svm.exceptions import PictureError

# Greys from ground to full ink: less is nothing that anybody wrote.
MIN_CONTRAST = 20

# Part of the picture's longer side.
SURROUNDINGS = 0.35

# Parts of the picture's sides: how far within its border rings of greys are looked at.
RINGS = (0.0, 0.08, 0.16, 0.24)

# Part of the shorter side: a wider frame would leave less than half of the picture within. And the
# part of its inner edge that is ground.
FRAME, FRAMED = 0.17, 0.97

# Of two greys, parts of the range of greys that each takes, of the longer side that an edge does,
# and of the picture that others may.
SPREAD, SOFT, STRAY = 0.15, 0.05, 0.05

# Part of a side: no scanner leaves a wider edge.
EDGE = 0.04


def ink_is_dark(grey: GreyImage) -> bool:
    """Whether ink is darker than the ground, by three witnesses that seldom err together.

    Ink is narrow: greys less those of their surroundings are skewed to its side. It is rare: the
    middle grey is the ground's. And it is inside: so are those of the border and of rings within
    it, should there be a frame.

    Parameters
    ----------
    grey : uint8 ndarray of shape (height, width), 0 black to 255 white

    Returns
    -------
    bool

    Raises
    ------
    PictureError
        If the picture is blank: all of about one grey.
    """
    factor = max(grey.shape) // 300
    reduced = Image.fromarray(grey).reduce(factor) if factor > 1 else grey
    small = np.asarray(reduced, dtype=np.float32)
    small = _without_edges(small)
    low, high = float(small.min()), float(small.max())
    if high - low < MIN_CONTRAST:
        raise blank_picture_error()
    size = nearest_odd(SURROUNDINGS * max(small.shape))
    difference = small - ndimage.uniform_filter(small, size, mode="nearest")
    skewness = float(np.mean(difference**3)) / max(float(difference.std()), 1e-6) ** 3
    middle = midrange(small)
    rings = []
    for part in RINGS:
        i, j = (int(part * side) for side in small.shape)
        inner = small[i : small.shape[0] - i, j : small.shape[1] - j]
        rings.append(border_pixels(inner) - middle)
    common = float(np.median(small)) - middle
    outer = float(np.median(rings[0]))
    if outer * common < 0 and is_bilevel(small) and not _is_framed(small, outer > 0):
        # A bold digit, cut to its ink, is more of the picture than its ground.
        return outer > 0
    borders = float(np.mean([np.median(ring) for ring in rings]))
    return (borders + common) / (high - low) - skewness > 0


def is_bilevel(small: npt.NDArray[Any]) -> bool:
    """Whether ink is of one grey and the ground of another, and others are between them only.

    Parameters
    ----------
    small : ndarray of shape (height, width)
    """
    low, high = float(small.min()), float(small.max())
    spread = SPREAD * (high - low)
    dark, bright = small <= low + spread, small >= high - spread
    size = 2 * round(SOFT * max(small.shape)) + 3
    edge = ndimage.maximum_filter(dark, size) & ndimage.maximum_filter(bright, size)
    return float((dark | bright | edge).mean()) > 1 - STRAY


def _is_framed(small: Float32Array, bright: bool) -> bool:
    """Whether a bright or dark border ends all around: some ring within it is all of the other."""
    middle = midrange(small)
    other = (small < middle) == bright
    widths = range(int(FRAME * min(small.shape)) + 1)
    rings = (border_pixels(other[k : len(other) - k, k : other.shape[1] - k]) for k in widths)
    return max(float(ring.mean()) for ring in rings) > FRAMED


def _without_edges(small: Float32Array) -> Float32Array:
    """A picture without the narrow dark or bright edges that a scanner leaves on its sides."""
    middle = midrange(small)
    for _ in range(4):
        small = np.rot90(small)
        depth = int(EDGE * len(small)) + 1
        dark = (small[: depth + 1] < middle).mean(axis=1)
        other = np.abs(dark - dark[0]) > 0.05
        first = int(other.argmax())
        uniform = (dark[0] > 0.95 or dark[0] < 0.05) and len(small) > 2 * len(dark)
        if uniform and other.any() and (dark[first] > 0.5) != (dark[0] > 0.5):
            small = small[first + 1 :]
    return small


def border_pixels(image: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """What is on the border, once around."""
    return np.concatenate([image[0], image[:, -1], image[-1, ::-1], image[::-1, 0]])


def midrange(image: npt.NDArray[Any]) -> float:
    """Half-way from the darkest grey to the lightest."""
    return (float(image.min()) + float(image.max())) / 2


def nearest_odd(length: float) -> int:
    """The nearest_odd number of pixels of about a length: the size of a window with a middle."""
    return 2 * round(length / 2) + 1


def blank_picture_error() -> PictureError:
    """The error of a picture on which nothing is written."""
    return PictureError("blank picture: no digit stands out from the ground")
