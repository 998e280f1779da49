"""Whole pages filled in by hand: a sudoku, a score table, a form of 12 fields, a list of numbers.

Each is written as if by one person, and photographed; see `tests.support.guises.sheets`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from tests.support.guises.guises import generator
from tests.support.guises.lines import Writer, Writers
from tests.support.guises.paper import (
    Rng,
    add_grain,
    apply_ink,
    encode,
    illuminate,
    light_map,
    pick,
    texture,
)
from tests.support.guises.sheets import (
    PENS,
    SHEETS,
    PrintedPage,
    draw_digit,
    draw_number,
    finish,
    pick_writer,
    random_digits,
    write_centred,
)


class Sheet(NamedTuple):
    """A page: a picture file, and its numbers.

    ``truth`` has a list for each row, with a text for each cell: the digits, "" for a blank cell,
    None for a cell with printed words, of which nothing is asked.
    """

    file: bytes
    truth: list[list[str | None]]


class FormSheet(NamedTuple):
    """A filled form: a picture file, the number in each field by its name, and the template.

    ``template`` is what `FormTemplate.from_dict` takes.
    """

    file: bytes
    truth: dict[str, str]
    template: dict[str, Any]


# --- sudoku ------------------------------------------------------------------------------


def render_sudoku(
    index: int, writers: Writers, *, seed: int = 0, angle: float = 2.0, photographed: bool = True
) -> Sheet:
    """Render a grid of 9 x 9 cells, of which about a third are blank.

    Parameters
    ----------
    index : index of the page
    writers : Writers
    seed : seed of the collection
    angle : degrees by which the page is turned, counter-clockwise
    photographed : whether it is a photo, or else the clean picture

    Returns
    -------
    Sheet
    """
    rng = generator("sudoku", index, seed=seed)
    writer = pick_writer(writers, rng)
    cell = round(rng.uniform(55, 90))
    edge = round(cell * rng.uniform(0.5, 1.0))
    page = PrintedPage(9 * cell + 2 * edge, 9 * cell + 2 * edge)
    thin, thick = rng.uniform(1, 2), rng.uniform(3, 5)
    for k in range(10):
        at, weight = edge + k * cell, thin if k % 3 else thick
        page.line((edge, at), (edge + 9 * cell, at), weight)
        page.line((at, edge), (at, edge + 9 * cell), weight)
    truth: list[list[str | None]] = []
    height = cell * rng.uniform(0.5, 0.62)
    for i in range(9):
        # No row is wholly blank.
        blank = rng.permutation(np.arange(9) < rng.integers(0, 7))
        texts: list[str | None] = ["" if none else str(rng.integers(1, 10)) for none in blank]
        truth.append(texts)
        for j in np.flatnonzero(~blank):
            cover = draw_digit(writer, str(texts[j]), height, rng).cover
            middle = edge + (j + 0.5) * cell, edge + (i + 0.5) * cell
            write_centred(page, cover, middle, 0.08 * cell, rng)
    return Sheet(finish(page, rng, angle=angle, photographed=photographed), truth)


# --- score table -------------------------------------------------------------------------

HEADINGS = ("Round 1", "Round 2", "Round 3", "Bonus", "Minus", "Total")
NAMES = (
    *("Anna", "Bernhard", "Chloe", "Dmitri", "Elif", "Farid", "Greta", "Hiroshi", "Ines"),
    *("Jonas", "Kofi", "Lena", "Milan", "Nadia"),
)


def render_score_table(
    index: int, writers: Writers, *, seed: int = 0, angle: float = 2.0, photographed: bool = True
) -> Sheet:
    """Render a ruled table with printed names and headings, and numbers of 1 to 4 digits.

    About a fifth of the cells are blank. Parameters as in `render_sudoku`; the first row and column
    of the truth are None.
    """
    rng = generator("score table", index, seed=seed)
    writer = pick_writer(writers, rng)
    n_rows, n_columns = int(rng.integers(5, 11)), int(rng.integers(3, 7))
    height = rng.uniform(34, 48)
    tall, wide, first = height * rng.uniform(1.7, 2.3), height * rng.uniform(4.2, 5), height * 4.5
    edge, head = height * rng.uniform(1.0, 1.6), height * 2.4
    xs = [edge, *(edge + first + k * wide for k in range(n_columns + 1))]
    ys = [edge + head + k * tall for k in range(n_rows + 2)]
    page = PrintedPage(round(xs[-1] + edge), round(ys[-1] + edge))
    thick = rng.uniform(1.2, 2.6)
    page.text((edge, edge + head / 2.6), "Score sheet", 0.9 * height)
    for y in ys:
        page.line((xs[0], y), (xs[-1], y), thick)
    for x in xs:
        page.line((x, ys[0]), (x, ys[-1]), thick)
    for k, heading in enumerate(HEADINGS[:n_columns]):
        page.text((xs[k + 1] + 0.25 * height, ys[0] + tall / 2), heading, 0.6 * height)
    truth: list[list[str | None]] = [[None] * (n_columns + 1)]
    for i, name in enumerate(rng.permutation(NAMES)[:n_rows].tolist(), start=1):
        page.text((xs[0] + 0.25 * height, ys[i] + tall / 2), name, 0.6 * height)
        texts = ["" if rng.random() < 0.2 else random_digits(rng, 1, 4) for _ in range(n_columns)]
        truth.append([None, *texts])
        for j, text in enumerate(texts, start=1):
            if text:
                cover = draw_number(writer, text, height, rng)
                middle = (xs[j] + xs[j + 1]) / 2, (ys[i] + ys[i + 1]) / 2
                write_centred(page, cover, middle, 0.12 * height, rng)
    return Sheet(finish(page, rng, angle=angle, photographed=photographed), truth)


# --- form --------------------------------------------------------------------------------

# Name and printed label of each field, its style, and the number of digits, the least and the most.
FIELDS = (
    ("number", "Number of the form", "boxes", 6, 6),
    ("customer", "Customer", "comb", 8, 8),
    ("day", "Day", "boxes", 2, 2),
    ("month", "Month", "boxes", 2, 2),
    ("year", "Year", "comb", 4, 4),
    ("telephone", "Telephone", "underscores", 9, 9),
    ("meter", "Meter reading", "box", 3, 6),
    ("previous", "Previous reading", "box", 3, 6),
    ("amount", "Amount", "line", 2, 6),
    ("postcode", "Postcode", "teeth", 5, 5),
    ("persons", "Persons", "box", 1, 2),
    ("account", "Account", "comb", 10, 10),
)

# A4 at 150 dots an inch.
A4 = (1240, 1754)
MARK, MARK_EDGE = 36, 50


def render_form(
    index: int, writers: Writers, *, seed: int = 0, angle: float = 2.0, photographed: bool = True
) -> FormSheet:
    """Render a form of the 12 `FIELDS` with four corner marks; about one field in ten is blank.

    Parameters as in `render_sudoku`. The template is the same for all indices.

    Returns
    -------
    FormSheet
    """
    rng = generator("form", index, seed=seed)
    writer = pick_writer(writers, rng)
    page, (wide, tall) = PrintedPage(*A4), A4
    for x in (MARK_EDGE, wide - MARK_EDGE - MARK):
        for y in (MARK_EDGE, tall - MARK_EDGE - MARK):
            page.fill(x, y, x + MARK, y + MARK)
    page.text((150, 170), "Report of a meter reading", 44)
    page.text((150, 235), "Please write one digit in each box, in black or blue.", 22)
    truth, boxes = {}, {}
    for k, (name, label, style, least, most) in enumerate(FIELDS):
        left, top = 150 + 500 * (k % 2), 330 + 210 * (k // 2)
        page.text((left, top), label, 26)
        text = "" if rng.random() < 0.1 else random_digits(rng, least, most)
        box = _print_field(page, style, left, top + 30, most)
        _fill_field(page, box, writer, text, style, most, rng)
        truth[name], boxes[name] = text, box
    page.text((150, 1640), "Keep a copy of this form. Office use only below this line.", 20)
    file = finish(page, rng, angle=angle, photographed=photographed)
    return FormSheet(file, truth, _template(boxes))


# Height and width of a digit's cell; gap between separate ones; thickness of the lines.
CELL_TALL, CELL_WIDE, CELL_GAP, THICK = 62, 44, 8, 2

Rectangle = tuple[float, float, float, float]


def _pitch(style: str) -> float:
    """Distance of neighbouring cells."""
    return CELL_WIDE + (CELL_GAP if style in ("boxes", "underscores") else 0)


def _print_field(page: PrintedPage, style: str, left: float, top: float, cells: int) -> Rectangle:
    """Print an empty field, and return its box: left, top, right, bottom."""
    pitch, bottom = _pitch(style), top + CELL_TALL
    starts = [left + k * pitch for k in range(cells)]
    right = starts[-1] + CELL_WIDE
    if style == "boxes":
        for start in starts:
            page.box(start, top, start + CELL_WIDE, bottom, THICK)
    elif style in ("comb", "box"):
        page.box(left, top, right, bottom, THICK)
    if style == "underscores":
        for start in starts:
            page.line((start, bottom), (start + CELL_WIDE, bottom), THICK)
    elif style in ("line", "teeth"):
        page.line((left, bottom), (right, bottom), THICK)
    if style in ("comb", "teeth"):
        rise = top if style == "comb" else bottom - 0.35 * CELL_TALL
        dividers = starts[1:] if style == "comb" else [*starts, right]
        for start in dividers:
            page.line((start, rise), (start, bottom), THICK)
    return left, top, right, bottom


def _fill_field(
    page: PrintedPage, box: Rectangle, writer: Writer, text: str, style: str, cells: int, rng: Rng
) -> None:
    left, top, _, bottom = box
    height, middle = 0.66 * CELL_TALL, (top + bottom) / 2
    if text and style in ("box", "line"):
        cover = draw_number(writer, text, height, rng)
        start = left + 10 + rng.uniform(0, max(0, 0.5 * (cells * CELL_WIDE - cover.shape[1] - 20)))
        write_centred(page, cover, (start + cover.shape[1] / 2, middle), 3, rng)
        return
    for k, digit in enumerate(text):
        at = left + k * _pitch(style) + CELL_WIDE / 2, middle
        write_centred(page, draw_digit(writer, digit, height, rng).cover, at, 3, rng)


def _template(boxes: dict[str, Rectangle]) -> dict[str, Any]:
    """Boxes in fractions of the area between the centres of the marks."""
    start = MARK_EDGE + MARK / 2
    wide, tall = (side - 2 * start for side in A4)
    fields = [
        {
            "name": name,
            "box": [
                round((left - start) / wide, 4),
                round((top - start) / tall, 4),
                round((right - left) / wide, 4),
                round((bottom - top) / tall, 4),
            ],
        }
        for name, (left, top, right, bottom) in boxes.items()
    ]
    return {"page": "marks", "size": [wide, tall], "fields": fields}


# --- lists -------------------------------------------------------------------------------


def render_list(
    index: int,
    writers: Writers,
    *,
    rows: int,
    columns: int,
    digits: int,
    width: int | None = None,
    length: int | None = None,
    seed: int = 0,
) -> Sheet:
    """Render plain paper with rows of numbers of one length, and photograph it.

    Parameters
    ----------
    index : index of the page
    writers : Writers
    rows, columns : numbers below each other and side by side
    digits : of each number
    width, length : pixels of the photo; by default those of a page with digits 40 high
    seed : seed of the collection

    Returns
    -------
    Sheet
    """
    rng = generator("list", index, seed=seed)
    writer = pick_writer(writers, rng)
    height = 40.0
    pitch, wide = 2.0 * height, (digits + 2.5) * height
    page = PrintedPage(round(columns * wide + 2 * height), round((rows + 1) * pitch))
    truth: list[list[str | None]] = []
    for i in range(rows):
        texts = [random_digits(rng, digits, digits) for _ in range(columns)]
        truth.append([*texts])
        for j, text in enumerate(texts):
            cover = draw_number(writer, text, height, rng)
            write_centred(page, cover, ((j + 0.5) * wide + height, (i + 1) * pitch), 2, rng)
    paper, ink = pick(SHEETS, rng), pick(PENS, rng)
    image = apply_ink(page.written, paper=paper, ink=ink)
    if width and length:
        image = image.resize((width, length), Image.Resampling.BICUBIC)
    light = light_map(image.size[::-1], rng, darkest=0.7, hard=False)
    grain = texture(image.size[::-1], rng, 2.0)
    return Sheet(encode(add_grain(illuminate(image, light), grain), "JPEG", quality=85), truth)


def render_crop(index: int, writers: Writers, *, digits: int = 5, seed: int = 0) -> Sheet:
    """Render one number cut out of a page, about 60 pixels high."""
    return render_list(index, writers, rows=1, columns=1, digits=digits, seed=seed)
