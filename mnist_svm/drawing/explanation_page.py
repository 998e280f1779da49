"""A plate: one page with a picture, what spoke for and against its reading, and witnesses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from mnist_svm.constants import Float64Array, Images
from mnist_svm.drawing.contact_sheet import FAINT, FRAME, INK, MAT, PAPER
from mnist_svm.drawing.text import wrap_text

# All lengths in pixels: large tiles are 28 x 28 pixels at ten to one, small ones at four to one.
TILE = 280
SMALL = 112
MARGIN = 32
GAP = 16
BETWEEN = 48
WIDTH = 2 * MARGIN + 3 * TILE + 2 * BETWEEN
# Five small tiles are as wide as two large ones.
CLOSE = (2 * TILE + BETWEEN - 5 * SMALL) // 4
BAR = 12

# Of one darkness, and told apart by all who see colours, however few.
FOR = (33, 102, 172)
AGAINST = (190, 30, 45)

LARGE_FONT, MIDDLE_FONT, SMALL_FONT = 32, 18, 15

# From here on a pixel counts as ink.
INK_THRESHOLD = 128


@dataclass(frozen=True)
class ImageRow:
    """Some small images in a row.

    Attributes
    ----------
    title : str
    images : sequence of at most five uint8 ndarrays, ink bright on a dark ground.
    captions : as many strings.
    is_for : whether they spoke for the reading.
    """

    title: str
    images: Sequence[Images]
    captions: Sequence[str]
    is_for: bool


@dataclass(frozen=True)
class ExplanationPage:
    """What stands on a plate.

    Attributes
    ----------
    title, subtitle : str
    picture : uint8 ndarray of shape (height, width) or (height, width, 3), as given, or smaller.
    size : (int, int), the width and height that it had.
    seen : uint8 ndarray of shape (28, 28), ink bright on a dark ground.
    heat : float64 ndarray of shape (28, 28), positive where ``seen`` spoke for the reading.
    heat_title, heat_note : str
    decision, ledger : str
    compared : uint8 ndarray of shape (side, side), ink bright on a dark ground.
    rows : two `ImageRow`.
    note : str
    """

    title: str
    subtitle: str
    picture: Images
    size: tuple[int, int]
    seen: Images
    heat: Float64Array
    heat_title: str
    heat_note: str
    decision: str
    ledger: str
    compared: Images
    rows: tuple[ImageRow, ImageRow]
    note: str


def draw_explanation_page(plate: ExplanationPage) -> Image.Image:
    """Draw a plate.

    Parameters
    ----------
    plate : ExplanationPage

    Returns
    -------
    PIL.Image.Image
        RGB, `WIDTH` pixels wide.
    """
    page = _Page()
    page.text(plate.title, LARGE_FONT)
    page.text(plate.subtitle, MIDDLE_FONT, FAINT)
    page.y += GAP

    width, height = plate.size
    columns = [MARGIN + column * (TILE + BETWEEN) for column in range(3)]
    for x, title in zip(columns, ("The picture", "What the classifier saw", plate.heat_title)):
        page.line(x, title, MIDDLE_FONT)
    page.y += page.height_of(MIDDLE_FONT)
    page.tile(columns[0], _fitted(plate.picture), TILE)
    page.tile(columns[1], _on_paper(plate.seen), TILE)
    page.tile(columns[2], _coloured(plate.heat, np.abs(plate.heat).max()), TILE)
    page.outline(columns[2], plate.seen >= INK_THRESHOLD, TILE)
    page.y += TILE + GAP // 2
    page.line(columns[0], f"{width:,} x {height:,} pixels", SMALL_FONT, FAINT)
    page.line(columns[1], "28 x 28 pixels", SMALL_FONT, FAINT)
    page.legend(columns[2], float(np.abs(plate.heat).max()))
    page.y += GAP
    page.text(plate.heat_note, SMALL_FONT, FAINT)

    page.rule()
    page.text(plate.decision, MIDDLE_FONT)
    page.text(plate.ledger, MIDDLE_FONT, FAINT)
    page.y += GAP // 2
    page.line(columns[0], "What the machine compares", SMALL_FONT)
    top = page.y
    for row in plate.rows:
        page.row(columns[1], row)
    # As high as both rows, without the first one's title and the last one's captions.
    page.tile(columns[0], _on_paper(plate.compared), TILE, top + page.height_of(SMALL_FONT))
    page.y += GAP
    page.text(plate.note, SMALL_FONT, FAINT)
    return page.image()


class _Page:
    """A page that is filled from the top; ``y`` is where it is filled to."""

    def __init__(self) -> None:
        self._page = Image.new("RGB", (WIDTH, 2 * WIDTH), PAPER)
        self._draw = ImageDraw.Draw(self._page)
        self.y = MARGIN

    def image(self) -> Image.Image:
        return self._page.crop((0, 0, WIDTH, self.y + MARGIN - GAP))

    @staticmethod
    def height_of(size: int) -> int:
        """Of a line of text."""
        return round(1.5 * size)

    def text(self, text: str, size: int, colour: tuple[int, int, int] = INK) -> None:
        """A paragraph as wide as the page."""
        for line in wrap_text(text, size, WIDTH - 2 * MARGIN):
            self.line(MARGIN, line, size, colour)
            self.y += self.height_of(size)

    def line(self, x: int, text: str, size: int, colour: tuple[int, int, int] = INK) -> None:
        """A line that begins at x."""
        self._draw.text((x, self.y), text, fill=colour, font=ImageFont.load_default(size))

    def rule(self) -> None:
        """A line across the page."""
        self.y += GAP
        self._draw.line((MARGIN, self.y, WIDTH - MARGIN, self.y), fill=FRAME)
        self.y += GAP

    def tile(self, x: int, image: Image.Image, side: int, y: int | None = None) -> None:
        """An image in a frame, square, at x."""
        top = self.y if y is None else y
        # Pixels stay pixels, unless they would become unequal.
        whole = side % image.width == 0
        method = Image.Resampling.NEAREST if whole else Image.Resampling.BICUBIC
        self._page.paste(image.resize((side, side), method), (x, top))
        self._draw.rectangle((x - 1, top - 1, x + side, top + side), outline=FRAME)

    def outline(self, x: int, ink: npt.NDArray[np.bool_], side: int) -> None:
        """A line around all ink of the tile that begins here."""
        scale = side // len(ink)
        padded = np.pad(ink, 1)
        for i, j in np.argwhere(padded[1:, 1:-1] != padded[:-1, 1:-1]):
            across = (x + scale * j, self.y + scale * i, x + scale * (j + 1), self.y + scale * i)
            self._draw.line(across, fill=INK, width=2)
        for i, j in np.argwhere(padded[1:-1, 1:] != padded[1:-1, :-1]):
            down = (x + scale * j, self.y + scale * i, x + scale * j, self.y + scale * (i + 1))
            self._draw.line(down, fill=INK, width=2)

    def legend(self, x: int, top: float) -> None:
        """The scale of a heat map."""
        scale = np.linspace(-1, 1, TILE)[None].repeat(BAR, axis=0)
        self._page.paste(_coloured(scale, 1), (x, self.y))
        self._draw.rectangle((x - 1, self.y - 1, x + TILE, self.y + BAR), outline=FRAME)
        font = ImageFont.load_default(SMALL_FONT)
        self.y += BAR + GAP // 4
        labels = ((0, "la", f"-{top:.2g} against", AGAINST), (TILE // 2, "ma", "0", FAINT))
        for at, anchor, label, colour in (*labels, (TILE, "ra", f"for +{top:.2g}", FOR)):
            self._draw.text((x + at, self.y), label, fill=colour, font=font, anchor=anchor)
        self.y += self.height_of(SMALL_FONT)

    def row(self, x: int, row: ImageRow) -> None:
        """Small images with captions, from x on."""
        colour = FOR if row.is_for else AGAINST
        self.line(x, row.title, SMALL_FONT, colour)
        self.y += self.height_of(SMALL_FONT)
        font = ImageFont.load_default(SMALL_FONT)
        for index, (image, caption) in enumerate(zip(row.images, row.captions, strict=True)):
            left = x + index * (SMALL + CLOSE)
            self.tile(left, _on_paper(image), SMALL)
            middle = (left + SMALL // 2, self.y + SMALL + GAP // 4)
            self._draw.text(middle, caption, fill=colour, font=font, anchor="ma")
        self.y += TILE - SMALL - self.height_of(SMALL_FONT)


def _on_paper(image: Images) -> Image.Image:
    return Image.fromarray(255 - image)


def _fitted(picture: Images) -> Image.Image:
    """A picture in the middle of a square."""
    height, width = picture.shape[:2]
    scale = TILE / max(height, width)
    size = (max(round(scale * width), 1), max(round(scale * height), 1))
    method = Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.NEAREST
    square = Image.new("RGB", (TILE, TILE), MAT)
    small = Image.fromarray(picture).resize(size, method)
    square.paste(small, ((TILE - size[0]) // 2, (TILE - size[1]) // 2))
    return square


def _coloured(values: Float64Array, top: float) -> Image.Image:
    """White where a value is zero, full colour where it is as large as ``top``."""
    strength = np.abs(values / top if top > 0 else values)[..., None]
    colours = np.where(values[..., None] > 0, FOR, AGAINST)
    return Image.fromarray(np.rint(255 + strength * (colours - 255.0)).astype(np.uint8))
