"""Find the four corner marks of a page on a photo or scan.

Marks are four pieces of ink that are alike, stand alone, and have nearly all other ink of the page
between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from mnist_svm._types import Float64Array, GreyImage, Mask
from mnist_svm.exceptions import PictureError
from mnist_svm.forms.ink import find_print, reduce_picture
from mnist_svm.forms.projection import (
    UNIT_SQUARE,
    Corners,
    are_similar,
    area,
    find_homography,
    is_page,
    project,
)
from mnist_svm.pictures.boxes import Box, label_components

# Depth of the marks, as a fraction of that of the darkest ink: thin ones are fainter.
DEPTHS = 0.5, 0.3
# Limits of a mark's longer side, as fractions of the picture's, and of its proportions.
MIN_MARK, MAX_MARK, MAX_MARK_ASPECT = 0.006, 0.09, 1.8
# Width of a stroke, as a fraction of the picture's longer side, and part of a square of this width
# that is ink, above which it is not written.
MAX_PEN, MAX_COVERAGE = 0.02, 0.8
# Half the width of a mark's strokes, as a fraction of its shorter side, from which it is filled.
FILLED = 0.27
# Pieces of ink next to each corner that may be its mark.
N_CANDIDATES = 8
# Largest ratio of the sizes of two marks of a page, of which the nearer is larger on the picture;
# of their areas on the straightened page, and of the thicknesses of their strokes.
MAX_SIZE_RATIO, MAX_AREA_RATIO, MAX_THICKNESS_RATIO = 1.8, 1.5, 1.7
# Width of the strip around a mark that is free, as a fraction of the mark's size, and the fraction
# of one side of it that may be ink.
CLEARANCE, MAX_AROUND = 0.25, 0.3
# Fraction of the page's ink that may be beyond the marks. Margins beyond the middles of the marks
# that belong to the marks and to the page, as fractions of the distance between marks.
MAX_OUTSIDE, MARK_MARGIN, PAGE_MARGIN = 0.03, 0.05, 0.15


@dataclass(frozen=True)
class _Piece:
    """A connected piece of ink, with its holes filled: its middle (x, y) and size in pixels.

    `thickness` is half the width of its strokes, as a fraction of its shorter side.
    """

    middle: tuple[float, float]
    size: float
    thickness: float

    @property
    def filled(self) -> bool:
        return self.thickness >= FILLED


def locate_marks(grey: GreyImage) -> Corners:
    """Find the centres of four marks in the corners of a page.

    Marks are squares, discs, crosses, rings or angles, of 1 to 8 percent of the page's longer side,
    darker than the paper, all of one kind. The page may be turned by up to 25 degrees, in
    perspective and unevenly lit, on a desk. Nearly all other ink of the page must be between them.

    Parameters
    ----------
    grey : uint8 ndarray of shape (height, width), 0 black to 255 white

    Returns
    -------
    float64 ndarray of shape (4, 2)
        x and y of each centre in pixels, from the upper left one clockwise.

    Raises
    ------
    PictureError
        If there are no four such marks.
    """
    small, scale = reduce_picture(grey)
    for fraction in DEPTHS:
        ink = find_print(small, fraction)
        pieces, points = _find_pieces(ink)
        for candidates in ([piece for piece in pieces if piece.filled], pieces):
            corners = _best_corners(candidates, points, small.shape)
            if corners is not None:
                return (corners + 0.5) / scale - 0.5
    msg = (
        "no page found: expected a mark in each of its four corners, all alike, found none such; "
        "take the whole page, upright, and with paper around the marks"
    )
    raise PictureError(msg)


def _find_pieces(ink: Mask) -> tuple[list[_Piece], Float64Array]:
    """Connected pieces of ink that stand alone, with the size and proportions of a mark.

    And the pixels (x, y) of all pieces that may be print or writing, of shape (n, 2): no specks,
    and no parts of a desk in a shadow.
    """
    from scipy import ndimage

    labels, boxes = label_components(ink)
    side = max(ink.shape)
    pieces = []
    is_print = np.zeros(len(boxes) + 1, dtype=np.bool_)
    for label, box in enumerate(boxes, start=1):
        low, high = sorted((box.height, box.width))
        is_print[label] = high >= MIN_MARK * side
        is_sized = MIN_MARK * side <= high <= min(MAX_MARK * side, MAX_MARK_ASPECT * low)
        if is_sized and _stands_alone(ink, box):
            pieces.append(_measure(labels[box.window] == label, box))
    coverage = ndimage.uniform_filter(ink.astype(np.float32), round(MAX_PEN * side) | 1)
    is_print[labels[coverage > MAX_COVERAGE]] = False
    return pieces, np.argwhere(is_print[labels])[:, ::-1].astype(np.float64)


def _stands_alone(ink: Mask, box: Box) -> bool:
    """Whether there is hardly any ink around a box."""
    gap = max(round(CLEARANCE * box.longer_side), 1)
    around = ink[max(box.top - gap, 0) : box.bottom + gap, max(box.left - gap, 0) : box.right + gap]
    outside = np.count_nonzero(around) - np.count_nonzero(ink[box.window])
    return bool(outside <= MAX_AROUND * box.longer_side * gap)


def _measure(mask: Mask, box: Box) -> _Piece:
    from scipy import ndimage

    # A ring is a disc, whatever is in it.
    mask = ndimage.binary_fill_holes(mask)
    half_width = float(ndimage.distance_transform_edt(np.pad(mask, 1)).max())
    middle = (box.left + box.right - 1) / 2, (box.top + box.bottom - 1) / 2
    piece = _Piece(middle, (box.height * box.width) ** 0.5, half_width / min(mask.shape))
    if piece.filled:
        rows, columns = np.nonzero(mask)
        middle = float(box.left + columns.mean()), float(box.top + rows.mean())
    return replace(piece, middle=middle)


def _best_corners(
    pieces: Sequence[_Piece], points: Float64Array, shape: tuple[int, ...]
) -> Corners | None:
    """Middles of the four alike pieces that are furthest apart, or None."""
    if len(pieces) < 4:
        return None
    x, y = np.array([piece.middle for piece in pieces]).T
    # The corners in the order of `Corners`, by how far they are to their side.
    ways = (-x - y, x - y, x + y, y - x)
    nearest = [np.argsort(-way, kind="stable")[:N_CANDIDATES].tolist() for way in ways]
    found = []
    # Cheap tests first: there are thousands of choices.
    for chosen in product(*nearest):
        marks = [pieces[k] for k in chosen]
        if len(set(chosen)) == 4 and are_similar([mark.size for mark in marks], MAX_SIZE_RATIO):
            corners = np.array([mark.middle for mark in marks])
            if is_page(corners, shape) and _are_alike(marks, corners):
                found.append((area(corners), corners))
    found.sort(key=lambda each: -each[0])
    for _, corners in found:
        if _fraction_outside(points, corners) <= MAX_OUTSIDE:
            return corners
    return None


def _are_alike(marks: Sequence[_Piece], corners: Corners) -> bool:
    """Whether four pieces are of one kind, and of one size on the straightened page."""
    if not are_similar([mark.thickness for mark in marks], MAX_THICKNESS_RATIO):
        return False
    projection = find_homography(corners, UNIT_SQUARE)
    # The area of a small square at each corner, on the page.
    step = 0.5 * min(mark.size for mark in marks)
    areas = []
    for mark, corner in zip(marks, corners, strict=True):
        square = project(projection, corner + step * (UNIT_SQUARE - 0.5))
        areas.append(mark.size**2 * area(square))
    return are_similar(areas, MAX_AREA_RATIO)


def _fraction_outside(points: Float64Array, corners: Corners) -> float:
    """Fraction of the ink on the page that is beyond the marks; the page has some margin."""
    page = project(find_homography(corners, UNIT_SQUARE), points)
    distance = np.maximum(-page, page - 1).max(axis=1)
    on_page = distance <= PAGE_MARGIN
    outside = on_page & (distance > MARK_MARGIN)
    return float(np.count_nonzero(outside)) / max(float(np.count_nonzero(on_page)), 1.0)
