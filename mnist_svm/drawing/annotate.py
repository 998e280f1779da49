"""A picture with boxes drawn on it, and what was read in each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from mnist_svm.pictures.strokes import Box

SURE = (21, 115, 71)
DOUBTFUL = (190, 30, 45)
LABEL = (255, 255, 255)

# A small picture is enlarged until its longer side has so many pixels, or the labels hide it.
LEGIBLE = 600


@dataclass(frozen=True)
class Annotation:
    """What is drawn at a box.

    Attributes
    ----------
    box : in pixels of the picture.
    text : a character or a few.
    sure : whether the box is green, or red.
    """

    box: Box
    text: str
    sure: bool


def draw_annotations(
    picture: npt.NDArray[np.uint8], size: tuple[int, int], notes: list[Annotation]
) -> Image.Image:
    """Draw boxes and what was read in them.

    Parameters
    ----------
    picture : uint8 ndarray of shape (height, width, 3), 0-255
        May be a smaller copy of the picture that the boxes belong to.
    size : tuple of int
        Height and width of that picture.
    notes : list of Annotation

    Returns
    -------
    PIL.Image.Image
        RGB
    """
    page = Image.fromarray(picture)
    enlarged = max(1, LEGIBLE // max(page.size))
    page = page.resize((page.width * enlarged, page.height * enlarged))
    draw = ImageDraw.Draw(page)
    down, across = page.height / size[0], page.width / size[1]
    thick = max(round(max(page.size) / 500), 1)
    for note in notes:
        top, bottom = note.box.top * down, note.box.bottom * down
        left, right = note.box.left * across, note.box.right * across
        colour = SURE if note.sure else DOUBTFUL
        frame = (left - thick, top - thick, right + thick, bottom + thick)
        draw.rectangle(frame, outline=colour, width=thick)
        font = ImageFont.load_default(max(round((bottom - top) * 0.35), 11))
        _draw_label(draw, (left - thick, top - thick), note.text, font, colour)
    return page


def _draw_label(
    draw: ImageDraw.ImageDraw,
    corner: tuple[float, float],
    text: str,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    colour: tuple[int, int, int],
) -> None:
    """White on a patch of the frame's colour, above the frame, or inside where there is no room."""
    left, top, right, bottom = draw.textbbox((0, 0), text, font=font)
    width, height = right - left + 6, bottom - top + 6
    x, y = corner
    y = y - height if y >= height else y
    draw.rectangle((x, y, x + width, y + height), fill=colour)
    draw.text((x + 3 - left, y + 3 - top), text, fill=LABEL, font=font)
