"""Select the strokes of the one digit on a picture."""

from __future__ import annotations

import numpy as np

from mnist_svm._types import Float32Array, Float64Array, Mask
from mnist_svm.pictures.boxes import Box, bounding_box, label_components
from mnist_svm.pictures.ruled_lines import find_lines

# Smallest separate stroke, as a fraction of the area of the largest: less is a speck.
MIN_STROKE_AREA = 0.02
# Largest gap between strokes of a digit: the larger of a fraction of the digit's longer side and
# a fraction of the picture's.
MAX_GAP, MAX_GAP_OF_PICTURE = 0.35, 0.06
# Weight of the area of a component that the picture's border cuts off, when the largest is chosen.
CUT_OFF_WEIGHT = 0.4

# A full stop or a comma is beside the digit, low, and small in both directions: its greatest side,
# least gap to the digit, and least distance from the digit's top, as fractions of the digit's
# longer side; and the greatest ratio of its sides.
MAX_STOP, MIN_STOP_GAP, MIN_STOP_DEPTH, MAX_STOP_RATIO = 0.33, 0.08, 0.6, 2.5
# Greatest area of a neighbour's piece at the border, as a fraction of that of the digit.
MAX_PIECE_AREA = 0.25

# Sizes, as multiples of the chosen digit's height, from which there may be two digits: width of a
# blob; height of another beside it, and width of the gap between both. Ink that goes on above and
# below by MAX_BEYOND is a line.
MIN_WIDE, MIN_BESIDE, MIN_APART, MAX_BEYOND = 1.5, 0.65, 0.03, 0.35
# Width of the margins of a picture cropped to its ink, as a fraction of the picture's.
MAX_MARGIN = 0.03
# Coverage of ink that connects two strokes.
FAINT = 0.12
# Slants of the gap between two digits, in columns per row.
GAP_SLANTS = (0.0, -0.3, 0.3)

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
    `faint_mask` for all above the noise. Without the latter, no ruled lines are looked for. Boxes
    that `remove_frames` finds are left out beforehand.
    """
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
    labels, boxes = label_components(mask)
    n = len(boxes)
    areas = np.bincount(labels.ravel(), minlength=n + 1)[1:].astype(float)
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
    areas[_pieces_of_neighbours(areas, boxes, covered > 0, first)] = 0
    cluster, box = {first}, boxes[first]
    candidates = {int(k) for k in np.flatnonzero(areas >= MIN_STROKE_AREA * areas[first])} - cluster
    while near := {
        k
        for k in candidates
        if max(box.gaps(boxes[k])) <= max(MAX_GAP * box.longer_side, MAX_GAP_OF_PICTURE * side)
        and not _is_full_stop(boxes[k], box)
    }:
        cluster |= near
        candidates -= near
        for k in near:
            box = box.union(boxes[k])
    return np.isin(labels, [k + 1 for k in cluster])


def _is_full_stop(mark: Box, digit: Box) -> bool:
    """Whether a mark is a full stop or a comma before or behind a digit."""
    longer, shorter = mark.longer_side, min(mark.height, mark.width)
    is_small = longer <= min(MAX_STOP * digit.longer_side, MAX_STOP_RATIO * shorter)
    is_beside = mark.gaps(digit)[1] >= MIN_STOP_GAP * digit.longer_side
    return is_small and is_beside and mark.top >= digit.top + MIN_STOP_DEPTH * digit.height


def _pieces_of_neighbours(
    areas: Float64Array, boxes: list[Box], is_at_side: Mask, first: int
) -> list[int]:
    """Small components beside the first one that the left or right border cuts off.

    `is_at_side`, of shape (4, n), tells which touch the upper, lower, left and right border.
    """
    digit = boxes[first]
    sides = is_at_side[2:] & ~is_at_side[2:, first][:, None]
    return [
        int(k)
        for k in np.flatnonzero(sides.any(axis=0))
        if areas[k] <= MAX_PIECE_AREA * areas[first]
        and boxes[k].gaps(digit)[1] >= 0
        # The bar of a 5 is high.
        and boxes[k].bottom > digit.top + digit.height / 2
    ]


def may_be_several(digit: Mask, mask: Mask, coverage: Float32Array) -> bool:
    """Whether beside a digit there is ink of its height, or it is far wider than high.

    All have the shape of the picture. `digit` is what `select_digit` selected of `mask`, the pixels
    of strokes; `coverage` is 0 for background to 1 for full ink. Strokes that faint ink connects
    are not apart.
    """
    box = bounding_box(digit)
    if box.width > MIN_WIDE * box.height:
        return True
    faint = (coverage > FAINT) | mask
    rows, columns = np.nonzero(faint[box.top : box.bottom])
    is_stroke = mask[box.top : box.bottom][rows, columns]
    highest, lowest = np.where(is_stroke, rows, box.height), np.where(is_stroke, rows, -1)
    is_line = _columns_of_lines(faint, mask, box)
    for slant in GAP_SLANTS:
        shifted = columns + np.rint(slant * (rows - box.height / 2)).astype(int)
        shifted -= shifted.min()
        used = np.flatnonzero(np.bincount(shifted))
        is_apart = np.diff(used, prepend=used[0]) > max(MIN_APART * box.height, 2)
        runs = np.cumsum(is_apart)[np.searchsorted(used, shifted)]
        order = np.argsort(runs, kind="stable")
        first = np.flatnonzero(np.diff(runs[order], prepend=-1))
        tops = np.minimum.reduceat(highest[order], first)
        heights = np.maximum.reduceat(lowest[order], first) - tops + 1
        lines = np.maximum.reduceat(is_line[columns[order]], first)
        if np.count_nonzero((heights >= MIN_BESIDE * box.height) & ~lines) > 1:
            return True
    return False


def _columns_of_lines(faint: Mask, mask: Mask, box: Box) -> Mask:
    """Columns in which ink beside a digit is a line, or a part of something at the border."""
    margin = round(MAX_MARGIN * mask.shape[1]) + 1
    is_filled = mask[:, :margin].any() and mask[:, -margin:].any()
    if is_filled and box.height >= MIN_BESIDE * len(mask):
        # Cropped to the digits: they are at both borders themselves, and nothing goes on beyond.
        return np.zeros(mask.shape[1], dtype=bool)
    beyond = round(MAX_BEYOND * box.height)
    above, below = faint[max(box.top - beyond, 0)], faint[min(box.bottom + beyond, len(mask)) - 1]
    is_line = above & below
    is_line[[0, -1]] |= faint[box.top : box.bottom, [0, -1]].any(axis=0)
    return np.asarray(is_line)
