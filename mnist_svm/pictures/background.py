"""Separate ink from an unevenly lit background.

Light falls off, shadows have edges, and a sheet ends where the desk begins; all of these are wide,
and strokes are narrow. A grey-scale closing removes what is darker than its surroundings and
narrower than its window, which leaves the background under the ink.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import ndimage

from mnist_svm._types import Array, Float32Array, Float64Array, GreyImage, Mask
from mnist_svm.pictures.boxes import border_pixels, component_boxes
from mnist_svm.pictures.filters import close_line, closing, maximum_filter
from mnist_svm.pictures.polarity import (
    MIN_CONTRAST,
    blank_picture_error,
    ink_is_dark,
    is_bilevel,
    midrange,
    nearest_odd,
)

# Standard deviations of the background's noise by which ink must stand out.
MIN_SIGNAL = 6
# Depth of full ink below the background, in grey levels of 255, below which a picture is blank; and
# below MIN_CONTRAST, the fraction of the picture above which it is a shading of the paper.
MIN_DEPTH, MAX_FAINT_AREA = 10, 0.25
# Largest area, in pixels, of a connected component that may be noise.
MAX_NOISE_AREA = 8
# Fraction of a window that must be background for an estimate of its noise; with less, the
# estimate shrinks to 0.
MIN_BACKGROUND = 0.1

# Greatest longer side, in pixels, of the reduced copy in which the stroke width is estimated, and
# least shorter side.
PREVIEW_SIDE, MIN_PREVIEW_SIDE = 800, 20
# Window of the first closing, as a fraction of the longer side.
FIRST_WINDOW = 0.35
# Window of the final closing, in half widths of the thickest stroke: wider shadows are background.
WINDOW_IN_HALF_WIDTHS = 4

# Smallest component that counts for the stroke width, as a fraction of the picture's longer side.
MIN_STROKE_SIZE = 0.02
# Half width, as a fraction of the longer side, above which a component that touches the border is
# a shadow, unless its area exceeds MIN_ELONGATION times the square of its half width.
MAX_HALF_WIDTH, MIN_ELONGATION = 0.06, 20
# Brightness, as a fraction of the background's 90th percentile, below which it is a desk and no
# shadow on the paper.
MIN_SHADOW_BRIGHTNESS = 0.45
# Longest contact of a stroke with the picture's border, as a fraction of the perimeter.
MAX_STROKE_CONTACT = 0.18
# Brightness, as a multiple of the background's median, above which glare bleaches the ink.
GLARE = 1.03

# Bins of the histogram in which a threshold is found.
N_BINS = 1024
# Hysteresis thresholds of strokes, and the threshold of faint marks, as fractions of full ink.
HIGH_THRESHOLD, LOW_THRESHOLD, FAINT_THRESHOLD = 0.55, 0.3, 0.2
# Coverage above which a pixel belongs to a stroke, once all strokes have full ink.
EVEN_THRESHOLD = 0.4
# Window, in stroke widths, in which the fullest ink is that of the stroke itself.
PRESSURE_WINDOW = 1.5


@dataclass(frozen=True)
class Ink:
    """The ink on a picture; all arrays have the picture's shape (height, width).

    Attributes
    ----------
    coverage : float32 ndarray, 0 background to 1 full ink.
    mask : bool ndarray, the pixels of strokes.
    faint_mask : bool ndarray, all pixels above the noise: strokes, and lines too faint for strokes.
    """

    coverage: Float32Array
    mask: Mask
    faint_mask: Mask


def find_ink(grey: GreyImage, is_dark: bool | None = None) -> Ink:
    """Separate the ink of a picture from an uneven background.

    By default, ink is dark or light, whichever is more plausible. Raises PictureError if the
    picture is blank: nothing stands out from the background.
    """
    if is_dark is None:
        is_dark = ink_is_dark(grey)
    image = grey if is_dark else 255 - grey
    factor = min(-(-max(grey.shape) // PREVIEW_SIDE), max(min(grey.shape) // MIN_PREVIEW_SIDE, 1))
    preview = np.asarray(Image.fromarray(image).reduce(factor))
    # No stroke is wider than the picture.
    window = min(FIRST_WINDOW * max(preview.shape), min(preview.shape))
    if _is_evenly_lit(preview):
        level = np.float32(np.median(image[image > midrange(preview)]))
        ink, contrast = _subtract(image, level, factor * window, reflective=is_dark)
    else:
        background = _estimate_background(preview, window)
        ink, contrast = _subtract(preview, background, window, reflective=is_dark)
        narrow = max(WINDOW_IN_HALF_WIDTHS * _max_half_width(ink.mask), 3.0)
        is_narrower = narrow < window / 1.5
        if factor > 1 or is_narrower:
            window = factor * (narrow if is_narrower else window)
            background = _estimate_background(image, window)
            ink, contrast = _subtract(image, background, window, reflective=is_dark)
    if contrast < MIN_SIGNAL:
        raise blank_picture_error()
    return ink


def even_pressure(ink: Ink) -> Ink:
    """Bring strokes of any pressure to full ink, and follow them down to the noise.

    A pencil drawn lightly over half a digit would leave only the other half of it.
    """
    size = nearest_odd(PRESSURE_WINDOW * max(stroke_width(ink.coverage), 1.0))
    seeds = ink.mask | (ink.faint_mask & (ink.coverage > LOW_THRESHOLD))
    strokes = ndimage.binary_propagation(seeds, np.ones((3, 3)), mask=ink.faint_mask)
    coverage = np.where(strokes, ink.coverage, 0)
    full = ndimage.uniform_filter(maximum_filter(coverage, size), size)
    coverage = (coverage / np.maximum(full, FAINT_THRESHOLD)).clip(0, 1)
    return Ink(coverage, coverage > EVEN_THRESHOLD, ink.faint_mask)


def stroke_width(coverage: Float32Array) -> float:
    """Mean width of strokes in pixels: twice their area over the length of their outline."""
    # The gradient magnitude, summed across an edge, is 1 for any softness of the edge.
    by_row, by_column = np.gradient(np.pad(coverage, 1))
    outline = float(np.hypot(by_row, by_column).sum())
    return 2 * float(coverage.sum()) / max(outline, 1e-6)


def _max_half_width(mask: Mask) -> float:
    """Half the width, in pixels, of the thickest stroke, leaving out shadows at the border."""
    distance = ndimage.distance_transform_edt(mask)
    labels, n = ndimage.label(mask, structure=np.ones((3, 3)))
    numbers = np.arange(1, n + 1)
    half_widths = np.zeros(n + 1)
    np.maximum.at(half_widths, labels[mask], distance[mask])
    half_widths = half_widths[1:]
    areas = np.bincount(labels.ravel())[1:]
    sizes = np.array([box.longer_side for box in component_boxes(labels)])
    side = max(mask.shape)
    is_inside = ~np.isin(numbers, border_pixels(labels))
    is_elongated = areas > MIN_ELONGATION * half_widths**2
    is_thin = half_widths <= MAX_HALF_WIDTH * side
    is_stroke = (sizes > MIN_STROKE_SIZE * side) & (is_inside | is_elongated | is_thin)
    return float(half_widths[is_stroke].max() if is_stroke.any() else half_widths.max())


def _subtract(
    image: GreyImage, background: Float32Array | np.float32, window: float, *, reflective: bool
) -> tuple[Ink, float]:
    """Find the ink that is darker than the background, and its contrast to the noise."""
    depth = background - image.astype(np.float32)
    if reflective:
        # A shadow dims paper and ink alike, which reduces the difference between them.
        least = MIN_SHADOW_BRIGHTNESS * float(np.percentile(background, 90))
        depth *= 255 / np.maximum(background, max(least, 1.0))
    size = nearest_odd(window)
    # The closing follows the brightest noise of the paper: subtract the mean of pixels without ink.
    depth -= _local_mean(depth, depth < _isodata_threshold(depth), size, min_weight=1e-3)
    above = depth > _isodata_threshold(depth)
    full = float(np.median(depth[above])) if above.any() else 0.0
    if full < MIN_DEPTH:
        raise blank_picture_error()
    depth /= full
    no_stroke = _far_from_strokes(above)
    # 1.4826 times the median absolute deviation estimates the standard deviation.
    noise = 1.4826 * float(np.median(np.abs(depth[no_stroke]))) if no_stroke.any() else 0.0
    # In a shadow, where the ink was amplified, the noise is stronger than elsewhere; 1.2533 times
    # the mean absolute deviation estimates the standard deviation.
    local_noise = 1.2533 * _local_mean(np.abs(depth), no_stroke, size, min_weight=MIN_BACKGROUND)
    strong = depth > np.maximum(HIGH_THRESHOLD, MIN_SIGNAL * local_noise)
    if not strong.any():
        raise blank_picture_error()
    # Hysteresis thresholding (J. Canny).
    mask = np.asarray(
        ndimage.binary_propagation(strong, np.ones((3, 3)), mask=depth > LOW_THRESHOLD)
    )
    if full < MIN_CONTRAST and mask.mean() > MAX_FAINT_AREA:
        raise blank_picture_error()
    faint_mask = depth > max(FAINT_THRESHOLD, MIN_SIGNAL * noise / 2)
    if (glare := mask & (background > GLARE * np.median(background))).any():
        size = nearest_odd(window / 2)
        local_full = ndimage.uniform_filter(maximum_filter(depth * mask, size), size)
        depth[glare] /= local_full[glare].clip(LOW_THRESHOLD, 1)
    return Ink(depth.clip(0, 1), mask, faint_mask), 1 / max(noise, 1e-6)


def _far_from_strokes(above: Mask) -> Mask:
    """Pixels of background, far enough from strokes to leave out their soft edges."""
    labels, n = ndimage.label(above)
    strokes = np.bincount(labels.ravel(), minlength=n + 1) > MAX_NOISE_AREA
    strokes[0] = False
    near = maximum_filter(strokes[labels], 2 * (max(above.shape) // 50) + 3)
    return np.asarray(~near)


def _local_mean(values: Float32Array, mask: Mask, size: int, *, min_weight: float) -> Float32Array:
    """Mean of the masked values in a window; towards 0 if they fill less than min_weight of it."""
    weight = ndimage.uniform_filter(mask.astype(np.float32), size, mode="nearest")
    total = ndimage.uniform_filter(values * mask, size, mode="nearest")
    return np.asarray(total / np.maximum(weight, min_weight))


def _is_evenly_lit(preview: GreyImage) -> bool:
    """Whether the background has one grey level, without shadow or desk."""
    if not is_bilevel(preview):
        return False
    dark = border_pixels(preview) < midrange(preview)
    contacts = _border_contacts(dark)
    # Strokes touch the border here and there; a desk takes at most two long stretches of it.
    is_cut_off = len(contacts) > 2 or 0 < float(contacts.min()) < MAX_STROKE_CONTACT
    return is_cut_off or not dark.any()


def _border_contacts(dark: Mask) -> Float64Array:
    """Lengths of the dark stretches of the border, as fractions of the perimeter."""
    size = max(len(dark) // 30, 1)
    inside = ndimage.uniform_filter1d(dark.astype(np.float32), size, mode="wrap") > 0.5
    starts = np.flatnonzero(inside & ~np.roll(inside, 1))
    ends = np.flatnonzero(~inside & np.roll(inside, 1))
    if not len(starts):
        return np.array([float(inside.all())])
    next_ends = ends[np.searchsorted(ends, starts) % len(ends)]
    return np.asarray((next_ends - starts) % len(dark) / len(dark))


def _estimate_background(image: GreyImage, window: float) -> Float32Array:
    """Close the image, so that dark marks narrower than the window get the grey around them."""
    values, size = image.astype(np.float32), nearest_odd(window)
    side = max(values.shape)
    if side <= 100:
        return close_strokes(values, size)
    smooth = ndimage.gaussian_filter(values, side / 400, truncate=2)
    # Only the closing of the sharp image follows the edges of shadows.
    return np.minimum(close_strokes(smooth, size), close_strokes(values, size))


def close_strokes(image: Float32Array, size: int) -> Float32Array:
    """Morphological closing by a square (J. Serra).

    The image is padded with its border pixels, without the strokes that are cut off there.
    """
    edged = image.copy()
    for side in (edged[0], edged[-1], edged[:, 0], edged[:, -1]):
        side[:] = close_line(side, size)
    padded = np.pad(edged, size // 2, mode="edge")
    inside = slice(size // 2, -(size // 2)), slice(size // 2, -(size // 2))
    padded[inside] = image
    return closing(padded, size)[inside]


def _isodata_threshold(values: Array) -> float:
    """Highest threshold that is half-way between the mean above it and the mean below it.

    T. W. Ridler, S. Calvard, "Picture thresholding using an iterative selection method", IEEE
    Transactions on Systems, Man, and Cybernetics 8 (1978). Iterates from above, because ink may be
    rare.
    """
    low, high = float(values.min()), float(values.max())
    # As np.histogram, but for rounding where bins meet, and faster.
    places = ((values - low) * (N_BINS / max(high - low, 1e-6))).astype(np.int32)
    counts = np.bincount(np.minimum(places, N_BINS - 1).ravel(), minlength=N_BINS)
    centres = low + (np.arange(N_BINS) + 0.5) * max(high - low, 1e-6) / N_BINS
    above, above_sum = np.cumsum(counts[::-1]), np.cumsum((counts * centres)[::-1])
    below, below_sum = above[-1] - above, above_sum[-1] - above_sum
    levels = centres[::-1]
    half_way = (above_sum / np.maximum(above, 1) + below_sum / np.maximum(below, 1)) / 2
    index = int(np.searchsorted(-levels, -levels[0] / 2))
    for _ in range(100):
        following = int(np.clip(np.searchsorted(-levels, -half_way[index]), 0, len(levels) - 2))
        if following == index:
            break
        index = following
    return float(levels[index])
