"""Select the strokes of the one digit on a picture."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from mnist_svm._types import Mask
from mnist_svm.pictures.boxes import bounding_box, component_boxes
from mnist_svm.pictures.frames import remove_frames
from mnist_svm.pictures.ruled_lines import find_lines

# Smallest separate stroke, as a fraction of the area of the largest: less is a speck.
MIN_STROKE_AREA = 0.02
# Largest gap between strokes of a digit: the larger of a fraction of the digit's longer side and
# a fraction of the picture's.
MAX_GAP, MAX_GAP_OF_PICTURE = 0.35, 0.06
# Weight of the area of a component that the picture's border cuts off, when the largest is chosen.
CUT_OFF_WEIGHT = 0.4

# Fraction of a side of the picture above which a component that covers it is a desk or a frame.
MIN_SIDE_COVERED = 0.6
# Smallest digit, as a fraction of the picture's longer side.
MIN_DIGIT = 0.05
# Least length by which ruled lines extend beyond the digit at both ends, as a fraction of the
# picture's longer side.
MIN_OVERHANG = 0.015


def select_digit(mask: Mask, faint_mask: Mask | None = None) -> Mask:
    """Select the strokes of one digit; leave out specks, ruled lines, frames and desks.

    Both masks have the picture's shape: `mask` is true for the pixels of strokes, at least one, and
    `faint_mask` for all above the noise. Without the latter, no ruled lines are looked for.
    """
    mask = remove_frames(mask)
    if faint_mask is None:
        return _largest_cluster(mask)
    horizontal, vertical = find_lines(faint_mask)
    # Among the lines of a frame, a tall digit may look like a line.
    outermost = [lines[:1] + lines[1:][-1:] for lines in (horizontal, vertical)]
    for lines in ((horizontal, vertical), outermost, (horizontal, []), ([], vertical)):
        if (digit := _digit_without_lines(mask, *lines)) is not None:
            return digit
    return _largest_cluster(mask)


def _digit_without_lines(mask: Mask, horizontal: list[Mask], vertical: list[Mask]) -> Mask | None:
    """The digit that is left without the lines; None unless all lines extend beyond it."""
    lines = horizontal + vertical
    rest = mask & ~np.logical_or.reduce(lines) if lines else mask
    if not lines or not rest.any():
        return None
    digit = _largest_cluster(rest)
    box, side = bounding_box(digit), max(mask.shape)
    all_extend = all(
        bounding_box(line).extends_beyond(box, axis, MIN_OVERHANG * side)
        for axis, lines in ((1, horizontal), (0, vertical))
        for line in lines
    )
    return digit if all_extend and box.longer_side > MIN_DIGIT * side else None


def _largest_cluster(mask: Mask) -> Mask:
    """The largest connected component, and those near enough to be strokes of the same digit."""
    side = max(mask.shape)
    labels, n = ndimage.label(mask, structure=np.ones((3, 3)))
    areas = np.bincount(labels.ravel(), minlength=n + 1)[1:].astype(float)
    boxes = component_boxes(labels)
    sides = labels[0], labels[-1], labels[:, 0], labels[:, -1]
    covered = np.stack([np.bincount(part, minlength=n + 1)[1:] / len(part) for part in sides])
    is_cut_off = np.asarray(covered.any(axis=0))
    is_large = np.array([box.longer_side for box in boxes]) > MIN_DIGIT * side
    weighted = areas.copy()
    if (~is_cut_off & is_large).any():
        areas[(covered > MIN_SIDE_COVERED).any(axis=0)] = 0
        weighted = np.where(is_cut_off, CUT_OFF_WEIGHT * areas, areas)
    first = int(weighted.argmax())
    if not is_cut_off[first]:
        areas[is_cut_off] = 0
    cluster, box = {first}, boxes[first]
    candidates = {int(k) for k in np.flatnonzero(areas >= MIN_STROKE_AREA * areas[first])} - cluster
    while near := {
        k
        for k in candidates
        if max(box.gaps(boxes[k])) <= max(MAX_GAP * box.longer_side, MAX_GAP_OF_PICTURE * side)
    }:
        cluster |= near
        candidates -= near
        for k in near:
            box = box.union(boxes[k])
    return np.isin(labels, [k + 1 for k in cluster])
