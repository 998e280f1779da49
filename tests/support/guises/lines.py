"""Numbers in rows, written with MNIST digits whose labels are known: pages to cut into digits.

The digits of a page are chosen among those of one stroke width, as if one person had written them
with one pen. Where each of them stands is known.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw
from scipy import ndimage

from tests.support.guises.guises import generator
from tests.support.guises.paper import (
    INKS,
    PAPERS,
    RULES,
    Rng,
    grainy,
    lit,
    pick,
    printed,
    saved,
    shade,
    texture,
)
from tests.support.guises.strokes import INKED, Cover, inked, strokes

# All lengths are parts of the digits' height, which is so many pixels; less on a page of rows.
HEIGHT = (20.0, 120.0)
ROW_HEIGHT = (20.0, 60.0)

GAP = (0.08, 0.6)
# How much larger or smaller than the others a digit is, and how far off the base line.
SIZE, BASE = 0.1, 0.04
# From one base line to the next.
PITCH = (1.5, 2.2)
MARGIN = (0.2, 1.0)

# Boxes of neighbours, above one another in part, share no more columns than this: "7" and "4" do.
UNDERCUT = 0.15
# What is nearer than this above or below counts as beside.
NEAR = 0.1
# How far touching digits are moved into one another.
TOUCH = (0.01, 0.03)

# Digits of one page are taken from so many, by the width of their strokes.
ALIKE = 200


class Box(NamedTuple):
    """Rows from ``top`` to before ``bottom``, columns from ``left`` to before ``right``."""

    top: int
    bottom: int
    left: int
    right: int


@dataclass(frozen=True)
class Row:
    """A number.

    Attributes
    ----------
    text : its digits, without the marks between them.
    boxes : tuple of `Box`, one a digit.
    """

    text: str
    boxes: tuple[Box, ...]


@dataclass(frozen=True)
class Page:
    """A picture of numbers.

    Attributes
    ----------
    file : bytes of a picture file.
    rows : tuple of `Row`, from top to bottom.
    """

    file: bytes
    rows: tuple[Row, ...]


class Hands:
    """Digits to write with, sorted by the width of their strokes.

    Parameters
    ----------
    images : uint8 ndarray of shape (n, 28, 28), ink bright on a dark ground; n over `ALIKE`
    labels : int ndarray of shape (n,)
    """

    def __init__(self, images: npt.NDArray[np.uint8], labels: npt.NDArray[np.int64]) -> None:
        full = images.astype(np.float32)
        by_row, by_column = np.gradient(np.pad(full, ((0, 0), (1, 1), (1, 1))), axis=(1, 2))
        # Twice the area by the length of the outline.
        widths = 2 * full.sum(axis=(1, 2)) / np.hypot(by_row, by_column).sum(axis=(1, 2))
        order = np.argsort(widths, kind="stable")
        self._images, self._labels, self._widths = images[order], labels[order], widths[order]

    def hand(self, rng: Rng) -> Hand:
        """One that writes with a pen of some width."""
        start = int(rng.integers(len(self._labels) - ALIKE))
        alike = slice(start, start + ALIKE)
        pen = float(self._widths[alike].mean()) / 20
        return Hand(self._images[alike], self._labels[alike], pen)


class Hand(NamedTuple):
    """Digits of one stroke width; ``pen`` is that width as a part of their height."""

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    pen: float


# --- what stands in a row ----------------------------------------------------------------


class Glyph(NamedTuple):
    """A digit, or a mark without a label, and how far above the base line its lowest ink is."""

    cover: Cover
    label: str = ""
    rise: int = 0


def _digit(hand: Hand, height: float, rng: Rng) -> Glyph:
    k = int(rng.integers(len(hand.labels)))
    cover = inked(strokes(hand.images[k], height * rng.uniform(1 - SIZE, 1 + SIZE)))
    return Glyph(cover, str(hand.labels[k]), round(height * rng.uniform(-BASE, BASE)))


def _mark(kind: str, hand: Hand, height: float, rng: Rng) -> Glyph:
    """A point, a comma or a dash, by the same pen."""
    pen = max(hand.pen * height * rng.uniform(0.8, 1.2), 1.5)
    long, high = {
        "point": (0.0, 0.0),
        "comma": (-rng.uniform(0.04, 0.1) * height, rng.uniform(0.1, 0.2) * height),
        "dash": (rng.uniform(0.3, 0.5) * height, rng.uniform(-0.04, 0.04) * height),
    }[kind]
    fine = 4
    size = [int(fine * (abs(side) + pen)) + 2 * fine for side in (long, high)]
    image = Image.new("L", size)
    draw = ImageDraw.Draw(image)
    ends = [
        (middle - fine * side / 2, middle + fine * side / 2)
        for middle, side in zip((size[0] / 2, size[1] / 2), (long, high))
    ]
    draw.line([*zip(*ends, strict=True)], fill=255, width=round(fine * pen))
    for x, y in zip(*ends, strict=True):
        half = fine * pen / 2
        draw.ellipse([x - half, y - half, x + half, y + half], fill=255)
    rise = {"point": 0.0, "comma": -high / 2, "dash": rng.uniform(0.35, 0.5) * height}[kind]
    return Glyph(inked(np.asarray(image.reduce(fine))), rise=round(rise))


class Written(NamedTuple):
    """A row's ink, how many pixels its base line is from the top, and what was written where.

    ``joined`` is whether all glyphs touch that were to touch the one before.
    """

    cover: Cover
    base: int
    row: Row
    joined: bool


def _written(glyphs: list[Glyph], gaps: list[float], height: float) -> Written:
    """Glyphs beside one another; one with a gap below 0 is moved that far into the one before."""
    base = max(glyph.cover.shape[0] + glyph.rise for glyph in glyphs)
    below = max(0, -min(glyph.rise for glyph in glyphs))
    width = sum(glyph.cover.shape[1] + abs(gap) + 2 for glyph, gap in zip(glyphs, gaps))
    cover = np.zeros((base + below, int(width)), dtype=np.uint8)
    # The column behind the last ink, in each row of pixels and of all.
    edge, right = np.full(len(cover), -np.inf), 0
    boxes, joined = [], True
    for glyph, gap in zip(glyphs, gaps):
        top = base - glyph.rise - glyph.cover.shape[0]
        window = slice(top, base - glyph.rise)
        near = round(NEAR * height) if gap > 0 else 0
        beside = ndimage.maximum_filter1d(edge, 2 * near + 1)[window]
        ink = glyph.cover > INKED
        left = np.max(beside - np.where(ink.any(axis=1), ink.argmax(axis=1), np.inf)) + gap
        least = right - UNDERCUT * height + max(gap, 0) if boxes else 0
        joined &= gap > 0 or left >= least or not boxes
        start = max(round(max(left, least)), 0)
        box = Box(window.start, window.stop, start, start + ink.shape[1])
        part = cover[window, box.left : box.right]
        np.maximum(part, glyph.cover, out=part)
        ends = np.where(ink.any(axis=1), box.right - ink[:, ::-1].argmax(axis=1), -np.inf)
        edge[window] = np.maximum(edge[window], ends)
        right = max(right, box.right)
        boxes.append(box)
    of_digits = tuple(box for box, glyph in zip(boxes, glyphs) if glyph.label)
    text = "".join(glyph.label for glyph in glyphs)
    return Written(cover[:, :right], base, Row(text, of_digits), joined)


# --- kinds of rows -----------------------------------------------------------------------


def _gaps(count: int, height: float, rng: Rng) -> list[float]:
    """The same hand leaves about the same gaps."""
    usual = rng.uniform(*GAP)
    return [float(np.clip(usual * rng.uniform(0.7, 1.3), *GAP)) * height for _ in range(count)]


def _number(hand: Hand, height: float, rng: Rng) -> Written:
    count = int(rng.integers(1, 9))
    return _written(
        [_digit(hand, height, rng) for _ in range(count)], _gaps(count, height, rng), height
    )


def _with_marks(hand: Hand, height: float, rng: Rng) -> Written:
    """A minus sign in front, a point or comma within, or dashes between parts."""
    glyphs = [_digit(hand, height, rng) for _ in range(rng.integers(2, 9))]
    where = int(rng.integers(1, len(glyphs)))
    way = rng.integers(4)
    if way in (0, 1):
        glyphs.insert(where, _mark(("point", "comma")[rng.integers(2)], hand, height, rng))
    if way in (1, 2):
        glyphs.insert(0, _mark("dash", hand, height, rng))
    if way == 3:
        glyphs.insert(where, _mark("dash", hand, height, rng))
    return _written(glyphs, _gaps(len(glyphs), height, rng), height)


def _touching(hand: Hand, height: float, rng: Rng) -> Written:
    """Two neighbours moved together until their strokes touch."""
    while True:
        glyphs = [_digit(hand, height, rng) for _ in range(rng.integers(2, 7))]
        gaps = _gaps(len(glyphs), height, rng)
        gaps[rng.integers(1, len(glyphs))] = -max(height * rng.uniform(*TOUCH), 1)
        # Where one would have to reach far under the other, nobody writes so.
        if (written := _written(glyphs, gaps, height)).joined:
            return written


# --- pages -------------------------------------------------------------------------------


def _page(numbers: list[Written], height: float, rng: Rng) -> tuple[Cover, list[int], list[Row]]:
    """Numbers below one another with margins: the ink, the base lines and what stands where."""
    top, bottom, left, right = (max(round(height * rng.uniform(*MARGIN)), 2) for _ in range(4))
    pitch = round(height * rng.uniform(*PITCH))
    starts = [left + round(height * rng.uniform(0, 0.3)) for _ in numbers]
    first = top + numbers[0].base
    bases = [first + k * pitch for k in range(len(numbers))]
    last = bases[-1] + numbers[-1].cover.shape[0] - numbers[-1].base
    wide = max(start + number.cover.shape[1] for start, number in zip(starts, numbers))
    page = np.zeros((last + bottom, wide + right), dtype=np.uint8)
    rows = []
    for number, start, base in zip(numbers, starts, bases):
        down = base - number.base
        part = page[down : down + number.cover.shape[0], start : start + number.cover.shape[1]]
        np.maximum(part, number.cover, out=part)
        boxes = (Box(a + down, b + down, c + start, d + start) for a, b, c, d in number.row.boxes)
        rows.append(Row(number.row.text, tuple(boxes)))
    return page, bases, rows


def _on_paper(page: Cover, bases: list[int], height: float, rng: Rng) -> bytes:
    """Half on plain paper, the others on what people write on; half of all as JPEG."""
    paper, ink = pick(PAPERS, rng), pick(INKS, rng)
    way = rng.integers(10)
    if way == 9:
        ground = int(rng.integers(0, 60))
        image = printed(page, paper=(ground,) * 3, ink=(235, 235, 235))
    elif way in (7, 8):
        # Under the numbers, or through them.
        off = height * (rng.uniform(0.08, 0.2) if way == 7 else -rng.uniform(0.1, 0.9))
        rules = _rules(page.shape, [base + off for base in bases], max(height / 60, 0.6))
        image = printed(page, paper=printed(rules, paper=paper, ink=pick(RULES, rng)), ink=ink)
    else:
        image = printed(page, paper=paper, ink=ink)
    if way == 6:
        image = lit(image, shade(page.shape, rng, darkest=rng.uniform(0.4, 0.7), hard=False))
    if way in (5, 6):
        image = grainy(image, texture(page.shape, rng, rng.uniform(2, 8)))
    if rng.random() < 0.5:
        return saved(image, "JPEG", quality=int(rng.integers(40, 95)))
    return saved(image)


def _rules(shape: tuple[int, int], rows: list[float], thick: float) -> Cover:
    """Level lines at these rows of pixels."""
    off = np.min([np.abs(np.arange(shape[0]) - row) for row in rows], axis=0)
    return np.repeat((255 * (thick + 0.5 - off).clip(0, 1)).astype(np.uint8)[:, None], shape[1], 1)


KINDS: dict[str, Callable[[Hand, float, Rng], Written]] = {
    "natural spacing": _number,
    "rows on a page": _number,
    "points and dashes": _with_marks,
    "touching pairs": _touching,
}


def drawn_lines(kind: str, hands: Hands, index: int, *, seed: int = 0) -> Page:
    """A page of numbers: the same for the same seed, kind and index, whatever came before.

    Parameters
    ----------
    kind : a key of `KINDS`
    hands : Hands, of the digits to write with
    index : which of the pages of the kind it is
    seed : of the whole collection

    Returns
    -------
    Page
    """
    rng = generator(kind, index, seed=seed)
    several = kind == "rows on a page"
    height = rng.uniform(*(ROW_HEIGHT if several else HEIGHT))
    hand = hands.hand(rng)
    count = int(rng.integers(2, 7)) if several else 1
    numbers = [KINDS[kind](hand, height, rng) for _ in range(count)]
    page, bases, rows = _page(numbers, height, rng)
    return Page(_on_paper(page, bases, height, rng), tuple(rows))
