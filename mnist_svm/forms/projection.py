"""Homographies: from the corners of a page on a picture to the page as seen from above."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from mnist_svm._types import Float64Array, GreyImage
from mnist_svm.exceptions import PictureError

# Shortest side of the page, as a fraction of the picture's; ratio of opposite sides, and largest
# cosine of a corner's angle, in perspective.
MIN_PAGE, MAX_SIDE_RATIO, MAX_COSINE = 0.25, 1.6, 0.45
# Ratio of the page's proportions to those of the template that perspective may cause.
MAX_STRETCH = 1.35

# Longest side of a straightened page, in pixels.
MAX_PAGE_SIDE = 5000

# Corners of a page: float64 ndarray of shape (4, 2), x and y in pixels of the picture, from the
# upper left one clockwise.
Corners = Float64Array

UNIT_SQUARE = np.array([(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)])


def straighten(
    grey: GreyImage, corners: Corners, size: tuple[float, float] | None
) -> tuple[GreyImage, Float64Array]:
    """Cut the area between four corners out of a picture, as seen from above.

    Parameters
    ----------
    grey : uint8 ndarray of shape (height, width)
    corners : float64 ndarray of shape (4, 2)
        As of `locate_marks`.
    size : width and height of the area, in any unit; None if not known

    Returns
    -------
    page : uint8 ndarray of shape (height, width)
        As large as on the picture, at most `MAX_PAGE_SIDE` pixels.
    projection : float64 ndarray of shape (3, 3)
        Homography from pixels (x, y, 1) of the page to those of the picture.

    Raises
    ------
    PictureError
        If the area has other proportions than `size`.
    """
    sides = np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1)
    width, height = max(sides[0], sides[2]), max(sides[1], sides[3])
    if size is not None:
        _require_proportions(width / height, size[0] / size[1])
        width = max(width, height * size[0] / size[1])
        height = width * size[1] / size[0]
    scale = min(1.0, MAX_PAGE_SIDE / max(width, height))
    wide, high = (max(round(float(scale * side)), 1) for side in (width, height))
    target = np.array([(0, 0), (wide, 0), (wide, high), (0, high)]) - 0.5
    projection = find_homography(target, corners)
    # Pillow counts from the corners of pixels, we from their centres.
    shift = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    coefficients = shift @ projection @ np.linalg.inv(shift)
    page = Image.fromarray(grey).transform(
        (wide, high),
        Image.Transform.PERSPECTIVE,
        (coefficients / coefficients[2, 2]).ravel()[:8].tolist(),
        Image.Resampling.BICUBIC,
        fillcolor=255,
    )
    return np.asarray(page), projection


def find_homography(source: Float64Array, target: Float64Array) -> Float64Array:
    """The projection, of shape (3, 3), that maps four points (x, y) to four others."""
    rows, values = [], []
    for (x, y), (u, v) in zip(source.tolist(), target.tolist(), strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    solution = np.linalg.solve(np.array(rows), np.array(values))
    return np.append(solution, 1.0).reshape(3, 3)


def project(projection: Float64Array, points: Float64Array) -> Float64Array:
    """Map points (x, y), of shape (n, 2), by a homography."""
    mapped = np.column_stack([points, np.ones(len(points))]) @ projection.T
    return np.asarray(mapped[:, :2] / mapped[:, 2:])


def are_similar(values: Sequence[float], ratio: float) -> bool:
    """Whether the largest of some positive values is at most `ratio` times the smallest."""
    return max(values) <= ratio * min(values)


def area(corners: Corners) -> float:
    """Area of a convex polygon, its corners in order."""
    x, y = corners.T
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)


def is_page(corners: Corners, shape: tuple[int, ...]) -> bool:
    """Whether four points may be the corners of a page in perspective, which fills the picture."""
    sides = np.roll(corners, -1, axis=0) - corners
    lengths = np.linalg.norm(sides, axis=1)
    if lengths.min() < MIN_PAGE * min(shape):
        return False
    if not all(are_similar(pair, MAX_SIDE_RATIO) for pair in zip(lengths[:2], lengths[2:])):
        return False
    directions = sides / lengths[:, None]
    before = np.roll(directions, 1, axis=0)
    turns = before[:, 0] * directions[:, 1] - before[:, 1] * directions[:, 0]
    cosines = (before * directions).sum(axis=1)
    return bool((turns > 0).all() and np.abs(cosines).max() <= MAX_COSINE)


def _require_proportions(found: float, expected: float) -> None:
    if max(found, expected) <= MAX_STRETCH * min(found, expected):
        return
    on_its_side = max(found * expected, 1) <= MAX_STRETCH * min(found * expected, 1)
    remedy = "turn the picture upright" if on_its_side else "is it this form, and all of it?"
    msg = (
        f"no page found: expected one of width to height 1:{1 / expected:.2f}, as the template "
        f"says, found 1:{1 / found:.2f}; {remedy}"
    )
    raise PictureError(msg)
