"""Colours, and images in frames, for all pages."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from mnist_svm._types import Images

Colour = tuple[int, int, int]

PAPER = (255, 255, 255)
FRAME = (210, 214, 220)
# Background of pictures that are not square, so that the edges of white paper are visible.
MAT = (236, 239, 242)
INK = (33, 37, 41)
FAINT = (95, 103, 112)
GREEN = (21, 115, 71)
RED = (190, 30, 45)


def dark_on_light(image: Images, width: int, height: int) -> Image.Image:
    """Invert an image of bright ink, and enlarge it to a width and height in pixels."""
    return enlarge(Image.fromarray(np.asarray(255 - image)), width, height)


def enlarge(image: Image.Image, width: int, height: int) -> Image.Image:
    """Enlarge to a width and height in pixels; keep pixels sharp if all become equally large."""
    is_integer = width % image.width == 0
    method = Image.Resampling.NEAREST if is_integer else Image.Resampling.BICUBIC
    return image.resize((width, height), method)


def fit_in_square(picture: Images, side: int, *, integer_scale: bool = False) -> Image.Image:
    """Scale a picture to fit in the middle of a square mat with a side in pixels.

    With `integer_scale`, the picture is enlarged by an integer, so that pixels stay equally large.
    """
    image = Image.fromarray(picture)
    scale = side / max(image.size)
    if integer_scale:
        scale = max(int(scale), 1)
    width, height = (max(round(scale * length), 1) for length in image.size)
    method = Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.NEAREST
    square = Image.new("RGB", (side, side), MAT)
    square.paste(image.resize((width, height), method), ((side - width) // 2, (side - height) // 2))
    return square


def paste_framed(page: Image.Image, image: Image.Image, x: int, y: int) -> None:
    """Paste an image at a corner, and draw a frame around it."""
    page.paste(image, (x, y))
    frame = (x - 1, y - 1, x + image.width, y + image.height)
    ImageDraw.Draw(page).rectangle(frame, outline=FRAME)
