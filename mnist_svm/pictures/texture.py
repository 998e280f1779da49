"""Separate ink from a printed pattern, such as the security print of a cheque.

A pattern is regular, finer than the strokes and weaker than ink. Smoothed over less than a stroke's
width it loses depth, and one threshold for the whole picture, between pattern and ink, leaves the
strokes.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from mnist_svm._types import Float32Array, GreyImage
from mnist_svm.pictures.background import MIN_DEPTH, Ink, close_strokes
from mnist_svm.pictures.polarity import blank_picture_error, nearest_odd

# Window that is wider than a stroke, as a fraction of the picture's shorter side, and its limits in
# pixels.
WINDOW, MIN_WINDOW, MAX_WINDOW = 0.35, 9, 81
# Standard deviations of the smoothing, in pixels: little and much.
SMOOTHINGS = (1.5, 2.2)
# Hysteresis thresholds of strokes, as fractions of full ink.
HIGH_THRESHOLD, LOW_THRESHOLD = 0.75, 0.5


def find_textured_ink(grey: GreyImage, is_dark: bool, smoothing: float = SMOOTHINGS[0]) -> Ink:
    """Separate the ink of a picture from a patterned background.

    Parameters
    ----------
    grey : uint8 ndarray of shape (height, width)
    is_dark : whether ink is darker than the background
    smoothing : standard deviation of the smoothing, in pixels

    Raises
    ------
    PictureError
        If nothing stands out.
    """
    image = (grey if is_dark else 255 - grey).astype(np.float32)
    size = nearest_odd(float(np.clip(WINDOW * min(grey.shape), MIN_WINDOW, MAX_WINDOW)))
    background = close_strokes(ndimage.gaussian_filter(image, 1), size)
    background = ndimage.gaussian_filter(background, size / 4)
    # Relative to the paper, because a shadow dims paper and ink alike.
    depth = ndimage.gaussian_filter(1 - image / np.maximum(background, 1), smoothing)
    threshold = otsu_threshold(depth)
    above = depth > threshold
    if not above.any() or 255 * float(np.median(depth[above])) < MIN_DEPTH:
        raise blank_picture_error()
    full, base = float(np.median(depth[above])), float(np.median(depth[~above]))
    coverage = (depth - base) / (full - base)
    mask = ndimage.binary_propagation(
        coverage > HIGH_THRESHOLD, np.ones((3, 3)), mask=coverage > LOW_THRESHOLD
    )
    return Ink(coverage.clip(0, 1), np.asarray(mask), np.asarray(mask))


def otsu_threshold(values: Float32Array) -> float:
    """Threshold with the greatest variance between the two classes.

    N. Otsu, "A threshold selection method from gray-level histograms", IEEE Transactions on
    Systems, Man, and Cybernetics 9 (1979).
    """
    counts, edges = np.histogram(values, bins=256)
    centres = (edges[1:] + edges[:-1]) / 2
    weight, total = np.cumsum(counts)[:-1], np.cumsum(counts * centres)
    other = counts.sum() - weight
    between = (total[-1] * weight - counts.sum() * total[:-1]) ** 2
    spread = np.divide(between, weight * other, out=np.zeros(len(weight)), where=weight * other > 0)
    return float(centres[int(spread.argmax())])
