"""Pixels of every mode -> greys or colours, on a ground where they are transparent."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageChops

from mnist_svm.constants import GreyImage
from mnist_svm.exceptions import PictureError
from mnist_svm.pictures.colour import to_grey

# Ink over paper that differs less than this, of 255, cannot be seen.
BLANK = 24

# Pixels that are handled at a time where copies would take much memory.
BLOCK = 1 << 20


def to_grey_or_rgb(image: Image.Image) -> Image.Image:
    """A picture as a screen shows it, in greys or colours.

    Transparent parts are white, unless only black shows what is drawn. Greys of more than 8 bits
    are scaled so that the least whole number of bits that holds the largest, but no less than 8,
    comes to 255. If all are below 2, then 1 is white. If some are negative, the lowest is black and
    the highest white.

    Parameters
    ----------
    image : Image of any mode

    Returns
    -------
    Image of mode L or RGB

    Raises
    ------
    PictureError
        If greys are not finite.
    """
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_scaled(np.asarray(image)))
    if image.has_transparency_data:
        return _on_ground(image if image.mode == "RGBA" else image.convert("RGBA"))
    if image.mode in ("L", "RGB"):
        return image
    if image.mode == "1":
        return image.convert("L")
    if image.mode == "LAB":
        return image.getchannel("L")
    if image.mode == "CMYK" and image.format == "JPEG" and "adobe" not in image.info:
        # Pillow takes all for Adobe's, which are inverted.
        image = ImageChops.invert(image)
    return image.convert("RGB")


def greys_of(shown: Image.Image) -> GreyImage:
    """The greys in which a digit is looked for.

    Parameters
    ----------
    shown : Image of mode L or RGB

    Returns
    -------
    uint8 ndarray of shape (height, width), 0-255
        Of colours, what `mnist_svm.pictures.colour.to_grey` gives.
    """
    return to_grey(shown) if shown.mode == "RGB" else np.asarray(shown)


def make_thumbnail(shown: Image.Image, side: int) -> GreyImage:
    """A small copy.

    Parameters
    ----------
    shown : Image of mode L or RGB
    side : int
        Pixels of the longer side, of what is larger; what is smaller keeps its size.

    Returns
    -------
    uint8 ndarray of shape (height, width, 3), 0-255
    """
    scale = min(side / max(shown.size), 1)
    width, height = (max(round(scale * length), 1) for length in shown.size)
    small = shown.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=2.0)
    return np.asarray(small.convert("RGB"))


def _on_ground(colours: Image.Image) -> Image.Image:
    """Over white; white ink, which would vanish there, over black."""
    over_white = _over("white", colours)
    visible = np.ptp(to_grey(over_white)) >= BLANK
    if visible or np.ptp(np.asarray(colours.getchannel("A"))) < BLANK:
        return over_white
    return _over("black", colours)


def _over(ground: str, colours: Image.Image) -> Image.Image:
    sheet = Image.new("RGB", colours.size, ground)
    width, height = colours.size
    # Strip by strip, because Pillow copies what it pastes.
    step = max(1, BLOCK // width)
    for top in range(0, height, step):
        box = (0, top, width, min(top + step, height))
        strip = colours.crop(box)
        sheet.paste(strip, box, strip)
    return sheet


def _scaled(values: npt.NDArray[np.generic]) -> GreyImage:
    """Greys of more than 8 bits, scaled as `to_grey_or_rgb` says."""
    lowest, highest = float(values.min()), float(values.max())
    if not np.isfinite(lowest) or not np.isfinite(highest):
        msg = "greys that are not finite (NaN or infinity), expected numbers"
        raise PictureError(msg)
    if lowest < 0:
        black, white = lowest, highest
    elif highest < 2:
        black, white = 0.0, 1.0
    else:
        black, white = 0.0, 2.0 ** max(8, int(highest).bit_length()) - 1
    grey = np.empty(values.shape, dtype=np.uint8)
    step = max(1, BLOCK // values.shape[1])
    for start in range(0, len(values), step):
        block = values[start : start + step].astype(np.float64)
        scaled = (block - black) * (255 / ((white - black) or 1))
        grey[start : start + step] = np.rint(scaled.clip(0, 255))
    return grey
