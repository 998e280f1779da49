"""Guises of photos: shadows, desks, boards and screens."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageChops, ImageFilter

from tests.support.guises.paper import (
    INKS,
    PAPERS,
    Rng,
    add_grain,
    apply_ink,
    coarse_grid,
    encode,
    enlarge,
    illuminate,
    light_map,
    noise,
    pick,
    place_on_page,
    texture,
)
from tests.support.guises.strokes import Coverage, Digit, Field, draw_strokes, redraw_with_pen

MARKERS = ((25, 30, 35), (30, 60, 160), (190, 40, 45), (20, 120, 70))


def soft_shadow(digit: Digit, rng: Rng) -> bytes:
    return _in_shadow(digit, rng, darkest=rng.uniform(0.3, 0.6), hard=False)


def hard_shadow(digit: Digit, rng: Rng) -> bytes:
    return _in_shadow(digit, rng, darkest=rng.uniform(0.35, 0.65), hard=True)


def _in_shadow(digit: Digit, rng: Rng, *, darkest: float, hard: bool) -> bytes:
    page = place_on_page(draw_strokes(digit, rng.uniform(80, 250)), rng)
    image = apply_ink(page, paper=pick(PAPERS, rng), ink=pick(INKS, rng))
    image = illuminate(image, light_map(page.shape, rng, darkest=darkest, hard=hard))
    return _photograph(image, texture(page.shape, rng, 3.0))


def _photograph(image: Image.Image, grain: Field, *, quality: int = 85) -> bytes:
    """Add grain, and encode as a phone's JPEG."""
    return encode(add_grain(image, grain), "JPEG", quality=quality)


def blurred_photo(digit: Digit, rng: Rng) -> bytes:
    height = rng.uniform(60, 200)
    page = place_on_page(draw_strokes(digit, height), rng)
    image = apply_ink(page, paper=(200, 195, 185), ink=(50, 50, 60))
    image = image.filter(ImageFilter.GaussianBlur(height * rng.uniform(0.015, 0.04)))
    image = illuminate(image, light_map(page.shape, rng, darkest=0.7, hard=False))
    return _photograph(image, noise(page.shape, rng, 6.0), quality=60)


def on_a_desk(digit: Digit, rng: Rng) -> bytes:
    """A sheet on a darker desk, which may show on each side."""
    height = rng.uniform(80, 200)
    page = place_on_page(draw_strokes(digit, height), rng, margin=(0.5, 1.0))
    sheet = apply_ink(page, paper=(225, 222, 215), ink=pick(INKS, rng))
    top, bottom, left, right = (
        round(height * rng.uniform(0.1, 0.5)) * int(rng.random() < 0.5) for _ in range(4)
    )
    size = page.shape[1] + left + right, page.shape[0] + top + bottom
    desk = add_grain(Image.new("RGB", size, (110, 80, 55)), texture(size[::-1], rng, 8.0))
    desk.paste(sheet, (left, top))
    light = light_map(size[::-1], rng, darkest=0.75, hard=False)
    image = illuminate(desk.filter(ImageFilter.GaussianBlur(0.5)), light)
    return _photograph(image, texture(size[::-1], rng, 3.0), quality=80)


def keystone(digit: Digit, rng: Rng) -> bytes:
    """A sheet in perspective."""
    height = rng.uniform(100, 250)
    page = place_on_page(draw_strokes(digit, height), rng, margin=(0.5, 1.0))
    high, wide = page.shape
    # Each corner of the picture shows a point inside the sheet, moved on its own.
    x, y = rng.uniform(0, 0.16, (4, 2)).T * [[wide], [high]]
    corners = (x[0], y[0], x[1], high - y[1], wide - x[2], high - y[2], wide - x[3], y[3])
    projected = Image.fromarray(page).transform((wide, high), *_perspective(corners, (wide, high)))
    image = apply_ink(np.asarray(projected), paper=pick(PAPERS, rng), ink=pick(INKS, rng))
    image = illuminate(image, light_map(page.shape, rng, darkest=0.7, hard=False))
    return _photograph(image, texture(page.shape, rng, 3.0))


def _perspective(
    corners: tuple[float, ...], size: tuple[int, int]
) -> tuple[Image.Transform, list[float], Image.Resampling]:
    """Arguments of Pillow's transform that maps the picture's corners to the given points."""
    wide, high = size
    rows, values = [], []
    for (x, y), u, v in zip(
        ((0, 0), (0, high), (wide, high), (wide, 0)), corners[::2], corners[1::2]
    ):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    coefficients = np.linalg.solve(np.array(rows), np.array(values)).tolist()
    return Image.Transform.PERSPECTIVE, coefficients, Image.Resampling.BICUBIC


def blackboard(digit: Digit, rng: Rng) -> bytes:
    cover = draw_strokes(digit, rng.uniform(80, 250))
    dust = (0.85 + texture(cover.shape, rng, 0.2)).clip(0.2, 1)
    page = place_on_page((cover * dust).astype(np.uint8), rng)
    image = apply_ink(page, paper=(45, 65, 55), ink=(225, 225, 215))
    return _photograph(image, texture(page.shape, rng, 6.0))


def whiteboard(digit: Digit, rng: Rng) -> bytes:
    """Marker on a glossy board, with the glare of a lamp and traces of wiped ink."""
    height = rng.uniform(80, 220)
    page = place_on_page(redraw_with_pen(digit, height, height * rng.uniform(0.06, 0.12)), rng)
    residue = (6 + texture(page.shape, rng, 5.0)).clip(0, 255).astype(np.uint8)
    ink = pick(MARKERS, rng)
    image = apply_ink(page, paper=apply_ink(residue, paper=(222, 226, 228), ink=ink), ink=ink)
    image = illuminate(image, light_map(page.shape, rng, darkest=0.7, hard=False))
    image.paste((255, 255, 255), (0, 0, *image.size), Image.fromarray(_glare(page.shape, rng)))
    return _photograph(image, noise(page.shape, rng, 3.0), quality=80)


def _glare(shape: tuple[int, ...], rng: Rng) -> Coverage:
    """A soft bright spot that partly washes out what is under it."""
    _, i, j = coarse_grid(shape)
    y, x = rng.uniform(-0.5, 0.5, 2)
    off = np.hypot((i - y) / rng.uniform(0.08, 0.2), (j - x) / rng.uniform(0.08, 0.2))
    spot = np.exp(-(off**2) / 2) * rng.uniform(0.5, 0.85)
    return (255 * enlarge(spot, shape).clip(0, 1)).astype(np.uint8)


def off_a_screen(digit: Digit, rng: Rng) -> bytes:
    """A photo of a screen, with coloured moire bands."""
    page = place_on_page(draw_strokes(digit, rng.uniform(80, 220)), rng)
    image = apply_ink(page, paper=(238, 240, 245), ink=pick(INKS, rng))
    _, i, j = coarse_grid(page.shape)
    angle, turns, phase = rng.uniform(0, np.pi), rng.uniform(8, 30), rng.uniform(0, 2 * np.pi)
    # Lens distortion bends the bands.
    along = i * np.sin(angle) + j * np.cos(angle) + rng.uniform(-0.3, 0.3) * (i**2 + j**2)
    strength = rng.uniform(0.05, 0.12)
    bands = [
        enlarge(
            235 + 255 * strength * np.sin(2 * np.pi * turns * along + phase + shift), page.shape
        )
        for shift in (0.0, 1.2, 2.4)
    ]
    screen = Image.fromarray(np.stack(bands, axis=2).clip(0, 255).astype(np.uint8))
    return _photograph(ImageChops.multiply(image, screen), noise(page.shape, rng, 3.0), quality=75)
