"""Segment a page into blobs that may be digits, in reading order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import ndimage

from mnist_svm._types import Float32Array, Float64Array, GreyImage, IntArray, Mask
from mnist_svm.pictures.background import find_ink
from mnist_svm.pictures.boxes import Box, bounding_box, component_boxes
from mnist_svm.pictures.render import MIN_OUTLINED, render_digit
from mnist_svm.pictures.rulings import find_rulings

# Longer side, in pixels, to which a page is reduced; shorter side to which a line of small digits
# is enlarged.
MAX_SIDE, MIN_SIDE = 2000, 96

# Least height of a digit, as a fraction of the usual height in its row and on the page. Lower
# blobs are dots, commas or dashes, or parts of a digit.
MIN_HEIGHT_IN_ROW, MIN_HEIGHT = 0.5, 0.33
# Largest gaps between parts of a digit that are above each other, and between a digit and a bar to
# the right of its top; greatest height of both together. All as fractions of the usual height.
MAX_VERTICAL_GAP, MAX_BAR_GAP = 0.25, 0.15
MAX_JOINED_HEIGHT = 1.5
# Width, as a multiple of the usual height, above which a flat blob is an underline.
MIN_UNDERLINE = 2.0
# Limits of a blob: longer side below which it is a speck, height above which it is no digit, as
# multiples of the usual height.
MIN_SIZE, MAX_HEIGHT = 0.12, 3.0
# Blobs kept of a page, the largest first: no page has more digits.
MAX_BLOBS = 5000
# Least overlap of blobs in a row, as a fraction of the lower one's height.
MIN_ROW_OVERLAP = 0.4

# Number of seams along which a blob is split; half the width of the band that a seam stays in, as
# a fraction of the blob's height; rows to which the blob is reduced to find them.
N_SEAMS, SEAM_BAND, SEAM_ROWS = 13, 0.15, 48


@dataclass(frozen=True)
class Blob:
    """A connected component of ink, or several that may be one digit.

    `box` is its bounding box in pixels of the page's ``coverage``, `mask` its pixels in the box.
    """

    box: Box
    mask: Mask

    def union(self, other: Blob) -> Blob:
        """Both as one."""
        box = self.box.union(other.box)
        mask = np.zeros((box.height, box.width), dtype=bool)
        for blob in (self, other):
            mask[blob.box.shift(-box.top, -box.left).window] |= blob.mask
        return Blob(box, mask)


@dataclass(frozen=True)
class Page:
    """A picture, segmented into blobs.

    Attributes
    ----------
    coverage : float32 ndarray, 0 background to 1 full ink, of the reduced or enlarged picture.
    scale : pixels of ``coverage`` per pixel of the picture.
    size : height and width of the picture, in pixels.
    rows : blobs that may be digits, in rows from top to bottom, from left to right.
    """

    coverage: Float32Array
    scale: float
    size: tuple[int, int]
    rows: list[list[Blob]]

    def render(self, blob: Blob) -> GreyImage:
        """A blob in MNIST form: uint8 ndarray of shape (28, 28), 0-255, ink bright."""
        outlined = blob.box.longer_side / self.scale >= MIN_OUTLINED
        return render_digit(self.coverage, blob.mask, blob.box, outlined=outlined)

    def picture_box(self, box: Box) -> Box:
        """A box in pixels of the picture."""
        # The last pixel of a reduced picture may stand for fewer than the others.
        limits = self.size[0], self.size[0], self.size[1], self.size[1]
        sides = zip(box, limits, strict=True)
        return Box(*(min(round(side / self.scale), limit) for side, limit in sides))


def segment_page(grey: GreyImage) -> Page:
    """Find the blobs on a picture that may be digits.

    Parameters
    ----------
    grey : uint8 ndarray of shape (height, width), 0 black to 255 white
        Dark ink on a light background or light on dark, unevenly lit.

    Raises
    ------
    PictureError
        If the picture is blank.
    """
    scale = min(1.0, MAX_SIDE / max(grey.shape))
    if min(grey.shape) < MIN_SIDE:
        scale = min(MIN_SIDE / min(grey.shape), max(1.0, MAX_SIDE / max(grey.shape)))
    image = Image.fromarray(grey)
    if scale < 1:
        factor = int(np.ceil(1 / scale))
        image, scale = image.reduce(factor), 1 / factor
    elif scale > 1:
        size = [round(side * scale) for side in image.size]
        image = image.resize(size, Image.Resampling.BICUBIC)
    ink = find_ink(np.asarray(image))
    rulings = find_rulings(ink.mask, ink.faint_mask)
    blobs, height = _find_blobs(ink.mask & ~rulings.lines)
    rows = _group_into_rows(_join_parts(blobs, height), height)
    return Page(ink.coverage, scale, (grey.shape[0], grey.shape[1]), rows)


def _find_blobs(mask: Mask) -> tuple[list[Blob], float]:
    """Connected components without specks and desks, and their usual height."""
    labels, _ = ndimage.label(mask, structure=np.ones((3, 3)))
    blobs = [
        Blob(box, labels[box.window] == label)
        for label, box in enumerate(component_boxes(labels), start=1)
    ]
    blobs = [blob for blob in blobs if not _covers_side(blob.box, mask.shape)] or blobs
    if not blobs:
        return [], 0.0
    usual = _usual_height(blobs)
    blobs = [
        blob
        for blob in blobs
        if blob.box.longer_side >= MIN_SIZE * usual and blob.box.height <= MAX_HEIGHT * usual
    ]
    return sorted(blobs, key=lambda blob: -blob.mask.size)[:MAX_BLOBS], usual


def _covers_side(box: Box, shape: tuple[int, int]) -> bool:
    """Whether a box covers a side of the page, as a desk or a frame does."""
    height, width = shape
    tall = box.height > 0.9 * height and (box.left == 0 or box.right == width)
    wide = box.width > 0.9 * width and (box.top == 0 or box.bottom == height)
    return tall or wide


def _usual_height(blobs: list[Blob]) -> float:
    """Median height, weighted by area."""
    heights = np.array([blob.box.height for blob in blobs])
    areas = np.array([np.count_nonzero(blob.mask) for blob in blobs])
    order = np.argsort(heights)
    half = np.searchsorted(np.cumsum(areas[order]), areas.sum() / 2)
    return float(heights[order][half])


def _join_parts(blobs: list[Blob], usual: float) -> list[Blob]:
    """Join blobs that are parts of one digit."""
    joined: list[Blob] = []
    boxes = np.empty((len(blobs), 4))
    max_gap = max(MAX_VERTICAL_GAP, MAX_BAR_GAP) * usual
    for blob in blobs:
        is_near = _gaps(boxes[: len(joined)], blob.box).max(axis=0) <= max_gap
        parts = [
            int(k)
            for k in np.flatnonzero(is_near)
            if _are_one_digit(joined[k].box, blob.box, usual)
        ]
        if parts:
            nearest = min(parts, key=lambda k: max(joined[k].box.gaps(blob.box)))
            joined[nearest] = joined[nearest].union(blob)
            boxes[nearest] = joined[nearest].box
        else:
            boxes[len(joined)] = blob.box
            joined.append(blob)
    return joined


def _gaps(boxes: Float64Array, box: Box) -> Float64Array:
    """`Box.gaps` of a box and many others: shape (2, n) for boxes of shape (n, 4)."""
    starts, ends = boxes[:, 0::2].T, boxes[:, 1::2].T
    start, end = np.array([box[0::2], box[1::2]])[:, :, None]
    return np.asarray(np.maximum(starts, start) - np.minimum(ends, end))


def _are_one_digit(first: Box, second: Box, usual: float) -> bool:
    """Whether two blobs are parts of one digit: above each other, or a bar at the top right."""
    rows, columns = first.gaps(second)
    if first.union(second).height > MAX_JOINED_HEIGHT * usual:
        return False
    lower, higher = sorted((first, second), key=lambda box: box.height)
    if lower.height < MIN_HEIGHT * usual and lower.width > MIN_UNDERLINE * usual:
        return False
    if -columns >= 0.5 * min(first.width, second.width):
        return rows <= MAX_VERTICAL_GAP * usual
    # On the left it would be a minus sign.
    is_bar = lower.bottom <= higher.top + higher.height / 3 and lower.left >= higher.left
    is_low = lower.height < MIN_HEIGHT_IN_ROW * usual
    return is_bar and is_low and max(rows, columns) <= MAX_BAR_GAP * usual


def _group_into_rows(blobs: list[Blob], usual: float) -> list[list[Blob]]:
    """Group blobs into rows, and drop those that are too low for a digit of their row."""
    rows: list[list[Blob]] = []
    tall = [blob for blob in blobs if blob.box.height >= MIN_HEIGHT * usual]
    # The last box of each row.
    boxes = np.empty((len(tall), 4))
    for blob in sorted(tall, key=lambda blob: blob.box.left):
        last = boxes[: len(rows)]
        lower = np.minimum(last[:, 1] - last[:, 0], blob.box.height)
        overlaps = -_gaps(last, blob.box)[0] / lower
        if len(rows) and overlaps.max() >= MIN_ROW_OVERLAP:
            index = int(overlaps.argmax())
        else:
            index = len(rows)
            rows.append([])
        rows[index].append(blob)
        boxes[index] = blob.box
    for row in rows:
        # By the longer side, because a digit that lies down is as long as others are high.
        min_side = MIN_HEIGHT_IN_ROW * _usual_height(row)
        row[:] = [blob for blob in row if blob.box.longer_side >= min_side]
    return sorted(rows, key=lambda row: float(np.mean([blob.box.top for blob in row])))


def split_blob(page: Page, blob: Blob) -> list[tuple[Blob, Blob]]:
    """Split a blob along seams with the least ink: a pair (left, right) for each distinct seam."""
    box = blob.box
    coverage = page.coverage[box.window] * blob.mask
    rows = min(SEAM_ROWS, box.height)
    scale = rows / box.height
    columns = max(round(box.width * scale), 3)
    small = np.asarray(Image.fromarray(coverage).resize((columns, rows), Image.Resampling.BOX))
    band = max(round(SEAM_BAND * rows), 1)
    seams = {}
    for middle in np.linspace(0.15, 0.85, N_SEAMS) * columns:
        first = int(np.clip(round(middle) - band, 0, columns - 1))
        seam = first + _cheapest_seam(small[:, first : round(middle) + band + 1])
        seams[tuple(seam)] = seam
    # Rows and columns of the blob, in pixels of the reduced blob.
    row_centres = (np.arange(box.height) + 0.5) * scale - 0.5
    pairs = []
    for seam in seams.values():
        boundary = np.interp(row_centres, np.arange(rows), seam + 0.5)
        is_left = np.arange(box.width) < boundary[:, None] * box.width / columns
        left, right = blob.mask & is_left, blob.mask & ~is_left
        if left.any() and right.any():
            pairs.append((_crop(left, box), _crop(right, box)))
    return pairs


def _cheapest_seam(cost: Float32Array) -> IntArray:
    """Column in each row of the path from top to bottom with the least cost.

    S. Avidan, A. Shamir, "Seam carving for content-aware image resizing", ACM Transactions on
    Graphics 26 (2007), equation 5, with a small extra cost for each step to the side.
    """
    rows, columns = cost.shape
    total = cost[0].astype(np.float64)
    steps = np.zeros((rows, columns), dtype=np.intp)
    for i in range(1, rows):
        padded = np.pad(total, 1, constant_values=np.inf)
        options = np.stack([padded[1:-1], padded[:-2] + 0.05, padded[2:] + 0.05])
        steps[i] = np.array([0, -1, 1])[options.argmin(axis=0)]
        total = options.min(axis=0) + cost[i]
    seam = np.empty(rows, dtype=np.intp)
    seam[-1] = total.argmin()
    for i in range(rows - 1, 0, -1):
        seam[i - 1] = seam[i] + steps[i, seam[i]]
    return seam


def _crop(mask: Mask, box: Box) -> Blob:
    """The blob of the true pixels of a mask that lies at a box."""
    inner = bounding_box(mask)
    return Blob(inner.shift(box.top, box.left), mask[inner.window])
