"""Draw digits with outlines and pens, distort them gently, and bring them into MNIST's form.

A picture here is a uint8 array of shape (height, width), 0 background to 255 ink, with a digit of
about `HEIGHT` pixels and room around it. Fonts and strokes meet in it: both are then warped, some
are redrawn as coarse as a small picture is, and all go through the normaliser that reads pictures.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from mnist_svm._types import Float32Array, Float64Array, GreyImage, Mask
from mnist_svm.exceptions import PictureError
from mnist_svm.pictures.background import stroke_width
from mnist_svm.pictures.boxes import bounding_box
from mnist_svm.pictures.normalize import normalize
from mnist_svm.pictures.render import render_digit

# Height of a drawn digit, and background around it, in pixels.
HEIGHT, MARGIN = 72, 16

# Limits of the random distortion: shear and rotation in radians, change of aspect as a factor,
# root mean square of the elastic displacement as a fraction of the height, and its grid.
SHEAR, ROTATION, ASPECT = 0.2, 0.11, 1.2
BEND, BEND_GRID = 0.018, 4

# Range of pens, as stroke widths in fractions of the height, and the most by which one changes.
PENS = (0.05, 0.17)
MAX_PEN_CHANGE = 1.8

# Longer side of a digit on a small picture, in pixels; share of small pictures in faint pencil, and
# the one after which they have no grey levels.
SMALL_SIDES = (18, 60)
FAINT_SHARE, BILEVEL_FROM = 0.4, 0.7
# Faint pencil: the strength of its ink, how much it varies along a stroke, the paper's grey level,
# and its grain as a fraction of that.
FAINT_INK, FADING = (0.15, 0.8), 0.35
PAPER, MAX_GRAIN = 20, 0.25
# Least correlation of the image of a small picture with that of the large one.
MIN_CORRELATION = 0.85


def draw_outline(font: ImageFont.FreeTypeFont, text: str) -> GreyImage:
    """Draw a character of a font, scaled to `HEIGHT`, as a picture.

    Raises
    ------
    ValueError
        If the font has no ink for it.
    """
    box = font.getbbox(text)
    if box[2] <= box[0] or box[3] <= box[1]:
        msg = f"{font.getname()[0]}: no ink for {text!r}"
        raise ValueError(msg)
    sized = font.font_variant(size=font.size * HEIGHT / (box[3] - box[1]))
    left, top, right, bottom = (round(side) for side in sized.getbbox(text))
    image = Image.new("L", (right - left + 2 * MARGIN, bottom - top + 2 * MARGIN))
    ImageDraw.Draw(image).text((MARGIN - left, MARGIN - top), text, fill=255, font=sized)
    return np.asarray(image)


def warp(picture: GreyImage, rng: np.random.Generator) -> GreyImage:
    """Shear, rotate, stretch and bend a digit at random, gently enough that it stays legible."""
    padded = np.pad(picture, MARGIN)
    shape = padded.shape
    shear, angle = rng.uniform(-SHEAR, SHEAR), rng.uniform(-ROTATION, ROTATION)
    aspect = ASPECT ** rng.uniform(-1, 1)
    rows, columns = np.indices(shape, dtype=np.float32)
    middle_i, middle_j = (shape[0] - 1) / 2, (shape[1] - 1) / 2
    rows -= middle_i
    columns -= middle_j
    cos, sin = np.cos(angle), np.sin(angle)
    i = cos * rows + sin * columns
    j = aspect * (cos * columns - sin * rows + shear * rows)
    bend_i, bend_j = (_smooth_field(shape, rng, BEND * HEIGHT) for _ in range(2))
    moved = ndimage.map_coordinates(
        padded.astype(np.float32),
        [i + middle_i + bend_i, j + middle_j + bend_j],
        order=1,
        prefilter=False,
    )
    return _crop(np.asarray(np.rint(moved), dtype=np.uint8))


def change_pen(picture: GreyImage, rng: np.random.Generator) -> GreyImage:
    """Redraw a digit with a pen of random width; no stroke breaks, and no loop closes or opens."""
    solid = picture >= 128
    width = pen_width(picture)
    pen = HEIGHT * PENS[0] * (PENS[1] / PENS[0]) ** rng.uniform()
    pen = float(np.clip(pen, width / MAX_PEN_CHANGE, width * MAX_PEN_CHANGE))
    parts = _count_parts(solid)
    shift = (pen - width) / 2
    for _ in range(4):
        moved = move_outline(solid, shift)
        if _count_parts(moved > 0) == parts:
            return np.asarray(255 * np.clip(moved + 0.5, 0, 1), dtype=np.uint8)
        shift /= 2
    return picture


def move_outline(solid: Mask, shift: float) -> Float64Array:
    """Distance to the outline in pixels, positive inside, after moving it outwards by `shift`.

    Where it moves inwards, thin strokes of a digit that is thick elsewhere keep half their width.
    """
    inside, outside = (ndimage.distance_transform_edt(mask) for mask in (solid, ~solid))
    distance = np.where(solid, inside - 0.5, 0.5 - outside)
    if shift < 0:
        ridge = ndimage.maximum_filter(inside, round(2 * inside.max()) + 1)
        shift = np.maximum(shift, -0.5 * ridge)
    return np.asarray(distance + shift)


def pen_width(picture: GreyImage) -> float:
    """Mean width of the strokes of a digit, in pixels."""
    return stroke_width(_coverage(picture))


def to_image(picture: GreyImage) -> GreyImage:
    """Bring a picture into MNIST's form: uint8 of shape (28, 28).

    As `normalize` draws it; on a picture of nothing but a digit, the ink needs no search.
    """
    return render_digit(_coverage(picture), picture >= 128)


def to_image_from_small(picture: GreyImage, rng: np.random.Generator) -> GreyImage:
    """Redraw a digit as small pictures have it, and bring that into MNIST's form.

    Where too little is left of the digit, the image is that of the picture itself.
    """
    image = to_image(picture)
    try:
        found = normalize(coarsen(picture, rng))
    except PictureError:
        return image
    return found if _correlation(found, image) > MIN_CORRELATION else image


def coarsen(picture: GreyImage, rng: np.random.Generator) -> GreyImage:
    """Reduce a picture to few pixels: without grey levels, as of a faint pencil, or as it is."""
    low, high = SMALL_SIDES
    side = low * (high / low) ** rng.uniform()
    kind = rng.uniform()
    if is_faint := kind < FAINT_SHARE:
        picture = _fade(picture, rng)
    scale = side / bounding_box(picture > 0).longer_side
    size = [max(round(scale * length), 1) for length in picture.shape[::-1]]
    small = np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BOX))
    if is_faint:
        grain = rng.normal(PAPER, PAPER * rng.uniform(0, MAX_GRAIN), small.shape)
        return np.asarray(np.clip(rng.uniform(*FAINT_INK) * small + grain, 0, 255), dtype=np.uint8)
    return np.where(small >= 100, np.uint8(255), np.uint8(0)) if kind > BILEVEL_FROM else small


def _fade(picture: GreyImage, rng: np.random.Generator) -> GreyImage:
    """Draw a digit as a pencil does that is not pressed evenly."""
    pressure = 1 - FADING * np.abs(_smooth_field(picture.shape, rng, 1))
    return np.asarray(picture * np.clip(pressure, 0.2, 1), dtype=np.uint8)


def _correlation(image: GreyImage, other: GreyImage) -> float:
    """Correlation of two images, blurred so that it does not depend on a pixel."""
    blurred = [ndimage.gaussian_filter(each, 1.5, output=np.float32) for each in (image, other)]
    return float(np.corrcoef(blurred[0].ravel(), blurred[1].ravel())[0, 1])


def _coverage(picture: GreyImage) -> Float32Array:
    """Ink of each pixel, from 0 to 1."""
    return np.asarray(picture / np.float32(255), dtype=np.float32)


def _smooth_field(
    shape: tuple[int, ...], rng: np.random.Generator, deviation: float
) -> Float32Array:
    """Random values that are smooth over the picture, of the standard deviation on a grid."""
    grid = rng.normal(0, deviation, (BEND_GRID, BEND_GRID)).astype(np.float32)
    size = shape[1], shape[0]
    return np.asarray(Image.fromarray(grid).resize(size, Image.Resampling.BICUBIC))


def _count_parts(solid: Mask) -> tuple[int, int]:
    """Count the pieces of ink, and the pieces of background: one more than the holes."""
    return (
        ndimage.label(solid, structure=np.ones((3, 3)))[1],
        ndimage.label(np.pad(~solid, 1, constant_values=True))[1],
    )


def _crop(picture: GreyImage) -> GreyImage:
    """Crop to the digit and its margin."""
    box = bounding_box(picture >= 128)
    padded = np.pad(picture, MARGIN)
    return padded[box.top : box.bottom + 2 * MARGIN, box.left : box.right + 2 * MARGIN]
