"""The strokes of MNIST digits at any size, as they were written or with another pen."""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.spatial import cKDTree

# How full of ink each pixel is: uint8 of shape (height, width), 0 bare to 255 covered.
Cover = npt.NDArray[np.uint8]
Digit = npt.NDArray[np.uint8]
Field = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

# Pixels to one of MNIST's where outlines are smoothed, and where middle lines are sought.
FINE = 8
LINE = 4

# Enlarged less than so many times, a digit keeps the greys of MNIST's pixels.
COARSE = 1.5

# Smoothed ink above this is a stroke: a little less than half keeps thin pens from breaking.
OUTLINE = 0.42

# In pixels of the middle line: branches that are shorter are no strokes, but thinning's.
SPUR = 7

# Pixels with more ink than this count for a digit's box.
INKED = 76

# A round pen is drawn with so many pixels across, so that its edge is soft when reduced.
PEN = 8


def strokes(digit: Digit, height: float, *, turn: float = 0.0) -> Cover:
    """The digit's box, enlarged or shrunk so that 20 of MNIST's pixels take ``height``.

    Parameters
    ----------
    digit : uint8 ndarray of shape (28, 28), ink bright on a dark ground
    height : pixels
    turn : degrees, counter-clockwise

    Returns
    -------
    uint8 ndarray, with a margin of one of MNIST's pixels
    """
    scale = height / 20
    if scale <= COARSE:
        image = Image.fromarray(boxed(digit)).rotate(turn, Image.Resampling.BICUBIC, expand=True)
        return np.asarray(_resized(image, scale, Image.Resampling.LANCZOS))
    image = Image.fromarray(_smoothed(digit)).rotate(turn, Image.Resampling.BICUBIC, expand=True)
    if scale > FINE:
        image = _resized(image, scale / FINE, Image.Resampling.BICUBIC)
    # As a pen draws: full ink inside, and an edge of a pixel or two.
    slope = 0.8 * max(scale, FINE)
    ink = ((np.asarray(image) - np.float32(OUTLINE)) * slope + 0.5).clip(0, 1)
    image = Image.fromarray((255 * ink).astype(np.uint8))
    if scale < FINE:
        image = _resized(image, scale / FINE, Image.Resampling.LANCZOS)
    return np.asarray(image)


def with_pen(digit: Digit, height: float, width: float) -> Cover:
    """The digit written again along its middle line with a round pen.

    Parameters
    ----------
    digit : uint8 ndarray of shape (28, 28), ink bright on a dark ground
    height : pixels that 20 of MNIST's take
    width : pixels, of the pen

    Returns
    -------
    uint8 ndarray
    """
    line = middle_line(digit)
    # Large enough for a soft edge, not so large that a thick pen takes long.
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
    return np.asarray(_resized(image, width / pen, Image.Resampling.BICUBIC))


def loop_radius(digit: Digit) -> float:
    """Of the largest disc that fits into the smallest loop, within the middle of the pen's way.

    In pixels of MNIST's; infinite without loops. Curls of a pixel's radius are none: they were
    closed when they were written.
    """
    bare = np.pad(~thinned(_outline(digit)), 1, constant_values=True)
    regions, n = ndimage.label(bare)
    radii = ndimage.maximum(ndimage.distance_transform_edt(bare), regions, range(1, n + 1)) / LINE
    # The first region is what is around.
    return min((radius for radius in radii[1:] if radius > 1), default=np.inf)


def inked(cover: Cover) -> Cover:
    """What is left when margins are cut off."""
    rows, columns = (np.flatnonzero((cover > INKED).any(axis=axis)) for axis in (1, 0))
    return cover[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def boxed(digit: Digit) -> Digit:
    """The part of the image that the digit takes, with a margin of one pixel."""
    rows, columns = (np.flatnonzero((digit > 32).any(axis=axis)) for axis in (1, 0))
    return np.pad(digit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], 1)


def _smoothed(digit: Digit) -> Field:
    """The digit's ink from 0 to 1, `FINE` times as large, without MNIST's pixels."""
    image = _resized(Image.fromarray(boxed(digit)), FINE, Image.Resampling.BICUBIC)
    return ndimage.gaussian_filter(np.asarray(image, dtype=np.float32) / 255, 0.35 * FINE)


def _resized(image: Image.Image, scale: float, how: Image.Resampling) -> Image.Image:
    return image.resize([max(round(side * scale), 1) for side in image.size], how)


# --- middle lines ------------------------------------------------------------------------


class Line(NamedTuple):
    """A middle line: points in pixels, `LINE` to one of MNIST's, and which are neighbours.

    ``points`` is float64 of shape (n, 2), rows and columns; ``edges`` int of shape (m, 2).
    """

    points: npt.NDArray[np.float64]
    edges: npt.NDArray[np.intp]


def middle_line(digit: Digit) -> Line:
    """Where the middle of the pen went: thinned strokes without spurs, smoothed."""
    points = np.argwhere(thinned(_outline(digit)))
    kept = _without_spurs(points, _edges(points))
    points = points[kept].astype(float)
    edges = _edges(points)
    return Line(_relaxed(points, edges), edges)


def _outline(digit: Digit) -> Mask:
    return _smoothed(digit)[:: FINE // LINE, :: FINE // LINE] > OUTLINE


def _edges(points: npt.NDArray[np.generic]) -> npt.NDArray[np.intp]:
    return cKDTree(points).query_pairs(1.5, output_type="ndarray")


def _without_spurs(points: npt.NDArray[np.generic], edges: npt.NDArray[np.intp]) -> Mask:
    """All points but those of branches that end and are shorter than `SPUR`."""
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
            # Where the branch leaves the line stays.
            kept[branch[:-1]] = False
    return kept


def _relaxed(
    points: npt.NDArray[np.float64], edges: npt.NDArray[np.intp]
) -> npt.NDArray[np.float64]:
    """The points drawn half-way to the mean of their neighbours, a few times; ends stay."""
    one, other = np.concatenate([edges, edges[:, ::-1]]).T
    near = coo_array((np.ones(len(one)), (one, other)), shape=(len(points),) * 2).tocsr()
    count = near.sum(axis=1)
    free = count > 1
    for _ in range(8):
        points = points.copy()
        points[free] = (points[free] + (near @ points)[free] / count[free, None]) / 2
    return points


# The eight neighbours of a pixel in turn, from above clockwise, as the bits of a number.
_RING = np.array([[128, 1, 2], [64, 0, 4], [32, 16, 8]], dtype=np.uint8)


@functools.cache
def _peeled() -> tuple[Mask, Mask]:
    """Whether a pixel with such neighbours goes, in the first and the second of two passes."""
    # As in the paper, but that the neighbours are counted from 0.
    p = (np.arange(256)[None] >> np.arange(8)[:, None] & 1).astype(bool)
    after = np.roll(p, -1, axis=0)
    turns = sum((~p[k] & (after[k] | p[(k + 2) % 8])).astype(int) for k in (0, 2, 4, 6))
    pairs = (p | after).astype(int)
    count = np.minimum(pairs[0::2].sum(axis=0), pairs[1::2].sum(axis=0))
    goes = (turns == 1) & (count >= 2) & (count <= 3)
    return goes & ~((p[0] | p[1] | ~p[3]) & p[2]), goes & ~((p[4] | p[5] | ~p[7]) & p[6])


def thinned(mask: Mask) -> Mask:
    """The middle line of strokes, one pixel thick.

    Z. Guo, R. W. Hall, "Parallel thinning with two-subiteration algorithms", Communications of
    the ACM 32 (1989), algorithm A1.
    """
    line = mask.astype(np.uint8)
    changed = True
    while changed:
        changed = False
        for peeled in _peeled():
            around = ndimage.correlate(line, _RING, mode="constant")
            gone = peeled[around] & line.astype(bool)
            changed |= bool(gone.any())
            line[gone] = 0
    return line.astype(bool)
