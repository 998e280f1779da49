"""Measures of each image of a data set, in blocks: what the facts and faults of a set are made of.

Nothing here knows of labels. An array of measures has a thirtieth of the size of its images.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt

from mnist_svm._types import Array, BoolArray, Float32Array, Images, IntArray
from mnist_svm.constants import IMAGE_SIDE, WHITE
from mnist_svm.datasets.types import Progress, no_progress
from mnist_svm.pictures.mnist_form import MAX_BACKGROUND, extents, ring_pixels

IMAGES_PER_BLOCK = 2048

MIDDLE = WHITE // 2

# Least difference of the brightest from the darkest pixel, as a fraction of the brightest pixel of
# the set: below, an image is blank.
MIN_CONTRAST = 0.08

# Least difference of ink from the ground, as a fraction of the image's greatest.
MIN_INK = 0.125

# Roughness of noise: unrelated neighbours differ by 1.1 standard deviations, those in strokes by
# less than 0.5.
NOISE = 0.9

# Share of the border that ink may reach.
MAX_BORDER_INK = 0.2

# Greatest distance of a frame from the border, in pixels; fraction of its pixels that are bright,
# and of those just inside of it that may be. A dark frame looks like a dark background.
MAX_FRAME, MIN_RING, MAX_INSIDE = 5, 0.95, 0.4

# Least share of the ink on either side of an empty column, and least ratio of the two heights: two
# digits.
MIN_HALF, MIN_HEIGHTS = 0.25, 0.6


@dataclass(frozen=True, eq=False)
class ImageMeasures:
    """Measures of n images; arrays of shape (n,).

    Attributes
    ----------
    lowest, highest : uint8, of the pixels
    ground : uint8, grey level of the background: four fifths of the border are as bright or
        brighter (or of dark ink, as dark or darker); in a frame, the median inside
    dark_ink : bool, whether most of the border and most of the image are bright
    framed : bool, whether there is a bright frame around the rest
    roughness : float32, mean difference of neighbours, along rows or columns, whichever is less, in
        standard deviations of the pixels
    longer_side : int64, of the box around the ink, in pixels; 0 without ink
    centre : float32 of shape (n, 2), row and column of the centre of mass of the ink
    split : bool, whether an empty column separates two pieces that could be digits
    digest : uint64, hash of all pixels
    levels : int64 of shape (256,), number of pixels of all images of each grey level
    last_pixel, last_but_one : int64 of shape (256,), the same for the last two pixels
    first_pixel : int64 of shape (256,), the same for the first pixel
    """

    lowest: Images
    highest: Images
    ground: Images
    dark_ink: BoolArray
    framed: BoolArray
    roughness: Float32Array
    longer_side: IntArray
    centre: Float32Array
    split: BoolArray
    digest: npt.NDArray[np.uint64]
    levels: IntArray
    first_pixel: IntArray
    last_but_one: IntArray
    last_pixel: IntArray

    @cached_property
    def blank(self) -> BoolArray:
        """Whether each image has no ink: bool ndarray of shape (n,), as all below."""
        contrast = self.highest.astype(np.int16) - self.lowest
        return np.asarray(contrast <= MIN_CONTRAST * self.highest.max(initial=0))

    @cached_property
    def noise(self) -> BoolArray:
        """Whether the neighbours of a pixel have nothing to do with it."""
        return (self.roughness > NOISE) & ~self.blank

    @cached_property
    def in_frame(self) -> BoolArray:
        """Whether there is a frame around the ink."""
        return self.framed & ~self.blank & ~self.noise

    @cached_property
    def inverted(self) -> BoolArray:
        """Whether ink is dark on a bright background."""
        return self.dark_ink & ~self.blank & ~self.noise

    @cached_property
    def on_grey(self) -> BoolArray:
        """Whether the background is neither black nor, below dark ink, white."""
        level = np.where(self.dark_ink, WHITE - self.ground, self.ground)
        return (level > MAX_BACKGROUND) & ~self.blank & ~self.noise & ~self.framed

    @cached_property
    def sound(self) -> BoolArray:
        """Whether an image is none of these."""
        faults = self.blank, self.noise, self.in_frame, self.inverted, self.on_grey
        return np.asarray(~np.logical_or.reduce(faults))


def measure_images(images: Images, progress: Progress = no_progress) -> ImageMeasures:
    """Measure images in blocks.

    Parameters
    ----------
    images : uint8 ndarray of shape (n, 28, 28), 0-255, n at least 1
    progress : callable, optional
        Called with (n_done, n).

    Returns
    -------
    ImageMeasures
    """
    blocks: list[dict[str, Any]] = []
    counts: dict[str, Any] = {
        name: np.zeros(WHITE + 1, np.intp)
        for name in ("levels", "first_pixel", "last_but_one", "last_pixel")
    }
    for start in range(0, len(images), IMAGES_PER_BLOCK):
        block = images[start : start + IMAGES_PER_BLOCK]
        blocks.append(_measure_block(block))
        flat = block.reshape(len(block), -1)
        for name, pixels in (
            ("levels", flat.ravel()),
            ("first_pixel", flat[:, 0]),
            ("last_but_one", flat[:, -2]),
            ("last_pixel", flat[:, -1]),
        ):
            counts[name] += np.bincount(pixels, minlength=WHITE + 1)
        progress(start + len(block), len(images))
    joined = {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}
    return ImageMeasures(**joined, **counts)


def hash_images(images: Images) -> npt.NDArray[np.uint64]:
    """Hash the pixels of each image: uint64 ndarray of shape (n,); equal for equal images."""
    digests = (blake2b(image, digest_size=8).digest() for image in np.ascontiguousarray(images))
    return np.frombuffer(b"".join(digests), np.uint64)


def _measure_block(images: Images) -> dict[str, Array]:
    flat = images.reshape(len(images), -1)
    bright = images > MIDDLE
    mostly_bright = 2 * bright.sum(axis=(1, 2)) > IMAGE_SIDE**2
    framed = _find_frames(bright)
    border = np.sort(ring_pixels(images, 0), axis=1)
    n_ink = int(MAX_BORDER_INK * border.shape[1])
    dark_ink = mostly_bright & ~framed & (border[:, n_ink] > MIDDLE)
    ground = np.where(dark_ink, border[:, -n_ink - 1], border[:, n_ink])
    if framed.any():
        inner = images[framed, MAX_FRAME:-MAX_FRAME, MAX_FRAME:-MAX_FRAME]
        ground[framed] = np.median(inner, axis=(1, 2)).astype(np.uint8)
    ink = np.where(
        dark_ink[:, None, None],
        np.maximum(ground[:, None, None], images) - images,
        np.maximum(ground[:, None, None], images) - ground[:, None, None],
    )
    darkest = ink.max(axis=(1, 2))
    is_ink = (ink > MIN_INK * darkest[:, None, None].astype(np.float32)) & (ink > 0)
    return {
        "lowest": flat.min(axis=1),
        "highest": flat.max(axis=1),
        "ground": ground,
        "dark_ink": dark_ink,
        "framed": framed,
        "roughness": _roughness(images),
        "longer_side": np.maximum(extents(is_ink.any(axis=2)), extents(is_ink.any(axis=1))),
        "centre": _centres(ink),
        "split": _find_splits(is_ink),
        "digest": hash_images(images),
    }


def _find_frames(bright: BoolArray) -> BoolArray:
    """Whether one of the outer rings of each image is bright, and a ring inside of it is not."""
    rings = np.stack([ring_pixels(bright, depth).mean(axis=1) for depth in range(MAX_FRAME + 1)])
    is_frame, is_inside = rings >= MIN_RING, rings <= MAX_INSIDE
    followed = [is_frame[depth] & is_inside[depth + 1 :].any(axis=0) for depth in range(MAX_FRAME)]
    return np.asarray(np.logical_or.reduce(followed))


def _centres(ink: Images) -> Float32Array:
    """Row and column of the centre of mass of each image; the middle of one without ink."""
    indices = np.arange(IMAGE_SIDE, dtype=np.float32)
    along = [ink.sum(axis=axis, dtype=np.float32) for axis in (2, 1)]
    mass = along[0].sum(axis=1)
    middle = (IMAGE_SIDE - 1) / 2
    centres = [np.where(mass > 0, x @ indices / np.maximum(mass, 1), middle) for x in along]
    return np.stack(centres, axis=1).astype(np.float32)


def _roughness(images: Images) -> Float32Array:
    values = images.astype(np.float32)
    along = [np.abs(np.diff(values, axis=axis)).mean(axis=(1, 2)) for axis in (1, 2)]
    spread = values.std(axis=(1, 2))
    return np.asarray(np.minimum(*along) / np.maximum(spread, 1), np.float32)


def _find_splits(is_ink: BoolArray) -> BoolArray:
    """Whether an empty column of each image separates two pieces of similar size."""
    columns = is_ink.sum(axis=1)
    left = np.cumsum(columns, axis=1)
    share = left / np.maximum(left[:, -1:], 1)
    smaller = np.where(columns == 0, np.minimum(share, 1 - share), 0)
    cuts = smaller.argmax(axis=1)
    split = smaller.max(axis=1) >= MIN_HALF
    for index in np.flatnonzero(split):
        image, cut = is_ink[index], cuts[index]
        halves = np.stack([image[:, :cut].any(axis=1), image[:, cut:].any(axis=1)])
        heights = extents(halves)
        split[index] = heights.min() >= MIN_HEIGHTS * heights.max()
    return np.asarray(split)
