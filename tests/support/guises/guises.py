"""MNIST digits in many guises: what people send, drawn from digits whose labels are known.

Each guise takes a digit, uint8 of shape (28, 28) with bright ink on a dark ground, and a random
generator, and gives the bytes of the file that a person would send. Those that a camera took are
in `photos`, the others here.
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
    grainy,
    lit,
    noise,
    pick,
    placed,
    printed,
    ruled,
    saved,
    shade,
    texture,
)
from tests.support.guises.strokes import Cover, Digit, inked, loop_radius, strokes, with_pen

Guise = Callable[[Digit, Rng], bytes]

# Of drawing programs and notes with a dark ground.
NIGHTS = ((0, 0, 0), (18, 18, 18), (30, 30, 46), (40, 44, 52), (13, 27, 42))
NEON = ((240, 240, 240), (90, 200, 250), (255, 214, 10), (120, 240, 140), (255, 110, 160))


# --- MNIST's own form, and as drawn with a mouse or a finger -------------------------------


def plain(digit: Digit, rng: Rng) -> bytes:
    return saved(Image.fromarray(digit))


def inverted(digit: Digit, rng: Rng) -> bytes:
    return saved(Image.fromarray(255 - digit))


def off_centre(digit: Digit, rng: Rng) -> bytes:
    return saved(printed(placed(strokes(digit, rng.uniform(16, 60)), rng, margin=(0.05, 2.0))))


def light_on_dark(digit: Digit, rng: Rng) -> bytes:
    page = placed(strokes(digit, rng.uniform(24, 200)), rng)
    ground = int(rng.integers(0, 70))
    return saved(printed(page, paper=(ground,) * 3, ink=(240, 240, 240)))


def dark_mode(digit: Digit, rng: Rng) -> bytes:
    """A screenshot of notes with a dark ground: a round pen of a bright colour."""
    height = rng.uniform(60, 250)
    page = placed(with_pen(digit, height, height * rng.uniform(0.05, 0.13)), rng)
    return saved(printed(page, paper=pick(NIGHTS, rng), ink=pick(NEON, rng)))


def transparent(digit: Digit, rng: Rng) -> bytes:
    page = placed(strokes(digit, rng.uniform(30, 200)), rng)
    image = Image.new("RGB", page.shape[::-1], pick(INKS, rng))
    image.putalpha(Image.fromarray(page))
    return saved(image)


def gif(digit: Digit, rng: Rng) -> bytes:
    """A few colours, mixed by dithering."""
    page = placed(strokes(digit, rng.uniform(40, 130)), rng, margin=(0.15, 0.6))
    image = printed(page, paper=pick(PAPERS[1:], rng), ink=pick(INKS, rng))
    image = lit(image, shade(page.shape, rng, darkest=0.7, hard=False))
    few = image.quantize(int(rng.integers(4, 17)))
    return saved(image.quantize(palette=few, dither=Image.Dither.FLOYDSTEINBERG), "GIF")


# --- sizes ---------------------------------------------------------------------------------


def tiny(digit: Digit, rng: Rng) -> bytes:
    """12 to 16 pixels high, all in all."""
    return saved(printed(placed(strokes(digit, rng.uniform(10.5, 13)), rng, margin=(0.02, 0.12))))


def huge(digit: Digit, rng: Rng) -> bytes:
    page = placed(strokes(digit, rng.uniform(500, 1100)), rng, margin=(0.1, 0.4))
    image = printed(page, ink=pick(INKS, rng))
    image.thumbnail((2000, 2000), Image.Resampling.BILINEAR)
    return saved(image, "JPEG", quality=90)


def on_a_large_page(digit: Digit, rng: Rng) -> bytes:
    """A small digit somewhere on a big sheet."""
    page = placed(strokes(digit, rng.uniform(40, 90)), rng, margin=(2.0, 8.0))
    return _scanned(printed(page, ink=pick(INKS, rng)), rng, 2.0)


def tight(digit: Digit, rng: Rng) -> bytes:
    """Cut to the ink."""
    return saved(printed(inked(strokes(digit, rng.uniform(24, 150)))))


def turned(digit: Digit, rng: Rng) -> bytes:
    turn = rng.uniform(-15, 15)
    return saved(printed(placed(strokes(digit, rng.uniform(60, 200), turn=turn), rng)))


# --- pens ----------------------------------------------------------------------------------


def hairline(digit: Digit, rng: Rng) -> bytes:
    height = rng.uniform(80, 300)
    page = placed(with_pen(digit, height, rng.uniform(1.0, 1.0 + height / 100)), rng)
    return saved(printed(page, ink=pick(INKS, rng)))


def marker(digit: Digit, rng: Rng) -> bytes:
    """A thick pen, but no thicker than leaves loops open, which whoever writes sees to."""
    height = rng.uniform(80, 300)
    width = height * min(rng.uniform(0.15, 0.23), max(1.4 * loop_radius(digit) / 20, 0.13))
    return saved(printed(placed(with_pen(digit, height, width), rng), ink=pick(INKS, rng)))


def broken(digit: Digit, rng: Rng) -> bytes:
    """A ballpoint that skips: gaps of up to a stroke's width."""
    height = rng.uniform(80, 250)
    cover = strokes(digit, height)
    high, wide = cover.shape
    i, j = np.mgrid[:high, :wide].astype(np.float32)
    for _ in range(rng.integers(1, 4)):
        angle, width = rng.uniform(0, np.pi), height * rng.uniform(0.02, 0.06)
        y, x = rng.uniform(0.2, 0.8) * high, rng.uniform(0.2, 0.8) * wide
        across = np.abs((i - y) * np.cos(angle) + (j - x) * np.sin(angle))
        along = np.abs((j - x) * np.cos(angle) - (i - y) * np.sin(angle))
        cover = np.where((across < width / 2) & (along < 0.2 * height), np.uint8(0), cover)
    return saved(printed(placed(cover, rng), ink=BALLPOINT))


def faint_pencil(digit: Digit, rng: Rng) -> bytes:
    page = _pencilled(digit, rng)
    level = int(rng.integers(140, 180))
    return _scanned(printed(page, paper=(235, 235, 230), ink=(level,) * 3), rng, 3.0)


def _pencilled(digit: Digit, rng: Rng) -> Cover:
    """On a page, with the pressure that graphite shows."""
    cover = strokes(digit, rng.uniform(80, 250))
    pressure = (0.75 + texture(cover.shape, rng, 0.18)).clip(0.3, 1)
    return placed((cover * pressure).astype(np.uint8), rng)


def coloured(digit: Digit, rng: Rng) -> bytes:
    page = placed(strokes(digit, rng.uniform(60, 250)), rng)
    return saved(printed(page, paper=pick(PAPERS, rng), ink=pick(INKS, rng)))


# --- scans ---------------------------------------------------------------------------------


def _scanned(image: Image.Image, rng: Rng, grain: float) -> bytes:
    """With the paper's grain, as the JPEG that a scanner's program makes."""
    return saved(grainy(image, texture(image.size[::-1], rng, grain)), "JPEG", quality=90)


def poor_jpeg(digit: Digit, rng: Rng) -> bytes:
    page = placed(strokes(digit, rng.uniform(30, 160)), rng)
    image = printed(page, paper=pick(PAPERS, rng), ink=pick(INKS, rng))
    image = grainy(image, texture(page.shape, rng, 3.0))
    return saved(image, "JPEG", quality=int(rng.integers(10, 30)))


def rough_paper(digit: Digit, rng: Rng) -> bytes:
    page = placed(strokes(digit, rng.uniform(60, 250)), rng)
    return _scanned(printed(page, paper=(215, 205, 185), ink=(60, 60, 70)), rng, rng.uniform(6, 16))


def show_through(digit: Digit, rng: Rng) -> bytes:
    """Pencil on thin paper, the writing on the other side faintly seen, mirrored."""
    page = _pencilled(digit, rng)
    behind = Image.new("L", page.shape[::-1])
    for _ in range(rng.integers(2, 5)):
        other = Image.fromarray(strokes(digit.T, rng.uniform(0.2, 0.4) * max(page.shape))[:, ::-1])
        behind.paste(other, tuple(int(rng.uniform(-0.1, 0.9) * side) for side in behind.size))
    faint = np.asarray(behind.filter(ImageFilter.GaussianBlur(2))) * rng.uniform(0.08, 0.18)
    level = int(rng.integers(70, 110))
    sheet = printed(faint.astype(np.uint8), paper=(240, 240, 236))
    return _scanned(printed(page, paper=sheet, ink=(level,) * 3), rng, 3.0)


def fax(digit: Digit, rng: Rng) -> bytes:
    """Black and white with ragged edges and some specks."""
    page = placed(strokes(digit, rng.uniform(40, 120)), rng, margin=(0.15, 0.8))
    ink = page + noise(page.shape, rng, 40.0) > 128
    return saved(Image.fromarray(~ink), "TIFF", compression="group4")


def deep_tiff(digit: Digit, rng: Rng) -> bytes:
    """Greys of 16 bits that go up to 12 bits' worth, 14 or 16."""
    page = placed(strokes(digit, rng.uniform(60, 200)), rng)
    white = 0.95 * 2.0 ** rng.choice([12, 14, 16])
    grey = white * (1 - page * np.float32(rng.uniform(0.6, 0.9) / 255))
    grey += white / 255 * texture(page.shape, rng, 1.5)
    return saved(Image.fromarray(grey.clip(0, 65535).astype(np.uint16)), "TIFF")


def receipt(digit: Digit, rng: Rng) -> bytes:
    """Grey on grey: a thermal print that fades, line by line."""
    height = rng.uniform(50, 140)
    cover = strokes(digit, height)
    lines = 0.75 + 0.25 * np.sin(np.arange(cover.shape[0]) * 40 * np.pi / height)
    fading = (0.75 + texture(cover.shape, rng, 0.1)) * lines[:, None]
    page = placed((cover * fading.clip(0, 1)).astype(np.uint8), rng)
    paper, ink = int(rng.integers(190, 225)), int(rng.integers(70, 115))
    return _scanned(printed(page, paper=(paper,) * 3, ink=(ink, ink, ink + 10)), rng, 3.0)


def specked(digit: Digit, rng: Rng) -> bytes:
    """Dust and small blots around."""
    height = rng.uniform(60, 200)
    page = placed(strokes(digit, height), rng)
    for _ in range(rng.integers(3, 12)):
        y, x = (rng.uniform(0, side) for side in page.shape)
        radius = height * rng.uniform(0.004, 0.022)
        top, left = (max(int(at - radius - 1), 0) for at in (y, x))
        part = page[top : int(y + radius) + 2, left : int(x + radius) + 2]
        i, j = np.indices(part.shape)
        blot = (radius + 0.5 - np.hypot(i + top - y, j + left - x)).clip(0, 1)
        np.maximum(part, (255 * blot).astype(np.uint8), out=part)
    return saved(printed(page))


# --- forms ---------------------------------------------------------------------------------


def ruled_paper(digit: Digit, rng: Rng) -> bytes:
    height = rng.uniform(80, 220)
    return _on_rules(digit, height, height * rng.uniform(0.8, 1.4), rng, squares=False)


def squared_paper(digit: Digit, rng: Rng) -> bytes:
    height = rng.uniform(80, 220)
    return _on_rules(digit, height, height * rng.uniform(0.4, 0.9), rng, squares=True)


def _on_rules(digit: Digit, height: float, gap: float, rng: Rng, *, squares: bool) -> bytes:
    page = placed(strokes(digit, height), rng, margin=(0.25, 0.8))
    rules = ruled(page.shape, gap, rng, squares=squares, tilt=rng.uniform(-3, 3))
    sheet = printed(rules, ink=pick(RULES, rng))
    return _scanned(printed(page, paper=sheet, ink=pick(INKS, rng)), rng, 2.0)


def in_a_box(digit: Digit, rng: Rng) -> bytes:
    """The field of a form: a frame as dark as the ink, sometimes cut off by the picture."""
    height = rng.uniform(60, 160)
    page = placed(strokes(digit, height), rng, margin=(0.12, 0.4))
    page = np.pad(page, max(round(height * rng.uniform(0.01, 0.035)), 1), constant_values=255)
    page = np.pad(page, round(height * rng.uniform(0, 0.15)))
    return saved(printed(page, ink=pick(INKS[:2], rng)))


def with_neighbours(digit: Digit, rng: Rng) -> bytes:
    """Cut from a line: parts of the characters to its left, right or both show at the edges."""
    height = rng.uniform(60, 160)
    page = placed(strokes(digit, height), rng, margin=(0.22, 0.4))
    # Turned around, the same pen writes something else.
    other = strokes(digit[::-1, ::-1], height)[: page.shape[0]]
    top = rng.integers(page.shape[0] - len(other) + 1)
    sides = [(True, False), (False, True), (True, True)][rng.integers(3)]
    for there, way in zip(sides, (slice(None), slice(None, None, -1))):
        if there:
            part = round(height * rng.uniform(0.05, 0.18))
            page[top : top + len(other), way][:, :part] = other[:, ::-1][:, -part - 4 : -4]
    return saved(printed(page, ink=pick(INKS, rng)))


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


def drawn(name: str, digit: Digit, index: int, *, seed: int = 0) -> bytes:
    """A digit in a guise: the same file for the same seed, guise and index, whatever came before.

    Parameters
    ----------
    name : a key of `GUISES`
    digit : uint8 ndarray of shape (28, 28), ink bright on a dark ground
    index : which of the digits it is
    seed : of the whole collection

    Returns
    -------
    bytes of a picture file
    """
    return GUISES[name](digit, generator(name, index, seed=seed))


def generator(name: str, index: int, *, seed: int = 0) -> Rng:
    """Random numbers of one picture's own."""
    return np.random.default_rng([seed, zlib.crc32(name.encode()), index])


def uci_digits() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """The 1,797 digits that come with scikit-learn, which others wrote: 8 x 8 pixels, and labels.

    E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning
    Repository (1998).
    """
    bunch = load_digits()
    return (bunch.images * 255 / 16).astype(np.uint8), bunch.target.astype(np.int64)
