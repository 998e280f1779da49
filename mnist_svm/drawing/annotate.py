"""Draw labelled boxes on a picture."""

from __future__ import annotations

from collections.abc import Iterable

from PIL import Image, ImageDraw, ImageFont

from mnist_svm._types import Images
from mnist_svm.drawing.canvas import GREEN, PAPER, RED
from mnist_svm.pictures.boxes import Box

# Longer side, in pixels, to which a small picture is enlarged, so that labels do not cover it.
MIN_SIDE = 600


def draw_annotations(
    picture: Images, size: tuple[int, int], annotations: Iterable[tuple[Box, str, bool]]
) -> Image.Image:
    """Draw boxes on a picture of shape (height, width, 3): an RGB image.

    The picture may be a smaller copy; `size` is the height and width that the boxes refer to. Each
    box has a short label, and is green if that is confident, else red.
    """
    page = Image.fromarray(picture)
    zoom = max(1, MIN_SIDE // max(page.size))
    page = page.resize((page.width * zoom, page.height * zoom))
    draw = ImageDraw.Draw(page)
    y_scale, x_scale = page.height / size[0], page.width / size[1]
    line = max(round(max(page.size) / 500), 1)
    for box, text, is_confident in annotations:
        top, bottom = box.top * y_scale, box.bottom * y_scale
        left, right = box.left * x_scale, box.right * x_scale
        colour = GREEN if is_confident else RED
        frame = (left - line, top - line, right + line, bottom + line)
        draw.rectangle(frame, outline=colour, width=line)
        # White text on a coloured patch above the corner, or below where there is no room.
        font = ImageFont.load_default(max(round((bottom - top) * 0.35), 11))
        x, y = left - line, top - line
        left, top, right, bottom = draw.textbbox((0, 0), text, font=font)
        width, height = right - left + 6, bottom - top + 6
        y = y - height if y >= height else y
        draw.rectangle((x, y, x + width, y + height), fill=colour)
        draw.text((x + 3 - left, y + 3 - top), text, fill=PAPER, font=font)
    return page
