"""A page of tiles: each a picture beside what the classifier saw, and what was read in it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from mnist_svm.constants import Images
from mnist_svm.drawing.contact_sheet import FAINT, FRAME, INK, MAT, PAPER, WRONG
from mnist_svm.drawing.text import ELLIPSIS, shorten_text, wrap_text

# All lengths in pixels: 28 x 28 pixels at four to one.
SIDE = 112
BETWEEN = 6
WIDTH = 2 * SIDE + BETWEEN
GAP = 28
MARGIN = 32
PADDING = 10

# At least so many stand in a row, if there are.
COLUMNS = 4

TITLE_FONT, DIGIT_FONT, TEXT_FONT, SMALL_FONT = 24, 30, 16, 14
LEADING = 1.4
NAME_HEIGHT, ANSWER_HEIGHT = 24, 34
HEIGHT = SIDE + NAME_HEIGHT + ANSWER_HEIGHT

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Tile:
    """What stands on a tile.

    Attributes
    ----------
    name : str
        Of the picture; shorten_text if it is long.
    picture : uint8 ndarray of shape (height, width, 3), at most `SIDE` high and wide; or None
    seen : uint8 ndarray of shape (28, 28), ink bright on a dark ground; or None
        Drawn dark on light, as on paper.
    answer : str
        What was read, a few characters.
    remark : str
        A few words that stand beside it.
    error : str or None
        Why nothing was read; stands where that would be seen.
    """

    name: str
    picture: Images | None
    seen: Images | None
    answer: str
    remark: str
    error: str | None = None


def draw_tiles(tiles: Sequence[Tile], *, title: str, note: str) -> Image.Image:
    """Arrange tiles on a page, row by row in their order.

    Parameters
    ----------
    tiles : sequence of Tile
    title, note : str
        One line each, above the tiles.

    Returns
    -------
    PIL.Image.Image
        RGB, about as wide as high for many tiles, `COLUMNS` wide for a few.
    """
    columns = max(COLUMNS, math.ceil(math.sqrt(len(tiles) * (HEIGHT + GAP) / (WIDTH + GAP))))
    rows = math.ceil(len(tiles) / columns)
    top = MARGIN + round(LEADING * (TITLE_FONT + TEXT_FONT)) + GAP
    size = (
        2 * MARGIN + columns * (WIDTH + GAP) - GAP,
        top + rows * (HEIGHT + GAP) - GAP + MARGIN,
    )
    page = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(page)
    draw.text((MARGIN, MARGIN), title, fill=INK, font=ImageFont.load_default(TITLE_FONT))
    below = MARGIN + round(LEADING * TITLE_FONT)
    draw.text((MARGIN, below), note, fill=FAINT, font=ImageFont.load_default(TEXT_FONT))
    for index, tile in enumerate(tiles):
        row, column = divmod(index, columns)
        x, y = MARGIN + column * (WIDTH + GAP), top + row * (HEIGHT + GAP)
        _draw_tile(page, draw, tile, x, y)
    return page


def _draw_tile(page: Image.Image, draw: ImageDraw.ImageDraw, tile: Tile, x: int, y: int) -> None:
    beside = x + SIDE + BETWEEN
    if tile.picture is not None:
        _frame(draw, (x, y, x + SIDE, y + SIDE))
        picture = _fitted(tile.picture)
        left, top = ((SIDE - length) // 2 for length in picture.size)
        page.paste(picture, (x + left, y + top))
    if tile.seen is not None:
        seen = Image.fromarray(255 - tile.seen).resize((SIDE, SIDE), Image.Resampling.NEAREST)
        _frame(draw, (beside, y, beside + SIDE, y + SIDE))
        page.paste(seen, (beside, y))
    elif tile.error is not None:
        left = x if tile.picture is None else beside
        _frame(draw, (left, y, x + WIDTH, y + SIDE))
        _write(draw, tile.error, (left + PADDING, y, x + WIDTH - PADDING, y + SIDE))

    name, font = shorten_text(tile.name, SMALL_FONT, WIDTH), ImageFont.load_default(SMALL_FONT)
    y += SIDE + NAME_HEIGHT // 2 + 2
    draw.text((x, y), name, fill=FAINT, font=font, anchor="lm")
    y += NAME_HEIGHT // 2 + ANSWER_HEIGHT - 8
    digit, text = ImageFont.load_default(DIGIT_FONT), ImageFont.load_default(TEXT_FONT)
    draw.text((x, y), tile.answer, fill=INK, font=digit, anchor="ls")
    colour = FAINT if tile.error is None else WRONG
    x += round(digit.getlength(tile.answer)) + PADDING if tile.answer else 0
    draw.text((x, y), tile.remark, fill=colour, font=text, anchor="ls")


def _frame(draw: ImageDraw.ImageDraw, box: Box) -> None:
    """A mat with a line around the box."""
    left, top, right, bottom = box
    draw.rectangle((left - 1, top - 1, right, bottom), fill=MAT, outline=FRAME)


def _fitted(picture: Images) -> Image.Image:
    """As large as a tile's side, where pixels stay pixels."""
    scale = max(SIDE // max(picture.shape), 1)
    image = Image.fromarray(picture)
    return image.resize((scale * image.width, scale * image.height), Image.Resampling.NEAREST)


def _write(draw: ImageDraw.ImageDraw, text: str, box: Box) -> None:
    """A few lines in the middle of a box."""
    left, top, right, bottom = box
    lines = list(wrap_text(text, SMALL_FONT, right - left))
    leading = round(LEADING * SMALL_FONT)
    most = (bottom - top) // leading
    if len(lines) > most:
        lines = [*lines[: most - 1], lines[most - 1] + ELLIPSIS]
    y = (top + bottom - len(lines) * leading) // 2
    for line in lines:
        fitting = shorten_text(line, SMALL_FONT, right - left)
        draw.text((left, y), fitting, fill=INK, font=ImageFont.load_default(SMALL_FONT))
        y += leading
