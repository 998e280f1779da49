"""Read the numbers on a page: one search for the best path through each line."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import chain
from math import inf
from typing import TypeVar

import numpy as np

from mnist_svm._types import GreyImage, Labels
from mnist_svm.exceptions import PictureError
from mnist_svm.pictures.boxes import Box
from mnist_svm.pictures.layout import Layout, find_layout
from mnist_svm.pictures.polarity import BlankPictureError
from mnist_svm.pictures.rows import Row as LayoutRow
from mnist_svm.pictures.texture import SMOOTHINGS
from mnist_svm.recognition.candidates import draw_candidates
from mnist_svm.recognition.formats import ANY_NUMBER, NumberFormat, parse_format
from mnist_svm.recognition.judging import Classify, Judge, JudgeDigits
from mnist_svm.recognition.line import Line, LineReading, elect, read_line
from mnist_svm.recognition.results import FieldSpec, Number, PageContent, Row

Item = TypeVar("Item")

# Share of the lower number's height that numbers of a row have in common.
MIN_OVERLAP = 0.5

# Passes of estimating how many of the short lines are numbers.
N_PASSES = 50
# Lone marks that are read: no page has more lone digits.
MAX_LONE = 1500

# Ways in which unsure lines are cut, and such lines at most: a page with more of them is noise.
N_WAYS, MAX_UNSURE = 3, 60

# Candidates judged on one page at most, and together: noise has more.
MAX_CANDIDATES, CANDIDATES_PER_BLOCK = 100_000, 4000


class PageReader:
    """Reader of all numbers on a picture.

    `classify` maps images to the probabilities of `classes`; `judge_digits` tells digits from
    other ink.
    """

    def __init__(self, classes: Labels, classify: Classify, judge_digits: JudgeDigits) -> None:
        self.classes = classes
        self._judge_candidates = Judge(len(classes), classify, judge_digits)

    def read(
        self,
        grey: GreyImage,
        *,
        expected: NumberFormat = ANY_NUMBER,
        is_line: bool = False,
        is_number: bool = False,
        deadline: float = inf,
    ) -> PageContent:
        """Read a decoded picture.

        `expected` are the limits of each number; `is_line` is whether the picture shows a single
        line, and `is_number`, a single number.

        Raises PictureError if the picture is blank, shows nothing that could be a digit, or is not
        read before `time.monotonic` reaches the deadline.
        """
        layout, lines, found = self.find_readings(
            grey, expected=expected, is_line=is_line or is_number, deadline=deadline
        )
        readings = [elect(each) if each else None for each in found]
        factors = _factors(lines, readings)
        numbers = [
            reading.number(self.classes, factor)
            for reading, factor in zip(readings, factors, strict=True)
            if reading is not None
        ]
        if not numbers:
            msg = f"no {expected.describe()} found on this picture"
            raise PictureError(msg)
        if is_number:
            numbers = [max(numbers, key=lambda number: number.box.width * number.box.height)]
        return PageContent(_arrange(numbers), tuple(layout.tables))

    def find_readings(
        self,
        grey: GreyImage,
        *,
        expected: NumberFormat = ANY_NUMBER,
        is_line: bool = False,
        deadline: float = inf,
    ) -> tuple[Layout, list[Line], list[list[LineReading]]]:
        """Find the lines of a picture, and the readings of each, of which one is to be elected.

        The parameters are those of `read`, which raises PictureError as this does.
        """
        layout = find_layout(grey, is_line=is_line)
        rows = _without_specks(layout.rows)
        lines = [Line.of_row(layout, row, expected) for row in _until(deadline, rows)]
        found = [[each] if each else [] for each in self._read_lines(lines, deadline)]
        if len(lines) <= 1:
            found = [self._read_again(grey, layout.is_dark, found, expected, deadline)]
        return layout, lines, found

    def _read_again(
        self,
        grey: GreyImage,
        is_dark: bool,
        first: Sequence[list[LineReading]],
        expected: NumberFormat,
        deadline: float,
    ) -> list[LineReading]:
        """Read the one line of a picture in other ways, if it is not read for sure yet."""
        readings = [reading for each in first for reading in each]
        if readings and elect(readings).is_sure:
            return readings
        for smoothing in SMOOTHINGS:
            try:
                layout = find_layout(grey, is_line=True, smoothing=smoothing, is_dark=is_dark)
            except BlankPictureError:
                continue
            lines = [Line.of_row(layout, row, expected) for row in layout.rows]
            readings += filter(None, self._read_lines(lines, deadline))
            if readings and elect(readings).is_sure:
                break
        return readings

    def read_fields(
        self, grey: GreyImage, fields: Sequence[FieldSpec], *, deadline: float = inf
    ) -> list[Number | None]:
        """Read one number at most in each part of a page.

        Raises PictureError if it is not read before `time.monotonic` reaches the deadline.
        """
        lines, owners = [], []
        for index, spec in enumerate(_until(deadline, fields)):
            expected = parse_format(spec.digits, spec.pattern)
            try:
                layout = find_layout(grey[spec.box.window], is_line=True)
            except BlankPictureError:
                continue
            origin = spec.box.top, spec.box.left
            lines += [Line.of_row(layout, row, expected, origin) for row in layout.rows]
            owners += [index] * len(layout.rows)
        numbers: list[Number | None] = [None] * len(fields)
        for index, reading in zip(owners, self._read_lines(lines, deadline), strict=True):
            if reading is not None:
                numbers[index] = reading.number(self.classes)
        return numbers

    def _read_lines(self, lines: Sequence[Line], deadline: float) -> list[LineReading | None]:
        """Read the number in each line: no reading if it has none.

        Lines that are not read for sure are cut in other ways too.
        """
        readings = self._read_cuts(self.cut(lines, 1, deadline), deadline)
        unsure = [k for k, each in enumerate(readings) if each is None or not each.is_sure]
        if len(unsure) <= MAX_UNSURE:
            cuts = self.cut([lines[k] for k in unsure], N_WAYS, deadline)
            for k, reading in zip(unsure, self._read_cuts(cuts, deadline), strict=True):
                readings[k] = reading
        return readings

    def cut(self, lines: Sequence[Line], n_ways: int, deadline: float = inf) -> list[list[Line]]:
        """Cut lines in several ways, and judge all runs of their pieces."""
        self._judge(lines, deadline)
        cuts = [line.cut(n_ways) for line in _until(deadline, lines)]
        self._judge(list(chain.from_iterable(cuts)), deadline)
        return cuts

    def _read_cuts(
        self, lines: Sequence[Sequence[Line]], deadline: float
    ) -> list[LineReading | None]:
        """Read lines, each of which is cut in several ways and judged."""
        return [read_line(ways, self.classes) for ways in _until(deadline, lines)]

    def _judge(self, lines: Sequence[Line], deadline: float) -> None:
        """Judge all new runs of all lines together: a call has a high fixed cost."""
        todo = list({run: line for line in lines for run in line.runs()}.items())
        if len(todo) > MAX_CANDIDATES:
            msg = "the picture has far more marks than a page of numbers"
            raise PictureError(msg)
        for start in range(0, len(todo), CANDIDATES_PER_BLOCK):
            block = todo[start : start + CANDIDATES_PER_BLOCK]
            runs = [(line.pieces, run) for run, line in _until(deadline, block)]
            candidates = draw_candidates(runs)
            judged = self._judge_candidates(candidates, [line.known for _, line in block])
            for (run, line), result in zip(block, judged, strict=True):
                line.judged[run] = result


def _without_specks(rows: Sequence[LayoutRow]) -> list[LayoutRow]:
    """The rows, of those of one component outside of tables only the highest `MAX_LONE`."""
    is_lone = np.array([len(row.members) == 1 and row.cell is None for row in rows], dtype=bool)
    heights = np.array([row.height for row in rows])
    if np.count_nonzero(is_lone) <= MAX_LONE:
        return list(rows)
    least = np.sort(heights[is_lone])[-MAX_LONE]
    return [row for row, lone in zip(rows, is_lone, strict=True) if not lone or row.height > least]


def _factors(lines: Sequence[Line], readings: Sequence[LineReading | None]) -> list[float]:
    """Factor of the confidence of each line, below 1 if most short lines are no numbers.

    Among thousands of specks, some look like digits: the confidence is the probability of a number
    only where one is expected. The share of numbers on this page is estimated together with the
    probabilities by expectation maximization (M. Saerens, P. Latinne, C. Decaestecker, "Adjusting
    the outputs of a classifier to new a priori probabilities", Neural Computation 14, 2002).
    """
    factors = np.ones(len(readings))
    is_short = np.array([line.is_short for line in lines[: len(readings)]], dtype=bool)
    before = np.array([0.0 if each is None else each.evidence.confidence for each in readings])
    before = before[is_short]
    if not len(before):
        return factors.tolist()
    after = before
    for _ in range(N_PASSES):
        share = (after.sum() + 1) / (len(after) + 2)
        odds = min(share / (1 - share), 1.0)
        after = before * odds / (before * odds + 1 - before)
    factors[is_short] = np.divide(after, before, out=np.ones_like(before), where=before > 0)
    return factors.tolist()


def _arrange(numbers: list[Number]) -> tuple[Row, ...]:
    """Put numbers in a row of a table, and others that are beside each other, into rows."""
    by_row: dict[tuple[int, int], list[Number]] = {}
    rows: list[list[Number]] = []
    for number in sorted(numbers, key=lambda number: number.box.left):
        if number.cell is not None:
            by_row.setdefault((number.cell.table, number.cell.row), []).append(number)
            continue
        best = max(rows, key=lambda row: _overlap(row[-1].box, number.box), default=None)
        if best is not None and _overlap(best[-1].box, number.box) >= MIN_OVERLAP:
            best.append(number)
        else:
            rows.append([number])
    rows += by_row.values()
    rows.sort(key=lambda row: float(np.mean([number.box.top for number in row])))
    return tuple(Row(tuple(row)) for row in rows)


def _overlap(first: Box, second: Box) -> float:
    """Rows that two boxes share, as a fraction of the lower one's height."""
    return -first.gaps(second)[0] / max(min(first.height, second.height), 1)


def _until(deadline: float, items: Sequence[Item]) -> Iterator[Item]:
    """Yield the items; raise PictureError when the deadline has passed."""
    for item in items:
        if time.monotonic() > deadline:
            msg = "not read in time: the picture has far more marks than a page of numbers"
            raise PictureError(msg)
        yield item
