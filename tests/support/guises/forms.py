"""Numbers in the fields of forms: boxes, combs, rings, underscores, teeth on a base line.

A form is described by a `Form`; `FORMS` has those that are measured. All lengths are in pixels of
the picture.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain, pairwise, product
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from tests.support.guises.guises import generator
from tests.support.guises.lines import Writer, Writers
from tests.support.guises.paper import (
    BLACK,
    WHITE,
    Colour,
    Rng,
    add_grain,
    apply_ink,
    encode,
    noise,
)
from tests.support.guises.strokes import Coverage, crop_to_ink, draw_strokes

# Pixels drawn for each pixel of the picture, so that lines are smooth.
FINE = 4
Point = tuple[float, float]

GREY, LIGHT_GREY, PINK = (150,) * 3, (205,) * 3, (240, 170, 180)
RED, BLUE = (200, 40, 40), (30, 50, 150)


@dataclass(frozen=True)
class Form:
    """A field of a form and how it is filled; lengths in pixels.

    Attributes
    ----------
    kind : a key of `_KINDS`.
    cells : number of digits.
    height : height of the digits.
    room : between the tallest digit and the lines above and below it, and between the widest digit
        and those at its sides; between digits and an underscore.
    line : thickness of the lines.
    gap : between separate boxes or underscores.
    rise : height of teeth, as a fraction of that of the digits.
    corner : radius of the corners of boxes.
    dash : length of dashes, and of the gaps between them; 0 for whole lines.
    open_side : the side that a box lacks, "top", "bottom", "left" or "right"; "" for none.
    stray : greatest distance of a digit from the middle of its cell, as a fraction of its height.
    blanks : number of cells without a digit, at the end.
    colour, ink : of lines and of digits.
    grain : standard deviation of the paper's noise, 0-255.
    turn : of lines and digits, in degrees.
    margin : paper around the field.
    page : height and width of a page with the field somewhere on it; None for the field alone.
    fields : number of such fields on the page, below each other.
    """

    kind: str = "boxes"
    cells: int = 6
    height: float = 60
    room: float = 12
    line: float = 2
    gap: float = 12
    rise: float = 0.4
    corner: float = 0
    dash: float = 0
    open_side: str = ""
    stray: float = 0
    blanks: int = 0
    colour: Colour = BLACK
    ink: Colour = BLACK
    grain: float = 0
    turn: float = 0
    margin: float = 40
    page: tuple[int, int] | None = None
    fields: int = 1


def render_form(form: Form, writers: Writers, index: int, *, seed: int = 0) -> tuple[bytes, str]:
    """A picture file, and its numbers, one a line; both depend on the arguments alone."""
    rng = generator(repr(form), index, seed=seed)
    fields = [_draw_field(form, writers.pick_writer(rng), rng) for _ in range(form.fields)]
    strokes, lines = _place(fields, form, rng)
    image = apply_ink(strokes, paper=apply_ink(lines, paper=WHITE, ink=form.colour), ink=form.ink)
    if form.grain:
        image = add_grain(image, noise(strokes.shape, rng, form.grain))
    return encode(image), "\n".join(field.text for field in fields)


class _Field(NamedTuple):
    """Coverage by digits and by lines, of one shape, and the number."""

    strokes: Coverage
    lines: Coverage
    text: str


def _draw_field(form: Form, writer: Writer, rng: Rng) -> _Field:
    chosen = rng.integers(len(writer.labels), size=form.cells)
    glyphs = [crop_to_ink(draw_strokes(writer.images[k], form.height)) for k in chosen]
    centres, paths = _KINDS[form.kind](form, max(glyph.shape[1] for glyph in glyphs))
    points = np.array([point for path in paths for point in path] + centres)
    # Digits may stray as far as this beyond the lines.
    around = form.margin + form.line / 2
    low = np.floor(points.min(axis=0) - around)
    low = np.minimum(low, np.min(centres, axis=0) - 0.6 * form.height)
    high = np.maximum(points.max(axis=0) + around, np.max(centres, axis=0) + 0.6 * form.height)
    width, height = np.ceil(high - low).astype(int)
    strokes = np.zeros((height, width), dtype=np.uint8)
    for glyph, centre in list(zip(glyphs, centres))[: form.cells - form.blanks]:
        stray = rng.uniform(-1, 1, 2) * form.stray * form.height
        left, top = np.rint(centre - low + stray - np.array(glyph.shape[::-1]) / 2).astype(int)
        _add(strokes, glyph, top, left)
    lines = _draw_paths(
        [[tuple(point - low) for point in path] for path in map(np.array, paths)],
        (height, width),
        form,
    )
    text = "".join(str(writer.labels[k]) for k in chosen[: form.cells - form.blanks])
    if form.turn:
        strokes, lines = (_turned(cover, form.turn) for cover in (strokes, lines))
    return _Field(strokes, lines, text)


def _add(page: Coverage, part: Coverage, top: int, left: int) -> None:
    """Draw a part onto a page, as far as it lies on it."""
    rows, columns = (
        slice(max(start, 0), start + side) for start, side in zip((top, left), part.shape)
    )
    window = page[rows, columns]
    part = part[rows.start - top :, columns.start - left :][: window.shape[0], : window.shape[1]]
    np.maximum(window, part, out=window)


def _turned(cover: Coverage, degrees: float) -> Coverage:
    image = Image.fromarray(cover).rotate(degrees, Image.Resampling.BICUBIC, expand=True)
    return np.asarray(image)


def _draw_paths(paths: list[list[Point]], shape: tuple[int, int], form: Form) -> Coverage:
    """Draw lines through points, closed ones with equal ends."""
    image = Image.new("L", (shape[1] * FINE, shape[0] * FINE))
    draw = ImageDraw.Draw(image)
    half = FINE * form.line / 2
    for path in paths:
        for start, end in _dashes(path, form.dash):
            ends = FINE * np.array([start, end])
            along = ends[1] - ends[0]
            # A square pen, so that corners are closed.
            along *= half / max(float(np.hypot(*along)), 1e-6)
            across = along[::-1] * (-1, 1)
            one, other = ends[0] - along * (not form.corner), ends[1] + along
            corners = one + across, other + across, other - across, one - across
            draw.polygon([tuple(corner - 0.5) for corner in corners], fill=255)
    return np.asarray(image.reduce(FINE))


def _dashes(path: list[Point], dash: float) -> list[tuple[Point, Point]]:
    """The pieces of a line, cut into dashes."""
    pieces = list(pairwise(path))
    if not dash:
        return pieces
    dashes = []
    for start, end in pieces:
        length = float(np.hypot(*np.subtract(end, start)))
        for first in np.arange(0, length, 2 * dash):
            ends = np.array([first, min(first + dash, length)]) / length
            dashes.append(tuple(tuple(np.array(start) + k * np.subtract(end, start)) for k in ends))
    return dashes


def _place(fields: list[_Field], form: Form, rng: Rng) -> tuple[Coverage, Coverage]:
    """Place fields on the page, below each other."""
    if form.page is None:
        return fields[0].strokes, fields[0].lines
    pages = np.zeros(form.page, dtype=np.uint8), np.zeros(form.page, dtype=np.uint8)
    room = form.page[0] // len(fields)
    for k, field in enumerate(fields):
        high, wide = field.strokes.shape
        top = k * room + int(rng.integers(max(room - high, 0) + 1))
        left = int(rng.integers(max(form.page[1] - wide, 0) + 1))
        for page, part in zip(pages, (field.strokes, field.lines)):
            _add(page, part, top, left)
    return pages


# --- kinds of fields ---------------------------------------------------------------------

# Centres of the digits (x, y), and paths of lines through points (x, y).
Layout = tuple[list[Point], list[list[Point]]]


def _box(left: float, top: float, right: float, bottom: float, form: Form) -> list[list[Point]]:
    """Paths of a box, with round corners, or without one of its sides."""
    if form.corner:
        return [_rounded(left, top, right, bottom, form.corner)]
    corners = {"top": (left, top), "right": (right, top), "bottom": (right, bottom)}
    corners["left"] = (left, bottom)
    points = list(corners.values())
    sides = dict(zip(corners, zip(points, points[1:] + points[:1])))
    sides.pop(form.open_side, None)
    return [list(side) for side in sides.values()]


def _rounded(left: float, top: float, right: float, bottom: float, radius: float) -> list[Point]:
    angles = np.linspace(0, np.pi / 2, 9)
    middles = (right, bottom, -1, -1), (left, bottom, 1, -1), (left, top, 1, 1), (right, top, -1, 1)
    points = [
        (x + sx * radius + radius * np.cos(angle), y + sy * radius + radius * np.sin(angle))
        for k, (x, y, sx, sy) in enumerate(middles)
        for angle in angles + k * np.pi / 2
    ]
    return [*points, points[0]]


def _cells(form: Form, width: float, gap: float) -> list[tuple[float, float, float, float]]:
    """Left, top, right and bottom of cells beside each other, in the middle of their lines."""
    wide, high = (side + 2 * form.room + form.line for side in (width, form.height))
    starts = [k * (wide + gap) for k in range(form.cells)]
    return [(start, 0.0, start + wide, high) for start in starts]


def _centres(cells: list[tuple[float, float, float, float]]) -> list[Point]:
    return [((left + right) / 2, (top + bottom) / 2) for left, top, right, bottom in cells]


def _boxes(form: Form, width: float) -> Layout:
    cells = _cells(form, width, form.gap + form.line)
    return _centres(cells), list(chain.from_iterable(_box(*cell, form) for cell in cells))


def _comb(form: Form, width: float) -> Layout:
    cells = _cells(form, width, 0)
    left, top, right, bottom = (*cells[0][:2], *cells[-1][2:])
    dividers = [[(cell[0], top), (cell[0], bottom)] for cell in cells[1:]]
    return _centres(cells), [*_box(left, top, right, bottom, form), *dividers]


def _one_box(form: Form, width: float) -> Layout:
    centres = [(k * (width + 0.2 * form.height), 0.0) for k in range(form.cells)]
    wide, high = (side / 2 + form.room for side in (width, form.height))
    return centres, _box(-wide, -high, centres[-1][0] + wide, high, form)


def _ring(form: Form, width: float) -> Layout:
    centres, _ = _one_box(form, width)
    middle, half = centres[-1][0] / 2, centres[-1][0] / 2 + width / 2 + form.room
    wide = half + 0.6 * form.height
    high = (form.height / 2 + form.room) / np.sqrt(1 - (half / wide) ** 2)
    angles = np.linspace(0, 2 * np.pi, 121)
    # Not quite an ellipse, as a person draws.
    sway = 1 + 0.02 * np.sin(3 * angles) + 0.01 * np.cos(5 * angles)
    points = zip(middle + wide * sway * np.cos(angles), high * sway * np.sin(angles))
    return centres, [[(float(x), float(y)) for x, y in points]]


def _underscores(form: Form, width: float) -> Layout:
    pitch, below = width + form.gap, form.height / 2 + form.room
    centres = [(k * pitch, 0.0) for k in range(form.cells)]
    return centres, [[(x - width / 2, below), (x + width / 2, below)] for x, _ in centres]


def _teeth(form: Form, width: float) -> Layout:
    cells = _cells(form, width, 0)
    left, right, bottom = cells[0][0], cells[-1][2], cells[0][3]
    top = bottom - form.rise * form.height
    teeth = [[(x, top), (x, bottom)] for x in [*(cell[0] for cell in cells), right]]
    return _centres(cells), [[(left, bottom), (right, bottom)], *teeth]


def _base_line(form: Form, width: float) -> Layout:
    centres, _ = _one_box(form, width)
    below, beyond = form.height / 2 + form.room, width / 2 + form.gap
    return centres, [[(-beyond, below), (centres[-1][0] + beyond, below)]]


_KINDS: dict[str, Callable[[Form, float], Layout]] = {
    "boxes": _boxes,
    "comb": _comb,
    "one box": _one_box,
    "ring": _ring,
    "underscores": _underscores,
    "teeth": _teeth,
    "base line": _base_line,
}

PAGE = 1200, 900

# Every kind of field, by what is special about it.
_BOXES: dict[str, Form] = {
    **{f"line {line}": Form(line=line) for line in (1, 2, 4, 5)},
    **{f"gap {gap}": Form(gap=gap) for gap in (12, 60)},
    **{f"box {high} high": Form(room=(high - 1) / 2 * 60) for high in (1.4, 1.7, 2.1, 2.5)},
    "digits 30": Form(height=30, room=8, gap=8),
    "digits 120": Form(height=120, room=20, line=3),
    "red": Form(colour=RED),
    "pink": Form(colour=PINK),
    "grey 150": Form(colour=GREY),
    "grey 205": Form(colour=LIGHT_GREY),
    "rounded": Form(corner=12),
    "noisy": Form(grain=12),
    "blue ink": Form(ink=BLUE),
    "on a page": Form(page=PAGE, margin=5),
    "dashed": Form(dash=8),
    "dotted": Form(dash=3),
    "turned": Form(turn=3),
    "without top": Form(open_side="top"),
    "without bottom": Form(open_side="bottom"),
    "without right side": Form(open_side="right"),
    "cropped": Form(margin=0),
    "digits touch": Form(room=6, stray=0.15),
    "some blank": Form(cells=7, blanks=2),
}
FORMS: dict[str, Form] = {
    **{f"boxes, {name}": form for name, form in _BOXES.items()},
    **{
        f"comb, {cells} cells, {room}": Form("comb", cells=cells, room=room)
        for cells, room in product((1, 2, 3, 4, 5, 6, 8, 10, 12), (8, 12, 20))
    },
    "comb, digits touch": Form("comb", room=6, stray=0.15),
    "comb, turned": Form("comb", turn=-3),
    "comb, dashed": Form("comb", dash=8),
    "comb, some blank": Form("comb", cells=8, blanks=3),
    "comb, without top": Form("comb", open_side="top"),
    "comb, cropped": Form("comb", margin=0),
    "comb, grey 205": Form("comb", colour=LIGHT_GREY),
    "comb on a page": Form("comb", page=PAGE, margin=5),
    "six combs on a page": Form("comb", page=PAGE, margin=5, fields=6),
    "six boxes on a page": Form("boxes", page=PAGE, margin=5, fields=6),
    "one box": Form("one box", cells=5),
    "one box, little paper": Form("one box", cells=5, margin=4),
    "one box, cropped": Form("one box", cells=5, margin=0),
    "one box, thick": Form("one box", cells=5, line=6, height=45, room=20),
    "one box, digits touch": Form("one box", cells=5, line=6, height=45, room=10, stray=0.2),
    "one box, turned": Form("one box", cells=5, turn=4),
    "one box on a page": Form("one box", cells=5, page=PAGE, margin=5),
    "underscores": Form("underscores", room=6),
    "underscores, 5 digits": Form("underscores", cells=5, room=12, line=3),
    "underscores touch": Form("underscores", room=2, stray=0.1),
    "one underscore": Form("underscores", cells=1, room=10),
    "ring": Form("ring", cells=5, line=3),
    "ring, thick": Form("ring", cells=5, line=6, room=6),
    "ring on a page": Form("ring", cells=5, line=3, page=PAGE, margin=5),
    "ring, digits touch": Form("ring", cells=5, line=4, room=0, stray=0.2),
    "teeth": Form("teeth"),
    "teeth, low": Form("teeth", rise=0.2, room=6),
    "teeth, high": Form("teeth", rise=1.0, cells=8),
    "teeth, digits touch": Form("teeth", rise=0.5, room=4, stray=0.15),
    "teeth on a page": Form("teeth", page=PAGE, margin=5),
    "base line": Form("base line", cells=5, room=8),
    "base line, digits touch": Form("base line", cells=5, room=0, stray=0.1),
}


def forms_of(kind: str) -> dict[str, Form]:
    """The forms of `FORMS` of one kind."""
    return {name: form for name, form in FORMS.items() if form.kind == kind}
