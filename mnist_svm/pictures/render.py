"""Find the digit on a picture, and draw it in the form of MNIST's images."""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy import ndimage

from mnist_svm._types import Float32Array, GreyImage, Mask
from mnist_svm.constants import IMAGE_SHAPE, IMAGE_SIDE
from mnist_svm.exceptions import PictureError
from mnist_svm.pictures.background import even_pressure, find_ink, stroke_width
from mnist_svm.pictures.boxes import Box, bounding_box, label_components
from mnist_svm.pictures.frames import remove_frames
from mnist_svm.pictures.mnist_form import CENTRE, DIGIT_SIDE
from mnist_svm.pictures.normalize import AreSeveral
from mnist_svm.pictures.polarity import BlankPictureError, plausible_polarities
from mnist_svm.pictures.strokes import may_be_several, select_digit

# Limits, in pixels, between which the longer side is brought before the ink is found. A digit
# whose longer side is then below MIN_DIGIT_SIDE is cropped from the full picture and read again.
MIN_SIDE, MAX_SIDE = 100, 800
MIN_DIGIT_SIDE = 100
# Longer side, in pixels of the picture, below which a digit has no outline to redraw: its grey
# levels are scaled as they are.
MIN_OUTLINED = 36
# Longer side, in pixels, up to which a picture is assumed to show only a digit, and the coverage
# at the outline of the enlarged digit.
TINY_SIDE, TINY_OUTLINE = 16, 0.4

# Area, as a multiple of the digit's, of a stroke cut off by the border that may belong to it, and
# its distance from the digit's box, as a fraction of the longer side. Least distance, as such a
# fraction, of one that may belong to a neighbour: less is a gap in a faint stroke.
CUT_OFF_AREA, MAX_CUT_OFF_GAP, MIN_PIECE_GAP = (0.15, 4.0), 0.15, 0.06

# Pixels of the drawing of a digit for each pixel of its image.
OVERSAMPLING = 6
# Coverage of a pixel that counts for height and width of a digit.
MIN_COVERAGE = 0.3
# Mean stroke width, in pixels, of nine in ten MNIST digits; other pens are brought to the nearer.
MIN_STROKE_WIDTH, MAX_STROKE_WIDTH = 1.7, 3.6


def find_digits(
    grey: GreyImage, are_several: AreSeveral | None = None
) -> dict[bool, list[GreyImage]]:
    """Draw the digit on a picture that is not in MNIST form; see `normalize_polarities`."""
    images: dict[bool, list[GreyImage]] = {}
    blank: BlankPictureError | None = None
    for k, is_dark in enumerate(plausible_polarities(grey)):
        try:
            if max(grey.shape) <= TINY_SIDE:
                images[is_dark] = [_normalize_tiny(grey, is_dark)]
            else:
                # Several digits are looked for in the most plausible polarity, as on a page.
                images[is_dark] = _normalize_ink(grey, is_dark, None if k else are_several)
        except BlankPictureError as error:
            blank = error
    if not images and blank is not None:
        raise blank
    return images


def render_digit(
    coverage: Float32Array, strokes: Mask, box: Box | None = None, *, outlined: bool = True
) -> GreyImage:
    """Draw the strokes of a digit the way MNIST's were drawn: uint8 of shape (28, 28), 0-255.

    `coverage`, of shape (height, width), is 0 for background to 1 for full ink. `strokes` is the
    mask of the digit's strokes in their bounding box, or in all of `coverage` without a box; it has
    at least one true pixel. If the digit is large enough to be `outlined`, its outline is redrawn
    with a pen of MNIST's width. If not, its grey levels are scaled as they are.
    """
    if box is None:
        box = bounding_box(strokes)
        strokes = strokes[box.window]
    # The soft edges of strokes are included, and other ink nearby is not.
    near = ndimage.binary_dilation(np.pad(strokes, 2), np.ones((3, 3)))
    top, left = min(box.top, 2), min(box.left, 2)
    around = coverage[box.top - top : box.bottom + 2, box.left - left : box.right + 2]
    soft = np.zeros(near.shape, dtype=np.float32)
    soft[2 - top : 2 - top + around.shape[0], 2 - left : 2 - left + around.shape[1]] = around
    soft[~near] = 0
    if not outlined:
        return _centre(_scale_to_fit(soft / soft.max()))
    scale = DIGIT_SIDE * OVERSAMPLING / box.longer_side
    return _centre(_scale_to_fit(_adjust_pen(_resize(soft, scale) > 0.5)))


def _normalize_tiny(grey: GreyImage, is_dark: bool) -> GreyImage:
    """Normalize a picture that has no room for anything but a digit: no shadows, no specks."""
    ink = np.pad(np.asarray(255 - grey if is_dark else grey, dtype=np.float32), 1)
    ink[1:-1, 1:-1] -= ink[1:-1, 1:-1].min()
    scale = DIGIT_SIDE * OVERSAMPLING / max(grey.shape)
    enlarged = _resize(ink / ink.max(), scale, Image.Resampling.LANCZOS)
    return _centre(_scale_to_fit(_adjust_pen(enlarged > TINY_OUTLINE)))


def _normalize_ink(
    grey: GreyImage, is_dark: bool, are_several: AreSeveral | None
) -> list[GreyImage]:
    factor = -(-max(grey.shape) // MAX_SIDE)
    zoom = -(-MIN_SIDE // max(grey.shape))
    image = Image.fromarray(grey)
    if factor > 1:
        image = image.reduce(factor)
    elif zoom > 1:
        size = zoom * image.width, zoom * image.height
        image = image.resize(size, Image.Resampling.BICUBIC)
    ink = find_ink(np.asarray(image), is_dark)
    coverage = ink.coverage
    if zoom > 1:
        ink = even_pressure(ink)
    mask = remove_frames(ink.mask)
    if mask is not ink.mask:
        coverage = np.where(mask, coverage, 0)
    # In a picture that small, a line across it is a stroke.
    digit = select_digit(mask, ink.faint_mask if zoom == 1 else None)
    if are_several and may_be_several(digit, mask, coverage) and are_several(grey):
        msg = "several digits: `mnist-svm read` reads all of them"
        raise PictureError(msg)
    box = bounding_box(digit)
    side = box.longer_side
    if factor > 1 and side < MIN_DIGIT_SIDE:
        top, left = (max(start - side, 0) * factor for start in (box.top, box.left))
        bottom, right = ((end + side) * factor for end in (box.bottom, box.right))
        return _normalize_ink(grey[top:bottom, left:right], is_dark, None)
    outlined = side / zoom >= MIN_OUTLINED
    images = [render_digit(ink.coverage, digit, outlined=outlined)]
    images += [
        render_digit(ink.coverage, other, outlined=outlined)
        for other in _other_selections(digit, box, mask)
    ]
    return images


def _other_selections(digit: Mask, box: Box, mask: Mask) -> list[Mask]:
    """The digit with the strokes that the picture's border cuts off, and without.

    They are a part of the digit or a neighbour's; neither place nor size tells.
    """
    sides = mask[0], mask[-1], mask[:, 0], mask[:, -1]
    if not any(side.any() for side in sides):
        return []
    labels, boxes = label_components(mask)
    borders = labels[0], labels[-1], labels[:, 0], labels[:, -1]
    touched = [set(np.unique(border[border > 0]).tolist()) for border in borders]
    # A line, a frame or a desk goes from side to side.
    crossing = (touched[0] & touched[1]) | (touched[2] & touched[3])
    cut_off = set.union(*touched) - crossing
    areas = np.bincount(labels.ravel())
    low, high = (share * np.count_nonzero(digit) for share in CUT_OFF_AREA)
    own = np.bincount(labels[digit], minlength=len(areas))
    missing = [
        k
        for k in cut_off
        if not own[k]
        and low <= areas[k] <= high
        and max(box.gaps(boxes[k - 1])) <= MAX_CUT_OFF_GAP * box.longer_side
    ]
    others = [digit | np.isin(labels, missing)] if missing else []
    largest = int(own[1:].argmax()) + 1
    if parts := [k for k in cut_off if own[k] and k != largest]:
        distance = ndimage.distance_transform_edt(labels != largest)
        apart = [k for k in parts if distance[labels == k].min() >= MIN_PIECE_GAP * box.longer_side]
        if apart:
            others.append(digit & ~np.isin(labels, apart))
    return others


def _resize(
    values: Float32Array, scale: float, method: Image.Resampling = Image.Resampling.BICUBIC
) -> Float32Array:
    size = [max(round(side * scale), 1) for side in values.shape[::-1]]
    return np.asarray(Image.fromarray(values).resize(size, method))


def _adjust_pen(outline: Mask) -> Float32Array:
    """Move the outline so that the mean stroke width is within MNIST's, and soften it."""
    smooth = ndimage.gaussian_filter(outline.astype(np.float32), 1)
    width = stroke_width(smooth) / OVERSAMPLING
    target = np.clip(width, MIN_STROKE_WIDTH, MAX_STROKE_WIDTH)
    shift = OVERSAMPLING * (target - width) / 2
    outline = np.pad(outline, round(max(shift, 0)) + 2)
    distance = ndimage.distance_transform_edt(outline) - ndimage.distance_transform_edt(~outline)
    # Limit the shift, so that thin strokes of a digit that is thick elsewhere do not vanish.
    ridge = ndimage.maximum_filter(distance, 2 * OVERSAMPLING + 1)
    shift = np.maximum(shift, -0.4 * np.maximum(ridge, 0))
    return np.asarray(np.clip(distance + shift + 0.5, 0, 1), dtype=np.float32)


def _scale_to_fit(coverage: Float32Array) -> Float32Array:
    """Crop, and scale to a longer side of 20 pixels, anti-aliased."""
    box = bounding_box(coverage > MIN_COVERAGE)
    scale = DIGIT_SIDE / box.longer_side
    size = [max(round(side * scale), 1) for side in (box.width, box.height)]
    area = (box.left, box.top, box.right, box.bottom)
    image = Image.fromarray(coverage)
    return np.asarray(image.resize(size, Image.Resampling.BICUBIC, box=area)).clip(0, 1)


def _centre(coverage: Float32Array) -> GreyImage:
    """Place in 28 x 28 with the centre of mass at (14, 14), to the nearest pixel."""
    image = np.zeros(IMAGE_SHAPE, dtype=np.uint8)
    window = tuple(
        slice(start := int(np.clip(round(CENTRE - mean), 0, IMAGE_SIDE - length)), start + length)
        for mean, length in zip(ndimage.center_of_mass(coverage), coverage.shape, strict=True)
    )
    # In MNIST, the middle of a stroke is 255, however thin the pen was.
    image[window] = np.rint(255 * coverage / coverage.max())
    return image
