"""Printed pages, written on with digits of one stroke width, and photographed.

A photo is turned, in slight perspective, unevenly lit, a little blurred and grainy, and a JPEG. All
lengths are in pixels of the printed page.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from tests.support.guises.lines import Glyph, Writer, Writers, _arrange
from tests.support.guises.paper import (
    BALLPOINT,
    BLACK,
    Colour,
    Rng,
    add_grain,
    apply_ink,
    encode,
    illuminate,
    light_map,
    noise,
    pick,
    texture,
)
from tests.support.guises.strokes import Coverage, crop_to_ink, draw_strokes

# Pixels drawn for each pixel of the page, so that printed lines are smooth.
FINE = 2

# Photographed paper is not quite white.
SHEETS = ((250, 249, 245), (244, 240, 228), (238, 242, 246))
PENS = (BLACK, BALLPOINT, (45, 50, 60))
PRINTS = (BLACK, (60, 60, 65), (90, 110, 150))
DESKS = ((110, 80, 55), (70, 72, 78), (150, 125, 95))

# Variation of the digits' height, and of their distance to the base line, as fractions of it.
SIZE, BASE = 0.08, 0.03

Point = tuple[float, float]


# --- printing and writing ----------------------------------------------------------------


class PrintedPage:
    """A page that is printed and written on, in black for now."""

    def __init__(self, width: int, height: int) -> None:
        self.size = width, height
        self._printed = Image.new("L", (FINE * width, FINE * height))
        self._draw = ImageDraw.Draw(self._printed)
        self.written = np.zeros((height, width), dtype=np.uint8)

    def line(self, start: Point, end: Point, thick: float) -> None:
        """Print a horizontal or vertical line."""
        half = thick / 2
        self.fill(start[0] - half, start[1] - half, end[0] + half, end[1] + half)

    def fill(self, left: float, top: float, right: float, bottom: float) -> None:
        """Print a filled rectangle."""
        corners = [round(FINE * each) for each in (left, top, right, bottom)]
        self._draw.rectangle((corners[0], corners[1], corners[2] - 1, corners[3] - 1), fill=255)

    def box(self, left: float, top: float, right: float, bottom: float, thick: float) -> None:
        """Print the outline of a rectangle."""
        for y in (top, bottom):
            self.line((left, y), (right, y), thick)
        for x in (left, right):
            self.line((x, top), (x, bottom), thick)

    def text(self, at: Point, text: str, height: float) -> None:
        """Print words; ``at`` is the left end of their middle line."""
        font = ImageFont.load_default(FINE * height)
        self._draw.text((FINE * at[0], FINE * at[1]), text, fill=255, font=font, anchor="lm")

    def write(self, cover: Coverage, left: float, top: float) -> None:
        """Write ink, which must fit on the page."""
        y, x = round(top), round(left)
        part = self.written[y : y + cover.shape[0], x : x + cover.shape[1]]
        np.maximum(part, cover, out=part)

    @property
    def printed(self) -> Coverage:
        """Coverage by what is printed, in pixels of the page."""
        return np.asarray(self._printed.reduce(FINE))


def draw_digit(writer: Writer, digit: str, height: float, rng: Rng) -> Glyph:
    alike = np.flatnonzero(writer.labels == int(digit))
    image = writer.images[alike[rng.integers(len(alike))]]
    cover = crop_to_ink(draw_strokes(image, height * rng.uniform(1 - SIZE, 1 + SIZE)))
    return Glyph(cover, digit, round(height * rng.uniform(-BASE, BASE)))


def draw_number(writer: Writer, text: str, height: float, rng: Rng) -> Coverage:
    """A number in one writer's spacing."""
    glyphs = [draw_digit(writer, digit, height, rng) for digit in text]
    mean = rng.uniform(0.12, 0.3)
    gaps = [height * mean * rng.uniform(0.7, 1.3) for _ in text]
    return crop_to_ink(_arrange(glyphs, gaps, height).cover)


def write_centred(
    page: PrintedPage, cover: Coverage, middle: Point, stray: float, rng: Rng
) -> None:
    """Write around a point, off by up to ``stray`` in each direction."""
    x, y = (at + rng.uniform(-stray, stray) for at in middle)
    page.write(cover, x - cover.shape[1] / 2, y - cover.shape[0] / 2)


def random_digits(rng: Rng, least: int, most: int) -> str:
    return "".join(map(str, rng.integers(0, 10, rng.integers(least, most + 1))))


def pick_writer(writers: Writers, rng: Rng) -> Writer:
    """A writer of whom there is every digit."""
    while True:
        writer = writers.pick_writer(rng)
        if len(np.unique(writer.labels)) == 10:
            return writer


# --- paper and photo ---------------------------------------------------------------------


def finish(page: PrintedPage, rng: Rng, *, angle: float, photographed: bool) -> bytes:
    paper, ink, print_ = pick(SHEETS, rng), pick(PENS, rng), pick(PRINTS, rng)
    image = apply_ink(page.printed, paper=paper, ink=print_)
    image = apply_ink(page.written, paper=image, ink=ink)
    if not photographed:
        return encode(_turn(image, angle, paper) if angle else image)
    # Half of the photos show the desk around the sheet, half paper alone.
    around = pick(DESKS, rng) if rng.random() < 0.5 else paper
    return _photograph(_project(image, angle, around, rng), rng)


def _turn(image: Image.Image, angle: float, paper: Colour) -> Image.Image:
    return image.rotate(angle, Image.Resampling.BICUBIC, expand=True, fillcolor=paper)


def _photograph(image: Image.Image, rng: Rng) -> bytes:
    """A phone's photo: a little blurred, unevenly lit, with grain, as a JPEG."""
    shape = image.size[::-1]
    blurred = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 1.0)))
    lit = illuminate(blurred, light_map(shape, rng, darkest=rng.uniform(0.55, 0.8), hard=False))
    grain = texture(shape, rng, rng.uniform(1.5, 3)) + noise(shape, rng, rng.uniform(1, 4))
    return encode(add_grain(lit, grain), "JPEG", quality=int(rng.integers(70, 93)))


def _project(image: Image.Image, angle: float, around: Colour, rng: Rng) -> Image.Image:
    """A sheet turned by ``angle`` degrees, counter-clockwise, in slight perspective."""
    size = np.array(image.size, dtype=float)
    edge = 0.05 * size.max()
    corners = np.array([(0, 0), (1, 0), (1, 1), (0, 1)]) * size
    turn = np.deg2rad(-angle)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    seen = (corners - size / 2) @ rotation.T + rng.uniform(-0.012, 0.012, (4, 2)) * size.max()
    seen += size / 2 + edge
    wide, high = (size + 2 * edge).round().astype(int).tolist()
    return image.transform(
        (wide, high),
        Image.Transform.PERSPECTIVE,
        _homography(seen, corners),
        Image.Resampling.BICUBIC,
        fillcolor=around,
    )


def _homography(seen: np.ndarray, sheet: np.ndarray) -> list[float]:
    """Coefficients, for Pillow, of the projection of four points of the photo to the sheet's."""
    rows, values = [], []
    for (x, y), (u, v) in zip(seen.tolist(), sheet.tolist()):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    return [float(each) for each in np.linalg.solve(np.array(rows), np.array(values))]
