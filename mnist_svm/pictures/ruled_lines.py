"""Ruled lines, squared paper and the frames of forms: found and taken out of the ink."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mnist_svm.constants import Mask

# A rule runs along so much of the picture's side, with at most this slope.
LENGTH = 0.6
SLOPES = np.tan(np.deg2rad(np.arange(-8, 8.01, 0.25)))

# Parts of the picture's side: no rule is thicker, and it ends this near to the picture's edge.
THICKNESS = 0.06
END = 0.04


@dataclass(frozen=True)
class _Rule:
    """A straight line across the picture: row = start + slope * column."""

    start: float
    slope: float


def find_ruled_lines(mask: Mask) -> list[Mask]:
    """Horizontal lines across a picture; those of the transposed mask are the vertical ones.

    Parameters
    ----------
    mask : bool ndarray of shape (height, width), where ink is

    Returns
    -------
    list of bool ndarray of shape (height, width), one a line, from top to bottom
        True on the line, but not where strokes cross it.
    """
    width = mask.shape[1]
    if min(mask.shape) < 16:
        return []
    top = mask.copy()
    top[1:] &= ~mask[:-1]
    straight = _straight(top)
    if not straight:
        return []
    runs = _vertical_runs(mask)
    across: list[Mask] = []
    within: list[Mask] = []
    for rule in straight:
        pixels = _traced(mask, runs, rule)
        (columns,) = np.nonzero(pixels.any(axis=0))
        if len(columns):
            ends = max(columns[0], width - 1 - columns[-1])
            (across if ends <= END * width else within).append(pixels)
    # One line alone that ends inside the picture is a stroke; two or more make a frame.
    lines = across + (within if len(within) > 1 else [])
    return sorted(lines, key=lambda line: int(line.any(axis=1).argmax()))


def find_both_directions(mask: Mask) -> tuple[list[Mask], list[Mask]]:
    """Horizontal lines across a picture, and vertical ones.

    Parameters
    ----------
    mask : bool ndarray of shape (height, width), where ink is

    Returns
    -------
    tuple of two lists of bool ndarray of shape (height, width), each as from `rules`
    """
    return find_ruled_lines(mask), [line.T for line in find_ruled_lines(mask.T)]


def _straight(top: Mask) -> list[_Rule]:
    """Straight lines that have the upper edge of some ink in most columns."""
    height, width = top.shape
    rows, columns = np.nonzero(top)
    if len(rows) < LENGTH * width:
        return []
    reach = int(np.ceil(SLOPES.max() * width)) + 2
    counts = np.stack(
        [
            np.bincount(
                np.rint(rows - slope * columns).astype(int) + reach, minlength=height + 2 * reach
            )
            for slope in SLOPES
        ]
    )
    counts = counts[:, :-2] + counts[:, 1:-1] + counts[:, 2:]
    rules = []
    while counts.max() >= LENGTH * width:
        slope, start = np.unravel_index(counts.argmax(), counts.shape)
        rules.append(_Rule(float(start + 1 - reach), float(SLOPES[slope])))
        near = 3 + round(THICKNESS * height / 2)
        middle = start + SLOPES[slope] * width / 2
        for other, of_other in enumerate(SLOPES):
            centre = round(middle - of_other * width / 2)
            counts[other, max(centre - near, 0) : centre + near] = 0
        if len(rules) > 100:
            break
    return rules


def _vertical_runs(mask: Mask) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """For each pixel the first row of the run of ink it is in, and the run's length."""
    height, _ = mask.shape
    rows = np.arange(height, dtype=np.int32)[:, None]
    first = np.maximum.accumulate(np.where(mask, -1, rows), axis=0) + 1
    last = np.minimum.accumulate(np.where(mask, height, rows)[::-1], axis=0)[::-1] - 1
    return first, np.where(mask, last - first + 1, 0)


def _traced(
    mask: Mask, runs: tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]], rule: _Rule
) -> Mask:
    """The runs of ink along a line that are as short as the line is thin."""
    height, width = mask.shape
    first, length = runs
    columns = np.arange(width)
    out = np.zeros_like(mask)
    row = np.rint(rule.start + rule.slope * columns).astype(int)
    starts = np.full(width, -1)
    for step in (0, 1, -1, 2, -2):
        at = np.clip(row + step, 0, height - 1)
        hit = (starts < 0) & mask[at, columns]
        starts[hit] = at[hit]
    on = starts >= 0
    if on.mean() < LENGTH:
        return out
    lengths = length[starts[on], columns[on]]
    thickness = float(np.median(lengths))
    if thickness > max(THICKNESS * max(height, width), 2):
        return out
    thin = lengths <= 1.5 * thickness + 1
    for column, begin, count in zip(
        columns[on][thin], first[starts[on], columns[on]][thin], lengths[thin], strict=True
    ):
        out[begin : begin + count, column] = True
    return out
