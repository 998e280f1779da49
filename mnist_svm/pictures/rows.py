"""Group connected components of ink into lines of writing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from mnist_svm._types import Float64Array, IntArray, IntegerArray
from mnist_svm.pictures.boxes import Box
from mnist_svm.pictures.grids import Grid

# Limits of a component, as multiples of the usual height: longer side below which it is a speck,
# height above which it is no digit, least height of one that makes a row.
MIN_SIZE, MAX_HEIGHT, MIN_TALL = 0.1, 3.0, 0.33
# Height, as a multiple of the usual height, below which up to so many components beside a row make
# no row of their own.
MIN_ROW, MAX_PARTS = 0.6, 2
# Greatest distance of such parts of a digit from the rest, as a multiple of the usual height.
PART_GAP = 0.25
# Least overlap of neighbours in a row, as a fraction of the lower one's height.
MIN_OVERLAP = 0.4
# Distance beyond a row's digits, as a multiple of their usual height, up to which smaller marks
# belong to it: above and below, and to the sides.
MARK_RISE, MARK_GAP = 0.2, 0.8
# Width, as a multiple of the usual height, above which the ink in a cell for one digit may be two.
MAX_SINGLE_WIDTH = 1.2
# Gap, as a multiple of the usual height, that separates two numbers of a row.
WIDE_GAP = 1.5
# Least height of what makes a cell not blank, as a multiple of the usual height in its table.
MIN_TALL_IN_CELL = 0.5
# Components kept of a page, the largest first: no page has more digits.
MAX_COMPONENTS = 5000


@dataclass(frozen=True, eq=False)
class Row:
    """Components in a row.

    Attributes
    ----------
    members : their indices.
    height : their usual height.
    singles : places in ``members`` of those that are alone in a cell for one digit.
    cell : table, row and column of the ruled cell that they are in, from 0, if they are in one.
    """

    members: list[int]
    height: float
    cell: tuple[int, int, int] | None = None
    singles: frozenset[int] = frozenset()


def group_rows(
    boxes: list[Box],
    areas: IntegerArray,
    *,
    is_line: bool = False,
    combs: Sequence[Sequence[Box]] = (),
) -> list[Row]:
    """Group components into rows, from top to bottom, and rows at wide gaps.

    Parameters
    ----------
    boxes : bounding boxes of the components
    areas : int ndarray of shape (n,), pixels of each
    is_line : whether all of them are in one line
    combs : boxes of cells for the digits of one number
    """
    if not boxes:
        return []
    heights = np.array([box.height for box in boxes])
    sides = np.array([box.longer_side for box in boxes])
    usual = usual_height(heights, areas)
    kept = np.flatnonzero((sides >= MIN_SIZE * usual) & (heights <= MAX_HEIGHT * usual))
    kept = kept[np.argsort(-areas[kept], kind="stable")[:MAX_COMPONENTS]]
    tall = [int(k) for k in kept if heights[k] >= MIN_TALL * usual]
    small = [int(k) for k in kept if heights[k] < MIN_TALL * usual]
    rows = []
    for members in [tall] if is_line else _chain(boxes, tall):
        height = usual_height(heights[members], areas[members])
        if height >= MIN_TALL * usual:
            rows.append(Row(members, height))
    rows, parts = _without_parts(rows, boxes, usual)
    nearest = _NearestRow(rows, boxes, len(parts) + len(small))
    for k in parts:
        nearest.take(k, is_part=True)
    for k in small:
        nearest.take(k)
    numbers = rows
    if not is_line:
        owners = _combs_of(boxes, combs)
        rows = _joined(rows, boxes, owners)
        numbers = [part for row in rows for part in _split_at_gaps(row, boxes, owners)]
    if combs:
        cells = [cell for comb in combs for cell in comb]
        numbers = [replace(row, singles=_singles(row, boxes, cells)) for row in numbers]
    return sorted(numbers, key=lambda row: float(np.mean([boxes[k].top for k in row.members])))


def group_cells(
    boxes: list[Box], areas: IntegerArray, grids: Sequence[Grid]
) -> tuple[list[Row], list[int]]:
    """Group the components in the cells of tables, row by row; and return those that are in none.

    A cell without anything as high as a digit is blank.
    """
    rows: list[Row] = []
    free = np.ones(len(boxes), dtype=bool)
    middles = np.array([[box.top + box.bottom, box.left + box.right] for box in boxes]) / 2
    for number, grid in enumerate(grids):
        contents = []
        for row, column, box in grid.cells:
            top_left, bottom_right = np.array(box[::2]), np.array(box[1::2])
            inside = ((middles >= top_left) & (middles < bottom_right)).all(axis=1) & free
            contents.append(((number, row, column), np.flatnonzero(inside)))
            free &= ~inside
        inside = np.concatenate([members for _, members in contents])
        if not len(inside):
            continue
        heights = np.array([boxes[k].height for k in inside])
        usual = usual_height(heights, areas[inside])
        for cell, members in contents:
            kept = [int(k) for k in members if boxes[k].longer_side >= MIN_SIZE * usual]
            tall = np.array([k for k in kept if boxes[k].height >= MIN_TALL_IN_CELL * usual])
            if len(tall):
                height = usual_height(np.array([boxes[k].height for k in tall]), areas[tall])
                rows.append(Row(kept, height, cell))
    return rows, np.flatnonzero(free).tolist()


def usual_height(heights: IntegerArray, areas: IntegerArray) -> float:
    """Median height, weighted by area."""
    order = np.argsort(heights)
    half = np.searchsorted(np.cumsum(areas[order]), areas.sum() / 2)
    return float(heights[order][half])


def _chain(boxes: list[Box], members: list[int]) -> list[list[int]]:
    """Append each component, from left to right, to the row whose last one it overlaps most."""
    rows: list[list[int]] = []
    last = np.empty((len(members), 2))
    for k in sorted(members, key=lambda k: boxes[k].left):
        box = boxes[k]
        ends = last[: len(rows)]
        common = np.minimum(ends[:, 1], box.bottom) - np.maximum(ends[:, 0], box.top)
        overlaps = common / np.minimum(ends[:, 1] - ends[:, 0], box.height)
        if len(rows) and overlaps.max() >= MIN_OVERLAP:
            index = int(overlaps.argmax())
        else:
            index = len(rows)
            rows.append([])
        rows[index].append(k)
        last[index] = box.top, box.bottom
    return rows


def _without_parts(rows: list[Row], boxes: list[Box], usual: float) -> tuple[list[Row], list[int]]:
    """Rows, without those low ones that are beside others: parts of digits, as the bar of a 5."""
    is_low = [row.height < MIN_ROW * usual and len(row.members) <= MAX_PARTS for row in rows]
    kept = [row for row, low in zip(rows, is_low, strict=True) if not low]
    nearest = _NearestRow(kept, boxes)
    parts: list[int] = []
    for row, low in zip(rows, is_low, strict=True):
        if low and all(nearest.find(boxes[k], is_part=True) is not None for k in row.members):
            parts += row.members
        elif low:
            kept.append(row)
    return kept, parts


class _NearestRow:
    """Finds the row that a smaller component belongs to, and can give it up to `room` of them.

    It is that with the nearest component that is beside it: near in rows and columns, or, for a
    mark, one whose height, and a margin, hold its centre.
    """

    def __init__(self, rows: list[Row], boxes: list[Box], room: int = 0) -> None:
        self._rows, self._boxes = list(rows), boxes
        members = [k for row in rows for k in row.members]
        self._n = len(members)
        self._sides = np.zeros((self._n + room, 4))
        self._sides[: self._n] = np.array([boxes[k] for k in members]).reshape(-1, 4)
        self._owners = np.zeros(self._n + room, dtype=np.intp)
        sizes = [len(row.members) for row in rows]
        self._owners[: self._n] = np.repeat(np.arange(len(rows)), sizes)
        self._heights = np.array([row.height for row in rows])

    def find(self, box: Box, *, is_part: bool = False) -> int | None:
        """Index of the row that a component belongs to; None if there is none."""
        if not self._n:
            return None
        top, bottom, left, right = self._sides[: self._n].T
        heights = self._heights[self._owners[: self._n]]
        gap = np.maximum(left, box.left) - np.minimum(right, box.right)
        rise = np.maximum(top, box.top) - np.minimum(bottom, box.bottom)
        is_beside = np.maximum(rise, gap) <= PART_GAP * heights
        if not is_part:
            middle, margin = (box.top + box.bottom) / 2, MARK_RISE * heights
            is_level = (top - margin <= middle) & (middle <= bottom + margin)
            is_beside |= is_level & (gap <= MARK_GAP * heights)
        gap = np.where(is_beside, gap, np.inf)
        nearest = int(gap.argmin())
        return int(self._owners[nearest]) if np.isfinite(gap[nearest]) else None

    def take(self, k: int, *, is_part: bool = False) -> None:
        """Put a component into its row, where it may be beside others."""
        index = self.find(self._boxes[k], is_part=is_part)
        if index is not None:
            self._rows[index].members.append(k)
            self._sides[self._n], self._owners[self._n] = self._boxes[k], index
            self._n += 1


def _combs_of(boxes: list[Box], combs: Sequence[Sequence[Box]]) -> IntArray:
    """Which comb each component is in; -1 where it is in none."""
    owners = np.full(len(boxes), -1)
    middles = np.array([[box.top + box.bottom, box.left + box.right] for box in boxes]) / 2
    for number, cells in enumerate(combs):
        top, bottom, left, right = np.array(cells).T
        low, high = (top.min(), left.min()), (bottom.max(), right.max())
        owners[((middles >= low) & (middles < high)).all(axis=1)] = number
    return owners


def _joined(rows: list[Row], boxes: list[Box], owners: IntArray) -> list[Row]:
    """Join rows beside each other in one comb: digits that stray up and down in their cells."""
    joined: list[Row] = []
    extents: list[Float64Array] = []
    for row in rows:
        combs = {int(owners[k]) for k in row.members}
        extent = np.median([boxes[k][:2] for k in row.members], axis=0)
        for k, other in enumerate(joined):
            common = min(extent[1], extents[k][1]) - max(extent[0], extents[k][0])
            is_beside = common >= MIN_OVERLAP * min(np.ptp(extent), np.ptp(extents[k]))
            if is_beside and -1 not in combs and {int(owners[j]) for j in other.members} == combs:
                height = max(row.height, other.height)
                joined[k] = replace(other, members=other.members + row.members, height=height)
                break
        else:
            joined.append(row)
            extents.append(extent)
    return joined


def _singles(row: Row, boxes: list[Box], cells: Sequence[Box]) -> frozenset[int]:
    """Places of the members that are alone in a cell and no wider than one digit."""
    sides = np.array([boxes[k] for k in row.members])
    tops, bottoms, lefts, rights = sides.T
    is_large = np.maximum(bottoms - tops, rights - lefts) >= MIN_TALL * row.height
    is_narrow = rights - lefts <= MAX_SINGLE_WIDTH * row.height
    rows, columns = (tops + bottoms) / 2, (lefts + rights) / 2
    found = []
    for top, bottom, left, right in cells:
        inside = (rows >= top) & (rows < bottom) & (columns >= left) & (columns < right) & is_large
        if inside.sum() == 1 and is_narrow[inside].all():
            found.append(int(np.flatnonzero(inside)[0]))
    return frozenset(found)


def _split_at_gaps(row: Row, boxes: list[Box], owners: IntArray) -> list[Row]:
    """Split a row where the gap between neighbours is wide, if it is not between cells of a comb.

    `owners` are the combs that components are in.
    """
    members = sorted(row.members, key=lambda k: (boxes[k].left + boxes[k].right) / 2)
    parts, right = [[members[0]]], boxes[members[0]].right
    for before, k in pairwise(members):
        is_one_number = owners[k] == owners[before] >= 0
        if boxes[k].left - right > WIDE_GAP * row.height and not is_one_number:
            parts.append([])
        parts[-1].append(k)
        right = max(right, boxes[k].right)
    return [Row(part, row.height) for part in parts]
