"""One digit of any size and polarity -> 28 x 28, the way MNIST was made.

MNIST's digits are bright on a dark ground, scaled with anti-aliasing so that the longer side
takes 20 pixels, and placed so that the centre of mass is at pixel (14, 14) of 28 x 28,
to the nearest whole pixel. (LeCun, Cortes, Burges; the centre as measured on all 70,000.)
"""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy import ndimage

from mnist_svm.constants import IMAGE_SIDE, Float32Array, GreyImage, Mask
from mnist_svm.pictures.background import find_ink, stroke_width
from mnist_svm.pictures.polarity import border_pixels, ink_is_dark
from mnist_svm.pictures.strokes import Box, bounding_box, select_digit

BOX = 20
CENTRE = 14

# Strokes are looked for in a picture whose longer side has at least and at most so many pixels.
# A digit that is then smaller than so many is looked at again, from near.
ENLARGED, WORK = 100, 800
NEAR = 100

# A digit of fewer pixels has no outline yet: its greys are all there is of its shape.
OUTLINED = 36

# A picture of no more pixels a side is all digit; its outline is where, enlarged, it has so much
# ink.
TINY, TINY_OUTLINE = 16, 0.4

# Digits are drawn this many times larger than MNIST's before they are reduced.
FINE = 6

# Less ink than this part of the full does not count for the digit's height and width.
EDGE = 0.3

# Mean widths of strokes in pixels, of nine in ten of MNIST's digits: pens that are thinner or
# thicker are brought to the nearer one.
THINNEST, THICKEST = 1.7, 3.6


def normalize(grey: GreyImage) -> GreyImage:
    """Turn a picture of one digit into MNIST form; one that is in that form already, unchanged.

    Parameters
    ----------
    grey : uint8 ndarray of shape (height, width), 0 black to 255 white
        Dark ink on a light ground or light on dark, unevenly lit; specks, ruled lines, a frame
        and the desk's edge do not matter.

    Returns
    -------
    uint8 ndarray of shape (28, 28), 0-255, ink bright on a dark ground

    Raises
    ------
    PictureError
        If the picture is blank.
    """
    if is_mnist_form(grey):
        return grey
    return _enlarged(grey) if max(grey.shape) <= TINY else _drawn_anew(grey)


def is_mnist_form(grey: GreyImage) -> bool:
    """Whether a picture is framed like MNIST's, give or take what JPEG does to it.

    Parameters
    ----------
    grey : uint8 ndarray of shape (height, width), 0-255

    Returns
    -------
    bool
        True if it is 28 x 28, its border dark, its ink bright, about 20 pixels high or wide,
        and centred by mass. True for all of MNIST.
    """
    if grey.shape != (IMAGE_SIDE, IMAGE_SIDE):
        return False
    # Served by the thousand a second, and so by sums and sorting alone.
    edge = np.sort(border_pixels(grey))
    if int(edge[len(edge) // 2 - 1]) + int(edge[len(edge) // 2]) > 2 * 16 or grey.max() < 128:
        return False
    ink = grey > 32
    height, width = (_extent(np.asarray(ink.any(axis=axis))) for axis in (1, 0))
    if not BOX - 6 <= max(height, width) <= BOX + 2:
        return False
    sums = (grey.sum(axis=axis, dtype=np.int64) for axis in (1, 0))
    return all(abs(_PLACES @ along / along.sum() - CENTRE) <= 1 for along in sums)


_PLACES = np.arange(IMAGE_SIDE)


def _extent(filled: Mask) -> int:
    """From the first to the last that is filled, of which there is one."""
    places = filled.nonzero()[0]
    return int(places[-1] - places[0]) + 1


def _enlarged(grey: GreyImage) -> GreyImage:
    """A picture so small that it has no room for anything but a digit: no light, no specks."""
    cover = np.pad(np.asarray(255 - grey if ink_is_dark(grey) else grey, dtype=np.float32), 1)
    cover[1:-1, 1:-1] -= cover[1:-1, 1:-1].min()
    scale = BOX * FINE / max(grey.shape)
    fine = _resized(cover / cover.max(), scale, Image.Resampling.LANCZOS)
    return _place(_fit(_with_pen(fine > TINY_OUTLINE)))


def _drawn_anew(grey: GreyImage) -> GreyImage:
    """Ink, strokes, pen, 20 x 20 fit, centre of mass."""
    factor = -(-max(grey.shape) // WORK)
    zoom = -(-ENLARGED // max(grey.shape))
    image = Image.fromarray(grey)
    if factor > 1:
        image = image.reduce(factor)
    elif zoom > 1:
        size = zoom * image.width, zoom * image.height
        image = image.resize(size, Image.Resampling.BICUBIC)
    ink = find_ink(np.asarray(image))
    # In a picture so small, a line across it is a stroke.
    digit = select_digit(ink.mask, ink.faint_mask if zoom == 1 else None)
    box = bounding_box(digit)
    if factor > 1 and max(box.height, box.width) < NEAR:
        return _drawn_anew(_around(grey, box, factor))
    return render_digit(ink.coverage, digit, outlined=max(box.height, box.width) / zoom >= OUTLINED)


def _around(grey: GreyImage, box: Box, factor: int) -> GreyImage:
    """The part of a picture around a box of the reduced one."""
    margin = max(box.height, box.width)
    top, left = (max(start - margin, 0) * factor for start in (box.top, box.left))
    return grey[top : (box.bottom + margin) * factor, left : (box.right + margin) * factor]


def render_digit(cover: Float32Array, digit: Mask, *, outlined: bool = True) -> GreyImage:
    """Draw the strokes of a digit the way MNIST's were.

    Parameters
    ----------
    cover : float32 ndarray of shape (height, width), 0 ground to 1 full ink
    digit : bool ndarray of shape (height, width), where the digit's strokes are; some
    outlined : bool, default=True
        Whether the digit has so many pixels that it has an outline, which is drawn anew with a pen
        as MNIST's; else its greys are reduced or enlarged as they are.

    Returns
    -------
    uint8 ndarray of shape (28, 28), 0-255
    """
    box = bounding_box(digit)
    window = slice(box.top, box.bottom), slice(box.left, box.right)
    # The soft edges beside a stroke are a part of it, and what else is near is not.
    near = ndimage.binary_dilation(np.pad(digit[window], 2), np.ones((3, 3)))
    top, left = (min(start, 2) for start in (box.top, box.left))
    around = cover[box.top - top : box.bottom + 2, box.left - left : box.right + 2]
    soft = np.zeros(near.shape, dtype=np.float32)
    soft[2 - top : 2 - top + around.shape[0], 2 - left : 2 - left + around.shape[1]] = around
    soft[~near] = 0
    if not outlined:
        return _place(_fit(soft / soft.max()))
    scale = BOX * FINE / max(box.height, box.width)
    return _place(_fit(_with_pen(_resized(soft, scale) > 0.5)))


def _resized(
    field: Float32Array, scale: float, how: Image.Resampling = Image.Resampling.BICUBIC
) -> Float32Array:
    size = [max(round(side * scale), 1) for side in field.shape[::-1]]
    return np.asarray(Image.fromarray(field).resize(size, how))


def _with_pen(outline: Mask) -> Float32Array:
    """Soft strokes with the outline moved in or out as far as the pen was too thick or thin."""
    width = stroke_width(ndimage.gaussian_filter(outline.astype(np.float32), 1)) / FINE
    move = FINE * (np.clip(width, THINNEST, THICKEST) - width) / 2
    outline = np.pad(outline, round(max(move, 0)) + 2)
    distance = ndimage.distance_transform_edt(outline) - ndimage.distance_transform_edt(~outline)
    # Thin strokes of a digit that is thick elsewhere stay.
    ridge = ndimage.maximum_filter(distance, 2 * FINE + 1)
    move = np.maximum(move, -0.4 * np.maximum(ridge, 0))
    return np.asarray(np.clip(distance + move + 0.5, 0, 1), dtype=np.float32)


def _fit(strokes: Float32Array) -> Float32Array:
    """Scale to a longer side of 20 pixels, anti-aliased."""
    box = bounding_box(strokes > EDGE)
    image = Image.fromarray(strokes)
    scale = BOX / max(box.height, box.width)
    size = [max(round(side * scale), 1) for side in (box.width, box.height)]
    area = (box.left, box.top, box.right, box.bottom)
    return np.asarray(image.resize(size, Image.Resampling.BICUBIC, box=area)).clip(0, 1)


def _place(fitted: Float32Array) -> GreyImage:
    """Put into 28 x 28 with the centre of mass at (14, 14), to the nearest pixel."""
    out = np.zeros((IMAGE_SIDE, IMAGE_SIDE), dtype=np.uint8)
    window = tuple(
        slice(start := int(np.clip(round(CENTRE - middle), 0, IMAGE_SIDE - length)), start + length)
        for middle, length in zip(ndimage.center_of_mass(fitted), fitted.shape, strict=True)
    )
    # Full ink in MNIST is 255 in the middle of the stroke, however thin the pen was.
    out[window] = np.rint(255 * fitted / fitted.max())
    return out
