"""Colours -> greys in which coloured ink stays visible.

Luminance is what ink is written with, nearly always. But yellow on white differs in blue alone,
which luminance weighs with a ninth, and red on a green that is as bright does not differ at all.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

# The weights of ITU-R BT.601, which Pillow takes for greys.
LUMINANCE = np.array([0.299, 0.587, 0.114], dtype=np.float32)

# Colours take the place of luminance where their contrast is this much higher. Dark ink has so
# much contrast in luminance that no ruling, stamp or highlighter beside it comes to that.
FACTOR = 1.5

# Colours that differ less than this, of 255, are noise.
MIN_CONTRAST = 20

# The longer side of the copy that the colours are judged on.
SAMPLE = 384

# Colours are compared with those around them, in a square of this part of the longer side:
# wider than a stroke, narrower than a shadow.
AROUND = 0.25

# The part of the picture that stands out most, which shows the colours of the ink.
INK = 0.01

# The parts that tell how much it stands out: along the axis, and in luminance, where less will do,
# so that a little digit in black is not outshone by a large highlighter.
PEAK, LUMINANCE_PEAK = 0.002, 0.0005

Weights = npt.NDArray[np.float32]


def to_grey(image: Image.Image) -> npt.NDArray[np.uint8]:
    """Greys of a picture: luminance, or what shows the ink better by far.

    Parameters
    ----------
    image : Image of mode RGB

    Returns
    -------
    uint8 ndarray of shape (height, width), 0-255
        Pillow's luminance to the bit, unless `ink_axis` gives other weights.
    """
    axis = ink_axis(image)
    if axis is None:
        return np.asarray(image.convert("L"))
    # What is darkest comes to 0 and what is brightest to 255 where weights are negative, too.
    offset = -255 * float(axis[axis < 0].sum())
    return np.asarray(image.convert("L", matrix=(*map(float, axis), offset)))


def ink_axis(image: Image.Image) -> Weights | None:
    """The direction in which a picture's colours differ most from those around them.

    The principal axis (K. Pearson, "On lines and planes of closest fit to systems of points in
    space", Philosophical Magazine 2 (1901)) of the colours less the mean of their surroundings,
    so that light that comes from one side does not count, on a copy that is small, so that
    the noise of a camera or of JPEG does not either. Brighter remains brighter, as far as
    luminance tells.

    Parameters
    ----------
    image : Image of mode RGB

    Returns
    -------
    float32 ndarray of shape (3,), weights of red, green and blue whose magnitudes add up to 1
        None if luminance has at least two thirds of the contrast along this axis.
    """
    small = image.reduce(-(-max(image.size) // SAMPLE))
    colours = np.asarray(small, dtype=np.float32)
    if np.ptp(colours, axis=2).max() < MIN_CONTRAST:
        return None
    window = max(3, round(AROUND * max(small.size)))
    local = colours - ndimage.uniform_filter(colours, (window, window, 1), mode="nearest")
    local = local.reshape(-1, 3)
    strength = np.square(local).sum(axis=1)
    ink = local[strength >= np.quantile(strength, 1 - INK)]
    axis = np.linalg.eigh(ink.T @ ink)[1][:, -1]
    axis /= np.abs(axis).sum()
    along, luminance = local @ axis, local @ LUMINANCE
    contrast = np.quantile(np.abs(along), 1 - PEAK)
    of_luminance = np.quantile(np.abs(luminance), 1 - LUMINANCE_PEAK)
    if contrast < max(MIN_CONTRAST, FACTOR * of_luminance):
        return None
    return np.asarray(axis if along @ luminance >= 0 else -axis, dtype=np.float32)
