"""Contact sheet: many small images on one page, each with a caption."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from mnist_svm._types import Images
from mnist_svm.drawing.canvas import INK, PAPER, RED, dark_on_light, paste_framed

# Pixels of the page for each pixel of an image; other sizes in pixels of the page.
SCALE = 3
GAP = 10
CAPTION_HEIGHT = 22
FONT_SIZE = 16


def draw_contact_sheet(
    images: Images,
    captions: Sequence[str],
    *,
    title: str,
    columns: int | None = None,
    is_red: Sequence[bool] | None = None,
) -> Image.Image:
    """Arrange images on an RGB page, row by row, below a title of one line.

    The images, uint8 of shape (n_images, height, width) with bright ink, are drawn dark on light,
    with captions below, which are red by default. The page has `columns` images in a row; by
    default it is about as wide as high for many images, at most ten in a row for a few. Raises
    ValueError if the numbers of images and captions differ.
    """
    n, height, width = images.shape
    if len(captions) != n:
        msg = f"{n} images, but {len(captions)} captions"
        raise ValueError(msg)
    columns = columns or min(max(n, 1), max(10, math.ceil(math.sqrt(1.3 * n))))
    rows = math.ceil(n / columns)
    width, height = SCALE * width, SCALE * height
    cell_width, cell_height = width + GAP, height + CAPTION_HEIGHT + GAP
    font = ImageFont.load_default(FONT_SIZE)
    top = GAP + CAPTION_HEIGHT + GAP
    page_width = max(columns * cell_width + GAP, math.ceil(font.getlength(title)) + 2 * GAP)
    page = Image.new("RGB", (page_width, top + rows * cell_height), PAPER)
    draw = ImageDraw.Draw(page)
    draw.text((GAP, GAP), title, fill=INK, font=font)
    for index, (image, caption) in enumerate(zip(images, captions, strict=True)):
        row, column = divmod(index, columns)
        x, y = GAP + column * cell_width, top + row * cell_height
        paste_framed(page, dark_on_light(image, width, height), x, y)
        middle = (x + width // 2, y + height + CAPTION_HEIGHT // 2 + 1)
        fill = RED if is_red is None or is_red[index] else INK
        draw.text(middle, caption, fill=fill, font=font, anchor="mm")
    return page
