"""Render the strokes of MNIST digits at any size, as written or with another pen."""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.spatial import cKDTree

# Ink coverage: uint8 of shape (height, width), 0 paper to 255 full ink.
Coverage = npt.NDArray[np.uint8]
Digit = npt.NDArray[np.uint8]
Field = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

# Pixels for each pixel of MNIST, where outlines are smoothed and where centre lines are found.
FINE = 8
LINE = 4

# Scale up to which a digit keeps MNIST's grey levels.
COARSE = 1.5

# Threshold of smoothed ink: a little less than half, so that thin strokes do not break.
OUTLINE = 0.42

# Length, in pixels of the centre line, below which a branch is an artefact of thinning.
SPUR = 7

# Coverage above which a pixel counts for a digit's bounding box.
INK_THRESHOLD = 76

# Diameter in pixels with which a round pen is drawn, so that its edge is soft when reduced.
PEN = 8


def draw_strokes(digit: Digit, height: float, *, turn: float = 0.0) -> Coverage:
    """Crop and scale a digit so that 20 pixels of MNIST become ``height`` pixels.

    Parameters
    ----------
    digit : uint8 ndarray of shape (28, 28), ink bright on a dark background
    height : pixels
    turn : rotation in degrees, counter-clockwise

    Returns
    -------
    uint8 ndarray, with a margin of one of MNIST's pixels
    """
    scale = height / 20
    if scale <= COARSE:
        image = Image.fromarray(crop_digit(digit)).rotate(
            turn, Image.Resampling.BICUBIC, expand=True
        )
        return np.asarray(_resize(image, scale, Image.Resampling.LANCZOS))
    image = Image.fromarray(_upsample(digit)).rotate(turn, Image.Resampling.BICUBIC, expand=True)
    if scale > FINE:
        image = _resize(image, scale / FINE, Image.Resampling.BICUBIC)
    # Full ink inside, and an edge one or two pixels wide, as a pen draws.
    slope = 0.8 * max(scale, FINE)
    ink = ((np.asarray(image) - np.float32(OUTLINE)) * slope + 0.5).clip(0, 1)
    image = Image.fromarray((255 * ink).astype(np.uint8))
    if scale < FINE:
        image = _resize(image, scale / FINE, Image.Resampling.LANCZOS)
    return np.asarray(image)


def redraw_with_pen(digit: Digit, height: float, width: float) -> Coverage:
    """Draw a digit along its centre line with a round pen.

    Parameters
    ----------
    digit : uint8 ndarray of shape (28, 28), ink bright on a dark background
    height : pixels for 20 pixels of MNIST
    width : width of the pen in pixels

    Returns
    -------
    uint8 ndarray
    """
    line = centre_line(digit)
    # Large enough for a soft edge, small enough to be fast with a thick pen.
    zoom = height / (20 * LINE) * np.clip(PEN / width, 2, 4)
    pen = width * zoom * 20 * LINE / height
    places = (line.points - line.points.min(axis=0)) * zoom + pen
    size = tuple(int(side + pen) + 2 for side in places.max(axis=0)[::-1])
    image = Image.new("L", size)
    draw = ImageDraw.Draw(image)
    for one, other in places[line.edges][..., ::-1]:
        draw.line([*one, *other], fill=255, width=max(round(pen), 1))
    for y, x in places:
        draw.ellipse([x - pen / 2, y - pen / 2, x + pen / 2, y + pen / 2], fill=255)
    return np.asarray(_resize(image, width / pen, Image.Resampling.BICUBIC))


def loop_radius(digit: Digit) -> float:
    """Radius, in pixels of MNIST, of the largest disc in the smallest loop of the centre line.

    Infinite without loops. Loops up to a radius of one pixel do not count: they were closed when
    they were written.
    """
    bare = np.pad(~thin(_outline(digit)), 1, constant_values=True)
    regions, n = ndimage.label(bare)
    radii = ndimage.maximum(ndimage.distance_transform_edt(bare), regions, range(1, n + 1)) / LINE
    # The first region surrounds the digit.
    return min((radius for radius in radii[1:] if radius > 1), default=np.inf)


def crop_to_ink(cover: Coverage) -> Coverage:
    """Crop the margins."""
    rows, columns = (np.flatnonzero((cover > INK_THRESHOLD).any(axis=axis)) for axis in (1, 0))
    return cover[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def crop_digit(digit: Digit) -> Digit:
    """Crop an image to the digit with a margin of one pixel."""
    rows, columns = (np.flatnonzero((digit > 32).any(axis=axis)) for axis in (1, 0))
    return np.pad(digit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], 1)


def _upsample(digit: Digit) -> Field:
    """Ink from 0 to 1, enlarged `FINE` times and smoothed."""
    image = _resize(Image.fromarray(crop_digit(digit)), FINE, Image.Resampling.BICUBIC)
    return ndimage.gaussian_filter(np.asarray(image, dtype=np.float32) / 255, 0.35 * FINE)


def _resize(image: Image.Image, scale: float, how: Image.Resampling) -> Image.Image:
    return image.resize([max(round(side * scale), 1) for side in image.size], how)


# --- centre lines ------------------------------------------------------------------------


class Line(NamedTuple):
    """A centre line: points in units of 1 / `LINE` pixel of MNIST, and pairs of neighbours.

    ``points`` is float64 of shape (n, 2), rows and columns; ``edges`` int of shape (m, 2).
    """

    points: npt.NDArray[np.float64]
    edges: npt.NDArray[np.intp]


def centre_line(digit: Digit) -> Line:
    """Centre line of the pen: thinned strokes without spurs, smoothed."""
    points = np.argwhere(thin(_outline(digit)))
    kept = _prune_spurs(points, _edges(points))
    points = points[kept].astype(float)
    edges = _edges(points)
    return Line(_smooth(points, edges), edges)


def _outline(digit: Digit) -> Mask:
    return _upsample(digit)[:: FINE // LINE, :: FINE // LINE] > OUTLINE


def _edges(points: npt.NDArray[np.generic]) -> npt.NDArray[np.intp]:
    return cKDTree(points).query_pairs(1.5, output_type="ndarray")


def _prune_spurs(points: npt.NDArray[np.generic], edges: npt.NDArray[np.intp]) -> Mask:
    """Mask of the points outside of branches shorter than `SPUR`."""
    neighbours: list[list[int]] = [[] for _ in points]
    for one, other in edges.tolist():
        neighbours[one].append(other)
        neighbours[other].append(one)
    kept = np.ones(len(points), dtype=bool)
    for end in (k for k, near in enumerate(neighbours) if len(near) == 1):
        branch, ahead = [end], neighbours[end]
        while len(ahead) == 1 and len(branch) < SPUR:
            branch.append(ahead[0])
            ahead = [k for k in neighbours[ahead[0]] if k not in branch]
        if len(ahead) > 1:
            # The point where the branch begins belongs to the line.
            kept[branch[:-1]] = False
    return kept


def _smooth(
    points: npt.NDArray[np.float64], edges: npt.NDArray[np.intp]
) -> npt.NDArray[np.float64]:
    """Move points half-way to the mean of their neighbours, repeatedly; keep the ends."""
    one, other = np.concatenate([edges, edges[:, ::-1]]).T
    near = coo_array((np.ones(len(one)), (one, other)), shape=(len(points),) * 2).tocsr()
    count = near.sum(axis=1)
    free = count > 1
    for _ in range(8):
        points = points.copy()
        points[free] = (points[free] + (near @ points)[free] / count[free, None]) / 2
    return points


# Bits of the eight neighbours of a pixel, clockwise from the one above.
_RING = np.array([[128, 1, 2], [64, 0, 4], [32, 16, 8]], dtype=np.uint8)


@functools.cache
def _deletable() -> tuple[Mask, Mask]:
    """Whether a pixel is deleted in the first and second subiteration, by its neighbours' bits."""
    # As in the paper, with neighbours counted from 0.
    p = (np.arange(256)[None] >> np.arange(8)[:, None] & 1).astype(bool)
    after = np.roll(p, -1, axis=0)
    turns = sum((~p[k] & (after[k] | p[(k + 2) % 8])).astype(int) for k in (0, 2, 4, 6))
    pairs = (p | after).astype(int)
    count = np.minimum(pairs[0::2].sum(axis=0), pairs[1::2].sum(axis=0))
    deleted = (turns == 1) & (count >= 2) & (count <= 3)
    return deleted & ~((p[0] | p[1] | ~p[3]) & p[2]), deleted & ~((p[4] | p[5] | ~p[7]) & p[6])


def thin(mask: Mask) -> Mask:
    """Thin strokes to lines one pixel wide.

    Z. Guo, R. W. Hall, "Parallel thinning with two-subiteration algorithms", Communications of
    the ACM 32 (1989), algorithm A1.
    """
    line = mask.astype(np.uint8)
    changed = True
    while changed:
        changed = False
        for deletable in _deletable():
            around = ndimage.correlate(line, _RING, mode="constant")
            deleted = deletable[around] & line.astype(bool)
            changed |= bool(deleted.any())
            line[deleted] = 0
    return line.astype(bool)
