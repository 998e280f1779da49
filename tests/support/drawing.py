"""Render digits at given positions on paper."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from PIL import Image

# Greys of the paper and of the pen.
PAPER, PEN = 235, 40

# Height and width of a page of digits, in pixels.
PAGE_SHAPE = (240, 640)

# Indices of test images whose ink is one connected component that no neighbour can belong to.
ONE_PIECE_DIGITS = [0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 16, 17, 19, 20]


class PlacedInk(NamedTuple):
    """Ink, 0 to 1, and the top left corner of its box on the page."""

    ink: np.ndarray
    top: int
    left: int

    @property
    def bottom(self) -> int:
        return self.top + self.ink.shape[0]

    @property
    def right(self) -> int:
        return self.left + self.ink.shape[1]


def scaled_ink(image: np.ndarray, height: int) -> np.ndarray:
    """Crop an image to its digit and scale it to a height in pixels: float32, 0 to 1."""
    rows, columns = (np.flatnonzero((image > 64).any(axis=axis)) for axis in (1, 0))
    digit = Image.fromarray(image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
    width = max(round(height * digit.width / digit.height), 2)
    big = np.asarray(digit.resize((width, height), Image.Resampling.BICUBIC), dtype=np.float32)
    return np.clip(big / 127.5 - 0.5, 0, 1)


def in_a_row(
    images: Iterable[np.ndarray], height: int, *, top: int, left: int, gap: int
) -> list[PlacedInk]:
    """Place digits side by side, `gap` pixels apart."""
    placed = []
    for image in images:
        placed.append(PlacedInk(scaled_ink(image, height), top, left))
        left = placed[-1].right + gap
    return placed


def compose_ink(shape: tuple[int, int], placed: Iterable[PlacedInk]) -> np.ndarray:
    """Compose the ink of a page: float32, 0 to 1."""
    coverage = np.zeros(shape, dtype=np.float32)
    for part in placed:
        window = coverage[part.top : part.bottom, part.left : part.right]
        np.maximum(window, part.ink, out=window)
    return coverage


def on_paper(
    coverage: np.ndarray,
    *,
    paper: float | np.ndarray = PAPER,
    pen: float = PEN,
    light: float | np.ndarray = 1.0,
    grain: float = 0.0,
) -> np.ndarray:
    """Grey levels of a page: ink on paper under light, with noise of standard deviation `grain`."""
    grey = (paper + (pen - paper) * coverage) * light
    grey = grey + np.random.default_rng(0).normal(0, 1, coverage.shape) * grain
    return np.clip(np.rint(grey), 0, 255).astype(np.uint8)


def touching_pair(
    left_image: np.ndarray, right_image: np.ndarray, height: int = 60
) -> tuple[np.ndarray, int]:
    """Ink of two digits that overlap by a few pixels, and the column where the right one begins."""
    left, right = scaled_ink(left_image, height), scaled_ink(right_image, height)
    for shift in range(left.shape[1], 0, -1):
        ends = left.shape[1], shift + right.shape[1]
        parts = np.zeros((2, height, max(ends)), dtype=np.float32)
        parts[0, :, : ends[0]], parts[1, :, shift : ends[1]] = left, right
        if parts.min(axis=0).sum() > 8:
            return parts.max(axis=0), shift
    raise AssertionError
