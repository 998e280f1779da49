"""One digit of any size and polarity -> 28 x 28, the way MNIST was made.

MNIST's digits are bright on a dark ground, scaled with anti-aliasing so that the longer side
takes 20 pixels, and placed so that the centre of mass is at pixel (14, 14) of 28 x 28,
to the nearest whole pixel. (LeCun, Cortes, Burges; the centre as measured on all 70,000.)
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from mnist_svm.errors import PictureError

SIDE = 28
BOX = 20
CENTRE = 14

# Greys from ground to ink: less is paper texture and shadow, or nothing at all.
MIN_CONTRAST = 24

# A separate blot of less than this part of the largest stroke's area is a speck.
MIN_STROKE = 0.03

# Below this part of the threshold between ground and ink, all is ground.
FLOOR = 0.2

# Less ink than this part of the full does not count for the digit's height and width.
EDGE = 0.2

Grey = npt.NDArray[np.uint8]
Float64Array = npt.NDArray[np.float64]


def as_mnist(grey: Grey) -> Grey:
    """A picture of one digit in MNIST form; one that is in that form already, unchanged.

    Parameters
    ----------
    grey : uint8 ndarray of shape (height, width), 0 black to 255 white

    Returns
    -------
    uint8 ndarray of shape (28, 28), 0-255, ink bright on a dark ground

    Raises
    ------
    PictureError
        If the picture is blank.
    """
    return grey if is_mnist_form(grey) else normalize(grey)


def is_mnist_form(grey: Grey) -> bool:
    """Whether a picture is framed like MNIST's, give or take what JPEG does to it.

    Parameters
    ----------
    grey : uint8 ndarray of shape (height, width), 0-255

    Returns
    -------
    bool
        True if it is 28 x 28, its border dark, its ink bright, about 20 pixels high or wide,
        and centred by mass. True for all of MNIST.
    """
    if grey.shape != (SIDE, SIDE) or np.median(_border(grey)) > 16 or grey.max() < 128:
        return False
    ink = grey > 32
    height, width = (np.ptp(np.flatnonzero(ink.any(axis=axis))) + 1 for axis in (1, 0))
    centroid = ndimage.center_of_mass(grey)
    off_centre = max(abs(position - CENTRE) for position in centroid)
    return bool(BOX - 6 <= max(height, width) <= BOX + 2 and off_centre <= 1)


def normalize(grey: Grey) -> Grey:
    """Turn a picture of one digit into MNIST form: polarity, crop, 20 x 20 fit, centre of mass.

    Parameters
    ----------
    grey : uint8 ndarray of shape (height, width), 0 black to 255 white
        Dark ink on a light ground or light on dark; the border tells which.

    Returns
    -------
    uint8 ndarray of shape (28, 28), 0-255, ink bright on a dark ground

    Raises
    ------
    PictureError
        If the picture is blank.
    """
    ink = _ink(grey)
    threshold = _otsu(ink)
    mask = _strokes(ink > threshold)
    # Full ink is 1; what is well below the threshold is ground. The edges that anti-aliasing
    # leaves beside a stroke stay; specks go.
    floor = FLOOR * threshold
    soft = np.clip((ink - floor) / (np.median(ink[mask]) - floor), 0, 1)
    soft[~ndimage.binary_dilation(mask, np.ones((3, 3)))] = 0
    rows, columns = (np.flatnonzero((soft > EDGE).any(axis=axis)) for axis in (1, 0))
    return _place(_fit(soft[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]))


def _ink(grey: Grey) -> Float64Array:
    """How far each pixel stands out from the ground, on the ink's side, from 0."""
    ground = float(np.median(_border(grey)))
    darker, brighter = ground - float(grey.min()), float(grey.max()) - ground
    if max(darker, brighter) < MIN_CONTRAST:
        msg = "blank picture: no digit stands out from the ground"
        raise PictureError(msg)
    signed = ground - grey if darker >= brighter else grey - ground
    return np.asarray(np.clip(signed, 0, None), dtype=np.float64)


def _border(grey: Grey) -> Grey:
    return np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])


def _otsu(ink: Float64Array) -> float:
    """The threshold that parts the values into two classes of least variance within.

    N. Otsu, "A threshold selection method from gray-level histograms", IEEE Transactions on
    Systems, Man, and Cybernetics 9 (1979), equation 18.
    """
    counts, edges = np.histogram(ink, bins=256)
    weight = np.cumsum(counts)[:-1].astype(np.float64)
    mass = np.cumsum(counts * (edges[:-1] + edges[1:]) / 2)
    total, total_mass = counts.sum(), mass[-1]
    between = (total_mass * weight / total - mass[:-1]) ** 2
    between /= np.maximum(weight * (total - weight), 1)
    return float(edges[1:-1][between.argmax()])


def _strokes(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """The mask without specks."""
    labels, _ = ndimage.label(mask, structure=np.ones((3, 3)))
    areas = np.bincount(labels.ravel())
    areas[0] = 0
    strokes = (areas >= MIN_STROKE * areas.max()) & (areas > 0)
    return np.asarray(strokes[labels])


def _fit(soft: Float64Array) -> Float64Array:
    """Scale to a longer side of 20 pixels, anti-aliased."""
    height, width = soft.shape
    scale = BOX / max(height, width)
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    image = Image.fromarray(soft.astype(np.float32))
    return np.asarray(image.resize(size, Image.Resampling.BICUBIC), dtype=np.float64).clip(0, 1)


def _place(fitted: Float64Array) -> Grey:
    """Put into 28 x 28 with the centre of mass at (14, 14), to the nearest pixel."""
    out = np.zeros((SIDE, SIDE), dtype=np.uint8)
    window = tuple(
        slice(start := int(np.clip(round(CENTRE - middle), 0, SIDE - length)), start + length)
        for middle, length in zip(ndimage.center_of_mass(fitted), fitted.shape, strict=True)
    )
    # Full ink in MNIST is 255 in the middle of the stroke, however thin the pen was.
    out[window] = np.rint(255 * fitted / fitted.max())
    return out
