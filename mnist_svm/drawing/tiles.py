"""Page of tiles: each a picture, the image that was classified, and the prediction."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from mnist_svm._types import Images
from mnist_svm.drawing import canvas
from mnist_svm.drawing.text import ELLIPSIS, shorten_text, wrap_text

# All sizes in pixels. An image of 28 x 28 is enlarged four times.
SIDE = 112
BETWEEN = 6
WIDTH = 2 * SIDE + BETWEEN
GAP = 28
MARGIN = 32
PADDING = 10
TITLE_FONT, DIGIT_FONT, TEXT_FONT, SMALL_FONT = 24, 30, 16, 14
NAME_HEIGHT, PREDICTION_HEIGHT = 24, 34
HEIGHT = SIDE + NAME_HEIGHT + PREDICTION_HEIGHT

# Line height as a multiple of the font size.
LEADING = 1.4
# Least number of columns.
MIN_COLUMNS = 4


@dataclass(frozen=True)
class Tile:
    """Contents of a tile.

    Attributes
    ----------
    name : name of the picture; shortened if it is long.
    picture : uint8 ndarray of shape (height, width, 3), at most `SIDE` high and wide; or None.
    image : uint8 ndarray of shape (28, 28), ink bright on a dark background; or None. It is drawn
        dark on light.
    prediction : a few characters.
    details : a few words after the prediction.
    error : the reason why there is no prediction, drawn in place of the image; or None.
    """

    name: str
    picture: Images | None
    image: Images | None
    prediction: str
    details: str
    error: str | None = None


def draw_tiles(tiles: Sequence[Tile], *, title: str, note: str) -> Image.Image:
    """Arrange tiles on an RGB page, row by row, below a title and a note of one line each.

    The page is about as wide as high for many tiles, and `MIN_COLUMNS` tiles wide for a few.
    """
    columns = max(MIN_COLUMNS, math.ceil(math.sqrt(len(tiles) * (HEIGHT + GAP) / (WIDTH + GAP))))
    rows = math.ceil(len(tiles) / columns)
    top = MARGIN + round(LEADING * (TITLE_FONT + TEXT_FONT)) + GAP
    width = 2 * MARGIN + columns * (WIDTH + GAP) - GAP
    page = Image.new("RGB", (width, top + rows * (HEIGHT + GAP) - GAP + MARGIN), canvas.PAPER)
    draw = ImageDraw.Draw(page)
    draw.text((MARGIN, MARGIN), title, fill=canvas.INK, font=ImageFont.load_default(TITLE_FONT))
    note_y = MARGIN + round(LEADING * TITLE_FONT)
    draw.text((MARGIN, note_y), note, fill=canvas.FAINT, font=ImageFont.load_default(TEXT_FONT))
    for index, tile in enumerate(tiles):
        row, column = divmod(index, columns)
        _draw_tile(page, tile, MARGIN + column * (WIDTH + GAP), top + row * (HEIGHT + GAP))
    return page


def _draw_tile(page: Image.Image, tile: Tile, x: int, y: int) -> None:
    draw = ImageDraw.Draw(page)
    image_x = x + SIDE + BETWEEN
    if tile.picture is not None:
        canvas.paste_framed(
            page, canvas.fit_in_square(tile.picture, SIDE, integer_scale=True), x, y
        )
    if tile.image is not None:
        canvas.paste_framed(page, canvas.dark_on_light(tile.image, SIDE, SIDE), image_x, y)
    elif tile.error is not None:
        left = x if tile.picture is None else image_x
        draw.rectangle(
            (left - 1, y - 1, x + WIDTH, y + SIDE), fill=canvas.MAT, outline=canvas.FRAME
        )
        _draw_error(draw, tile.error, left + PADDING, y, x + WIDTH - left - 2 * PADDING)

    name, font = shorten_text(tile.name, SMALL_FONT, WIDTH), ImageFont.load_default(SMALL_FONT)
    y += SIDE + NAME_HEIGHT // 2 + 2
    draw.text((x, y), name, fill=canvas.FAINT, font=font, anchor="lm")
    y += NAME_HEIGHT // 2 + PREDICTION_HEIGHT - 8
    digit_font, text_font = map(ImageFont.load_default, (DIGIT_FONT, TEXT_FONT))
    draw.text((x, y), tile.prediction, fill=canvas.INK, font=digit_font, anchor="ls")
    colour = canvas.FAINT if tile.error is None else canvas.RED
    x += round(digit_font.getlength(tile.prediction)) + PADDING if tile.prediction else 0
    draw.text((x, y), tile.details, fill=colour, font=text_font, anchor="ls")


def _draw_error(draw: ImageDraw.ImageDraw, text: str, x: int, y: int, width: int) -> None:
    """Draw a paragraph in the vertical middle of a tile, cut off if it is too long."""
    lines = list(wrap_text(text, SMALL_FONT, width))
    line_height = round(LEADING * SMALL_FONT)
    max_lines = SIDE // line_height
    if len(lines) > max_lines:
        lines = [*lines[: max_lines - 1], lines[max_lines - 1] + ELLIPSIS]
    y += (SIDE - len(lines) * line_height) // 2
    for line in lines:
        shortened = shorten_text(line, SMALL_FONT, width)
        draw.text((x, y), shortened, fill=canvas.INK, font=ImageFont.load_default(SMALL_FONT))
        y += line_height
