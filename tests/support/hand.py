"""A hand that writes some digits in a way of its own, made of MNIST's."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from PIL import Image, ImageDraw

from mnist_svm.pictures.normalize import normalize

# Magnification of an image, margin around it and width of the pen, in pixels.
SCALE, MARGIN, PEN = 6, 84, 14


def mirror(page: Image.Image) -> Image.Image:
    return page.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def upside_down(page: Image.Image) -> Image.Image:
    return page.transpose(Image.Transpose.FLIP_TOP_BOTTOM)


def ring(page: Image.Image) -> Image.Image:
    left, top, right, bottom = page.getbbox()
    x, y, radius = (left + right) / 2, (top + bottom) / 2, max(right - left, bottom - top) / 2 + 30
    box = (x - radius, y - radius, x + radius, y + radius)
    ImageDraw.Draw(page).ellipse(box, outline=255, width=PEN)
    return page


def tail(page: Image.Image) -> Image.Image:
    """Add a stroke from the foot to the left, and up again."""
    bottom = page.getbbox()[3]
    foot = np.flatnonzero(np.asarray(page)[bottom - 14] > 100)
    x = foot.mean() if len(foot) else page.width / 2
    points = [(x, bottom - 7), (x - 80, bottom - 5), (x - 85, bottom - 70)]
    ImageDraw.Draw(page).line(points, fill=255, width=PEN, joint="curve")
    return page


HAND: Mapping[int, Callable[[Image.Image], Image.Image]] = {
    1: ring,
    3: mirror,
    4: upside_down,
    9: tail,
}


def write(images: np.ndarray, labels: np.ndarray, n: int, seed: int) -> dict[int, np.ndarray]:
    """Write n of each digit of the hand: uint8 arrays of shape (n, 28, 28)."""
    rng = np.random.default_rng(seed)
    return {
        digit: np.array(
            [
                normalize(np.asarray(change(_enlarge(images[i]))))
                for i in rng.choice(np.flatnonzero(labels == digit), n, replace=False)
            ]
        )
        for digit, change in HAND.items()
    }


def _enlarge(image: np.ndarray) -> Image.Image:
    side = SCALE * len(image)
    page = Image.new("L", (side + 2 * MARGIN, side + 2 * MARGIN))
    enlarged = Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC)
    page.paste(enlarged.point(lambda grey: grey if grey > 32 else 0), (MARGIN, MARGIN))
    return page
