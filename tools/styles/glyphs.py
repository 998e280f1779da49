"""Find families that draw a digit alike, so that none is drawn too often or in both parts.

Families are often one hand in several slants, widths and weights. Digits are compared upright, in
one pen, stretched to one box.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageFont
from scipy import ndimage
from scipy.sparse.csgraph import connected_components

from mnist_svm._types import Array, BoolArray, Float64Array, GreyImage
from mnist_svm.pictures.boxes import bounding_box
from tools.styles.drawing import HEIGHT, draw_outline, move_outline, pen_width

N_DIGITS = 10

# Least correlation of two drawings of one shape, and digits that two drawings of one hand share.
ALIKE = 0.95
MIN_SHARED = 8

# Pen in which digits are compared, as a fraction of the height; box to which they are stretched,
# or, below a ratio of the sides, a narrow one; blur in its pixels.
PEN = 0.07
BOX, NARROW_BOX, NARROW = (24, 32), (8, 32), 0.3
BLUR = 1.0


def compare_fonts(fonts: Sequence[ImageFont.FreeTypeFont]) -> BoolArray:
    """Tell which fonts draw which digits alike: bool of shape (10, n_fonts, n_fonts)."""
    shapes = np.array(
        [[_shape(draw_outline(font, str(digit))) for font in fonts] for digit in range(N_DIGITS)]
    )
    return np.asarray(shapes @ shapes.transpose(0, 2, 1) > ALIKE)


def group_hands(alike: BoolArray) -> Array:
    """Number the hands: two fonts are of one if they draw `MIN_SHARED` digits alike."""
    return np.asarray(connected_components(alike.sum(axis=0) >= MIN_SHARED)[1])


def _shape(picture: GreyImage) -> Float64Array:
    """A digit upright, in one pen, stretched to one box, blurred, and of norm 1."""
    upright = _upright(picture)
    solid = upright >= 128
    solid = move_outline(solid, (PEN * HEIGHT - pen_width(upright)) / 2) > 0
    box = bounding_box(solid)
    size = BOX if box.width > NARROW * box.height else NARROW_BOX
    image = Image.fromarray(np.where(solid[box.window], np.uint8(255), np.uint8(0)))
    canvas = np.zeros(BOX[::-1])
    canvas[:, : size[0]] = image.resize(size, Image.Resampling.BOX)
    blurred = ndimage.gaussian_filter(canvas, BLUR)
    return np.asarray((blurred / np.linalg.norm(blurred)).ravel())


def _upright(picture: GreyImage) -> GreyImage:
    """Shear a picture so that rows and columns of its ink are uncorrelated."""
    weights = picture / picture.sum(dtype=np.float64)
    rows, columns = np.indices(picture.shape)
    di = rows - (weights * rows).sum()
    dj = columns - (weights * columns).sum()
    shear = (weights * di * dj).sum() / (weights * di * di).sum()
    at = [rows, columns + shear * di]
    return np.asarray(ndimage.map_coordinates(picture, at, order=1, prefilter=False))
