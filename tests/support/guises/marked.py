"""Printed sheets with four corner marks or a frame on a desk, and where these are seen."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from tests.support.guises.paper import Rng, add_grain, apply_ink, illuminate, light_map, noise
from tests.support.guises.sheets import DESKS, PrintedPage

MARKS = ("square", "disc", "cross", "plus", "ring", "target", "angle")

WIDTH, HEIGHT = 900, 1270
# Distance of the middle of the marks, or of the frame, from the edges of the sheet.
EDGE = 62
MIDDLES = np.array(
    [(EDGE, EDGE), (WIDTH - EDGE, EDGE), (WIDTH - EDGE, HEIGHT - EDGE), (EDGE, HEIGHT - EDGE)],
    dtype=np.float64,
)

BLACK_DESK, WHITE_DESK = (20, 20, 22), (236, 235, 230)
PAPER, INK = (246, 245, 240), (40, 40, 45)


class Shot(NamedTuple):
    """A photo: uint8 of shape (height, width), and where the middles of its marks are, (x, y)."""

    grey: np.ndarray
    corners: np.ndarray


def render_marked(
    kind: str, rng: Rng, *, angle: float = 0.0, size: float = 30, missing: int | None = None
) -> Shot:
    """Photograph a sheet of text and boxes with marks of a kind, or "frame".

    Parameters
    ----------
    kind : one of `MARKS`, or "frame"
    rng : numpy.random.Generator
    angle : degrees by which the sheet is turned
    size : of the marks, in pixels of the sheet
    missing : number of the mark that is not printed
    """
    page = PrintedPage(WIDTH, HEIGHT)
    _print_content(page, rng)
    printed = Image.fromarray(page.printed)
    draw = ImageDraw.Draw(printed)
    if kind == "frame":
        draw.rectangle((*MIDDLES[0] - 1, *MIDDLES[2] + 1), outline=255, width=3)
    else:
        for corner in range(4):
            if corner != missing:
                _draw_mark(draw, kind, corner, size)
    return _photograph(apply_ink(np.asarray(printed), paper=PAPER, ink=INK), angle, rng)


def _print_content(page: PrintedPage, rng: Rng) -> None:
    page.text((130, 150), "Meter readings of the year", 34)
    for k in range(8):
        top = 230 + 120 * k
        page.text((130, top), "Reading number", 20)
        for left in (130, 480):
            page.box(left, top + 25, left + rng.uniform(120, 260), top + 75, 2)
        # A list has bullets.
        page.fill(105, top - 6, 117, top + 6)


def _draw_mark(draw: ImageDraw.ImageDraw, kind: str, corner: int, size: float) -> None:
    (x, y), half, thick = MIDDLES[corner], size / 2, max(2, round(size / 8))
    box = x - half, y - half, x + half, y + half
    if kind == "square":
        draw.rectangle(box, fill=255)
    elif kind == "disc":
        draw.ellipse(box, fill=255)
    elif kind == "cross":
        draw.line(box, fill=255, width=thick)
        draw.line((box[0], box[3], box[2], box[1]), fill=255, width=thick)
    elif kind == "plus":
        draw.line((box[0], y, box[2], y), fill=255, width=thick)
        draw.line((x, box[1], x, box[3]), fill=255, width=thick)
    elif kind == "angle":
        to_left, to_top = corner in (0, 3), corner < 2
        side, end = (box[0] if to_left else box[2]), (box[1] if to_top else box[3])
        draw.line((box[0], end, box[2], end), fill=255, width=thick)
        draw.line((side, box[1], side, box[3]), fill=255, width=thick)
    else:
        draw.ellipse(box, outline=255, width=thick)
    if kind == "target":
        third = size / 6
        draw.ellipse((x - third, y - third, x + third, y + third), fill=255)


def _photograph(sheet: Image.Image, angle: float, rng: Rng) -> Shot:
    """A photo of 0.7 to 1.6 times the sheet's size, in perspective, half lit, with noise."""
    scale, around = rng.uniform(0.7, 1.6), rng.uniform(20, 120)
    turn = np.deg2rad(angle)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    sides = np.array(sheet.size, dtype=np.float64)
    corners = np.array([(0, 0), (1, 0), (1, 1), (0, 1)]) * sides
    seen = scale * (corners + rng.uniform(-0.02, 0.02, (4, 2)) * sides) @ rotation.T
    seen += around - seen.min(axis=0)
    to_sheet = _solve(seen, corners)
    wide, high = (seen.max(axis=0) + around).round().astype(int).tolist()
    desks = (*DESKS, BLACK_DESK, WHITE_DESK, PAPER)
    picture = sheet.transform(
        (wide, high),
        Image.Transform.PERSPECTIVE,
        to_sheet.ravel()[:8].tolist(),
        Image.Resampling.BICUBIC,
        fillcolor=desks[rng.integers(len(desks))],
    ).filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 1.5)))
    light = light_map((high, wide), rng, darkest=rng.uniform(0.4, 0.8), hard=rng.random() < 0.5)
    picture = add_grain(illuminate(picture, light), noise((high, wide), rng, 3))
    middles = np.column_stack([MIDDLES, np.ones(4)]) @ np.linalg.inv(to_sheet).T
    return Shot(np.asarray(picture.convert("L")), middles[:, :2] / middles[:, 2:])


def _solve(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The projection of four points to four others, by the null space of its equations."""
    rows = []
    for (x, y), (u, v) in zip(source.tolist(), target.tolist()):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y, -u], [0, 0, 0, x, y, 1, -v * x, -v * y, -v]]
    projection = np.linalg.svd(np.array(rows))[2][-1].reshape(3, 3)
    return projection / projection[2, 2]
