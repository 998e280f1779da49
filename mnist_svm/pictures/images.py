"""Convert arrays of any numeric type and layout to images in MNIST form, or say why not."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from mnist_svm._types import Array, Images
from mnist_svm.constants import IMAGE_SHAPE, IMAGE_SIDE, N_PIXELS, WHITE
from mnist_svm.exceptions import FormatError, sanitize

Range = Literal["0-255", "0-1", "0-65535"]

# The value of white in each range.
WHITES = {"0-255": WHITE, "0-1": 1, "0-65535": 65535}

# Shapes of one image. None of them can be mistaken for a list of images.
IMAGE_SHAPES = {IMAGE_SHAPE, (*IMAGE_SHAPE, 1), (1, *IMAGE_SHAPE), (N_PIXELS,)}

# Images of 0-1 whose maximum is lower would be blank: they were scaled twice.
MIN_MAXIMUM = 0.01

# Images to convert at once, to bound the memory of intermediate results.
IMAGES_PER_BLOCK = 1024

# Characters that an error message quotes of a name.
MAX_QUOTE = 100


def to_mnist_images(
    array: Any,
    *,
    range: Range | None = None,  # noqa: A002 - the name in JSON and in Recognizer.classify
    source: str = "images",
    check_polarity: bool = False,
) -> Images:
    """Check images, and convert them to uint8.

    Parameters
    ----------
    array : array-like of shape (n, 28, 28), (n, 28, 28, 1), (n, 1, 28, 28) or (n, 784)
        Numbers of any type; or one image, without the first axis. Boolean arrays are 0-1.
    range : {"0-255", "0-1", "0-65535"}, optional
        What black and white are. By default "0-1" if the maximum is at most 1, and "0-255" if
        it is 2 to 255. Fractions are rounded.
    source : str, default="images"
        What error messages call the array.
    check_polarity : bool, default=False
        Whether to refuse images of which most have dark ink on a bright background.

    Returns
    -------
    uint8 ndarray of shape (n, 28, 28), 0-255
        Without a copy, if `array` is that already.

    Raises
    ------
    FormatError
        If shape or type is different, the range is ambiguous or exceeded, or most images are
        inverted; with one line that says what was expected and found, and what to do.
    ValueError
        If `range` is unknown.
    """
    if range is not None and range not in WHITES:
        msg = f"range: expected one of {', '.join(WHITES)}, found {range!r}"
        raise ValueError(msg)
    values = _stack(array, source)
    white = 1 if values.dtype == np.bool_ else _find_white(values, range, source)
    images = _scale(values, white)
    if check_polarity and 2 * (n_inverted := count_inverted(images, WHITE)) > len(images):
        msg = (
            f"{source}: expected bright ink on a dark background, found the opposite in "
            f"{n_inverted:,} of {len(images):,}; subtract from {white} ({white} - images)"
        )
        raise FormatError(msg)
    return images


def shape_error(source: str, shape: tuple[int, ...]) -> FormatError:
    """Return the error for an array of another shape than images in MNIST form have."""
    side = IMAGE_SIDE
    if len(shape) > 2 and {3, 4} & {shape[-1], shape[-3]}:
        remedy = "convert colours to grey"
    else:
        remedy = f"resize to {side} x {side}"
    return FormatError(
        f"{source}: expected images of shape (n, {side}, {side}), (n, {side}, {side}, 1), "
        f"(n, 1, {side}, {side}) or (n, {N_PIXELS}), found {shape}; "
        f"{remedy}, or read them as pictures, of any size and colours"
    )


def _stack(array: Any, source: str) -> Array:
    """Convert to an array of numbers of shape (n, 28, 28), without a copy if possible."""
    try:
        values: Array = np.asarray(array)
    except ValueError as error:
        msg = (
            f"{source}: expected images of one shape, found lists of several lengths; "
            f"give each {IMAGE_SIDE} rows of {IMAGE_SIDE} numbers"
        )
        raise FormatError(msg) from error
    # An empty list has neither the type nor the shape of images.
    if values.shape[:1] == (0,):
        return np.empty((0, *IMAGE_SHAPE), np.uint8)
    if values.dtype.kind not in "buif":
        found = sanitize(str(values.dtype), MAX_QUOTE)
        msg = f"{source}: expected numbers, found {found}; convert to uint8, 0-255"
        raise FormatError(msg)
    if not {values.shape, values.shape[1:]} & IMAGE_SHAPES:
        raise shape_error(source, values.shape)
    return values.reshape(-1, *IMAGE_SHAPE)


def _find_white(values: Array, stated: Range | None, source: str) -> int:
    """Return the value of white; raise FormatError if it is ambiguous or exceeded."""
    white = WHITES[stated] if stated else WHITE
    if values.dtype == np.uint8 and white >= WHITE:
        # Most arrays have their range at the start.
        is_binary = stated is None and values[:1].max(initial=0) <= 1 and values.max(initial=0) == 1
        return 1 if is_binary else white
    smallest, largest = values.min(), values.max()
    # Comparisons with nan are false.
    if not (smallest >= 0 and largest <= white):
        raise _value_error(values, stated, source)
    if stated is None and (1 < largest < 2 or 0 < largest < MIN_MAXIMUM):
        number = 1 + np.unravel_index(values.argmax(), values.shape)[0]
        msg = (
            f"{source}: image {number:,}: expected values from 0 to 1, or from 0 to {WHITE} with a "
            f'maximum of 2 or more, found {largest:g}; state the range, "0-1" or "0-255"'
        )
        raise FormatError(msg)
    return 1 if stated is None and largest <= 1 else white


def _value_error(values: Array, stated: Range | None, source: str) -> FormatError:
    """Return the error for the first value that is out of range."""
    white = WHITES[stated] if stated else WHITE
    for start in range(0, len(values), IMAGES_PER_BLOCK):
        block = values[start : start + IMAGES_PER_BLOCK]
        valid = (block >= 0) & (block <= white)
        if not valid.all():
            break
    index = np.unravel_index(np.argmin(valid), valid.shape)
    value = block[index]
    if np.isnan(value):
        remedy = "replace missing values"
    elif value < 0:
        remedy = "undo the standardization, or add an offset"
    elif stated:
        remedy = "state the range of the values"
    else:
        remedy = 'scale to 0-255, or, if white is 65535, state the range "0-65535"'
    expected = f"0 to {white}" if stated else f"0 to {WHITE}, or from 0 to 1"
    return FormatError(
        f"{source}: image {1 + start + index[0]:,}: "
        f"expected values from {expected}, found {value:g}; {remedy}"
    )


def _scale(values: Array, white: int) -> Images:
    """Convert checked values to uint8, 0-255."""
    if values.dtype == np.uint8 and white == WHITE:
        return np.ascontiguousarray(values)
    images = np.empty(values.shape, np.uint8)
    for start in range(0, len(values), IMAGES_PER_BLOCK):
        block = values[start : start + IMAGES_PER_BLOCK]
        if white != WHITE:
            block = block * (WHITE / white)
        images[start : start + IMAGES_PER_BLOCK] = np.rint(block)
    return images


def count_inverted(images: Array, white: float) -> int:
    """Count the images of 0 to `white` with a bright border of which most is bright.

    0 if these are not more than half of the images, of shape (n, height, width).
    """
    # Few images have ink at the border, so that few need a look at all pixels.
    height, width = images.shape[1:]
    horizontal, vertical = images[:, :: height - 1], images[:, :, :: width - 1]
    border = horizontal.mean(axis=(1, 2)) + vertical.mean(axis=(1, 2))
    candidates = np.flatnonzero(border > white)
    if 2 * len(candidates) <= len(images):
        return 0
    return int((images[candidates].mean(axis=(1, 2)) > white / 2).sum())
