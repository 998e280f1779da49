"""Convert pictures of every Pillow mode to 8-bit grey levels or RGB, without transparency."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageChops

from mnist_svm._types import Array, Images
from mnist_svm.exceptions import PictureError
from mnist_svm.pictures.colour import to_grey

# Difference of grey levels, of 255, below which ink cannot be seen on its background.
MIN_VISIBLE = 24

# Pixels converted at a time, where copies would take much memory.
PIXELS_PER_BLOCK = 1 << 20


def to_grey_or_rgb(image: Image.Image) -> Image.Image:
    """Convert a picture of any mode to L or RGB, as `mnist_svm.pictures.decode.decode` describes.

    Raises PictureError if grey levels are not finite.
    """
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_to_8_bits(np.asarray(image)))
    if image.has_transparency_data:
        return _remove_transparency(image if image.mode == "RGBA" else image.convert("RGBA"))
    if image.mode in ("L", "RGB"):
        return image
    if image.mode == "1":
        return image.convert("L")
    if image.mode == "LAB":
        return image.getchannel("L")
    if image.mode == "CMYK" and image.format == "JPEG" and "adobe" not in image.info:
        # Pillow assumes Adobe's inverted values in every CMYK JPEG.
        image = ImageChops.invert(image)
    return image.convert("RGB")


def from_array(array: Array) -> Image.Image:
    """Convert an array of shape (height, width) or (height, width, 1 to 4) to L, LA, RGB or RGBA.

    Raises PictureError if numbers are not finite.
    """
    levels = array if array.dtype == np.uint8 else _to_8_bits(array)
    return Image.fromarray(levels[:, :, 0] if levels.shape[2:] == (1,) else levels)


def make_thumbnail(image: Image.Image, side: int) -> Images:
    """Make a copy of shape (height, width, 3) whose longer side has at most `side` pixels."""
    scale = min(side / max(image.size), 1)
    width, height = (max(round(scale * length), 1) for length in image.size)
    small = image.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=2.0)
    return np.asarray(small.convert("RGB"))


def _remove_transparency(image: Image.Image) -> Image.Image:
    """Compose over white, or over black if only that makes visible what is drawn."""
    over_white = _compose("white", image)
    is_visible = np.ptp(to_grey(over_white)) >= MIN_VISIBLE
    if is_visible or np.ptp(np.asarray(image.getchannel("A"))) < MIN_VISIBLE:
        return over_white
    return _compose("black", image)


def _compose(background: str, image: Image.Image) -> Image.Image:
    composed = Image.new("RGB", image.size, background)
    width, height = image.size
    # In blocks, because Pillow copies what it pastes.
    rows = max(1, PIXELS_PER_BLOCK // width)
    for top in range(0, height, rows):
        box = (0, top, width, min(top + rows, height))
        block = image.crop(box)
        composed.paste(block, box, block)
    return composed


def _to_8_bits(values: Array) -> Images:
    lowest, highest = float(values.min()), float(values.max())
    if not np.isfinite(highest - lowest):
        msg = "grey levels are not finite (NaN or infinity), expected numbers"
        raise PictureError(msg)
    if lowest < 0:
        black, white = lowest, highest
    elif highest < 2:
        black, white = 0.0, 1.0
    else:
        black, white = 0.0, 2.0 ** max(8, int(highest).bit_length()) - 1
    grey = np.empty(values.shape, dtype=np.uint8)
    rows = max(1, PIXELS_PER_BLOCK // values[0].size)
    for start in range(0, len(values), rows):
        block = values[start : start + rows].astype(np.float64)
        scaled = (block - black) * (255 / ((white - black) or 1))
        grey[start : start + rows] = np.rint(scaled.clip(0, 255))
    return grey
