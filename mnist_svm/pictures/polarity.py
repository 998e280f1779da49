"""Polarity of a picture: dark ink on a light background, or light ink on a dark one."""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy import ndimage

from mnist_svm._types import Array, Float32Array, GreyImage
from mnist_svm.exceptions import PictureError
from mnist_svm.pictures.boxes import border_pixels
from mnist_svm.pictures.filters import maximum_filter

# Range of grey levels, of 255, below which a picture is blank.
MIN_CONTRAST = 20

# Least longer side, in pixels, of the reduced copy that is examined: finer detail is noise.
EXAMINED_SIDE = 300
# Window of the local mean, as a fraction of the longer side: wider than any stroke.
LOCAL_WINDOW = 0.35
# Depths of the rings of pixels inside the border, as fractions of the sides: the outer rings may
# lie on a frame, the inner ones inside it.
RING_DEPTHS = (0.0, 0.08, 0.16, 0.24)

# Sides of a picture that both grey levels reach if it is cropped to a digit: of a 7, the bar may
# fill a side.
MIN_SIDES_REACHED = 3

# Widest frame, as a fraction of the shorter side: a wider one would cover most of the picture.
MAX_FRAME_WIDTH = 0.17
# Fraction of the ring inside a frame that is background: strokes rarely touch the frame. Less is
# enough if most of the border is a line itself, because the sides of boxes cross the ring.
MIN_RING_BACKGROUND, MIN_RING_IN_BOXES, MAX_BORDER_OF_BOXES = 0.97, 0.88, 0.3

# In a bilevel picture: width of each grey level as a fraction of the grey range (noise), width of
# the edges between both as a fraction of the longer side (blur), fraction of other pixels (dirt).
BILEVEL_SPREAD, BILEVEL_EDGE, BILEVEL_OUTLIERS = 0.15, 0.05, 0.05

# Widest edge that a scanner leaves, as a fraction of the side.
MAX_SCAN_EDGE = 0.04
# Fraction of dark pixels in a row: the change that ends a scanner's edge, the highest of a bright
# edge and the lowest of a dark one.
SCAN_EDGE_CHANGE, MAX_OF_BRIGHT, MIN_OF_DARK = 0.05, 0.05, 0.95


class BlankPictureError(PictureError):
    """A picture without any ink."""


def ink_is_dark(grey: GreyImage) -> bool:
    """Whether ink is darker than the background, most plausibly; see `plausible_polarities`."""
    return plausible_polarities(grey)[0]


def plausible_polarities(grey: GreyImage) -> tuple[bool, ...]:
    """Whether ink is darker than the background: the most plausible answer, and the other in doubt.

    Three cues that rarely fail together are added up. Ink is narrow: grey levels minus their local
    mean are skewed to the side of the ink. Ink is rare: the median is that of the background. Ink
    is inside: so are the medians of the border and, in case of a frame, of rings inside it. In a
    picture cropped to a digit, all of them may be wrong: the ink fills most of it, or lies along
    the border. There, both levels reach nearly all sides. Raises PictureError if the picture is
    blank: its grey levels span less than `MIN_CONTRAST`.
    """
    factor = max(max(grey.shape) // EXAMINED_SIDE, 1)
    small = np.asarray(Image.fromarray(grey).reduce(factor), dtype=np.float32)
    small = _crop_scan_edges(small)
    grey_range = float(np.ptp(small))
    if grey_range < MIN_CONTRAST:
        raise blank_picture_error()
    is_dark = _most_plausible(small, grey_range)
    dark = small < midrange(small)
    sides = dark[0], dark[-1], dark[:, 0], dark[:, -1]
    n_reached = min(sum(map(np.any, sides)), sum(not side.all() for side in sides))
    return (is_dark, not is_dark) if n_reached >= MIN_SIDES_REACHED else (is_dark,)


def _most_plausible(small: Float32Array, grey_range: float) -> bool:
    window = nearest_odd(LOCAL_WINDOW * max(small.shape))
    difference = small - ndimage.uniform_filter(small, window, mode="reflect")
    cubes = difference * difference * difference
    skewness = float(np.mean(cubes)) / max(float(difference.std()), 1e-6) ** 3
    middle = midrange(small)
    ring_medians = []
    for depth in RING_DEPTHS:
        i, j = (int(depth * side) for side in small.shape)
        inner = small[i : small.shape[0] - i, j : small.shape[1] - j]
        ring_medians.append(np.median(border_pixels(inner) - middle))
    outer = float(ring_medians[0])
    overall = float(np.median(small)) - middle
    if outer * overall < 0 and is_bilevel(small) and not _is_framed(small, outer > 0):
        # The ink of a tightly cropped bold digit covers more than the background does.
        return outer > 0
    return (float(np.mean(ring_medians)) + overall) / grey_range - skewness > 0


def is_bilevel(grey: Array) -> bool:
    """Whether background and ink have one grey level each, with others only between both."""
    low, high = float(grey.min()), float(grey.max())
    spread = BILEVEL_SPREAD * (high - low)
    dark, bright = grey <= low + spread, grey >= high - spread
    size = 2 * round(BILEVEL_EDGE * max(grey.shape)) + 3
    edges = maximum_filter(dark, size) & maximum_filter(bright, size)
    return float((dark | bright | edges).mean()) > 1 - BILEVEL_OUTLIERS


def _is_framed(grey: Float32Array, bright: bool) -> bool:
    """Whether a bright (or dark) border is a frame: some ring inside it is of the other level."""
    other = (grey < midrange(grey)) == bright
    widths = range(int(MAX_FRAME_WIDTH * min(grey.shape)) + 1)
    rings = (border_pixels(other[k : len(other) - k, k : other.shape[1] - k]) for k in widths)
    shares = [float(ring.mean()) for ring in rings]
    is_line = shares[0] < MAX_BORDER_OF_BOXES
    return max(shares) > (MIN_RING_IN_BOXES if is_line else MIN_RING_BACKGROUND)


def _crop_scan_edges(grey: Float32Array) -> Float32Array:
    """Remove the narrow dark or bright edges that a scanner leaves at the sides."""
    middle = midrange(grey)
    for _ in range(4):
        grey = np.rot90(grey)
        depth = int(MAX_SCAN_EDGE * len(grey)) + 1
        dark = (grey[: depth + 1] < middle).mean(axis=1)
        changed = np.abs(dark - dark[0]) > SCAN_EDGE_CHANGE
        end = int(changed.argmax())
        is_uniform = dark[0] > MIN_OF_DARK or dark[0] < MAX_OF_BRIGHT
        is_edge = is_uniform and len(grey) > 2 * len(dark) and changed.any()
        if is_edge and (dark[end] > 0.5) != (dark[0] > 0.5):
            grey = grey[end + 1 :]
    return grey


def midrange(image: Array) -> float:
    """Mean of the lowest and the highest value."""
    return (float(image.min()) + float(image.max())) / 2


def nearest_odd(length: float) -> int:
    """Nearest odd integer: the size of a window with a centre pixel."""
    return 2 * round(length / 2) + 1


def blank_picture_error() -> PictureError:
    """Error for a picture without any ink."""
    return BlankPictureError("blank picture: no digit stands out from the background")
