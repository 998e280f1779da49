"""A contact sheet: many small images on one page, each with a caption."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

SCALE = 3
GAP = 10
CAPTION_HEIGHT = 22
FONT_SIZE = 16

PAPER = (255, 255, 255)
FRAME = (210, 214, 220)
# Behind pictures that are not square, so that the edges of white paper show.
MAT = (236, 239, 242)
INK = (33, 37, 41)
FAINT = (95, 103, 112)
RIGHT = (21, 115, 71)
WRONG = (190, 30, 45)


@dataclass(frozen=True)
class Caption:
    """What stands under an image.

    Attributes
    ----------
    text : a few characters; about twelve fit.
    right : True and False colour it green and red, None leaves it dark.
    """

    text: str
    right: bool | None = None


def draw_contact_sheet(
    images: npt.NDArray[np.uint8], captions: Sequence[Caption], *, title: str = ""
) -> Image.Image:
    """Arrange images on a page, row by row in their order.

    Parameters
    ----------
    images : uint8 ndarray of shape (n, height, width)
        0-255, ink bright on a dark ground; drawn dark on light, as on paper.
    captions : sequence of n Caption
    title : str, default=""
        A line above the images.

    Returns
    -------
    PIL.Image.Image
        RGB, about as wide as high for many images, at most ten in a row for a few.

    Raises
    ------
    ValueError
        If there are not as many captions as images.
    """
    n, height, width = images.shape
    if len(captions) != n:
        msg = f"{n} images, but {len(captions)} captions"
        raise ValueError(msg)
    columns = min(max(n, 1), max(10, math.ceil(math.sqrt(1.3 * n))))
    rows = math.ceil(n / columns)
    cell_width, cell_height = SCALE * width + GAP, SCALE * height + CAPTION_HEIGHT + GAP
    font = ImageFont.load_default(FONT_SIZE)
    top = GAP + (CAPTION_HEIGHT + GAP if title else 0)
    page_width = max(columns * cell_width + GAP, math.ceil(font.getlength(title)) + 2 * GAP)
    page = Image.new("RGB", (page_width, top + rows * cell_height), PAPER)
    draw = ImageDraw.Draw(page)
    draw.text((GAP, GAP), title, fill=INK, font=font)

    for index, (pixels, caption) in enumerate(zip(images, captions, strict=True)):
        row, column = divmod(index, columns)
        x, y = GAP + column * cell_width, top + row * cell_height
        tile = Image.fromarray(255 - pixels).resize(
            (SCALE * width, SCALE * height), Image.Resampling.NEAREST
        )
        page.paste(tile, (x, y))
        frame = (x - 1, y - 1, x + SCALE * width, y + SCALE * height)
        draw.rectangle(frame, outline=FRAME)
        colour = INK if caption.right is None else RIGHT if caption.right else WRONG
        middle = (x + SCALE * width // 2, y + SCALE * height + CAPTION_HEIGHT // 2 + 1)
        draw.text(middle, caption.text, fill=colour, font=font, anchor="mm")
    return page
