"""Find the components of ink that surround other ink: boxes, combs, tables and rings."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from mnist_svm._types import BoolArray, IntegerArray, Mask
from mnist_svm.pictures.boxes import Box, label_components
from mnist_svm.pictures.filters import maximum_filter
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
# Thickness of a frame, as a fraction of the height of the writing, above which it is a desk.
MAX_FRAME = 0.35
# Sides of a frame that are no straight lines: greatest distance from its ends, in heights of the
# writing, or thickness, in that of its straight lines.
MAX_OFF_END, MAX_FRAME_DEPTH = 0.25, 1.25
# Difference of the sizes of frames that are alike, and of the areas of their ink.
SAME_SIZE, SAME_AREA = 0.08, 0.25
# Greatest size of what is left beside rulings and is no digit, in heights of the writing.
MAX_REMNANT = 0.3


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


def frame_pixels(
    labels: IntegerArray,
    boxes: list[Box],
    areas: IntegerArray,
    frames: dict[int, float],
    lines: Mask,
    height: float,
) -> Mask:
    """The pixels of frames apart from their straight lines, without the strokes that touch them.

    `labels`, `boxes` and `areas` are those of components, `frames` of `find_frames`; `height` is
    that of the writing.
    """
    pixels = np.zeros(lines.shape, dtype=bool)
    alike = _blank_frames(boxes, areas, frames)
    for number, thickness in [*frames.items(), *alike]:
        box = boxes[number - 1]
        component = labels[box.window] == number
        strokes = np.zeros_like(component)
        if thickness <= MAX_FRAME * height and number in frames:
            strokes = _strokes_at(component, lines[box.window], thickness, height)
        pixels[box.window] |= component & ~strokes
    return pixels


def _blank_frames(
    boxes: list[Box], areas: IntegerArray, frames: dict[int, float]
) -> list[tuple[int, float]]:
    """Components that are like a frame and enclose nothing; and the thickness of lines."""
    sides = np.array(boxes, dtype=float)
    sizes = sides[:, 1::2] - sides[:, 0::2]
    blank: dict[int, float] = {}
    for number, thickness in frames.items():
        size, area = sizes[number - 1], areas[number - 1]
        is_alike = (np.abs(sizes - size) <= SAME_SIZE * size + 2).all(axis=1)
        is_alike &= np.abs(areas - area) <= SAME_AREA * area
        blank.update((int(k) + 1, thickness) for k in np.flatnonzero(is_alike))
    return [each for each in blank.items() if each[0] not in frames]


def _strokes_at(component: Mask, lines: Mask, thickness: float, height: float) -> Mask:
    """Pixels of a frame that are strokes which touch it."""
    rest = component & ~lines
    least = MAX_REMNANT * height
    if not any(box.longer_side >= least for box in label_components(rest)[1]):
        return np.zeros_like(component)
    margin = int(1.3 * thickness) + 2
    outside = outside_of(component, margin)
    near = within(outside, margin)[margin:-margin, margin:-margin]
    fine = MAX_FRAME_DEPTH * _depth(lines & component)
    # Where a side is no straight line, what is near the outside is a part of it, but no stroke
    # that crosses it.
    labels, boxes = label_components(rest & near)
    for k, box in enumerate(boxes, start=1):
        part = labels[box.window] == k
        is_long = box.longer_side >= max(3 * thickness, least)
        if is_long and (_depth(part) <= fine or _is_at_end(box, component.shape, height)):
            rest[box.window] &= ~part
    labels, boxes = label_components(rest)
    strokes = np.zeros_like(component)
    for k, box in enumerate(boxes, start=1):
        part = labels[box.window] == k
        is_near = (near[box.window] & part).sum() > 0.8 * part.sum()
        is_side = is_near and (_depth(part) <= fine or _is_at_end(box, component.shape, height))
        if box.longer_side >= least and not is_side:
            strokes[box.window] |= part
    return strokes


def _depth(mask: Mask) -> float:
    """Mean distance of ink from paper, for comparing thicknesses; infinite if there is no ink."""
    padded = np.pad(mask, 1)
    return float(ndimage.distance_transform_edt(padded)[padded].mean()) if mask.any() else np.inf


def _is_at_end(part: Box, size: tuple[int, ...], height: float) -> bool:
    """Whether a part of a frame, of that size, stands at an end of it: others are strokes."""
    axis = 1 if part.height > part.width else 0
    middle = (part[2 * axis] + part[2 * axis + 1]) / 2
    return min(middle, size[axis] - middle) <= MAX_OFF_END * height


def within(mask: Mask, distance: int) -> Mask:
    """Pixels within a distance of those of a mask, in rows and columns."""
    return np.asarray(maximum_filter(mask, 2 * distance + 1))
