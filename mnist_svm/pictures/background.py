"""Ink on a ground of any kind: where it is, and how full.

The ground of a photo is uneven: light falls off, shadows have edges, the sheet ends and a desk
begins. Strokes are narrow, and all of those are wide: a grey-scale closing, which fills what is
darker than its surroundings and narrower than its window, gives the ground under the ink.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from mnist_svm.constants import Float32Array, GreyImage, Mask
from mnist_svm.pictures.polarity import (
    MIN_CONTRAST,
    blank_picture_error,
    border_pixels,
    ink_is_dark,
    is_bilevel,
    midrange,
    nearest_odd,
)

# In standard deviations of the ground: what stands out less is its grain.
MIN_SIGNAL = 6

# Pixels: a blob of no more may be a grain of the ground.
GRAIN = 8

# Parts of a window: with less of it away from strokes, its grain is not known.
MIN_AWAY = 0.1

# The pen is looked at in a picture of at most so many pixels a side, if the other side then has
# at least so many.
GLANCE, NARROWEST = 800, 20

# The closing's window at first, in parts of the picture's longer side, and then, in half widths
# of the thickest stroke: shadows wider than that are ground.
WINDOW = 0.35
WINDOW_IN_STROKES = 4

# Parts of the picture's longer side: what is smaller tells nothing of the pen, and what reaches
# the picture's edge and is wider than twice this was not drawn by one, unless it is long: has more
# than so many times the square of its half width in area.
SPECK = 0.02
SHADOW = 0.06
LONG = 20

# A ground darker than this part of the lightest is a desk, not a shadow.
DARKEST = 0.45

# Part of the border: what comes to it along less than this is no desk.
SIDE = 0.18

# Of the middle grey of a ground: where it is so much brighter, light is reflected by it.
GLARE = 1.03

# Parts of full ink: where a stroke surely is, how far it reaches from there, and the least to see.
SURE, REACH, TRACE = 0.55, 0.3, 0.2


@dataclass(frozen=True)
class Ink:
    """What is written on a picture.

    Attributes
    ----------
    coverage : float32 ndarray of shape (height, width), 0 ground to 1 full ink.
    mask : bool ndarray of shape (height, width), where strokes are.
    faint_mask : bool ndarray of shape (height, width), where there is more than grain, such as faint
        lines.
    """

    coverage: Float32Array
    mask: Mask
    faint_mask: Mask


def find_ink(grey: GreyImage) -> Ink:
    """Tell ink from the ground.

    Parameters
    ----------
    grey : uint8 ndarray of shape (height, width), 0 black to 255 white
        Dark ink on a light ground or light on dark, unevenly lit.

    Returns
    -------
    Ink

    Raises
    ------
    PictureError
        If the picture is blank: nothing stands out from the ground.
    """
    dark = ink_is_dark(grey)
    inked = grey if dark else 255 - grey
    factor = min(-(-max(grey.shape) // GLANCE), max(min(grey.shape) // NARROWEST, 1))
    small = inked if factor == 1 else np.asarray(Image.fromarray(inked).reduce(factor))
    # No stroke is wider than the picture.
    window = min(WINDOW * max(small.shape), min(small.shape))
    if _is_even(small):
        level = np.float32(np.median(inked[inked > midrange(small)]))
        ink, contrast = _above_ground(inked, level, factor * window, reflecting=dark)
    else:
        ink, contrast = _above_ground(small, _ground(small, window), window, reflecting=dark)
        narrow = max(WINDOW_IN_STROKES * _half_width(ink.mask), 3.0)
        if factor > 1 or narrow < window / 1.5:
            window = factor * (narrow if narrow < window / 1.5 else window)
            ink, contrast = _above_ground(inked, _ground(inked, window), window, reflecting=dark)
    if contrast < MIN_SIGNAL:
        raise blank_picture_error()
    return ink


def stroke_width(cover: Float32Array) -> float:
    """Mean width of strokes: twice their area by the length of their outline, in pixels.

    Parameters
    ----------
    cover : float32 ndarray of shape (height, width), 0 to 1
        Its gradient, summed over an edge of any softness, is the length of that edge.
    """
    by_row, by_column = np.gradient(np.pad(cover, 1))
    outline = float(np.hypot(by_row, by_column).sum())
    return 2 * float(cover.sum()) / max(outline, 1e-6)


def _half_width(mask: Mask) -> float:
    """Half the width of the thickest stroke; not of shadows, which are wide and reach the edge."""
    distance = ndimage.distance_transform_edt(mask)
    labels, n = ndimage.label(mask, structure=np.ones((3, 3)))
    widest = np.zeros(n + 1)
    np.maximum.at(widest, labels[mask], distance[mask])
    widest = widest[1:]
    touching = np.zeros(n + 1, dtype=bool)
    for side in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        touching[side] = True
    sizes = [
        max(rows.stop - rows.start, columns.stop - columns.start)
        for rows, columns in ndimage.find_objects(labels)
    ]
    strokes = np.array(sizes) > SPECK * max(mask.shape)
    long = np.bincount(labels.ravel())[1:] > LONG * widest**2
    strokes &= ~touching[1:] | long | (widest <= SHADOW * max(mask.shape))
    return float(widest[strokes].max() if strokes.any() else widest.max())


def _above_ground(
    inked: GreyImage, ground: Float32Array | np.float32, window: float, *, reflecting: bool
) -> tuple[Ink, float]:
    """Ink that is darker than the ground, and its contrast to the grain."""
    depth = ground - inked.astype(np.float32)
    if reflecting:
        # Paper and ink reflect a part of the light: in a shadow both are dimmed.
        depth *= 255 / np.maximum(ground, max(DARKEST * float(np.percentile(ground, 90)), 1.0))
    size = nearest_odd(window)
    # The closing follows the lightest grains of the paper; what is left of it there is no ink.
    depth -= _mean_around(depth, depth < _threshold(depth), size, least=1e-3)
    above = depth > _threshold(depth)
    full = float(np.median(depth[above])) if above.any() else 0.0
    if full < MIN_CONTRAST:
        raise blank_picture_error()
    depth /= full
    away = _away(above)
    noise = 1.4826 * float(np.median(np.abs(depth[away]))) if away.any() else 0.0
    # In a shadow, where ink is dimmed, the grain is coarser than elsewhere.
    sure = depth > np.maximum(SURE, MIN_SIGNAL * _deviation(depth, away, size))
    if not sure.any():
        raise blank_picture_error()
    mask, faint_mask = _strokes(depth, sure), depth > max(TRACE, MIN_SIGNAL * noise / 2)
    if (glare := mask & (ground > GLARE * np.median(ground))).any():
        depth[glare] /= _fullest(depth * mask, nearest_odd(window / 2))[glare]
    return Ink(depth.clip(0, 1), mask, faint_mask), 1 / max(noise, 1e-6)


def _fullest(depth: Float32Array, size: int) -> Float32Array:
    """How full the ink around is: glare bleaches it."""
    most = ndimage.uniform_filter(ndimage.maximum_filter(depth, size), size)
    return np.asarray(most.clip(REACH, 1))


def _away(above: Mask) -> Mask:
    """Where the grain of the ground is seen: away from strokes, whose soft edges are not grain."""
    labels, n = ndimage.label(above)
    strokes = np.bincount(labels.ravel(), minlength=n + 1) > GRAIN
    strokes[0] = False
    near = ndimage.maximum_filter(strokes[labels], 2 * (max(above.shape) // 50) + 3)
    return np.asarray(~near)


def _deviation(depth: Float32Array, away: Mask, size: int) -> Float32Array:
    """Standard deviation of the ground around each pixel, by the mean distance from 0.

    It is 0 where strokes leave no ground; a few specks do not matter.
    """
    return 1.2533 * _mean_around(np.abs(depth), away, size, least=MIN_AWAY)


def _mean_around(values: Float32Array, where: Mask, size: int, *, least: float) -> Float32Array:
    """Mean of what a mask takes of the window around each pixel; nearer 0 if that is too little."""
    weight = ndimage.uniform_filter(where.astype(np.float32), size, mode="nearest")
    total = ndimage.uniform_filter(values * where, size, mode="nearest")
    return np.asarray(total / np.maximum(weight, least))


def _is_even(small: GreyImage) -> bool:
    """Whether the ground is of one grey, without shadow or desk."""
    dark = border_pixels(small) < midrange(small)
    return is_bilevel(small) and (not dark.any() or _are_strokes(_contacts(dark)))


def _ground(inked: GreyImage, window: float) -> Float32Array:
    """What is narrower than a window and darker than its surroundings, brightened to theirs."""
    image, size = inked.astype(np.float32), nearest_odd(window)
    side = max(image.shape)
    if side <= 100:
        return _closing(image, size)
    smooth = ndimage.gaussian_filter(image, side / 400, truncate=2)
    # Where the ground has an edge, only the sharp picture's closing follows it.
    return np.minimum(_closing(smooth, size), _closing(image, size))


def _closing(image: Float32Array, size: int) -> Float32Array:
    """J. Serra's closing by a square.

    Beyond the picture's edge the darkness goes on; strokes that are cut off there do not.
    """
    edged = image.copy()
    for side in (edged[0], edged[-1], edged[:, 0], edged[:, -1]):
        side[:] = ndimage.grey_closing(side, size, mode="nearest")
    beyond = np.pad(edged, size // 2, mode="edge")
    within = slice(size // 2, -(size // 2)), slice(size // 2, -(size // 2))
    beyond[within] = image
    return np.asarray(ndimage.grey_closing(beyond, size=(size, size), mode="nearest")[within])


def _strokes(depth: Float32Array, sure: Mask) -> Mask:
    """Where strokes are: all that is connected to what surely is ink (J. Canny's hysteresis)."""
    labels, n = ndimage.label(depth > REACH, structure=np.ones((3, 3)))
    strokes = np.zeros(n + 1, dtype=bool)
    strokes[np.unique(labels[sure])] = True
    strokes[0] = False
    return np.asarray(strokes[labels])


def _threshold(depth: Float32Array) -> float:
    """Half-way between the mean of what is above it and that of what is below.

    T. W. Ridler, S. Calvard, "Picture thresholding using an iterative selection method", IEEE
    Transactions on Systems, Man, and Cybernetics 8 (1978); from above, as ink may be rare.
    """
    counts, edges = np.histogram(depth, bins=1024)
    values = (edges[:-1] + edges[1:]) / 2
    above, above_sum = np.cumsum(counts[::-1]), np.cumsum((counts * values)[::-1])
    below, below_sum = above[-1] - above, above_sum[-1] - above_sum
    levels = values[::-1]
    means = above_sum / np.maximum(above, 1), below_sum / np.maximum(below, 1)
    half_way = (means[0] + means[1]) / 2
    # The highest level that is its own half-way mark.
    start = int(np.searchsorted(-levels, -levels[0] / 2))
    at = start
    for _ in range(100):
        new = int(np.clip(np.searchsorted(-levels, -half_way[at]), 0, len(levels) - 2))
        if new == at:
            break
        at = new
    return float(levels[at])


def _contacts(ring: Mask) -> npt.NDArray[np.float64]:
    """How long what comes to the border does so, each time, in parts of the border."""
    size = max(len(ring) // 30, 1)
    at = ndimage.uniform_filter1d(ring.astype(np.float32), size, mode="wrap") > 0.5
    starts = np.flatnonzero(at & ~np.roll(at, 1))
    ends = np.flatnonzero(~at & np.roll(at, 1))
    if not len(starts):
        return np.array([float(at.all())])
    following = ends[np.searchsorted(ends, starts) % len(ends)]
    return np.asarray((following - starts) % len(ring) / len(ring))


def _are_strokes(contacts: npt.NDArray[np.float64]) -> bool:
    """Whether strokes come to the border, and not a desk or a shadow.

    Strokes do so here and there; a desk takes whole sides, two at most with the sheet in between.
    """
    return len(contacts) > 2 or 0 < float(contacts.min()) < SIDE
