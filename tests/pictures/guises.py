"""MNIST digits in many guises: what people send, drawn from digits whose labels are known.

Each guise takes a digit, uint8 of shape (28, 28) with bright ink on a dark ground, and a
random generator, and gives a Pillow image. `encoded` is the file that a person would send.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

Digit = npt.NDArray[np.uint8]
Field = npt.NDArray[np.float64]
Rng = np.random.Generator
Colour = tuple[int, int, int]

WHITE = (255, 255, 255)
BALLPOINT = (30, 40, 120)
PAPERS = ((255, 255, 255), (250, 244, 220), (225, 235, 245), (235, 225, 235), (228, 240, 222))
INKS = ((20, 20, 25), (25, 35, 120), (150, 20, 30), (15, 95, 45), (90, 40, 110))


# --- strokes -----------------------------------------------------------------------------


def strokes(digit: Digit, height: float, *, turn: float = 0.0) -> Field:
    """The digit's box, enlarged or shrunk so that 20 of MNIST's pixels take ``height``.

    Returns coverage from 0 to 1, with a margin of one of MNIST's pixels.
    """
    rows, columns = (np.flatnonzero((digit > 32).any(axis=axis)) for axis in (1, 0))
    box = digit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    image = Image.fromarray(np.pad(box, 1))
    scale = height / 20
    if scale > 1.5:  # as a pen draws: smooth outlines, full ink inside
        fine = 8 / max(scale, 8)
        big = max(scale, 8.0)
        size = [max(round(side * big), 1) for side in image.size]
        field = np.asarray(image.resize(size, Image.Resampling.BICUBIC), dtype=float) / 255
        field = ndimage.gaussian_filter(field, 0.35 * big)
        field = np.clip((field - 0.42) * big * 0.8 + 0.5, 0, 1)
        image = Image.fromarray((255 * field).astype(np.uint8))
        scale, image = scale / big, image
        del fine
    if turn:
        image = image.rotate(turn, Image.Resampling.BICUBIC, expand=True)
    size = [max(round(side * scale), 1) for side in image.size]
    return np.asarray(image.resize(size, Image.Resampling.LANCZOS), dtype=float) / 255


def with_pen(field: Field, width: float) -> Field:
    """The same digit drawn along its middle line with a pen of so many pixels."""
    middle = thinned(field > 0.5)
    distance = ndimage.distance_transform_edt(~np.pad(middle, int(width) + 1))
    return np.clip(width / 2 + 0.5 - distance, 0, 1)


def thinned(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """The middle line of strokes (T. Y. Zhang, C. Y. Suen, Comm. ACM 27 (1984))."""
    mask = np.pad(mask, 1)
    changed = True
    while changed:
        changed = False
        for first in (True, False):
            n, e, s, w = (
                np.roll(mask, step, axis) for step, axis in ((1, 0), (-1, 1), (-1, 0), (1, 1))
            )
            ne, se, sw, nw = (
                np.roll(np.roll(mask, i, 0), j, 1) for i, j in ((1, -1), (-1, -1), (-1, 1), (1, 1))
            )
            ring = np.stack([n, ne, e, se, s, sw, w, nw])
            count = ring.sum(axis=0)
            turns = (~ring & np.roll(ring, -1, axis=0)).sum(axis=0)
            sides = ~(n & e & s) & ~(e & s & w) if first else ~(n & e & w) & ~(n & s & w)
            gone = mask & (count >= 2) & (count <= 6) & (turns == 1) & sides
            if gone.any():
                mask = mask & ~gone
                changed = True
    return mask[1:-1, 1:-1]


# --- paper and light ---------------------------------------------------------------------


def placed(field: Field, rng: Rng, *, margin: tuple[float, float] = (0.15, 1.0)) -> Field:
    """The digit somewhere on a page with margins of so many times its height."""
    high, wide = field.shape
    size = max(high, wide)
    top, bottom, left, right = (max(round(size * rng.uniform(*margin)), 1) for _ in range(4))
    return np.pad(field, ((top, bottom), (left, right)))


def texture(shape: tuple[int, ...], rng: Rng, strength: float) -> Field:
    """Paper grain: noise at several scales, of that standard deviation."""
    grain = np.zeros(shape)
    for sigma, weight in ((0.0, 0.5), (1.0, 1.0), (3.0, 0.8), (12.0, 0.8)):
        layer = rng.standard_normal(shape)
        layer = ndimage.gaussian_filter(layer, sigma) if sigma else layer
        grain += weight * layer / layer.std()
    return strength * grain / grain.std()


def shade(shape: tuple[int, ...], rng: Rng, *, darkest: float, hard: bool) -> Field:
    """A factor of light: falling off across the page, or with the edge of a shadow in it."""
    high, wide = shape
    i, j = np.mgrid[:high, :wide]
    angle = rng.uniform(0, 2 * np.pi)
    along = ((i / high - 0.5) * np.sin(angle) + (j / wide - 0.5) * np.cos(angle)) / 0.7
    if hard:
        edge = along + 0.15 * np.sin(4 * (i / high - j / wide)) - rng.uniform(-0.3, 0.3)
        step = 1 / (1 + np.exp(-edge / rng.uniform(0.01, 0.06)))
        return darkest + (1 - darkest) * step
    return darkest + (1 - darkest) * (0.5 + 0.5 * np.clip(along, -1, 1))


def printed(
    field: Field,
    *,
    paper: Colour = WHITE,
    ink: Colour = (20, 20, 25),
    grain: Field | float = 0.0,
    light: Field | float = 1.0,
) -> Image.Image:
    """Ink on paper, under light."""
    cover = field[..., None]
    colours = np.asarray(paper) * (1 - cover) + np.asarray(ink) * cover
    colours = colours * np.atleast_3d(np.asarray(light)) + np.atleast_3d(np.asarray(grain))
    return Image.fromarray(np.clip(colours, 0, 255).astype(np.uint8))


def ruled(shape: tuple[int, int], gap: float, rng: Rng, *, squares: bool, tilt: float) -> Field:
    """Coverage by rulings ``gap`` apart, 1 to 2 pixels thick, a little tilted."""
    i, j = np.mgrid[: shape[0], : shape[1]].astype(float)
    thick = rng.uniform(0.5, 1.2) * max(gap / 60, 0.7)
    slope = np.tan(np.deg2rad(tilt))
    rules = []
    for across in [i + slope * j, j - slope * i][: 2 if squares else 1]:
        off = (across + rng.uniform(0, gap)) % gap
        rules.append(np.clip(thick + 0.5 - np.minimum(off, gap - off), 0, 1))
    return np.max(rules, axis=0)


def pick(colours: tuple[Colour, ...], rng: Rng) -> Colour:
    return colours[rng.integers(len(colours))]


def jpeg(image: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, "JPEG", quality=quality)
    return Image.open(buffer)


# --- the guises --------------------------------------------------------------------------


def plain(digit: Digit, rng: Rng) -> Image.Image:
    return Image.fromarray(digit)


def inverted(digit: Digit, rng: Rng) -> Image.Image:
    return Image.fromarray(255 - digit)


def off_centre(digit: Digit, rng: Rng) -> Image.Image:
    page = placed(strokes(digit, rng.uniform(16, 60)), rng, margin=(0.05, 2.0))
    return printed(page if rng.random() < 0.5 else page, paper=WHITE)


def light_on_dark(digit: Digit, rng: Rng) -> Image.Image:
    page = placed(strokes(digit, rng.uniform(24, 200)), rng)
    ground = int(rng.integers(0, 70))
    return printed(page, paper=(ground, ground, ground), ink=(240, 240, 240))


def tiny(digit: Digit, rng: Rng) -> Image.Image:
    """12 to 16 pixels high, all in all."""
    height = rng.uniform(10.5, 13)
    return printed(placed(strokes(digit, height), rng, margin=(0.02, 0.12)))


def huge(digit: Digit, rng: Rng) -> Image.Image:
    page = placed(strokes(digit, rng.uniform(500, 1100)), rng, margin=(0.1, 0.4))
    side = 2000 / max(page.shape)
    if side < 1:
        page = ndimage.zoom(page, side, order=1)
    return printed(page, ink=pick(INKS, rng))


def on_a_large_page(digit: Digit, rng: Rng) -> Image.Image:
    """A small digit somewhere on a big sheet."""
    field = strokes(digit, rng.uniform(40, 90))
    page = placed(field, rng, margin=(2.0, 8.0))
    return printed(page, grain=texture(page.shape, rng, 2.0), ink=pick(INKS, rng))


def tight(digit: Digit, rng: Rng) -> Image.Image:
    """Cut to the ink."""
    field = strokes(digit, rng.uniform(24, 150))
    rows, columns = (np.flatnonzero((field > 0.3).any(axis=axis)) for axis in (1, 0))
    return printed(field[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])


def hairline(digit: Digit, rng: Rng) -> Image.Image:
    height = rng.uniform(80, 300)
    field = with_pen(strokes(digit, height), rng.uniform(1.0, 1.0 + height / 100))
    return printed(placed(field, rng), ink=pick(INKS, rng))


def marker(digit: Digit, rng: Rng) -> Image.Image:
    height = rng.uniform(80, 300)
    field = with_pen(strokes(digit, height), height * rng.uniform(0.17, 0.24))
    return printed(placed(field, rng), ink=pick(INKS, rng))


def coloured(digit: Digit, rng: Rng) -> Image.Image:
    page = placed(strokes(digit, rng.uniform(60, 250)), rng)
    return printed(page, paper=pick(PAPERS, rng), ink=pick(INKS, rng))


def poor_jpeg(digit: Digit, rng: Rng) -> Image.Image:
    page = placed(strokes(digit, rng.uniform(30, 160)), rng)
    grain = texture(page.shape, rng, 3.0)
    image = printed(page, paper=pick(PAPERS, rng), ink=pick(INKS, rng), grain=grain)
    return jpeg(image, int(rng.integers(10, 30)))


def rough_paper(digit: Digit, rng: Rng) -> Image.Image:
    page = placed(strokes(digit, rng.uniform(60, 250)), rng)
    grain = texture(page.shape, rng, rng.uniform(6, 16))
    return printed(page, paper=(215, 205, 185), ink=(60, 60, 70), grain=grain)


def faint_pencil(digit: Digit, rng: Rng) -> Image.Image:
    field = strokes(digit, rng.uniform(80, 250))
    pressure = np.clip(0.75 + texture(field.shape, rng, 0.18), 0.3, 1)
    page = placed(field * pressure, rng)
    level = int(rng.integers(140, 180))
    grain = texture(page.shape, rng, 3.0)
    return printed(page, paper=(235, 235, 230), ink=(level, level, level), grain=grain)


def soft_shadow(digit: Digit, rng: Rng) -> Image.Image:
    page = placed(strokes(digit, rng.uniform(80, 250)), rng)
    light = shade(page.shape, rng, darkest=rng.uniform(0.3, 0.6), hard=False)
    grain = texture(page.shape, rng, 3.0)
    return printed(page, paper=pick(PAPERS, rng), ink=pick(INKS, rng), light=light, grain=grain)


def hard_shadow(digit: Digit, rng: Rng) -> Image.Image:
    page = placed(strokes(digit, rng.uniform(80, 250)), rng)
    light = shade(page.shape, rng, darkest=rng.uniform(0.35, 0.65), hard=True)
    grain = texture(page.shape, rng, 3.0)
    return printed(page, paper=pick(PAPERS, rng), ink=pick(INKS, rng), light=light, grain=grain)


def ruled_paper(digit: Digit, rng: Rng) -> Image.Image:
    height = rng.uniform(80, 220)
    page = placed(strokes(digit, height), rng, margin=(0.25, 0.8))
    rules = ruled(
        page.shape, height * rng.uniform(0.8, 1.4), rng, squares=False, tilt=rng.uniform(-3, 3)
    )
    return _on_rules(page, rules, rng)


def squared_paper(digit: Digit, rng: Rng) -> Image.Image:
    height = rng.uniform(80, 220)
    page = placed(strokes(digit, height), rng, margin=(0.25, 0.8))
    rules = ruled(
        page.shape, height * rng.uniform(0.4, 0.9), rng, squares=True, tilt=rng.uniform(-3, 3)
    )
    return _on_rules(page, rules, rng)


def _on_rules(page: Field, rules: Field, rng: Rng) -> Image.Image:
    rule = np.asarray([(150, 180, 220), (170, 170, 170), (210, 150, 150)][rng.integers(3)])
    paper = np.asarray(WHITE) * (1 - rules[..., None]) + rule * rules[..., None]
    ink = np.asarray(pick(INKS, rng))
    colours = paper * (1 - page[..., None]) + ink * page[..., None]
    colours += texture(page.shape, rng, 2.0)[..., None]
    return Image.fromarray(np.clip(colours, 0, 255).astype(np.uint8))


def in_a_box(digit: Digit, rng: Rng) -> Image.Image:
    """The field of a form: a frame as dark as the ink, sometimes cut off by the picture."""
    height = rng.uniform(60, 160)
    page = placed(strokes(digit, height), rng, margin=(0.12, 0.4))
    thick = max(round(height * rng.uniform(0.01, 0.035)), 1)
    page = np.pad(page, thick, constant_values=1.0)
    outside = round(height * rng.uniform(0, 0.15))
    return printed(np.pad(page, outside), ink=pick(INKS[:2], rng))


def turned(digit: Digit, rng: Rng) -> Image.Image:
    turn = rng.uniform(-15, 15)
    return printed(placed(strokes(digit, rng.uniform(60, 200), turn=turn), rng))


def blackboard(digit: Digit, rng: Rng) -> Image.Image:
    field = strokes(digit, rng.uniform(80, 250))
    dust = np.clip(0.85 + texture(field.shape, rng, 0.2), 0.2, 1)
    page = placed(field * dust, rng)
    grain = texture(page.shape, rng, 6.0)
    return printed(page, paper=(45, 65, 55), ink=(225, 225, 215), grain=grain)


def transparent(digit: Digit, rng: Rng) -> Image.Image:
    page = placed(strokes(digit, rng.uniform(30, 200)), rng)
    alpha = (255 * page).astype(np.uint8)
    layers = [np.full_like(alpha, value) for value in pick(INKS, rng)]
    return Image.fromarray(np.stack([*layers, alpha], axis=2))


def broken(digit: Digit, rng: Rng) -> Image.Image:
    """A ballpoint that skips: gaps of up to a stroke's width."""
    height = rng.uniform(80, 250)
    field = strokes(digit, height)
    high, wide = field.shape
    i, j = np.mgrid[:high, :wide]
    for _ in range(rng.integers(1, 4)):
        angle, width = rng.uniform(0, np.pi), height * rng.uniform(0.02, 0.06)
        y, x = rng.uniform(0.2, 0.8) * high, rng.uniform(0.2, 0.8) * wide
        across = np.abs((i - y) * np.cos(angle) + (j - x) * np.sin(angle))
        along = np.abs((j - x) * np.cos(angle) - (i - y) * np.sin(angle))
        field = np.where((across < width / 2) & (along < 0.2 * height), 0, field)
    return printed(placed(field, rng), ink=BALLPOINT)


def blurred_photo(digit: Digit, rng: Rng) -> Image.Image:
    height = rng.uniform(60, 200)
    page = placed(strokes(digit, height), rng)
    page = ndimage.gaussian_filter(page, height * rng.uniform(0.015, 0.04))
    light = shade(page.shape, rng, darkest=0.7, hard=False)
    noise = 6 * rng.standard_normal(page.shape)
    image = printed(page, paper=(200, 195, 185), ink=(50, 50, 60), light=light, grain=noise)
    return jpeg(image, 60)


def on_a_desk(digit: Digit, rng: Rng) -> Image.Image:
    """A photo of a sheet on a darker desk, which shows on one side or more."""
    height = rng.uniform(80, 200)
    page = placed(strokes(digit, height), rng, margin=(0.5, 1.0))
    sides = [round(height * rng.uniform(0.1, 0.5)) * int(rng.random() < 0.5) for _ in range(4)]
    desk = np.pad(
        np.zeros(page.shape), ((sides[0], sides[1]), (sides[2], sides[3])), constant_values=1
    )
    page = np.pad(page, ((sides[0], sides[1]), (sides[2], sides[3])))
    desk = ndimage.gaussian_filter(desk, 1.0)[..., None]
    sheet = np.asarray(printed(page, paper=(225, 222, 215), ink=pick(INKS, rng)), dtype=float)
    wood = np.asarray((110, 80, 55)) + texture(page.shape, rng, 8.0)[..., None]
    light = shade(page.shape, rng, darkest=0.75, hard=False)[..., None]
    colours = (sheet * (1 - desk) + wood * desk) * light + texture(page.shape, rng, 3.0)[..., None]
    return jpeg(Image.fromarray(np.clip(colours, 0, 255).astype(np.uint8)), 80)


def specked(digit: Digit, rng: Rng) -> Image.Image:
    """Dust and small blots around."""
    height = rng.uniform(60, 200)
    page = placed(strokes(digit, height), rng)
    i, j = np.mgrid[: page.shape[0], : page.shape[1]]
    for _ in range(rng.integers(3, 12)):
        y, x = rng.uniform(0, page.shape[0]), rng.uniform(0, page.shape[1])
        radius = height * rng.uniform(0.004, 0.022)
        page = np.maximum(page, np.clip(radius + 0.5 - np.hypot(i - y, j - x), 0, 1))
    return printed(page)


GUISES: dict[str, Callable[[Digit, Rng], Image.Image]] = {
    guise.__name__.replace("_", " "): guise
    for guise in (
        plain,
        inverted,
        off_centre,
        light_on_dark,
        tiny,
        huge,
        on_a_large_page,
        tight,
        hairline,
        marker,
        coloured,
        poor_jpeg,
        rough_paper,
        faint_pencil,
        soft_shadow,
        hard_shadow,
        ruled_paper,
        squared_paper,
        in_a_box,
        turned,
        blackboard,
        transparent,
        broken,
        blurred_photo,
        on_a_desk,
        specked,
    )
}


def encoded(image: Image.Image) -> bytes:
    """The file: JPEG for what came as a JPEG, else PNG."""
    buffer = io.BytesIO()
    if image.format == "JPEG":
        image.fp.seek(0)
        return image.fp.read()
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
