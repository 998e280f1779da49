"""Find the components of ink that surround other ink: boxes, combs, tables and rings."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from mnist_svm._types import BoolArray, IntegerArray, Mask
from mnist_svm.pictures.boxes import Box
from mnist_svm.pictures.runs import vertical_runs

# Smallest component that is looked at, in pixels; more of them than this, the largest, are noise.
MIN_SIDE, MAX_COMPONENTS = 6, 2000
# Most components that are looked at for what they surround, the largest first.
MAX_FRAMES = 500
# Least size of what a frame encloses: as a fraction of the frame's shorter side, and in thicknesses
# of its lines. A loop of a digit has at most a speck in it.
MIN_CONTENT, MIN_CONTENT_THICKNESS = 0.25, 3.0
# Shorter side, in thicknesses of its lines, from which a frame is no digit; what it encloses may
# then be smaller.
MIN_LARGE, MIN_LARGE_CONTENT_THICKNESS = 25, 5.0


def find_frames(labels: IntegerArray, boxes: list[Box]) -> dict[int, float]:
    """Components that enclose ink which is no speck: their numbers, and the thickness of lines.

    `labels` and `boxes` are those of `label_components`.
    """
    sides = np.array([box.longer_side for box in boxes])
    large = np.flatnonzero(sides >= MIN_SIDE)
    large = large[np.argsort(-sides[large], kind="stable")][:MAX_COMPONENTS]
    # What a component encloses is inside its bounding box.
    tops, bottoms, lefts, rights = np.array([boxes[k] for k in large]).reshape(-1, 4).T
    is_inside = (tops > tops[:, None]) & (bottoms < bottoms[:, None])
    is_inside &= (lefts > lefts[:, None]) & (rights < rights[:, None])
    frames = {}
    for k in np.flatnonzero(is_inside.any(axis=1))[:MAX_FRAMES]:
        number, content = int(large[k]) + 1, sides[large[is_inside[k]]]
        box = boxes[number - 1]
        component = labels[box.window] == number
        thickness = line_thickness(component)
        side = min(box.height, box.width)
        least = max(MIN_CONTENT * side, MIN_CONTENT_THICKNESS * thickness)
        if side >= MIN_LARGE * thickness:
            least = min(least, MIN_LARGE_CONTENT_THICKNESS * thickness)
        inside = large[is_inside[k]][content >= least]
        if len(inside) and _encloses(component, labels, box, [boxes[j] for j in inside], inside):
            frames[number] = thickness
    return frames


def _encloses(
    component: Mask, labels: IntegerArray, box: Box, inside: list[Box], numbers: IntegerArray
) -> bool:
    """Whether a component encloses one of the others in its box."""
    outside = outside_of(component, 1)
    for number, other in zip(numbers, inside, strict=True):
        columns = labels[other.top, other.left : other.right] == number + 1
        row, column = other.top - box.top + 1, other.left + int(columns.argmax()) - box.left + 1
        if not outside[row, column]:
            return True
    return False


def line_thickness(component: Mask) -> float:
    """Median length of all vertical and horizontal runs of a component."""
    lengths = [vertical_runs(view).lengths for view in (component, component.T)]
    return float(np.median(np.concatenate(lengths)))


def outside_of(component: Mask, margin: int) -> BoolArray:
    """What is around a component, enlarged by a margin on all sides: neither ink nor enclosed."""
    # Without the diagonals, which ink connects.
    regions, _ = ndimage.label(~np.pad(component, margin))
    return np.asarray(regions == regions[0, 0])
