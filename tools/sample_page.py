"""Render the handwritten page of numbers that the documentation shows: ``docs/images/page.jpg``.

    python -m tools.sample_page
    mnist-svm read docs/images/page.jpg --annotate docs/images/read.png

The digits are the first of the MNIST test set, in order and without omissions, in blue ink on ruled
paper that lies partly in a shadow.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

from mnist_svm._types import Float64Array, Images
from mnist_svm.datasets.load import load_dataset

DOCS = Path(__file__).resolve().parents[1] / "docs" / "images"

# A 0 stands for the next digit of the test set; a hyphen makes it touch the digit before.
ROWS = ("00000 000-0", "0000 000 000", "000-00 00000", "0000-0 0000")

# Width of the page, distance of the base lines, and margin, in pixels.
WIDTH, PITCH, MARGIN = 960, 124, 60
# Scale of MNIST's digits; pixels between digits and between numbers; overlap of touching digits.
ZOOM, GAP, SPACE, OVERLAP = 3.4, 14, 110, 3

PAPER, BLUE, RULE = (246, 240, 226), (38, 52, 120), (196, 210, 228)
NOISE = 1.0


def main() -> None:
    """Write the picture."""
    images = iter(load_dataset("mnist", split="test").images)
    rng = np.random.default_rng(7)
    shape = PITCH * len(ROWS) + MARGIN, WIDTH
    ink, rules = np.zeros(shape), np.zeros(shape)
    for row, text in enumerate(ROWS):
        base, left, touching = MARGIN + PITCH * row + 80, MARGIN, False
        rules[base + 8 : base + 10] = 1
        for character in text:
            if character == "0":
                digit_base = base + int(rng.integers(-3, 4))
                left = GAP + draw_digit(ink, next(images), digit_base, left, touching=touching)
            left += SPACE if character == " " else 0
            touching = character == "-"
    page = np.full((*shape, 3), PAPER, dtype=np.float64)
    for coverage, colour in ((rules, RULE), (ink, BLUE)):
        page += coverage[..., None] * (np.array(colour) - page)
    page = page * light(shape)[..., None] + rng.normal(0, NOISE, (*shape, 1))
    picture = Image.fromarray(np.clip(np.rint(page), 0, 255).astype(np.uint8))
    picture.save(DOCS / "page.jpg", quality=75)


def draw_digit(ink: Float64Array, image: Images, base: int, left: int, *, touching: bool) -> int:
    """Draw a digit on a base line; return the column after it."""
    rows, columns = (np.flatnonzero((image > 64).any(axis=axis)) for axis in (1, 0))
    box = Image.fromarray(image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
    size = round(ZOOM * box.width), round(ZOOM * box.height)
    grey = np.asarray(box.resize(size, Image.Resampling.BICUBIC), dtype=np.float64)
    digit = np.clip(grey / 127.5 - 0.5, 0, 1)

    def window(column: int) -> Float64Array:
        return ink[base - size[1] : base, column : column + size[0]]

    while touching and np.minimum(window(left), digit).sum() < OVERLAP:
        left -= 1
    np.maximum(window(left), digit, out=window(left))
    return left + size[0]


def light(shape: tuple[int, int]) -> Float64Array:
    """Brightness factors: a lamp at the upper left, and a soft shadow at the lower right."""
    down, across = np.mgrid[0 : 1 : shape[0] * 1j, 0 : 1 : shape[1] * 1j]
    lamp = 1.02 - 0.3 * np.hypot(down - 0.1, across - 0.2)
    shadow = (0.7 * down + across > 1.15 + 0.05 * np.sin(9 * down)).astype(np.float64)
    return np.asarray(lamp * (1 - 0.35 * ndimage.gaussian_filter(shadow, 18, mode="nearest")))


if __name__ == "__main__":
    main()
