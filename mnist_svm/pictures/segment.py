"""A picture with several digits -> the blobs that may be digits, in reading order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from mnist_svm.constants import Float32Array, GreyImage, Mask
from mnist_svm.pictures.background import find_ink
from mnist_svm.pictures.normalize import OUTLINED, render_digit
from mnist_svm.pictures.ruled_lines import find_both_directions
from mnist_svm.pictures.strokes import Box, bounding_box, component_boxes

# A page is looked at with at most so many pixels a side; a line of small digits is enlarged
# until its shorter side has so many.
WORK, ENLARGED = 2000, 96

# Parts of the row's usual height, and of the page's: a digit is at least so high. What is lower is
# a dot, a comma or a dash, unless it is above or below another part of a digit, at most this far.
DIGIT, LEAST = 0.5, 0.33
APART = 0.25
SHOULDER = 0.15
TALLEST = 1.5
# No stroke of a digit that is so flat is as long as this: it is drawn under a number.
UNDERLINE = 2.0

# No page has more blobs than this that are worth reading.
MOST = 5000

# What is smaller than this part of the page's usual digit, or larger than so many of it, is dirt,
# or something else than digits.
SPECK, GIANT = 0.12, 3.0

# Blots of one row share this part of the lower one's height.
SHARED = 0.4

# Lines go on beyond the digits, at both ends, by this part of the page's side.
MARGIN = 0.02

# A blob is cut at so many places, this part of its height to either side of each.
CUTS = 13
BAND = 0.15
SEAM_ROWS = 48


@dataclass(frozen=True)
class Blob:
    """Strokes on a page that may be a digit.

    Attributes
    ----------
    box : where, in pixels of the page's ``cover``.
    mask : bool ndarray of the box's shape, where the strokes are.
    """

    box: Box
    mask: Mask

    def union(self, other: Blob) -> Blob:
        """Both as one."""
        box = self.box.union(other.box)
        mask = np.zeros((box.height, box.width), dtype=bool)
        for part in (self, other):
            i, j = part.box.top - box.top, part.box.left - box.left
            mask[i : i + part.box.height, j : j + part.box.width] |= part.mask
        return Blob(box, mask)


@dataclass(frozen=True)
class Page:
    """What is written on a picture.

    Attributes
    ----------
    coverage : float32 ndarray of shape (height, width), 0 ground to 1 full ink; of the picture
        enlarged or reduced.
    scale : pixels of ``cover`` to one of the picture.
    size : height and width of the picture.
    rows : blobs that may be digits, from left to right, in rows from top to bottom.
    """

    coverage: Float32Array
    scale: float
    size: tuple[int, int]
    rows: list[list[Blob]]

    def render(self, blob: Blob) -> GreyImage:
        """A blob in MNIST form: uint8 ndarray of shape (28, 28), 0-255, ink bright."""
        box = blob.box
        pixels = max(box.height, box.width) / self.scale
        top, left = max(box.top - 2, 0), max(box.left - 2, 0)
        cover = self.coverage[top : box.bottom + 2, left : box.right + 2]
        mask = np.zeros(cover.shape, dtype=bool)
        i, j = box.top - top, box.left - left
        mask[i : i + box.height, j : j + box.width] = blob.mask
        return render_digit(cover, mask, outlined=pixels >= OUTLINED)

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
        Dark ink on a light ground or light on dark, unevenly lit.

    Returns
    -------
    Page

    Raises
    ------
    PictureError
        If the picture is blank.
    """
    scale = min(1.0, WORK / max(grey.shape))
    if min(grey.shape) < ENLARGED:
        scale = min(ENLARGED / min(grey.shape), max(1.0, WORK / max(grey.shape)))
    image = Image.fromarray(grey)
    if scale < 1:
        factor = int(np.ceil(1 / scale))
        image, scale = image.reduce(factor), 1 / factor
    elif scale > 1:
        size = [round(side * scale) for side in image.size]
        image = image.resize(size, Image.Resampling.BICUBIC)
    ink = find_ink(np.asarray(image))
    blobs, usual = _blots(_without_lines(ink.mask, ink.faint_mask))
    height, width = grey.shape
    return Page(ink.coverage, scale, (height, width), _rows(_whole(blobs, usual), usual))


def _without_lines(mask: Mask, faint_mask: Mask) -> Mask:
    """The mask without ruled lines and frames, which go on beyond what is written."""
    level, upright = find_both_directions(faint_mask)
    others = mask.copy()
    for line in level + upright:
        others &= ~line
    labels, _ = ndimage.label(others, structure=np.ones((3, 3)))
    least = MARGIN * max(mask.shape)
    large = [box for box in component_boxes(labels) if max(box.height, box.width) > 2 * least]
    for line, axis in [(line, 1) for line in level] + [(line, 0) for line in upright]:
        if large and _goes_beyond(bounding_box(line), large, axis, least):
            mask = mask & ~line
    return mask


def _goes_beyond(line: Box, large: list[Box], axis: int, least: float) -> bool:
    """Whether a line is longer than what else is there, at both ends."""
    around = large[0]
    for box in large[1:]:
        around = around.union(box)
    if axis == 1:
        # Across so much of the page that no stroke is as long.
        return line.width > 2.5 * max(box.height for box in large) or line.extends_beyond(
            around, axis, least
        )
    return line.extends_beyond(around, axis, least)


def _blots(mask: Mask) -> tuple[list[Blob], float]:
    """Connected strokes that are neither dirt nor a desk, and their usual height."""
    labels, n = ndimage.label(mask, structure=np.ones((3, 3)))
    if not n:
        return [], 0.0
    areas = np.bincount(labels.ravel())[1:]
    blobs = [
        Blob(box, labels[box.top : box.bottom, box.left : box.right] == k)
        for k, box in enumerate(component_boxes(labels), start=1)
    ]
    inside = [not _hugs(blob.box, mask.shape) for blob in blobs]
    if any(inside):
        blobs = [blob for blob, kept in zip(blobs, inside, strict=True) if kept]
        areas = areas[inside]
    usual = _usual_height([blob.box for blob in blobs], areas)
    blobs = [
        blob
        for blob in blobs
        if max(blob.box.height, blob.box.width) >= SPECK * usual
        and blob.box.height <= GIANT * usual
    ]
    return sorted(blobs, key=lambda blob: -blob.mask.size)[:MOST], usual


def _hugs(box: Box, shape: tuple[int, int]) -> bool:
    """Whether a box has a side of the page for its own: the desk beside a sheet, a frame."""
    height, width = shape
    tall = box.height > 0.9 * height and (box.left == 0 or box.right == width)
    wide = box.width > 0.9 * width and (box.top == 0 or box.bottom == height)
    return tall or wide


def _usual_height(boxes: list[Box], areas: npt.NDArray[np.intp]) -> float:
    """The height that half of the ink is higher than."""
    heights = np.array([box.height for box in boxes])
    order = np.argsort(heights)
    half = np.searchsorted(np.cumsum(areas[order]), areas.sum() / 2)
    return float(heights[order][half])


def _whole(blobs: list[Blob], usual: float) -> list[Blob]:
    """Blots with the parts of a digit that are above and below each other joined."""
    whole: list[Blob] = []
    boxes = np.empty((len(blobs), 4))
    far = max(APART, SHOULDER) * usual
    for blob in blobs:
        near = [
            int(k)
            for k in np.flatnonzero(_gaps(boxes[: len(whole)], blob.box).max(axis=0) <= far)
            if _one_digit(whole[k].box, blob.box, usual)
        ]
        if near:
            nearest = min(near, key=lambda k: max(whole[k].box.gaps(blob.box)))
            whole[nearest] = whole[nearest].union(blob)
            boxes[nearest] = whole[nearest].box
        else:
            boxes[len(whole)] = blob.box
            whole.append(blob)
    return whole


def _gaps(boxes: npt.NDArray[np.float64], box: Box) -> npt.NDArray[np.float64]:
    """`Box.gaps` of many: of shape (2, n), for boxes of shape (n, 4)."""
    starts, ends = boxes[:, 0::2].T, boxes[:, 1::2].T
    start, end = np.array([box[0::2], box[1::2]])[:, :, None]
    return np.asarray(np.maximum(starts, start) - np.minimum(ends, end))


def _one_digit(one: Box, other: Box, usual: float) -> bool:
    """Whether two blobs are parts of one digit: one above the other, or a bar at its shoulder."""
    rows, columns = one.gaps(other)
    if one.union(other).height > TALLEST * usual:
        return False
    flat = min(one, other, key=lambda box: box.height)
    if flat.height < LEAST * usual and flat.width > UNDERLINE * usual:
        return False
    if -columns >= 0.5 * min(one.width, other.width):
        return rows <= APART * usual
    bar, body = sorted((one, other), key=lambda box: box.height)
    # To the left there would be a minus sign.
    high = bar.bottom <= body.top + body.height / 3 and bar.left >= body.left
    return high and bar.height < DIGIT * usual and max(rows, columns) <= SHOULDER * usual


def _rows(blobs: list[Blob], usual: float) -> list[list[Blob]]:
    """Blots in rows, without those that are too low for a digit of their row."""
    rows: list[list[Blob]] = []
    tall = [blob for blob in blobs if blob.box.height >= LEAST * usual]
    # The last of each row.
    boxes = np.empty((len(tall), 4))
    for blob in sorted(tall, key=lambda blob: blob.box.left):
        last = boxes[: len(rows)]
        lower = np.minimum(last[:, 1] - last[:, 0], blob.box.height)
        shares = -_gaps(last, blob.box)[0] / lower
        at = int(shares.argmax()) if len(rows) and shares.max() >= SHARED else len(rows)
        if at == len(rows):
            rows.append([])
        rows[at].append(blob)
        boxes[at] = blob.box
    for row in rows:
        areas = np.array([np.count_nonzero(blob.mask) for blob in row])
        least = DIGIT * _usual_height([blob.box for blob in row], areas)
        # A digit that lies down is as long as others are high.
        row[:] = [blob for blob in row if max(blob.box.height, blob.box.width) >= least]
    return sorted(rows, key=lambda row: float(np.mean([blob.box.top for blob in row])))


def split_blob(page: Page, blob: Blob) -> list[tuple[Blob, Blob]]:
    """A blob cut in two along the paths of least ink, at several places.

    Parameters
    ----------
    page : Page
    blob : Blob

    Returns
    -------
    list of (left, right)
    """
    box = blob.box
    cover = page.coverage[box.top : box.bottom, box.left : box.right] * blob.mask
    rows = min(SEAM_ROWS, box.height)
    scale = rows / box.height
    small = np.asarray(
        Image.fromarray(cover).resize(
            (max(round(box.width * scale), 3), rows), Image.Resampling.BOX
        )
    )
    found = []
    band = max(round(BAND * rows), 1)
    seen = set()
    for middle in np.linspace(0.15, 0.85, CUTS) * small.shape[1]:
        first = int(np.clip(round(middle) - band, 0, small.shape[1] - 1))
        seam = _seam(small[:, first : round(middle) + band + 1])
        key = tuple(seam + first)
        if key in seen:
            continue
        seen.add(key)
        # The seam of the reduced blob, stretched to the rows and columns of the blob.
        at = np.interp(
            (np.arange(box.height) + 0.5) * scale - 0.5, np.arange(rows), seam + first + 0.5
        )
        left_of = np.arange(box.width) < at[:, None] * box.width / small.shape[1]
        parts = blob.mask & left_of, blob.mask & ~left_of
        if all(part.any() for part in parts):
            one, two = (_trimmed(part, box) for part in parts)
            found.append((one, two))
    return found


def _seam(cost: Float32Array) -> npt.NDArray[np.intp]:
    """The path from top to bottom, a column to either side a row at most, with the least ink.

    S. Avidan, A. Shamir, "Seam carving for content-aware image resizing", ACM Transactions on
    Graphics 26 (2007), equation 5; here with a small price for each step aside.
    """
    rows, columns = cost.shape
    total = cost[0].astype(np.float64)
    steps = np.zeros((rows, columns), dtype=np.intp)
    for i in range(1, rows):
        padded = np.pad(total, 1, constant_values=np.inf)
        options = np.stack([padded[1:-1], padded[:-2] + 0.05, padded[2:] + 0.05])
        best = options.argmin(axis=0)
        steps[i] = np.array([0, -1, 1])[best]
        total = options.min(axis=0) + cost[i]
    seam = np.empty(rows, dtype=np.intp)
    seam[-1] = total.argmin()
    for i in range(rows - 1, 0, -1):
        seam[i - 1] = seam[i] + steps[i, seam[i]]
    return seam


def _trimmed(mask: Mask, box: Box) -> Blob:
    """The part of a blob that a mask of its box leaves."""
    inner = bounding_box(mask)
    outer = Box(
        box.top + inner.top, box.top + inner.bottom, box.left + inner.left, box.left + inner.right
    )
    return Blob(outer, mask[inner.top : inner.bottom, inner.left : inner.right])
