"""Read the numbers on a page: one search for the best path through each line."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from itertools import groupby
from math import inf
from operator import itemgetter
from typing import TypeVar

import numpy as np

from mnist_svm._types import GreyImage, Labels
from mnist_svm.exceptions import PictureError
from mnist_svm.pictures.boxes import Box
from mnist_svm.pictures.layout import Layout, find_layout
from mnist_svm.pictures.lines import HEIGHT, LineImage, Piece
from mnist_svm.pictures.polarity import BlankPictureError
from mnist_svm.pictures.rows import Row as LayoutRow
from mnist_svm.pictures.texture import SMOOTHINGS
from mnist_svm.recognition.candidates import LinePieces, Run
from mnist_svm.recognition.formats import ANY_NUMBER, NumberFormat, parse_format
from mnist_svm.recognition.judging import Classify, Judge, Judged, JudgeDigits, Known
from mnist_svm.recognition.lattice import Edge, Path, best_paths
from mnist_svm.recognition.results import Cell, Digit, FieldSpec, Number, PageContent, Row
from mnist_svm.recognition.scoring import (
    MAX_MARGIN,
    Evidence,
    digit_scores,
    log_odds,
    path_margin,
    skip_scores,
)

Item = TypeVar("Item")
# A component is not cut if it is a digit at least this probably, of a class at least this probably,
# and not wider than this multiple of the usual height.
SURE_DIGIT, SURE_CLASS, MAX_SURE_WIDTH = 0.9, 0.9, 1.0

# Share of the lower number's height that numbers of a row have in common.
MIN_OVERLAP = 0.5

# Lone marks on a page from which their share of digits counts, and the least share of a page of
# digits; also the confidence from which a mark is taken for one.
MIN_LONE, MIN_SHARE = 20, 0.5
# Lone marks that are read: no page has more lone digits.
MAX_LONE = 1500

# Confidence from which a single line is not read in other ways.
SURE_NUMBER = 0.95

# Unsure lines that are cut in a second way, at most: a page with more of them is noise.
MAX_UNSURE = 60

# Candidates judged on one page at most, and together: noise has more.
MAX_CANDIDATES, CANDIDATES_PER_BLOCK = 100_000, 4000


@dataclass(eq=False)
class _Line:
    """A line with its pieces, and what was judged of it.

    ``wholes`` are its components, before they are cut into ``pieces``.
    ``origin`` is the row and column of the picture at which that of the layout begins.
    """

    layout: Layout
    image: LineImage
    pieces: LinePieces
    wholes: LinePieces
    expected: NumberFormat
    origin: tuple[int, int]
    cell: Cell | None = None
    judged: dict[Run, Judged] = field(default_factory=dict)
    known: Known = field(default_factory=dict)

    @classmethod
    def of_row(
        cls,
        layout: Layout,
        row: LayoutRow,
        expected: NumberFormat,
        origin: tuple[int, int] = (0, 0),
    ) -> _Line:
        """A row of a page, whose components are its pieces."""
        image = layout.line(row)
        components = [image.component_piece(k) for k, box in enumerate(image.boxes) if box.height]
        pieces = image.in_order([piece for piece in components if piece is not None])
        cell = Cell(*row.cell) if row.cell else None
        wholes = LinePieces(image, pieces)
        return cls(layout, image, wholes, wholes, expected, origin, cell)

    @property
    def is_lone(self) -> bool:
        """Whether it is a single component, outside of tables."""
        return len(self.image.boxes) == 1 and self.cell is None

    def runs(self) -> list[Run]:
        """Runs of pieces that may be a digit and are not judged yet."""
        pieces = self.pieces.pieces
        runs = [pieces[start:stop] for start, stop in self.pieces.runs]
        return [run for run in runs if run not in self.judged]

    def cut(self, *, upright: bool = False) -> _Line:
        """The line with those components cut that are not a digit for sure.

        `upright` as in `mnist_svm.pictures.seams.Cuts.choose`.
        """
        pieces: list[Piece] = []
        for piece in self.wholes.pieces:
            judged = self.judged.get((piece,))
            is_sure = (
                judged is not None
                and judged.kinds[1] >= SURE_DIGIT
                and judged.classes.max() >= SURE_CLASS
                and piece.box.width <= MAX_SURE_WIDTH * HEIGHT
            )
            parts = [piece] if is_sure else self.image.cut(piece, upright=upright)
            pieces += parts if len(parts) > 1 else [piece]
        return replace(self, pieces=LinePieces(self.image, self.image.in_order(pieces)))

    def picture_box(self, box: Box) -> Box:
        """A box of the line's image in pixels of the picture."""
        return self.layout.picture_box(self.image.page_box(box)).shift(*self.origin)


@dataclass(frozen=True, eq=False)
class LineReading:
    """The best paths through a line, the evidence for one of them, and which it is."""

    line: _Line
    judged: list[Judged]
    paths: list[Path]
    evidence: Evidence
    chosen: int = 0

    @classmethod
    def of_paths(cls, line: _Line, judged: list[Judged], paths: list[Path]) -> LineReading:
        """The reading whose best path is chosen."""
        least = _least_odds(judged, paths[0])
        return cls(line, judged, paths, Evidence(path_margin(paths), 1, 1.0, *least))

    def number(self, labels: Labels, factor: float = 1.0) -> Number:
        """The number of the chosen path; its confidence is multiplied by a factor."""
        digits = []
        for k, label in self.paths[self.chosen].edges:
            candidate, classes = self.judged[k].candidate, self.judged[k].classes
            box = self.line.picture_box(candidate.box)
            confidence = float(classes[label])
            digits.append(Digit(int(labels[label]), confidence, box, candidate.image, classes))
        box = reduce(Box.union, (digit.box for digit in digits))
        return Number(tuple(digits), factor * self.evidence.confidence, box, self.line.cell)


def _least_odds(judged: list[Judged], path: Path) -> tuple[float, float]:
    """Least log odds of a digit, and of its class."""
    is_digit = np.array([judged[k].kinds[1] for k, _ in path.edges])
    classes = np.array([judged[k].classes[label] for k, label in path.edges])
    return float(log_odds(is_digit * classes).min()), float(log_odds(classes).min())


def _is_sure(reading: LineReading | None) -> bool:
    return reading is not None and reading.evidence.confidence >= SURE_NUMBER


def elect(readings: Sequence[LineReading]) -> LineReading:
    """Choose among readings of the same line: the number with the highest sum of votes.

    A reading has its confidence to give away; to each path, as much as its score allows.
    """
    if len(readings) == 1:
        return readings[0]
    votes: dict[tuple[int, ...], float] = {}
    supporters: dict[tuple[int, ...], list[tuple[float, LineReading]]] = {}
    for reading in readings:
        for k, path in enumerate(reading.paths):
            if path.edges:
                share = float(np.exp(path.score - reading.paths[0].score))
                vote = reading.evidence.confidence * share
                votes[path.classes] = votes.get(path.classes, 0) + vote
                supporter = vote, replace(reading, chosen=k)
                supporters.setdefault(path.classes, []).append(supporter)
    best, *others = sorted(votes, key=lambda text: -votes[text])
    margin = float(np.log(votes[best] / votes[others[0]])) if others else MAX_MARGIN
    least = [_least_odds(each.judged, each.paths[each.chosen]) for _, each in supporters[best]]
    evidence = Evidence(
        min(margin, MAX_MARGIN),
        len(readings),
        sum(each.chosen == 0 for _, each in supporters[best]) / len(readings),
        max(of_digit for of_digit, _ in least),
        max(of_class for _, of_class in least),
    )
    _, chosen = max(supporters[best], key=lambda pair: pair[0])
    return replace(chosen, evidence=evidence)


class PageReader:
    """Reader of all numbers on a picture.

    `classify` maps images to the probabilities of `classes`; `judge_digits` tells digits from
    other ink.
    """

    def __init__(self, classes: Labels, classify: Classify, judge_digits: JudgeDigits) -> None:
        self._classes = classes
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
        layout = find_layout(grey, is_line=is_line or is_number)
        rows = _without_specks(layout.rows)
        lines = [_Line.of_row(layout, row, expected) for row in _until(deadline, rows)]
        readings = self._read_lines(lines, deadline)
        if len(lines) <= 1:
            readings = [self._read_again(grey, layout.is_dark, readings, expected, deadline)]
        share = _share_of_digits(lines, readings)
        numbers = [
            reading.number(self._classes, share if line.is_lone else 1.0)
            for line, reading in zip(lines, readings, strict=False)
            if reading is not None
        ]
        if not numbers:
            msg = f"no {expected.describe()} found on this picture"
            raise PictureError(msg)
        if is_number:
            numbers = [max(numbers, key=lambda number: number.box.width * number.box.height)]
        return PageContent(_arrange(numbers), tuple(layout.tables))

    def _read_again(
        self,
        grey: GreyImage,
        is_dark: bool,
        first: Sequence[LineReading | None],
        expected: NumberFormat,
        deadline: float,
    ) -> LineReading | None:
        """Read the one line of a picture in other ways, if it is not read for sure yet."""
        readings = [reading for reading in first if reading is not None]
        if readings and _is_sure(readings[0]):
            return readings[0]
        lines = []
        for smoothing in SMOOTHINGS:
            try:
                layout = find_layout(grey, is_line=True, smoothing=smoothing, is_dark=is_dark)
            except BlankPictureError:
                continue
            lines += [_Line.of_row(layout, row, expected) for row in layout.rows]
        readings += [each for each in self._read_lines(lines, deadline) if each is not None]
        return elect(readings) if readings else None

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
            lines += [_Line.of_row(layout, row, expected, origin) for row in layout.rows]
            owners += [index] * len(layout.rows)
        numbers: list[Number | None] = [None] * len(fields)
        for index, reading in zip(owners, self._read_lines(lines, deadline), strict=True):
            if reading is not None:
                numbers[index] = reading.number(self._classes)
        return numbers

    def _read_lines(self, lines: Sequence[_Line], deadline: float) -> list[LineReading | None]:
        """Read the number in each line; None if it has none.

        Lines that are not read for sure are cut and read in another way too.
        """
        self._judge(lines, deadline)
        readings = self._read_cut([line.cut() for line in _until(deadline, lines)], deadline)
        unsure = [k for k, reading in enumerate(readings) if not _is_sure(reading)]
        if len(unsure) > MAX_UNSURE:
            return readings
        cut = [lines[k].cut(upright=True) for k in _until(deadline, unsure)]
        for k, other in zip(unsure, self._read_cut(cut, deadline), strict=True):
            both = [each for each in (readings[k], other) if each is not None]
            readings[k] = elect(both) if both else None
        return readings

    def _read_cut(self, lines: Sequence[_Line], deadline: float) -> list[LineReading | None]:
        self._judge(lines, deadline)
        return [self._read_line(line) for line in _until(deadline, lines)]

    def _judge(self, lines: Sequence[_Line], deadline: float) -> None:
        """Judge all new runs of all lines together: a call has a high fixed cost."""
        todo = [(line, run) for line in lines for run in line.runs()]
        if len(todo) > MAX_CANDIDATES:
            msg = "the picture has far more marks than a page of numbers"
            raise PictureError(msg)
        for start in range(0, len(todo), CANDIDATES_PER_BLOCK):
            block = todo[start : start + CANDIDATES_PER_BLOCK]
            candidates = []
            for line, pairs in groupby(_until(deadline, block), key=itemgetter(0)):
                candidates += line.pieces.candidates([run for _, run in pairs])
            judged = self._judge_candidates(candidates, [line.known for line, _ in block])
            for (line, run), result in zip(block, judged, strict=True):
                line.judged[run] = result

    def _read_line(self, line: _Line) -> LineReading | None:
        """Read one line; None if it has no digit."""
        pieces = line.pieces.pieces
        runs = line.pieces.runs
        if not runs:
            return None
        judged = [line.judged[pieces[start:stop]] for start, stop in runs]
        is_digit = np.array([each.kinds[1] for each in judged])
        classes = np.stack([each.classes for each in judged])
        components = [piece.component for piece in pieces]
        n_parts = np.bincount(components)[components]
        parts = n_parts.tolist()
        is_cut = np.array([_is_cut(components, parts, *run) for run in runs])
        scores = digit_scores(is_digit, classes, is_cut)
        edges = [Edge(*run, score) for run, score in zip(runs, scores, strict=True)]
        stroke = HEIGHT * HEIGHT * line.image.pen
        areas = np.array([float(piece.ink.sum()) for piece in pieces]) / stroke
        singles = [line.judged.get((piece,)) for piece in pieces]
        is_other = np.array([1.0 if each is None else each.kinds[2] for each in singles])
        skips = skip_scores(areas, is_other, n_parts > 1).tolist()
        paths = best_paths(len(pieces), edges, skips, self._by_index(line.expected))
        if not paths or not paths[0].edges:
            return None
        return LineReading.of_paths(line, judged, paths)

    def _by_index(self, expected: NumberFormat) -> NumberFormat:
        """The limits with class indices in place of labels."""
        if not expected.fixed:
            return expected
        labels = self._classes.tolist()
        fixed = {
            place: labels.index(label) if label in labels else -1
            for place, label in expected.fixed.items()
        }
        return NumberFormat(expected.least, expected.most, fixed)


def _is_cut(components: list[int], n_parts: list[int], start: int, stop: int) -> bool:
    """Whether a run of pieces has a part of a component, and another part is not in it."""
    run = components[start:stop]
    return any(run.count(k) < n for k, n in zip(run, n_parts[start:stop], strict=True))


def _without_specks(rows: Sequence[LayoutRow]) -> list[LayoutRow]:
    """The rows, of those of one component outside of tables only the highest `MAX_LONE`."""
    is_lone = np.array([len(row.members) == 1 and row.cell is None for row in rows], dtype=bool)
    heights = np.array([row.height for row in rows])
    if np.count_nonzero(is_lone) <= MAX_LONE:
        return list(rows)
    least = np.sort(heights[is_lone])[-MAX_LONE]
    return [row for row, lone in zip(rows, is_lone, strict=True) if not lone or row.height > least]


def _share_of_digits(lines: Sequence[_Line], readings: Sequence[LineReading | None]) -> float:
    """Share of lone marks that are digits; 1 if there are few, or most of them are.

    Among thousands of specks, some look like digits.
    """
    lone = [reading for line, reading in zip(lines, readings, strict=False) if line.is_lone]
    if len(lone) < MIN_LONE:
        return 1.0
    n_digits = sum(
        reading is not None and reading.evidence.confidence >= MIN_SHARE for reading in lone
    )
    share = n_digits / len(lone)
    return 1.0 if share >= MIN_SHARE else share


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
