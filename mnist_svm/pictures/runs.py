"""Vertical runs of ink in a mask."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mnist_svm._types import BoolArray, Float64Array, IntArray, Mask


class Runs(NamedTuple):
    """Vertical runs of ink, by column and row: column, first row, and length of each."""

    columns: IntArray
    tops: IntArray
    lengths: IntArray

    def take(self, which: IntArray | BoolArray) -> Runs:
        """Some of the runs."""
        return Runs(*(part[which] for part in self))

    @property
    def middles(self) -> Float64Array:
        """Row of the middle of each."""
        return np.asarray(self.tops + (self.lengths - 1) / 2)


def vertical_runs(mask: Mask) -> Runs:
    """All vertical runs of ink."""
    across = np.zeros((mask.shape[1], mask.shape[0] + 1), dtype=bool)
    across[:, :-1] = mask.T
    flat = across.ravel()
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    if flat[0]:
        changes = np.concatenate([[0], changes])
    starts, stops = changes[0::2], changes[1::2]
    columns, tops = np.divmod(starts, across.shape[1])
    return Runs(columns, tops, stops - starts)


def run_pixels(runs: Runs, height: int) -> IntArray:
    """Indices of the pixels of runs in the flat transposed mask, whose rows have `height`."""
    if not len(runs.columns):
        return np.empty(0, dtype=np.intp)
    ends = np.cumsum(runs.lengths)
    offsets = np.arange(ends[-1]) - np.repeat(ends - runs.lengths, runs.lengths)
    return np.asarray(np.repeat(runs.columns * height + runs.tops, runs.lengths) + offsets)
