"""Digits in the cells of forms: boxes of every size, and of the ways in which they are drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from tests.support.guises.paper import (
    INKS,
    PAPERS,
    Colour,
    Rng,
    add_grain,
    apply_ink,
    encode,
    pick,
    texture,
)
from tests.support.guises.strokes import Coverage, Digit, crop_to_ink, draw_strokes

# Gaps between a digit and its box, and paper outside of the box, in pixels for digits 60 high.
GAPS = (8, 12, 20, 30)
MARGINS = (0, 3, 6, 12, 20, 40, 60)
HEIGHT = 60

# Colours of box lines.
LINES: tuple[Colour, ...] = (
    (20, 20, 25),
    (20, 20, 25),
    (110, 110, 110),
    (150, 150, 150),
    (190, 60, 60),
    (60, 110, 190),
    (70, 150, 90),
)

# Pixels drawn for each pixel of a box, so that its lines are smooth.
FINE = 4


@dataclass(frozen=True)
class Cell:
    """A box as it is drawn around a digit; lengths in pixels.

    `wider` and `higher` are added to the width and the height, `line` is its thickness, `corner`
    the radius of its corners, `turn` its rotation in degrees. `open_side` is the side that it
    lacks: 0 top, 1 right, 2 bottom, 3 left. `dash` is the length of its dashes; 0 for whole lines.
    """

    gap: float
    margin: float
    line: float = 2.0
    wider: float = 0.0
    higher: float = 0.0
    corner: float = 0.0
    turn: float = 0.0
    is_double: bool = False
    open_side: int | None = None
    dash: float = 0.0


def random_cell(rng: Rng, *, gap: float, margin: float, height: float = HEIGHT) -> Cell:
    """A cell of any kind but dashed, with the gap and margin given for digits `HEIGHT` high."""
    scale = height / HEIGHT
    kinds = rng.random(6)
    return Cell(
        gap=max(gap * scale, 3.0),
        margin=margin * scale,
        line=rng.uniform(1, 5) * min(max(scale, 0.5), 1.5),
        wider=height * rng.uniform(0, 0.8) if kinds[0] < 0.25 else 0.0,
        higher=height * rng.uniform(0, 0.5) if kinds[1] < 0.25 else 0.0,
        corner=height * rng.uniform(0.05, 0.15) if kinds[2] < 0.2 else 0.0,
        turn=rng.uniform(-4, 4) if kinds[3] < 0.3 else 0.0,
        is_double=bool(kinds[4] < 0.1),
        open_side=int(rng.integers(4)) if kinds[5] < 0.15 else None,
    )


def draw_in_cell(digit: Digit, cell: Cell, *, height: float = HEIGHT) -> tuple[Coverage, Coverage]:
    """Coverage of the digit's strokes and of its box, of one shape."""
    strokes = crop_to_ink(draw_strokes(digit, height))
    high = strokes.shape[0] + 2 * cell.gap + cell.higher
    wide = strokes.shape[1] + 2 * cell.gap + cell.wider
    double = 3 * cell.line if cell.is_double else 0.0
    around = cell.line + double + cell.margin
    # Room for the corners of a turned box.
    around += abs(np.sin(np.deg2rad(cell.turn))) * max(high, wide) / 2 if cell.margin else 0.0
    shape = round(high + 2 * around), round(wide + 2 * around)
    page = np.zeros(shape, dtype=np.uint8)
    top, left = ((whole - part) // 2 for whole, part in zip(shape, strokes.shape))
    page[top : top + strokes.shape[0], left : left + strokes.shape[1]] = strokes
    lines = _draw_box(shape, (high, wide), cell)
    if cell.is_double:
        outer = high + 2 * double, wide + 2 * double
        lines = np.maximum(lines, _draw_box(shape, outer, cell))
    return page, lines


def _draw_box(shape: tuple[int, int], inner: tuple[float, float], cell: Cell) -> Coverage:
    """Draw the lines around an inner area in the middle of a page."""
    size = shape[1] * FINE, shape[0] * FINE
    image = Image.new("L", size)
    draw = ImageDraw.Draw(image)
    line = max(round(cell.line * FINE), 1)
    high, wide = (FINE * side + 2 * line for side in inner)
    top, left = (size[1] - high) / 2, (size[0] - wide) / 2
    box = (left, top, left + wide, top + high)
    draw.rounded_rectangle(box, FINE * cell.corner, outline=255, width=line)
    reach = line + FINE * cell.corner
    if cell.open_side is not None:
        gaps = (
            (left + reach, top - 1, left + wide - reach, top + line + 1),
            (left + wide - line - 1, top + reach, left + wide + 1, top + high - reach),
            (left + reach, top + high - line - 1, left + wide - reach, top + high + 1),
            (left - 1, top + reach, left + line + 1, top + high - reach),
        )
        draw.rectangle(gaps[cell.open_side], fill=0)
    if cell.dash:
        _cut_into_dashes(draw, box, line, FINE * cell.dash)
    image = image.rotate(cell.turn, Image.Resampling.BICUBIC)
    return np.asarray(image.resize(shape[::-1], Image.Resampling.BOX))


def _cut_into_dashes(
    draw: ImageDraw.ImageDraw, box: tuple[float, float, float, float], line: int, dash: float
) -> None:
    """Cut gaps, as long as the dashes, into the four sides of a box."""
    left, top, right, bottom = box
    for start in np.arange(left + dash, right - dash, 2 * dash):
        for row in (top, bottom - line):
            draw.rectangle((start, row - 1, start + dash, row + line + 1), fill=0)
    for start in np.arange(top + dash, bottom - dash, 2 * dash):
        for column in (left, right - line):
            draw.rectangle((column - 1, start, column + line + 1, start + dash), fill=0)


def print_cell(strokes: Coverage, lines: Coverage, rng: Rng) -> bytes:
    """Print a box in one colour, write the digit in another; scan it, sharp or blurred."""
    ink = pick(INKS, rng)
    colour = ink if rng.random() < 0.3 else pick(LINES, rng)
    sheet = apply_ink(lines, paper=pick(PAPERS, rng), ink=colour)
    image = apply_ink(strokes, paper=sheet, ink=ink)
    if rng.random() < 0.7:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.0)))
        image = add_grain(image, texture(strokes.shape, rng, rng.uniform(0, 4)))
        return encode(image, "JPEG", quality=int(rng.integers(35, 95)))
    return encode(image)


def render_cell(gap: float, margin: float, digit: Digit, index: int, *, seed: int = 0) -> bytes:
    """A picture of a digit, 30, 60 or 120 pixels high, in a box of any kind.

    The file depends on the arguments alone; gap and margin are for a digit `HEIGHT` high.
    """
    rng = np.random.default_rng([seed, round(gap), round(margin), index])
    height = float(rng.choice([30, HEIGHT, 120]))
    cell = random_cell(rng, gap=gap, margin=margin, height=height)
    return print_cell(*draw_in_cell(digit, cell, height=height), rng)
