"""Guises of MNIST digits: pictures as people send them, rendered from labelled digits.

A guise is a function from a digit, uint8 of shape (28, 28) with bright ink on a dark background,
and a random generator to the bytes of a picture file. Photos are in `photos`, all others here.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter
from sklearn.datasets import load_digits

from tests.support.guises import photos
from tests.support.guises.paper import (
    BALLPOINT,
    INKS,
    PAPERS,
    RULES,
    Rng,
    add_grain,
    apply_ink,
    draw_rules,
    encode,
    illuminate,
    light_map,
    noise,
    pick,
    place_on_page,
    texture,
)
from tests.support.guises.strokes import (
    Coverage,
    Digit,
    crop_to_ink,
    draw_strokes,
    loop_radius,
    redraw_with_pen,
)

Guise = Callable[[Digit, Rng], bytes]

# Backgrounds and inks of drawing programs and notes in dark mode.
DARK_BACKGROUNDS = ((0, 0, 0), (18, 18, 18), (30, 30, 46), (40, 44, 52), (13, 27, 42))
NEON = ((240, 240, 240), (90, 200, 250), (255, 214, 10), (120, 240, 140), (255, 110, 160))


# --- MNIST form, and drawn with a mouse or a finger ----------------------------------------


def plain(digit: Digit, rng: Rng) -> bytes:
    return encode(Image.fromarray(digit))


def inverted(digit: Digit, rng: Rng) -> bytes:
    return encode(Image.fromarray(255 - digit))


def off_centre(digit: Digit, rng: Rng) -> bytes:
    return encode(
        apply_ink(place_on_page(draw_strokes(digit, rng.uniform(16, 60)), rng, margin=(0.05, 2.0)))
    )


def light_on_dark(digit: Digit, rng: Rng) -> bytes:
    page = place_on_page(draw_strokes(digit, rng.uniform(24, 200)), rng)
    background = int(rng.integers(0, 70))
    return encode(apply_ink(page, paper=(background,) * 3, ink=(240, 240, 240)))


def dark_mode(digit: Digit, rng: Rng) -> bytes:
    """A screenshot of notes in dark mode: a round pen of a bright colour."""
    height = rng.uniform(60, 250)
    page = place_on_page(redraw_with_pen(digit, height, height * rng.uniform(0.05, 0.13)), rng)
    return encode(apply_ink(page, paper=pick(DARK_BACKGROUNDS, rng), ink=pick(NEON, rng)))


def transparent(digit: Digit, rng: Rng) -> bytes:
    page = place_on_page(draw_strokes(digit, rng.uniform(30, 200)), rng)
    image = Image.new("RGB", page.shape[::-1], pick(INKS, rng))
    image.putalpha(Image.fromarray(page))
    return encode(image)


def gif(digit: Digit, rng: Rng) -> bytes:
    """A few colours, dithered."""
    page = place_on_page(draw_strokes(digit, rng.uniform(40, 130)), rng, margin=(0.15, 0.6))
    image = apply_ink(page, paper=pick(PAPERS[1:], rng), ink=pick(INKS, rng))
    image = illuminate(image, light_map(page.shape, rng, darkest=0.7, hard=False))
    few = image.quantize(int(rng.integers(4, 17)))
    return encode(image.quantize(palette=few, dither=Image.Dither.FLOYDSTEINBERG), "GIF")


# --- sizes ---------------------------------------------------------------------------------


def tiny(digit: Digit, rng: Rng) -> bytes:
    """A picture 12 to 16 pixels high."""
    return encode(
        apply_ink(
            place_on_page(draw_strokes(digit, rng.uniform(10.5, 13)), rng, margin=(0.02, 0.12))
        )
    )


def huge(digit: Digit, rng: Rng) -> bytes:
    page = place_on_page(draw_strokes(digit, rng.uniform(500, 1100)), rng, margin=(0.1, 0.4))
    image = apply_ink(page, ink=pick(INKS, rng))
    image.thumbnail((2000, 2000), Image.Resampling.BILINEAR)
    return encode(image, "JPEG", quality=90)


def on_a_large_page(digit: Digit, rng: Rng) -> bytes:
    """A small digit at a random position on a large sheet."""
    page = place_on_page(draw_strokes(digit, rng.uniform(40, 90)), rng, margin=(2.0, 8.0))
    return _scan(apply_ink(page, ink=pick(INKS, rng)), rng, 2.0)


def tight(digit: Digit, rng: Rng) -> bytes:
    """Cropped to the ink."""
    return encode(apply_ink(crop_to_ink(draw_strokes(digit, rng.uniform(24, 150)))))


def turned(digit: Digit, rng: Rng) -> bytes:
    turn = rng.uniform(-15, 15)
    return encode(
        apply_ink(place_on_page(draw_strokes(digit, rng.uniform(60, 200), turn=turn), rng))
    )


# --- pens ----------------------------------------------------------------------------------


def hairline(digit: Digit, rng: Rng) -> bytes:
    height = rng.uniform(80, 300)
    page = place_on_page(redraw_with_pen(digit, height, rng.uniform(1.0, 1.0 + height / 100)), rng)
    return encode(apply_ink(page, ink=pick(INKS, rng)))


def marker(digit: Digit, rng: Rng) -> bytes:
    """A thick pen, but thin enough to leave loops open, as writers do."""
    height = rng.uniform(80, 300)
    width = height * min(rng.uniform(0.15, 0.23), max(1.4 * loop_radius(digit) / 20, 0.13))
    return encode(
        apply_ink(place_on_page(redraw_with_pen(digit, height, width), rng), ink=pick(INKS, rng))
    )


def broken(digit: Digit, rng: Rng) -> bytes:
    """A skipping ballpoint: gaps up to a stroke's width."""
    height = rng.uniform(80, 250)
    cover = draw_strokes(digit, height)
    high, wide = cover.shape
    i, j = np.mgrid[:high, :wide].astype(np.float32)
    for _ in range(rng.integers(1, 4)):
        angle, width = rng.uniform(0, np.pi), height * rng.uniform(0.02, 0.06)
        y, x = rng.uniform(0.2, 0.8) * high, rng.uniform(0.2, 0.8) * wide
        across = np.abs((i - y) * np.cos(angle) + (j - x) * np.sin(angle))
        along = np.abs((j - x) * np.cos(angle) - (i - y) * np.sin(angle))
        cover = np.where((across < width / 2) & (along < 0.2 * height), np.uint8(0), cover)
    return encode(apply_ink(place_on_page(cover, rng), ink=BALLPOINT))


def faint_pencil(digit: Digit, rng: Rng) -> bytes:
    page = _pencil_on_page(digit, rng)
    level = int(rng.integers(140, 180))
    return _scan(apply_ink(page, paper=(235, 235, 230), ink=(level,) * 3), rng, 3.0)


def _pencil_on_page(digit: Digit, rng: Rng) -> Coverage:
    """Strokes on a page with the varying pressure of a pencil."""
    cover = draw_strokes(digit, rng.uniform(80, 250))
    pressure = (0.75 + texture(cover.shape, rng, 0.18)).clip(0.3, 1)
    return place_on_page((cover * pressure).astype(np.uint8), rng)


def coloured(digit: Digit, rng: Rng) -> bytes:
    page = place_on_page(draw_strokes(digit, rng.uniform(60, 250)), rng)
    return encode(apply_ink(page, paper=pick(PAPERS, rng), ink=pick(INKS, rng)))


# --- scans ---------------------------------------------------------------------------------


def _scan(image: Image.Image, rng: Rng, grain: float) -> bytes:
    """Add paper grain, and encode as a scanner's JPEG."""
    return encode(add_grain(image, texture(image.size[::-1], rng, grain)), "JPEG", quality=90)


def poor_jpeg(digit: Digit, rng: Rng) -> bytes:
    page = place_on_page(draw_strokes(digit, rng.uniform(30, 160)), rng)
    image = apply_ink(page, paper=pick(PAPERS, rng), ink=pick(INKS, rng))
    image = add_grain(image, texture(page.shape, rng, 3.0))
    return encode(image, "JPEG", quality=int(rng.integers(10, 30)))


def rough_paper(digit: Digit, rng: Rng) -> bytes:
    page = place_on_page(draw_strokes(digit, rng.uniform(60, 250)), rng)
    return _scan(apply_ink(page, paper=(215, 205, 185), ink=(60, 60, 70)), rng, rng.uniform(6, 16))


def show_through(digit: Digit, rng: Rng) -> bytes:
    """Pencil on thin paper; the writing on the other side shines through, mirrored."""
    page = _pencil_on_page(digit, rng)
    behind = Image.new("L", page.shape[::-1])
    for _ in range(rng.integers(2, 5)):
        other = Image.fromarray(
            draw_strokes(digit.T, rng.uniform(0.2, 0.4) * max(page.shape))[:, ::-1]
        )
        behind.paste(other, tuple(int(rng.uniform(-0.1, 0.9) * side) for side in behind.size))
    faint = np.asarray(behind.filter(ImageFilter.GaussianBlur(2))) * rng.uniform(0.08, 0.18)
    level = int(rng.integers(70, 110))
    sheet = apply_ink(faint.astype(np.uint8), paper=(240, 240, 236))
    return _scan(apply_ink(page, paper=sheet, ink=(level,) * 3), rng, 3.0)


def fax(digit: Digit, rng: Rng) -> bytes:
    """Black and white, with ragged edges and some specks."""
    page = place_on_page(draw_strokes(digit, rng.uniform(40, 120)), rng, margin=(0.15, 0.8))
    ink = page + noise(page.shape, rng, 40.0) > 128
    return encode(Image.fromarray(~ink), "TIFF", compression="group4")


def deep_tiff(digit: Digit, rng: Rng) -> bytes:
    """16-bit grey levels that use 12, 14 or 16 bits."""
    page = place_on_page(draw_strokes(digit, rng.uniform(60, 200)), rng)
    white = 0.95 * 2.0 ** rng.choice([12, 14, 16])
    grey = white * (1 - page * np.float32(rng.uniform(0.6, 0.9) / 255))
    grey += white / 255 * texture(page.shape, rng, 1.5)
    return encode(Image.fromarray(grey.clip(0, 65535).astype(np.uint16)), "TIFF")


def receipt(digit: Digit, rng: Rng) -> bytes:
    """Grey on grey: a thermal print that fades line by line."""
    height = rng.uniform(50, 140)
    cover = draw_strokes(digit, height)
    lines = 0.75 + 0.25 * np.sin(np.arange(cover.shape[0]) * 40 * np.pi / height)
    fading = (0.75 + texture(cover.shape, rng, 0.1)) * lines[:, None]
    page = place_on_page((cover * fading.clip(0, 1)).astype(np.uint8), rng)
    paper, ink = int(rng.integers(190, 225)), int(rng.integers(70, 115))
    return _scan(apply_ink(page, paper=(paper,) * 3, ink=(ink, ink, ink + 10)), rng, 3.0)


def specked(digit: Digit, rng: Rng) -> bytes:
    """Dust and specks around the digit."""
    height = rng.uniform(60, 200)
    page = place_on_page(draw_strokes(digit, height), rng)
    for _ in range(rng.integers(3, 12)):
        y, x = (rng.uniform(0, side) for side in page.shape)
        radius = height * rng.uniform(0.004, 0.022)
        top, left = (max(int(centre - radius - 1), 0) for centre in (y, x))
        part = page[top : int(y + radius) + 2, left : int(x + radius) + 2]
        i, j = np.indices(part.shape)
        speck = (radius + 0.5 - np.hypot(i + top - y, j + left - x)).clip(0, 1)
        np.maximum(part, (255 * speck).astype(np.uint8), out=part)
    return encode(apply_ink(page))


# --- forms ---------------------------------------------------------------------------------


def ruled_paper(digit: Digit, rng: Rng) -> bytes:
    height = rng.uniform(80, 220)
    return _on_ruled_paper(digit, height, height * rng.uniform(0.8, 1.4), rng, squares=False)


def squared_paper(digit: Digit, rng: Rng) -> bytes:
    height = rng.uniform(80, 220)
    return _on_ruled_paper(digit, height, height * rng.uniform(0.4, 0.9), rng, squares=True)


def _on_ruled_paper(digit: Digit, height: float, gap: float, rng: Rng, *, squares: bool) -> bytes:
    page = place_on_page(draw_strokes(digit, height), rng, margin=(0.25, 0.8))
    rules = draw_rules(page.shape, gap, rng, squares=squares, tilt=rng.uniform(-3, 3))
    sheet = apply_ink(rules, ink=pick(RULES, rng))
    return _scan(apply_ink(page, paper=sheet, ink=pick(INKS, rng)), rng, 2.0)


def in_a_box(digit: Digit, rng: Rng) -> bytes:
    """A form field: a frame as dark as the ink, sometimes cut off by the border."""
    height = rng.uniform(60, 160)
    page = place_on_page(draw_strokes(digit, height), rng, margin=(0.12, 0.4))
    page = np.pad(page, max(round(height * rng.uniform(0.01, 0.035)), 1), constant_values=255)
    page = np.pad(page, round(height * rng.uniform(0, 0.15)))
    return encode(apply_ink(page, ink=pick(INKS[:2], rng)))


def with_neighbours(digit: Digit, rng: Rng) -> bytes:
    """Cropped from a line: parts of the neighbouring characters show at the sides."""
    height = rng.uniform(60, 160)
    page = place_on_page(draw_strokes(digit, height), rng, margin=(0.22, 0.4))
    # The digit, rotated by 180 degrees, stands for its neighbours.
    other = draw_strokes(digit[::-1, ::-1], height)[: page.shape[0]]
    top = rng.integers(page.shape[0] - len(other) + 1)
    sides = [(True, False), (False, True), (True, True)][rng.integers(3)]
    for is_present, direction in zip(sides, (slice(None), slice(None, None, -1))):
        if is_present:
            part = round(height * rng.uniform(0.05, 0.18))
            page[top : top + len(other), direction][:, :part] = other[:, ::-1][:, -part - 4 : -4]
    return encode(apply_ink(page, ink=pick(INKS, rng)))


GUISES: dict[str, Guise] = {
    guise.__name__.replace("_", " "): guise
    for guise in (
        plain,
        inverted,
        off_centre,
        light_on_dark,
        dark_mode,
        transparent,
        gif,
        tiny,
        huge,
        on_a_large_page,
        tight,
        turned,
        hairline,
        marker,
        broken,
        faint_pencil,
        coloured,
        poor_jpeg,
        rough_paper,
        show_through,
        fax,
        deep_tiff,
        receipt,
        specked,
        ruled_paper,
        squared_paper,
        in_a_box,
        with_neighbours,
        photos.soft_shadow,
        photos.hard_shadow,
        photos.blurred_photo,
        photos.on_a_desk,
        photos.keystone,
        photos.blackboard,
        photos.whiteboard,
        photos.off_a_screen,
    )
}


def render_guise(name: str, digit: Digit, index: int, *, seed: int = 0) -> bytes:
    """Render a digit in a guise; the file depends on the arguments alone.

    Parameters
    ----------
    name : a key of `GUISES`
    digit : uint8 ndarray of shape (28, 28), ink bright on a dark background
    index : index of the digit in its data set
    seed : seed of the collection

    Returns
    -------
    bytes of a picture file
    """
    return GUISES[name](digit, generator(name, index, seed=seed))


def generator(name: str, index: int, *, seed: int = 0) -> Rng:
    """Random generator of one picture."""
    return np.random.default_rng([seed, zlib.crc32(name.encode()), index])


def load_uci_digits() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Images of 8 x 8 pixels and labels of the 1,797 UCI digits that scikit-learn includes.

    E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning
    Repository (1998).
    """
    bunch = load_digits()
    return (bunch.images * 255 / 16).astype(np.uint8), bunch.target.astype(np.int64)
