"""Paper, ink, grain and light."""

from __future__ import annotations

import functools
import io
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageChops
from scipy import ndimage

from tests.support.guises.strokes import Coverage, Field

Rng = np.random.Generator
Colour = tuple[int, int, int]

WHITE = (255, 255, 255)
BLACK = (20, 20, 25)
BALLPOINT = (30, 40, 120)
PAPERS = (WHITE, (250, 244, 220), (225, 235, 245), (235, 225, 235), (228, 240, 222))
INKS = (BLACK, (25, 35, 120), (150, 20, 30), (15, 95, 45), (90, 40, 110))
# Colours of ruled lines.
RULES = ((150, 180, 220), (170, 170, 170), (210, 150, 150))

# Side, in pixels, of the noise that all textures are cropped from.
PIECE = 1024

# Longer side, in pixels, of the coarse grid for values that vary slowly.
SLOW = 160


def place_on_page(
    cover: Coverage, rng: Rng, *, margin: tuple[float, float] = (0.15, 1.0)
) -> Coverage:
    """Pad with random margins, as multiples of the longer side."""
    size = max(cover.shape)
    top, bottom, left, right = (max(round(size * rng.uniform(*margin)), 1) for _ in range(4))
    return np.pad(cover, ((top, bottom), (left, right)))


def pick(colours: Sequence[Colour], rng: Rng) -> Colour:
    """A random colour."""
    return colours[rng.integers(len(colours))]


def apply_ink(
    cover: Coverage, *, paper: Colour | Image.Image = WHITE, ink: Colour = BLACK
) -> Image.Image:
    """Apply ink to paper of one colour, or to a picture."""
    size = cover.shape[::-1]
    sheet = paper.copy() if isinstance(paper, Image.Image) else Image.new("RGB", size, paper)
    sheet.paste(ink, (0, 0, *size), Image.fromarray(cover))
    return sheet


# --- grain -------------------------------------------------------------------------------


@functools.cache
def _grain() -> Field:
    """Periodic noise at several scales, like paper grain, of mean 0 and standard deviation 1."""
    rng = np.random.default_rng(0)
    grain = np.zeros((PIECE, PIECE), dtype=np.float32)
    for sigma, weight in ((0.0, 0.5), (1.0, 1.0), (3.0, 0.8), (12.0, 0.8)):
        layer = rng.standard_normal(grain.shape, dtype=np.float32)
        layer = ndimage.gaussian_filter(layer, sigma, mode="wrap")
        grain += weight * layer / layer.std()
    return grain / grain.std()


@functools.cache
def _noise() -> Field:
    """Independent noise of each pixel, like a camera's."""
    return np.random.default_rng(1).standard_normal((PIECE, PIECE), dtype=np.float32)


def _random_crop(piece: Field, shape: tuple[int, ...], rng: Rng) -> Field:
    """A random crop of periodic noise."""
    piece = piece if rng.random() < 0.5 else piece.T
    rows, columns = (slice(start := int(rng.integers(PIECE)), start + side) for side in shape)
    tiles = [-(-part.stop // PIECE) for part in (rows, columns)]
    return np.tile(piece, tiles)[rows, columns]


def texture(shape: tuple[int, ...], rng: Rng, strength: float) -> Field:
    """Paper grain with the standard deviation `strength`."""
    return strength * _random_crop(_grain(), shape, rng)


def noise(shape: tuple[int, ...], rng: Rng, strength: float) -> Field:
    """Camera noise with the standard deviation `strength`."""
    return strength * _random_crop(_noise(), shape, rng)


def add_grain(image: Image.Image, grain: Field) -> Image.Image:
    """Add grain to all colour channels."""
    layer = Image.fromarray((grain + 128).clip(0, 255).astype(np.uint8))
    return ImageChops.add(image, Image.merge("RGB", [layer] * 3), offset=-128)


# --- light -------------------------------------------------------------------------------


def coarse_grid(shape: tuple[int, ...]) -> tuple[tuple[int, int], Field, Field]:
    """Coarse grid over a page: its shape, and row and column coordinates from -0.5 to 0.5."""
    factor = max(1.0, max(shape) / SLOW)
    high, wide = (max(round(side / factor), 2) for side in shape)
    i, j = np.mgrid[:high, :wide].astype(np.float32)
    return (high, wide), i / high - 0.5, j / wide - 0.5


def enlarge(field: npt.NDArray[np.floating], shape: tuple[int, ...]) -> Field:
    """Interpolate values of a coarse grid to the pixels of the page."""
    image = Image.fromarray(field.astype(np.float32))
    return np.asarray(image.resize(shape[::-1], Image.Resampling.BICUBIC))


def light_map(shape: tuple[int, ...], rng: Rng, *, darkest: float, hard: bool) -> Field:
    """Brightness factors: falling off across the page, or with the edge of a shadow."""
    _, i, j = coarse_grid(shape)
    angle = rng.uniform(0, 2 * np.pi)
    along = (i * np.sin(angle) + j * np.cos(angle)) / 0.7
    if hard:
        edge = along + 0.15 * np.sin(4 * (i - j)) - rng.uniform(-0.3, 0.3)
        light = 1 / (1 + np.exp(-edge / rng.uniform(0.01, 0.06)))
    else:
        light = 0.5 + 0.5 * np.clip(along, -1, 1)
    return enlarge(darkest + (1 - darkest) * light, shape)


def illuminate(image: Image.Image, light: Field) -> Image.Image:
    """Multiply a picture by brightness factors from 0 to 1."""
    layer = Image.fromarray((255 * light.clip(0, 1)).astype(np.uint8))
    return ImageChops.multiply(image, Image.merge("RGB", [layer] * 3))


# --- rules -------------------------------------------------------------------------------


def draw_rules(
    shape: tuple[int, int], gap: float, rng: Rng, *, squares: bool, tilt: float
) -> Coverage:
    """Ruled lines ``gap`` pixels apart, 1 to 2 pixels thick, tilted by ``tilt`` degrees."""
    thick = rng.uniform(0.5, 1.2) * max(gap / 60, 0.7)
    slope = np.tan(np.deg2rad(tilt))
    i, j = (np.arange(side, dtype=np.float32) for side in shape)
    rules = _draw_lines(i[:, None] + slope * j, gap, rng.uniform(0, gap), thick)
    if squares:
        rules = np.maximum(
            rules, _draw_lines(j - slope * i[:, None], gap, rng.uniform(0, gap), thick)
        )
    return rules


def _draw_lines(across: Field, gap: float, start: float, thick: float) -> Coverage:
    off = np.abs((across + start) % gap - gap / 2)
    return (255 * (off - (gap / 2 - thick - 0.5)).clip(0, 1)).astype(np.uint8)


# --- files -------------------------------------------------------------------------------


def encode(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    """Encode a picture as a file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **({"compress_level": 1} if kind == "PNG" else options))
    return buffer.getvalue()
