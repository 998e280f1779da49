"""Find the largest frame of a page on a photo or scan: four straight lines that meet."""

from __future__ import annotations

import numpy as np

from mnist_svm._types import Float64Array, GreyImage, Mask
from mnist_svm.exceptions import PictureError
from mnist_svm.forms.ink import find_print, reduce_picture
from mnist_svm.forms.projection import MIN_PAGE, Corners, is_page
from mnist_svm.pictures.boxes import label_components

# Pieces of ink that may be the frame, the largest first. Fraction of each side that must be drawn,
# and how far from a straight line it may be, as a fraction of the side.
N_FRAMES, MIN_DRAWN, BEND = 5, 0.85, 0.012
# Depth of the lines, as a fraction of that of the darkest ink.
FAINT = 0.3
# Largest part of its bounding box that is ink; noise has more.
MAX_DENSITY = 0.5
# Parts of a side of which each is drawn or not; fraction of it at each end that is passed over,
# because frames may be rounded.
N_BINS, END = 100, 0.04


def locate_frame(grey: GreyImage) -> Corners:
    """Find the corners of the largest frame: four straight lines that meet.

    Parameters, result and errors as of `locate_marks`; the corners are those of the middle of the
    lines. The frame may be the outline of a table.
    """
    from scipy import ndimage

    small, scale = reduce_picture(grey)
    # Thicker, because glare may interrupt a thin line.
    ink = ndimage.binary_dilation(find_print(small, FAINT), np.ones((3, 3)))
    labels, boxes = label_components(ink)
    least = MIN_PAGE * min(small.shape)
    order = sorted(range(len(boxes)), key=lambda k: -boxes[k].height * boxes[k].width)
    for k in order[:N_FRAMES]:
        box = boxes[k]
        if min(box.height, box.width) < least:
            continue
        mask = labels[box.window] == k + 1
        if mask.mean() > MAX_DENSITY:
            continue
        corners = _frame_corners(mask)
        if corners is not None and is_page(corners, small.shape):
            return (corners + (box.left, box.top) + 0.5) / scale - 0.5
    msg = (
        "no page found: expected a frame of four straight lines round the fields, found none; take "
        "the whole frame, upright and flat"
    )
    raise PictureError(msg)


def _frame_corners(mask: Mask) -> Corners | None:
    """Corners of a piece of ink that has four straight sides, or None."""
    points = np.argwhere(mask)[:, ::-1].astype(np.float64)
    x, y = points.T
    ways = (-x - y, x - y, x + y, y - x)
    corners = np.array([points[way.argmax()] for way in ways])
    for bend in (3 * BEND, 2 * BEND, BEND):
        lines = []
        for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            line = _fit_side(points, start, end, bend)
            if line is None:
                return None
            lines.append(line)
        corners = np.array([_meet(lines[k - 1], lines[k]) for k in range(4)])
    return corners


# A point of a line, and its direction.
Line = tuple[Float64Array, Float64Array]


def _fit_side(
    points: Float64Array, start: Float64Array, end: Float64Array, bend: float
) -> Line | None:
    """The line through the ink near that from start to end; None if too little of it is drawn."""
    length = float(np.linalg.norm(end - start))
    if length < 1:
        return None
    along = (end - start) / length
    across = np.array([-along[1], along[0]])
    offset = points - start
    t, distance = offset @ along / length, offset @ across
    near = (np.abs(distance) <= max(bend * length, 2)) & (np.abs(t - 0.5) <= 0.5 - END)
    drawn = np.unique((t[near] * N_BINS).astype(int))
    if len(drawn) < MIN_DRAWN * (1 - 2 * END) * N_BINS:
        return None
    slope, level = np.polyfit(t[near], distance[near], 1)
    return start + level * across, length * along + slope * across


def _meet(first: Line, second: Line) -> Float64Array:
    """The point in which two lines meet."""
    (a, d), (b, e) = first, second
    s, _ = np.linalg.lstsq(np.column_stack([d, -e]), b - a)[0]
    return np.asarray(a + s * d)
