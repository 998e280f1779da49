"""Find ink and print on a page that is unevenly lit and lies on a desk.

Ink is what is darker than its surroundings and narrower than a window, so that shadows and the desk
do without a threshold of their own.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from mnist_svm._types import GreyImage, Mask

# Longer side, in pixels, of the reduced picture on which a page is found.
SEARCH_SIDE = 1200
# Standard deviation, in pixels, of the blur that removes noise.
BLUR = 0.7
# Window of the background, as a fraction of the longer side: wider than a mark, and narrower than
# the desk beside the page.
WINDOW = 0.1
# Fraction of its surroundings' level by which ink is darker, at least.
MIN_DEPTH = 0.15
# Fraction of the bright paper's level, a percentile, below which it is dark.
DARK, BRIGHT = 0.3, 95
# Percentile of the depth of ink that counts as the darkest.
DARKEST = 98


def reduce_picture(grey: GreyImage) -> tuple[GreyImage, float]:
    """Reduce a picture to at most `SEARCH_SIDE` pixels; return it and its pixels per pixel."""
    scale = min(SEARCH_SIDE / max(grey.shape), 1.0)
    height, width = (max(round(scale * side), 1) for side in grey.shape)
    small = Image.fromarray(grey).resize((width, height), Image.Resampling.BOX)
    return np.asarray(small), scale


def find_print(grey: GreyImage, fraction: float) -> Mask:
    """Pixels that are darker than their surroundings, in narrow pieces: ink and print.

    They are darker by at least a `fraction` of what the darkest ones are.

    What is dark and touches the picture's border, such as a desk, is none.
    """
    from scipy import ndimage

    grey = ndimage.gaussian_filter(grey, BLUR)
    size = max(round(WINDOW * max(grey.shape)), 3) | 1
    # Beyond the border everything is black, so that a desk at the border stays what it is.
    closed = ndimage.grey_closing(np.pad(grey, size), (size, size))[size:-size, size:-size]
    # In the dark, such as on a black desk, noise is as deep as ink.
    floor = max(DARK * float(np.percentile(closed, BRIGHT)), 1.0)
    depth = (closed.astype(np.float32) - grey) / np.maximum(closed, floor)
    ink = depth[depth > MIN_DEPTH]
    if not len(ink):
        return np.zeros(grey.shape, dtype=np.bool_)
    threshold = max(fraction * float(np.percentile(ink, DARKEST)), MIN_DEPTH)
    return np.asarray(depth > threshold)
