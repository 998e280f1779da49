"""Find the rulings of paper: frames, boxes, combs, rings, underscores, and ruled lines.

They are measured by the writing, not by the picture: a line is a ruling if it is longer than a
digit is high, if it ends at other rulings, or if it surrounds digits. What a stroke covers stays.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from mnist_svm._types import BoolArray, Float64Array, IntegerArray, Mask
from mnist_svm.pictures.boxes import Box, component_boxes, label_components
from mnist_svm.pictures.combs import find_combs, hidden_teeth
from mnist_svm.pictures.enclosures import MAX_REMNANT, find_frames, frame_pixels, outside_of, within
from mnist_svm.pictures.grids import Grid, find_grids
from mnist_svm.pictures.junctions import find_sides, is_joined, is_outline, junctions, regular_teeth
from mnist_svm.pictures.runs import Runs, run_pixels, vertical_runs
from mnist_svm.pictures.straight import Lines, find_straight_lines, on_line

# Smallest side of a picture that is searched, and area of components that are no specks, in pixels;
# a picture with more components than this is noise.
MIN_PICTURE, MIN_AREA, MAX_COMPONENTS = 16, 4, 20_000
# Greatest thickness of a line, in median lengths of all runs, and in pixels more; and as a fraction
# of the height of the writing.
MAX_THICKNESS_RATIO, MAX_THICKNESS, MAX_THICKNESS_OF_WRITING = 2.0, 2.0, 0.22
# Pixels that a component counts for at most when the height of the writing is measured, in squared
# median lengths of all runs: no more than a digit has.
# Narrower ones than some strokes count less, and lines of a greater width over height not at all.
MAX_WEIGHT, MIN_WIDE, MIN_FLAT = 30, 3, 6

# Lengths, in heights of the writing, from which horizontal and vertical lines are rulings whatever
# is around them, and the fraction of them that must be filled.
MIN_HORIZONTAL, MIN_VERTICAL, MIN_FILLED = 1.8, 2.2, 0.85
# Greatest curvature of such a line, as the height of the writing over the radius: the arcs of
# several digits at one height have more.
MAX_BEND = 0.5
# Length, in heights of the writing, below which one end at least of such a line is not on a stroke,
# and thickness, in that of strokes, above which it is so too.
MIN_FREE_END, MAX_FREE_END = 3.0, 0.75
# Least length of a line of dashes, of a line that is a side of a frame, and of a tooth.
MIN_DASHED, MIN_SIDE, MIN_TOOTH = 0.6, 0.5, 0.15
# Room for a digit between horizontal lines and between vertical ones, in heights of the writing.
MIN_ROOM = 0.9, 0.75
# Lines that cross a picture cropped to a form: greatest gap to its border, in thicknesses, and
# slope, least length in heights of the writing, and the fractions of it that must be found as a
# line and have ink.
MAX_END_GAP, MAX_CROSSING_SLOPE, MIN_CROSSING, MIN_SEEN, MIN_CROSSED = 2, 0.1, 1.2, 0.35, 0.95
# Components of dashes, greatest size.
MAX_DASH = 0.45
# Underscores: least length, greatest height of the component, distance from the digit above, and
# least distance from what is below; differences of those beside each other: of rows, also as a
# slope, and of lengths, as a fraction.
MIN_UNDERSCORE, MAX_FLAT, MAX_BELOW, MIN_FREE = 0.35, 0.2, 0.8, 0.45
MAX_RISE, MAX_TILT, SAME_UNDERSCORE = 0.05, 0.02, 0.2
# What is left beside rulings: distance from them, in thicknesses, and the fraction that is as near.
NEAR, MIN_NEAR = 1.0, 0.85


@dataclass(frozen=True)
class Rulings:
    """The rulings of a picture.

    Attributes
    ----------
    lines : bool ndarray of the picture's shape, the pixels of rulings, without the strokes that
        cross them.
    grids : list of the ruled tables, from top to bottom.
    combs : list of the cells for the digits of one number, from left to right: those of a comb,
        separate boxes in a row, or the room above underscores.
    """

    lines: Mask
    grids: list[Grid]
    combs: list[tuple[Box, ...]]


def find_rulings(mask: Mask, faint_mask: Mask) -> Rulings:
    """Find the rulings of a picture.

    Parameters
    ----------
    mask : bool ndarray of shape (height, width), the pixels of strokes
    faint_mask : bool ndarray of that shape, all pixels above the noise
    """
    if min(mask.shape) >= MIN_PICTURE:
        labels, n = ndimage.label(mask, structure=np.ones((3, 3)))
        areas = np.bincount(labels.ravel(), minlength=n + 1)
        is_kept = areas >= MIN_AREA
        is_kept[0] = False
        if 0 < np.count_nonzero(is_kept) <= MAX_COMPONENTS:
            if not is_kept[1:].all():
                labels = np.cumsum(is_kept)[labels] * is_kept[labels]
            return _Search(mask, faint_mask, labels, areas[is_kept]).rulings()
    return Rulings(np.zeros(mask.shape, dtype=bool), [], [])


class _Search:
    """The search for rulings on one picture.

    ``lines`` holds horizontal lines and vertical ones, which are found in the transposed mask;
    ``is_ruling`` tells which of them are rulings.
    """

    def __init__(
        self, mask: Mask, faint_mask: Mask, labels: IntegerArray, areas: IntegerArray
    ) -> None:
        self.mask, self.labels, self.areas = mask, labels, areas
        self.boxes = component_boxes(labels)
        self.frames = find_frames(self.labels, self.boxes)
        views = faint_mask, faint_mask.T
        runs = [vertical_runs(view) for view in views]
        self.stroke = float(np.median(np.concatenate([part.lengths for part in runs])))
        self.height = self._height_of_writing()
        limit = MAX_THICKNESS_RATIO * self.stroke + MAX_THICKNESS
        limit = min(limit, max(MAX_THICKNESS_OF_WRITING * self.height, 2.0))
        self.lines = tuple(
            find_straight_lines(view, part, limit, self.stroke, self.height)
            for view, part in zip(views, runs, strict=True)
        )
        self.is_ruling = tuple(np.zeros(len(lines), dtype=bool) for lines in self.lines)
        self.is_side = tuple(lines.length >= MIN_SIDE * self.height for lines in self.lines)
        self.is_crossing = tuple(np.zeros(len(lines), dtype=bool) for lines in self.lines)
        # Which ends of lines are on which lines across them.
        self.on = tuple(self._junctions(axis) for axis in (0, 1))

    def rulings(self) -> Rulings:
        """Find the rulings."""
        self._take_long_lines()
        self._take_underscores()
        self._take_crossing_lines()
        self._take_outlines()
        self._take_boxes()
        self._take_lines_between()
        self._take_teeth()
        self._add_hidden_teeth()
        out = self._line_pixels()
        out |= frame_pixels(self.labels, self.boxes, self.areas, self.frames, out, self.height)
        horizontal, vertical = self.lines
        chosen = self.is_ruling[0], self.is_ruling[1]
        grids = find_grids(horizontal, vertical, chosen, self.height)
        combs = find_combs(horizontal, vertical, chosen, self.mask, self.height)
        return Rulings(self._with_remnants(out), grids, combs)

    def _height_of_writing(self) -> float:
        """Median height of the components that are no frames and no lines, weighted by area."""
        heights, widths = (np.array([box[k + 1] - box[k] for box in self.boxes]) for k in (0, 2))
        weights = np.minimum(self.areas, MAX_WEIGHT * max(self.stroke, 2.0) ** 2).astype(float)
        # A line has as much ink as a digit.
        weights *= np.minimum(np.minimum(heights, widths) / (MIN_WIDE * self.stroke), 1.0)
        is_frame = np.isin(np.arange(1, len(weights) + 1), list(self.frames))
        is_flat = (widths >= MIN_FLAT * heights) & (self.areas <= 2 * self.stroke * widths)
        for others in (is_frame | is_flat, is_flat, is_frame):
            if weights[~others].any():
                weights[others] = 0
                break
        else:
            return float(max(self.mask.shape))
        order = np.argsort(heights)
        half = np.searchsorted(np.cumsum(weights[order]), weights.sum() / 2)
        return float(heights[order][half])

    def _junctions(self, axis: int) -> tuple[BoolArray, BoolArray]:
        lines, others = self.lines[axis], self.lines[1 - axis]
        return junctions(lines, others, self.height)

    # --- lines that are rulings ----------------------------------------------------------

    def _take_long_lines(self) -> None:
        """Take lines that are longer than any stroke, and lines of dashes."""
        for axis, least in ((0, MIN_HORIZONTAL), (1, MIN_VERTICAL)):
            lines = self.lines[axis]
            is_long = (lines.length >= least * self.height) & (lines.filled >= MIN_FILLED)
            for k in np.flatnonzero(is_long):
                is_free = lines.length[k] >= MIN_FREE_END * self.height
                is_free &= lines.thickness[k] < MAX_FREE_END * self.stroke
                is_free = is_free or self._ends_freely(axis, int(k))
                self.is_ruling[axis][k] = is_free and self._is_straight(lines, int(k))
            for k in np.flatnonzero(lines.is_dashed & (lines.length >= MIN_DASHED * self.height)):
                sides = [box.longer_side for box in self._boxes_at(axis, int(k))]
                is_free = len(sides) > 0 and float(np.median(sides)) <= MAX_DASH * self.height
                self.is_ruling[axis][k] |= is_free

    def _is_straight(self, lines: Lines, line: int) -> bool:
        """Whether a line is no row of arcs, as the tops of zeros."""
        return abs(lines.curvature(line)) * self.height <= MAX_BEND

    def _ends_freely(self, axis: int, line: int) -> bool:
        """Whether a line ends where there is no stroke: on paper, at the border, on a ruling."""
        lines, view = self.lines[axis], self.mask if axis == 0 else self.mask.T
        beyond = max(round(float(lines.thickness[line])), 2)
        for end in (0, 1):
            row, column = lines.end(end)
            to_border = view.shape[1] - 1 - column[line] if end else column[line]
            if to_border <= MAX_END_GAP * lines.thickness[line] + 1:
                return True
            first = int(column[line]) + (1 if end else -beyond)
            top = round(float(row[line])) - 2 * beyond
            around = view[max(top, 0) : top + 4 * beyond + 1, max(first, 0) : first + beyond]
            is_short = around.any(axis=0).mean() < 1 if around.size else True
            if is_short or self.on[axis][end][line].any():
                return True
        return False

    def _take_underscores(self) -> None:
        """Take short lines below digits, and those beside them that digits touch."""
        lines = self.lines[0]
        is_short = (lines.length >= MIN_UNDERSCORE * self.height) & ~self.is_ruling[0]
        if not is_short.any():
            return
        firsts = np.array([members[0] for members in lines.members])
        rows = lines.thin.tops[firsts] + lines.thin.lengths[firsts] // 2
        numbers = self.labels[rows, lines.thin.columns[firsts]]
        boxes = np.array([(0, 0, 0, 0), *self.boxes], dtype=float)[numbers]
        is_flat = (boxes[:, 1] - boxes[:, 0] <= MAX_FLAT * self.height) & (numbers > 0)
        row, middle = lines.at + lines.slope * lines.start, (lines.start + lines.stop) / 2
        for k in np.flatnonzero(is_short & is_flat & (lines.filled >= MIN_FILLED)):
            if self.is_ruling[0][k] or not self._is_underscore(boxes[k]):
                continue
            along = np.abs(middle - middle[k])
            is_alike = np.abs(row - row[k]) <= MAX_RISE * self.height + MAX_TILT * along
            is_alike &= np.abs(lines.length - lines.length[k]) <= SAME_UNDERSCORE * lines.length[k]
            self.is_ruling[0][is_alike & is_short] = True

    def _boxes_at(self, axis: int, line: int) -> list[Box]:
        """Boxes of the components that a line is part of."""
        lines = self.lines[axis]
        runs = lines.thin.take(lines.members[line])
        labels = self.labels if axis == 0 else self.labels.T
        numbers = np.unique(labels[runs.tops + runs.lengths // 2, runs.columns])
        return [self.boxes[k - 1] for k in numbers if k]

    def _is_underscore(self, box: Float64Array) -> bool:
        """Whether a flat component is below a digit, and nothing is near below it."""
        top, bottom, left, right = box
        boxes = np.array(self.boxes, dtype=float)
        is_high = boxes[:, 1] - boxes[:, 0] >= 0.5 * self.height
        shared = np.minimum(boxes[:, 3], right) - np.maximum(boxes[:, 2], left)
        is_over = is_high & (shared >= 0.5 * np.minimum(boxes[:, 3] - boxes[:, 2], right - left))
        above, below = top - boxes[is_over, 1], boxes[is_over, 0] - bottom
        gap = float(above[above >= -0.1 * self.height].min(initial=np.inf))
        free = float(below[below >= 0].min(initial=np.inf))
        return gap <= MAX_BELOW * self.height and free > max(gap, MIN_FREE * self.height)

    def _take_crossing_lines(self) -> None:
        """Take lines from one side of the picture to the other.

        Upright ones if there are several: a number may be as narrow as a single 1.
        """
        for axis, view in enumerate((self.mask, self.mask.T)):
            lines, size = self.lines[axis], view.shape[1]
            gap = MAX_END_GAP * lines.thickness + 1
            near = (lines.start <= gap).astype(int) + (lines.stop >= size - gap)
            is_crossing = (near > 0) & (lines.filled >= MIN_FILLED)
            is_crossing &= np.abs(lines.slope) <= MAX_CROSSING_SLOPE
            is_crossing &= size >= MIN_CROSSING * self.height
            # A stroke may hide the rest of a line.
            is_crossing &= lines.length >= MIN_SEEN * size
            found = [
                k
                for k in np.flatnonzero(is_crossing)
                if on_line(view, lines.at[k], lines.slope[k], 0, size).mean() >= MIN_CROSSED
                and self._is_straight(lines, int(k))
            ]
            if len(found) >= (1 if axis == 0 else 2):
                self.is_ruling[axis][found] = True
                self.is_crossing[axis][found] = True

    def _take_outlines(self) -> None:
        """Take the straight lines along the outer side of frames."""
        for number, thickness in self.frames.items():
            box = self.boxes[number - 1]
            margin = int(2 * thickness) + 3
            outside = outside_of(self.labels[box.window] == number, margin)
            place = Box(
                box.top - margin, box.bottom + margin, box.left - margin, box.right + margin
            )
            views = (outside, place), (outside.T, Box(*place[2:], *place[:2]))
            for axis, (view, around) in enumerate(views):
                lines = self.lines[axis]
                middle = (lines.start + lines.stop) / 2
                row = lines.at + lines.slope * middle
                is_near = (middle > around.left) & (middle < around.right) & self.is_side[axis]
                is_near &= (row > around.top) & (row < around.bottom) & ~self.is_ruling[axis]
                for k in np.flatnonzero(is_near):
                    self.is_ruling[axis][k] = is_outline(lines, int(k), view, around)

    def _take_boxes(self) -> None:
        """Take lines that are three sides of a box with something in it."""
        for axis, view in enumerate((self.mask, self.mask.T)):
            is_side, is_across = self.is_side[axis], self.is_side[1 - axis]
            first, last = (part & is_across[:, None] & is_side for part in self.on[1 - axis])
            for k, left, right in find_sides(
                self.lines[axis], self.lines[1 - axis], (first, last), view, self.height
            ):
                self.is_ruling[axis][k] = True
                self.is_ruling[1 - axis][[left, right]] = True

    def _take_lines_between(self) -> None:
        """Take lines that end at rulings at both ends, until there are no more."""
        before = -1
        while before != (before := sum(int(part.sum()) for part in self.is_ruling)):
            for axis in (0, 1):
                first, last = (
                    part[:, self.is_ruling[1 - axis]].any(axis=1) for part in self.on[axis]
                )
                is_between = first & last & self.is_side[axis] & ~self.is_ruling[axis]
                for k in np.flatnonzero(is_between):
                    across = [part[k] & self.is_ruling[1 - axis] for part in self.on[axis]]
                    view = self.mask if axis == 0 else self.mask.T
                    self.is_ruling[axis][k] = is_joined(
                        self.lines[axis], int(k), self.lines[1 - axis], across, view
                    ) and not self._divides_digits(axis, int(k))

    def _divides_digits(self, axis: int, line: int) -> bool:
        """Whether a line is so near other rulings that there is no room for a digit beside it."""
        lines = self.lines[axis]
        middle = (lines.start[line] + lines.stop[line]) / 2
        row = lines.at + lines.slope * middle
        is_beside = self.is_ruling[axis] & (lines.start <= middle) & (middle < lines.stop)
        distance = (row - row[line])[is_beside]
        # The line itself may go on in parts.
        distance = distance[np.abs(distance) > lines.thickness[line] + 1]
        before = float(-distance[distance < 0].max(initial=-np.inf))
        behind = float(distance[distance > 0].min(initial=np.inf))
        nearest = min(before, behind) if axis == 0 else max(before, behind)
        return nearest < MIN_ROOM[axis] * self.height

    def _take_teeth(self) -> None:
        """Take short lines at regular distances that stand on a ruling, or hang from it."""
        for axis in (0, 1):
            base, others = self.lines[axis], self.lines[1 - axis]
            is_tooth = others.length >= MIN_TOOTH * self.height
            for k in np.flatnonzero(self.is_ruling[axis]):
                for end in (0, 1):
                    teeth = np.flatnonzero(is_tooth & self.on[1 - axis][end][:, k])
                    chosen = regular_teeth(others, teeth, base, int(k))
                    self.is_ruling[1 - axis][chosen] = True

    def _add_hidden_teeth(self) -> None:
        """Add the dividers of combs that strokes hide, where the pitch of the others has one."""
        views = self.mask, self.mask.T
        lines, chosen = list(self.lines), list(self.is_ruling)
        for axis in (0, 1):
            base, others = self.lines[axis], self.lines[1 - axis]
            is_ruling = self.is_ruling[1 - axis]
            for k in np.flatnonzero(self.is_ruling[axis]):
                for end in (0, 1):
                    teeth = np.flatnonzero(self.on[1 - axis][end][:, k] & is_ruling)
                    hidden = hidden_teeth(others, teeth, base, int(k), views[1 - axis])
                    lines[1 - axis] = lines[1 - axis].with_lines(hidden)
            n_hidden = len(lines[1 - axis]) - len(others)
            chosen[1 - axis] = np.append(is_ruling, np.ones(n_hidden, dtype=bool))
        self.lines, self.is_ruling = tuple(lines), tuple(chosen)

    # --- pixels --------------------------------------------------------------------------

    def _line_pixels(self) -> Mask:
        """The pixels of the lines that are rulings."""
        out = np.zeros(self.mask.shape, dtype=bool)
        for axis, size in enumerate(self.mask.shape):
            lines = self.lines[axis]
            is_long = lines.length >= MIN_HORIZONTAL * self.height
            is_long[: len(self.is_crossing[axis])] |= self.is_crossing[axis]
            runs = [
                lines.runs(int(k), extended=bool(is_long[k]))
                for k in np.flatnonzero(self.is_ruling[axis])
            ]
            if not runs:
                continue
            all_runs = Runs(*(np.concatenate(parts) for parts in zip(*runs, strict=True)))
            pixels = run_pixels(all_runs, size)
            columns, rows = np.divmod(pixels, size)
            (out if axis == 0 else out.T)[rows, columns] = True
        return out

    def _with_remnants(self, out: Mask) -> Mask:
        """Add what is left beside rulings and is no digit."""
        if not out.any():
            return out
        labels, boxes = label_components(self.mask & ~out)
        if not boxes:
            return out
        n = len(boxes)
        near = within(out, round(NEAR * self.stroke) + 1)
        touching = within(out, 1)
        counts = [np.bincount(labels[part], minlength=n + 1)[1:] for part in (near, touching)]
        areas = np.bincount(labels.ravel(), minlength=n + 1)[1:]
        sizes = np.array([box.longer_side for box in boxes])
        is_small = (counts[1] > 0) & (sizes <= MAX_REMNANT * self.height)
        dropped = np.concatenate([[False], is_small | (counts[0] > MIN_NEAR * areas)])
        return np.asarray(out | dropped[labels])
