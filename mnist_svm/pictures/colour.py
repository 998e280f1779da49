"""Convert colours to grey levels in which coloured ink stays visible.

Nearly all ink differs from paper in luminance. But yellow on white differs in blue alone, which has
a ninth of the weight of luminance, and red on an equally bright green does not differ at all.
"""

from __future__ import annotations

from functools import reduce

import numpy as np
from PIL import Image

from mnist_svm._types import Float32Array, GreyImage

# Weights of red, green and blue in ITU-R BT.601, which Pillow uses for luminance.
LUMINANCE = np.array([0.299, 0.587, 0.114], dtype=np.float32)

# Ratio of contrasts from which other weights replace luminance. Dark ink has so much contrast in
# luminance that no ruling, stamp or highlighter on the same page reaches this ratio.
MIN_CONTRAST_RATIO = 1.5
# Difference of colours, of 255, below which it is noise.
MIN_CONTRAST = 20
# Greatest longer side, in pixels, of the reduced copy in which colours are compared.
COMPARED_SIDE = 384
# Window of the local mean colour, as a fraction of the longer side: wider than a stroke, narrower
# than a shadow.
LOCAL_WINDOW = 0.25
# Fraction of pixels, those with the strongest local contrast, that are taken for ink.
INK_FRACTION = 0.01
# Fractions of pixels that exceed the contrast along the axis and the contrast in luminance. The
# latter is smaller, so that a large highlighter does not outweigh a small black digit.
AXIS_PEAK, LUMINANCE_PEAK = 0.002, 0.0005


def to_grey(image: Image.Image) -> GreyImage:
    """Convert a picture of mode L or RGB to grey levels: uint8 of shape (height, width), 0-255.

    They are exactly Pillow's luminance, unless other weights show the ink much better.
    """
    axis = _ink_axis(image) if image.mode == "RGB" else None
    if axis is None:
        return np.asarray(image if image.mode == "L" else image.convert("L"))
    # The offset brings the range to 0-255 even with negative weights.
    offset = -255 * float(axis[axis < 0].sum())
    return np.asarray(image.convert("L", matrix=(*map(float, axis), offset)))


def _ink_axis(image: Image.Image) -> Float32Array | None:
    """Weights of red, green and blue along which colours differ most from those around them.

    This is the principal axis (K. Pearson, "On lines and planes of closest fit to systems of points
    in space", Philosophical Magazine 2 (1901)) of the colours minus their local mean, which removes
    uneven light, in a reduced copy, which removes noise of cameras and JPEG. Its sign keeps
    brighter colours brighter; magnitudes add up to 1. None if luminance has at least two thirds of
    the contrast along this axis.
    """
    small = image.reduce(-(-max(image.size) // COMPARED_SIDE))
    colours = np.asarray(small, dtype=np.float32)
    # An axis of three values is reduced slowly.
    channels = [colours[:, :, k] for k in range(3)]
    if (reduce(np.maximum, channels) - reduce(np.minimum, channels)).max() < MIN_CONTRAST:
        return None
    # Grey pictures do without the import.
    from scipy import ndimage

    window = max(3, round(LOCAL_WINDOW * max(small.size)))
    local = colours - ndimage.uniform_filter(colours, (window, window, 1), mode="nearest")
    local = local.reshape(-1, 3)
    strength = np.einsum("ij,ij->i", local, local)
    ink = local[strength >= np.quantile(strength, 1 - INK_FRACTION)]
    axis = np.linalg.eigh(ink.T @ ink)[1][:, -1]
    axis /= np.abs(axis).sum()
    along_axis, luminance = local @ axis, local @ LUMINANCE
    contrast = np.quantile(np.abs(along_axis), 1 - AXIS_PEAK)
    luminance_contrast = np.quantile(np.abs(luminance), 1 - LUMINANCE_PEAK)
    if contrast < max(MIN_CONTRAST, MIN_CONTRAST_RATIO * luminance_contrast):
        return None
    return np.asarray(axis if along_axis @ luminance >= 0 else -axis, dtype=np.float32)
