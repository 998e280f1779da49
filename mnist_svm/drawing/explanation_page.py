"""Explanation page: a picture, the evidence for and against its prediction, and support vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mnist_svm._types import BoolArray, Float64Array, Images
from mnist_svm.drawing import canvas
from mnist_svm.drawing.text import wrap_text

# All sizes in pixels. An image of 28 x 28 is enlarged ten times in a large tile, four in a small.
TILE = 280
SMALL_TILE = 112
MARGIN = 32
GAP = 16
BETWEEN = 48
WIDTH = 2 * MARGIN + 3 * TILE + 2 * BETWEEN
COLUMNS = tuple(MARGIN + column * (TILE + BETWEEN) for column in range(3))
# Between small tiles, five of which are as wide as two large ones.
SMALL_GAP = (2 * TILE + BETWEEN - 5 * SMALL_TILE) // 4
LEGEND_HEIGHT = 12
LARGE_FONT, MIDDLE_FONT, SMALL_FONT = 32, 18, 15

# Equally dark, and distinct to people with any colour blindness.
FOR, AGAINST = (33, 102, 172), canvas.RED

# Grey level from which a pixel of an image counts as ink.
INK_THRESHOLD = 128


# A title, and at most five captions and images, ink bright on a dark background.
ImageRow = tuple[str, Sequence[tuple[str, Images]]]


@dataclass(frozen=True)
class ExplanationPage:
    """Contents of an explanation page.

    Attributes
    ----------
    picture : uint8 ndarray of shape (height, width) or (height, width, 3), or a smaller copy.
    size : width and height of the picture.
    image : uint8 ndarray of shape (28, 28), ink bright on a dark background.
    heat_map : float64 ndarray of shape (28, 28), positive where `image` supports the prediction.
    decision : the decision function and its value.
    svm_input : uint8 ndarray of shape (side, side), ink bright on a dark background.
    rows : evidence for the prediction, and against it.
    note : about the rows.
    """

    title: str
    subtitle: str
    picture: Images
    size: tuple[int, int]
    image: Images
    heat_map: Float64Array
    heat_map_title: str
    heat_map_note: str
    decision_title: str
    decision: str
    svm_input: Images
    rows: tuple[ImageRow, ImageRow]
    note: str


def draw_explanation_page(content: ExplanationPage) -> Image.Image:
    """Draw an explanation page: an RGB image, `WIDTH` pixels wide."""
    page = _Page()
    page.paragraph(content.title, LARGE_FONT)
    page.paragraph(content.subtitle, MIDDLE_FONT, canvas.FAINT)
    page.y += GAP

    width, height = content.size
    peak = float(np.abs(content.heat_map).max())
    for x, title in zip(COLUMNS, ("Picture", "Input image", content.heat_map_title)):
        page.line(x, title, MIDDLE_FONT)
    page.y += _line_height(MIDDLE_FONT)
    page.paste(COLUMNS[0], canvas.fit_in_square(content.picture, TILE))
    page.paste(COLUMNS[1], canvas.dark_on_light(content.image, TILE, TILE))
    page.paste(COLUMNS[2], canvas.enlarge(_diverging(content.heat_map, peak), TILE, TILE))
    page.outline(COLUMNS[2], content.image >= INK_THRESHOLD, TILE)
    page.y += TILE + GAP // 2
    page.line(COLUMNS[0], f"{width:,} x {height:,} pixels", SMALL_FONT, canvas.FAINT)
    page.line(COLUMNS[1], "28 x 28 pixels", SMALL_FONT, canvas.FAINT)
    page.legend(COLUMNS[2], peak)
    page.y += GAP
    page.paragraph(content.heat_map_note, SMALL_FONT, canvas.FAINT)

    page.y += GAP
    page.draw.line((MARGIN, page.y, WIDTH - MARGIN, page.y), fill=canvas.FRAME)
    page.y += GAP
    page.paragraph(content.decision_title, MIDDLE_FONT)
    page.paragraph(content.decision, MIDDLE_FONT, canvas.FAINT)
    page.y += GAP // 2
    page.line(COLUMNS[0], "Input of the SVM", SMALL_FONT)
    top = page.y + _line_height(SMALL_FONT)
    for (title, images), colour in zip(content.rows, (FOR, AGAINST), strict=True):
        page.row(COLUMNS[1], title, images, colour)
    svm_input = canvas.dark_on_light(content.svm_input, TILE, TILE)
    canvas.paste_framed(page.image, svm_input, COLUMNS[0], top)
    page.y += GAP
    page.paragraph(content.note, SMALL_FONT, canvas.FAINT)
    return page.image.crop((0, 0, WIDTH, page.y + MARGIN - GAP))


class _Page:
    """A page that is filled from top to bottom; ``y`` is where the next element begins."""

    def __init__(self) -> None:
        self.image = Image.new("RGB", (WIDTH, 2 * WIDTH), canvas.PAPER)
        self.draw = ImageDraw.Draw(self.image)
        self.y = MARGIN

    def paragraph(self, text: str, font_size: int, colour: canvas.Colour = canvas.INK) -> None:
        for line in wrap_text(text, font_size, WIDTH - 2 * MARGIN):
            self.line(MARGIN, line, font_size, colour)
            self.y += _line_height(font_size)

    def line(
        self, x: int, text: str, size: int, colour: canvas.Colour = canvas.INK, anchor: str = "la"
    ) -> None:
        font = ImageFont.load_default(size)
        self.draw.text((x, self.y), text, fill=colour, font=font, anchor=anchor)

    def paste(self, x: int, image: Image.Image) -> None:
        canvas.paste_framed(self.image, image, x, self.y)

    def outline(self, x: int, ink: BoolArray, side: int) -> None:
        """Draw a line around the ink of a tile."""
        scale = side // len(ink)
        padded = np.pad(ink, 1)
        edges = [(i, j, i, j + 1) for i, j in np.argwhere(padded[1:, 1:-1] != padded[:-1, 1:-1])]
        edges += [(i, j, i + 1, j) for i, j in np.argwhere(padded[1:-1, 1:] != padded[1:-1, :-1])]
        for top, left, bottom, right in scale * np.array(edges):
            ends = (x + left, self.y + top, x + right, self.y + bottom)
            self.draw.line(ends, fill=canvas.INK, width=2)

    def legend(self, x: int, peak: float) -> None:
        """Draw the colour scale of a heat map."""
        scale = np.linspace(-1, 1, TILE)[None].repeat(LEGEND_HEIGHT, axis=0)
        self.paste(x, _diverging(scale, 1))
        self.y += LEGEND_HEIGHT + GAP // 4
        self.line(x, f"-{peak:.2g} against", SMALL_FONT, AGAINST)
        self.line(x + TILE // 2, "0", SMALL_FONT, canvas.FAINT, "ma")
        self.line(x + TILE, f"for +{peak:.2g}", SMALL_FONT, FOR, "ra")
        self.y += _line_height(SMALL_FONT)

    def row(
        self, x: int, title: str, images: Sequence[tuple[str, Images]], colour: canvas.Colour
    ) -> None:
        """Draw small images with a title and captions."""
        self.line(x, title, SMALL_FONT, colour)
        self.y += _line_height(SMALL_FONT)
        font, caption_y = ImageFont.load_default(SMALL_FONT), self.y + SMALL_TILE + GAP // 4
        for caption, image in images:
            self.paste(x, canvas.dark_on_light(image, SMALL_TILE, SMALL_TILE))
            middle = (x + SMALL_TILE // 2, caption_y)
            self.draw.text(middle, caption, fill=colour, font=font, anchor="ma")
            x += SMALL_TILE + SMALL_GAP
        # Two rows, without the first title and the last captions, are as high as a large tile.
        self.y += TILE - SMALL_TILE - _line_height(SMALL_FONT)


def _line_height(font_size: int) -> int:
    return round(1.5 * font_size)


def _diverging(values: Float64Array, peak: float) -> Image.Image:
    """Map values from -peak to 0 to peak to colours from AGAINST over white to FOR."""
    strength = np.abs(values / peak if peak > 0 else values)[..., None]
    colours = np.where(values[..., None] > 0, FOR, AGAINST)
    return Image.fromarray(np.rint(255 + strength * (colours - 255.0)).astype(np.uint8))
