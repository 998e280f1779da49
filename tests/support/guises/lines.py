"""Pages of numbers in rows, composed of labelled MNIST digits, with the box of each digit.

The digits of a page have about the same stroke width, as if one person had written them with one
pen.
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
    add_grain,
    apply_ink,
    encode,
    illuminate,
    light_map,
    pick,
    texture,
)
from tests.support.guises.strokes import INK_THRESHOLD, Coverage, crop_to_ink, draw_strokes

# Height of the digits in pixels, on a page with one row and on one with several. All lengths below
# are fractions of it.
HEIGHT = (20.0, 120.0)
ROW_HEIGHT = (20.0, 60.0)

GAP = (0.08, 0.6)
# Variation of the digits' size, and of their distance to the base line.
SIZE, BASE = 0.1, 0.04
# Distance between base lines.
PITCH = (1.5, 2.2)
MARGIN = (0.2, 1.0)
# Columns that the boxes of neighbours may share, as those of "7" and "4" do.
UNDERCUT = 0.15
# Vertical distance within which glyphs keep the horizontal gap.
NEAR = 0.1
# Overlap of touching digits.
TOUCH = (0.01, 0.03)

# Number of digits with similar stroke width that a page is written with.
SIMILAR_DIGITS = 200


class Box(NamedTuple):
    """Rows ``top`` to ``bottom`` and columns ``left`` to ``right``, the ends excluded."""

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
    boxes : tuple of `Box`, one for each digit.
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


class Writers:
    """Digits sorted by stroke width.

    Parameters
    ----------
    images : uint8 ndarray of shape (n, 28, 28), ink bright; n > `SIMILAR_DIGITS`
    labels : int ndarray of shape (n,)
    """

    def __init__(self, images: npt.NDArray[np.uint8], labels: npt.NDArray[np.int64]) -> None:
        full = images.astype(np.float32)
        by_row, by_column = np.gradient(np.pad(full, ((0, 0), (1, 1), (1, 1))), axis=(1, 2))
        # Twice the area over the length of the outline.
        widths = 2 * full.sum(axis=(1, 2)) / np.hypot(by_row, by_column).sum(axis=(1, 2))
        order = np.argsort(widths, kind="stable")
        self._images, self._labels, self._widths = images[order], labels[order], widths[order]

    def pick_writer(self, rng: Rng) -> Writer:
        """Digits with similar stroke width."""
        start = int(rng.integers(len(self._labels) - SIMILAR_DIGITS))
        alike = slice(start, start + SIMILAR_DIGITS)
        pen = float(self._widths[alike].mean()) / 20
        return Writer(self._images[alike], self._labels[alike], pen)


class Writer(NamedTuple):
    """Digits of one stroke width; ``pen`` is that width as a fraction of their height."""

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    pen: float


# --- glyphs of a row ---------------------------------------------------------------------


class Glyph(NamedTuple):
    """A digit, or a mark without label, and the height of its lowest ink above the base line."""

    cover: Coverage
    label: str = ""
    rise: int = 0


def _digit(writer: Writer, height: float, rng: Rng) -> Glyph:
    k = int(rng.integers(len(writer.labels)))
    cover = crop_to_ink(draw_strokes(writer.images[k], height * rng.uniform(1 - SIZE, 1 + SIZE)))
    return Glyph(cover, str(writer.labels[k]), round(height * rng.uniform(-BASE, BASE)))


def _mark(kind: str, writer: Writer, height: float, rng: Rng) -> Glyph:
    """Draw a point, comma or dash with the writer's pen."""
    pen = max(writer.pen * height * rng.uniform(0.8, 1.2), 1.5)
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
    return Glyph(crop_to_ink(np.asarray(image.reduce(fine))), rise=round(rise))


class ArrangedRow(NamedTuple):
    """Ink of a row, pixels from its top to the base line, and the boxes of its digits.

    ``joined`` is whether all glyphs touch their predecessor that should.
    """

    cover: Coverage
    base: int
    row: Row
    joined: bool


def _arrange(glyphs: list[Glyph], gaps: list[float], height: float) -> ArrangedRow:
    """Arrange glyphs in a row; a negative gap moves a glyph into its predecessor."""
    base = max(glyph.cover.shape[0] + glyph.rise for glyph in glyphs)
    below = max(0, -min(glyph.rise for glyph in glyphs))
    width = sum(glyph.cover.shape[1] + abs(gap) + 2 for glyph, gap in zip(glyphs, gaps))
    cover = np.zeros((base + below, int(width)), dtype=np.uint8)
    # Column after the last ink, for each row of pixels and for all.
    edge, right = np.full(len(cover), -np.inf), 0
    boxes, joined = [], True
    for glyph, gap in zip(glyphs, gaps):
        top = base - glyph.rise - glyph.cover.shape[0]
        window = slice(top, base - glyph.rise)
        near = round(NEAR * height) if gap > 0 else 0
        occupied = ndimage.maximum_filter1d(edge, 2 * near + 1)[window]
        ink = glyph.cover > INK_THRESHOLD
        left = np.max(occupied - np.where(ink.any(axis=1), ink.argmax(axis=1), np.inf)) + gap
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
    return ArrangedRow(cover[:, :right], base, Row(text, of_digits), joined)


# --- kinds of rows -----------------------------------------------------------------------


def _gaps(count: int, height: float, rng: Rng) -> list[float]:
    """Similar gaps, as of one writer."""
    mean = rng.uniform(*GAP)
    return [float(np.clip(mean * rng.uniform(0.7, 1.3), *GAP)) * height for _ in range(count)]


def _number(writer: Writer, height: float, rng: Rng) -> ArrangedRow:
    count = int(rng.integers(1, 9))
    return _arrange(
        [_digit(writer, height, rng) for _ in range(count)], _gaps(count, height, rng), height
    )


def _with_marks(writer: Writer, height: float, rng: Rng) -> ArrangedRow:
    """Digits with a minus sign in front, a point or comma inside, or dashes between parts."""
    glyphs = [_digit(writer, height, rng) for _ in range(rng.integers(2, 9))]
    position = int(rng.integers(1, len(glyphs)))
    variant = rng.integers(4)
    if variant in (0, 1):
        glyphs.insert(position, _mark(("point", "comma")[rng.integers(2)], writer, height, rng))
    if variant in (1, 2):
        glyphs.insert(0, _mark("dash", writer, height, rng))
    if variant == 3:
        glyphs.insert(position, _mark("dash", writer, height, rng))
    return _arrange(glyphs, _gaps(len(glyphs), height, rng), height)


def _touching(writer: Writer, height: float, rng: Rng) -> ArrangedRow:
    """Digits of which two neighbours touch."""
    while True:
        glyphs = [_digit(writer, height, rng) for _ in range(rng.integers(2, 7))]
        gaps = _gaps(len(glyphs), height, rng)
        gaps[rng.integers(1, len(glyphs))] = -max(height * rng.uniform(*TOUCH), 1)
        # Nobody writes a digit far under its neighbour: try again.
        if (written := _arrange(glyphs, gaps, height)).joined:
            return written


# --- pages -------------------------------------------------------------------------------


def _stack_rows(
    numbers: list[ArrangedRow], height: float, rng: Rng
) -> tuple[Coverage, list[int], list[Row]]:
    """Stack rows with margins; return the page, its base lines and its rows."""
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


def _print_page(page: Coverage, bases: list[int], height: float, rng: Rng) -> bytes:
    """Half on plain paper, half on other backgrounds; half of all as JPEG."""
    paper, ink = pick(PAPERS, rng), pick(INKS, rng)
    variant = rng.integers(10)
    if variant == 9:
        background = int(rng.integers(0, 60))
        image = apply_ink(page, paper=(background,) * 3, ink=(235, 235, 235))
    elif variant in (7, 8):
        # Ruled lines under the numbers, or through them.
        off = height * (rng.uniform(0.08, 0.2) if variant == 7 else -rng.uniform(0.1, 0.9))
        rules = _draw_lines(page.shape, [base + off for base in bases], max(height / 60, 0.6))
        image = apply_ink(page, paper=apply_ink(rules, paper=paper, ink=pick(RULES, rng)), ink=ink)
    else:
        image = apply_ink(page, paper=paper, ink=ink)
    if variant == 6:
        image = illuminate(
            image, light_map(page.shape, rng, darkest=rng.uniform(0.4, 0.7), hard=False)
        )
    if variant in (5, 6):
        image = add_grain(image, texture(page.shape, rng, rng.uniform(2, 8)))
    if rng.random() < 0.5:
        return encode(image, "JPEG", quality=int(rng.integers(40, 95)))
    return encode(image)


def _draw_lines(shape: tuple[int, int], rows: list[float], thick: float) -> Coverage:
    """Horizontal lines at the given rows."""
    off = np.min([np.abs(np.arange(shape[0]) - row) for row in rows], axis=0)
    return np.repeat((255 * (thick + 0.5 - off).clip(0, 1)).astype(np.uint8)[:, None], shape[1], 1)


KINDS: dict[str, Callable[[Writer, float, Rng], ArrangedRow]] = {
    "natural spacing": _number,
    "rows on a page": _number,
    "points and dashes": _with_marks,
    "touching pairs": _touching,
}


def render_page(kind: str, writers: Writers, index: int, *, seed: int = 0) -> Page:
    """Render a page of numbers; it depends on the arguments alone.

    Parameters
    ----------
    kind : a key of `KINDS`
    writers : Writers
    index : index of the page
    seed : seed of the collection

    Returns
    -------
    Page
    """
    rng = generator(kind, index, seed=seed)
    has_rows = kind == "rows on a page"
    height = rng.uniform(*(ROW_HEIGHT if has_rows else HEIGHT))
    writer = writers.pick_writer(rng)
    count = int(rng.integers(2, 7)) if has_rows else 1
    numbers = [KINDS[kind](writer, height, rng) for _ in range(count)]
    page, bases, rows = _stack_rows(numbers, height, rng)
    return Page(_print_page(page, bases, height, rng), tuple(rows))
